"""What is taken apart for the disk comes together again."""

from __future__ import annotations

import json

import torch

from agents.learning.nested import apart, together


def test_an_optimizer_survives_json() -> None:
    layer = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(layer.parameters(), 0.1)
    layer(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    deep = [1.5, {"deep": torch.arange(3)}]
    state = {"iteration": 3, "none": None, "list": deep, "optimizer": optimizer.state_dict()}
    tensors, rest = apart(state)
    assert all(isinstance(value, torch.Tensor) for value in tensors.values())
    back = together(tensors, json.loads(json.dumps(rest)))
    assert back["iteration"] == 3 and back["none"] is None and back["list"][0] == 1.5
    assert torch.equal(back["list"][1]["deep"], torch.arange(3))
    assert set(back["optimizer"]["state"]) == {0, 1}  # whole numbers, not text

    other = torch.optim.Adam(layer.parameters(), 0.5)
    other.load_state_dict(back["optimizer"])
    assert other.param_groups[0]["lr"] == 0.1
    assert torch.equal(other.state[layer.weight]["exp_avg"], optimizer.state[layer.weight]["exp_avg"])


def test_places_of_different_tensors_never_meet() -> None:
    value = {"a": {"b/c": torch.zeros(1)}, "a/b": {"c": torch.ones(1)}}
    tensors, rest = apart(value)
    assert torch.equal(together(tensors, rest)["a/b"]["c"], torch.ones(1))
    assert torch.equal(together(tensors, rest)["a"]["b/c"], torch.zeros(1))
