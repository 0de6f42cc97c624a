"""World models on disk: exact round trip, and clear words for every way a file can be wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from worldsim.checkpoint import FILE_NAME, ModelCard, load_world, read_card, save_world

from .worlds import tiny_world

CARD = ModelCard("tiny", "A test.", "none", metrics={"psnr_db": 1.5}, limits=["It is tiny."])


def test_round_trip_is_exact(tmp_path: Path) -> None:
    world = tiny_world()
    world.trust_scale.fill_(0.7)
    save_world(tmp_path, world, CARD)
    again = load_world(tmp_path)
    assert again.config == world.config
    for (name, a), (other, b) in zip(world.state_dict().items(), again.state_dict().items(), strict=True):
        assert name == other and torch.equal(a, b), name
    assert read_card(tmp_path) == CARD
    assert "It is tiny." in (tmp_path / "MODEL_CARD.md").read_text()


def test_half_precision_halves_the_file(tmp_path: Path) -> None:
    world = tiny_world()
    whole = save_world(tmp_path / "a", world, CARD).stat().st_size
    half = save_world(tmp_path / "b", world, CARD, torch.float16).stat().st_size
    assert half < 0.6 * whole
    assert torch.allclose(load_world(tmp_path / "b").dynamics.embed.weight, world.dynamics.embed.weight, atol=1e-3)


def test_unknown_name_suggests_the_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worldsim.checkpoint.SHIPPED", tmp_path)
    save_world(tmp_path / "road", tiny_world(), CARD)
    with pytest.raises(ValueError, match=r"unknown world 'raod'.*did you mean 'road'"):
        load_world("raod")


def test_another_format_version_is_refused(tmp_path: Path) -> None:
    path = save_world(tmp_path, tiny_world(), CARD)
    save_file(load_file(path), path, metadata={"world": json.dumps({"format_version": 99})})
    with pytest.raises(ValueError, match=r"expected format version 1 .* got 99"):
        load_world(tmp_path)


def rewrite_header(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change what the header of the world at ``path`` says, and leave its weights."""
    with safe_open(path, framework="pt") as handle:
        header = json.loads(handle.metadata()["world"])
    change(header)
    save_file(load_file(path), path, metadata={"world": json.dumps(header)})


@pytest.mark.parametrize("section", ["tokenizer", "dynamics"])
def test_a_setting_of_a_newer_release_is_named(tmp_path: Path, section: str) -> None:
    path = save_world(tmp_path, tiny_world(), CARD)
    rewrite_header(path, lambda header: header["config"][section].update(wings=2))
    with pytest.raises(ValueError, match=rf"unknown key '{section}\.wings'.*A newer worldsim wrote .* update worldsim"):
        load_world(tmp_path)


def test_a_newer_card_is_named(tmp_path: Path) -> None:
    path = save_world(tmp_path, tiny_world(), CARD)
    rewrite_header(path, lambda header: header["card"].update(sponsor="nobody"))
    with pytest.raises(ValueError, match=r"unknown key 'sponsor'.*A newer worldsim wrote .* update worldsim"):
        read_card(tmp_path)
    assert load_world(tmp_path).config == tiny_world().config  # a card alone stops no one


def test_a_world_from_before_there_were_cameras_and_warps_still_loads(tmp_path: Path) -> None:
    world = tiny_world(warp_width=0)
    path = save_world(tmp_path, world, CARD)

    def age(header: dict[str, Any]) -> None:
        for name in ("cameras", "any_view", "warp_width", "warp_blocks"):
            del header["config"]["dynamics"][name]
        del header["card"]["command"], header["card"]["limits"]

    rewrite_header(path, age)
    again = load_world(tmp_path)
    assert again.config == world.config
    assert torch.equal(again.dynamics.embed.weight, world.dynamics.embed.weight)
    assert read_card(tmp_path).metrics == CARD.metrics


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = save_world(tmp_path, tiny_world(), CARD)
    with safe_open(path, framework="pt") as handle:
        header = handle.metadata()
    tensors = load_file(path)
    tensors["dynamics.renamed"] = tensors.pop("dynamics.extra")
    save_file(tensors, path, metadata=header)
    with pytest.raises(ValueError, match="do not fit this release's network"):
        load_world(tmp_path)


def test_a_cut_file_is_named(tmp_path: Path) -> None:
    path = save_world(tmp_path, tiny_world(), CARD)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=f"{FILE_NAME} is damaged"):
        load_world(tmp_path)


def test_an_interrupted_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_world(tmp_path, tiny_world(seed=0), CARD)

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("worldsim.tensor_file.save_file", fail)
    with pytest.raises(OSError, match="disk is full"):
        save_world(tmp_path, tiny_world(seed=1), CARD)
    monkeypatch.undo()
    again = load_world(tmp_path)
    assert torch.equal(again.dynamics.embed.weight, tiny_world(seed=0).dynamics.embed.weight)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["MODEL_CARD.md", FILE_NAME]
