"""A policy in ONNX does what it does here, from camera frames alone, and says what it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agents.policy import export
from agents.policy.checkpoint import PolicyCard, save_policy
from agents.policy.driver import PolicyAgent
from agents.policy.export import CHECKED, METADATA, ExportAgentConfig, Standalone, export_policy, run_file
from agents.policy.network import Policy, PolicyConfig
from tests.envs.learned_worlds import CALM, drives
from worldsim.checkpoint import ModelCard, save_world
from worldsim.tokenizer import tokenizer_hash
from worldsim.types import COMMANDS, EGO_FIELDS

for needed in ("onnxruntime", "onnxscript"):
    pytest.importorskip(needed, reason="needs the extra `export`: pip install 'worldsim[export]'")

HISTORY = 2


@pytest.fixture(scope="module")
def policy() -> Policy:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = Policy(PolicyConfig.of(CALM, history=HISTORY, frame_width=16, width=16)).eval()
    with torch.no_grad():
        made.mean.weight.mul_(300.0)  # awake: an untrained policy coasts
    return made.requires_grad_(False)


@pytest.fixture(scope="module")
def card() -> PolicyCard:
    return PolicyCard("tiny", "imitation", "episodes", "tiny", tokenizer_hash(CALM.tokenizer), seed=3)


@pytest.fixture(scope="module")
def exported(policy: Policy, card: PolicyCard, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("onnx") / "policy.onnx"
    assert export_policy(path, policy, card, CALM) <= 1e-4
    yield path


def test_it_drives_as_the_policy_does(policy: Policy, card: PolicyCard, exported: Path) -> None:
    """Step by step in a world, for any number of drives, given the last camera frames as they come."""
    for count in (1, 3):
        env = drives(count, CALM, max_steps=5)
        agent = PolicyAgent(policy, card, CALM)
        seen, info = env.reset(seed=0)
        agent.begin(env, np.random.default_rng(0))
        camera = np.repeat(seen["camera"][:, None], HISTORY, axis=1)
        actions = []
        for _ in range(3):
            action = agent.act(seen, info)
            found = run_file(exported, camera, seen["ego"], seen["command"])
            assert found.shape == (count, 2) and found.dtype == np.float32
            assert np.allclose(found, action, atol=1e-4)
            actions.append(action)
            seen, *_, info = env.step(action)
            camera = np.concatenate((camera[:, 1:], seen["camera"][:, None]), axis=1)
        assert np.ptp(actions, axis=0).max() > 1e-2, "the policy should have had something to do"


def test_every_input_matters_and_actions_are_clipped(policy: Policy, exported: Path) -> None:
    camera, ego, command = Standalone(policy, CALM).example(64)
    actions = run_file(exported, camera, ego, command)
    assert np.abs(actions).max() == 1.0 and (np.abs(actions) < 0.9).any()
    for other in (
        (camera.flip(0), ego, command),
        (camera.flip(1), ego, command),
        (camera, ego + 1, command),
        (camera, ego, (command + 1) % 4),
    ):
        assert not np.allclose(run_file(exported, *other), actions, atol=1e-3)


def test_the_file_stands_alone_and_says_what_it_is(exported: Path, card: PolicyCard) -> None:
    import onnx

    model = onnx.load(str(exported), load_external_data=False)
    facts = json.loads({each.key: each.value for each in model.metadata_props}[METADATA])
    assert facts["card"] == vars(card) and facts["config"]["history"] == HISTORY
    assert facts["ego"] == list(EGO_FIELDS) and facts["command"] == list(COMMANDS)
    assert list(exported.parent.iterdir()) == [exported]
    assert not any(onnx.external_data_helper.uses_external_data(weight) for weight in model.graph.initializer)
    assert not any("decoder" in weight.name for weight in model.graph.initializer), "it never draws a picture"


def test_the_command(
    policy: Policy, card: PolicyCard, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    save_world(tmp_path / "world", CALM, ModelCard("tiny", "A test.", "none"))
    save_policy(tmp_path / "agent", policy, card)
    written = []

    def told(*given: Any) -> float:
        written.append(given)
        return 3e-7

    monkeypatch.setattr(export, "export_policy", told)
    config = ExportAgentConfig(str(tmp_path / "agent"), tmp_path / "p.onnx", str(tmp_path / "world"))
    assert export.run(config) == config.out
    (path, found, found_card, world), text = written[0], capsys.readouterr().out
    assert path == config.out and found_card == card and tokenizer_hash(world.tokenizer) == card.tokenizer
    assert torch.equal(found.mean.weight, policy.mean.weight)
    assert text == f"largest difference in {CHECKED} drives: 3.0e-07\n"


def test_another_worlds_eyes_are_refused(policy: Policy, tmp_path: Path) -> None:
    other = PolicyCard("tiny", "imitation", "episodes", "tiny", "0123456789abcdef")
    with pytest.raises(ValueError, match="expected the tokenizer 0123456789abcdef"):
        export_policy(tmp_path / "p.onnx", policy, other, CALM)


def test_a_file_that_drives_otherwise_is_not_kept(
    policy: Policy, card: PolicyCard, tmp_path: Path, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A runtime that is off by a hair."""

    class Copied:
        def save(self, path: Path) -> None:
            path.write_bytes(exported.read_bytes())

    monkeypatch.setattr(export, "_traced", lambda *given: Copied())
    (tmp_path / "p.onnx").write_bytes(b"before")
    monkeypatch.setattr(export, "run_file", lambda *given: run_file(*given) + 1e-3)
    with pytest.raises(ArithmeticError, match="nothing was written"):
        export_policy(tmp_path / "p.onnx", policy, card, CALM)
    assert (tmp_path / "p.onnx").read_bytes() == b"before" and len(list(tmp_path.iterdir())) == 1


def test_without_the_extra_it_says_what_to_install(
    policy: Policy, card: PolicyCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    with pytest.raises(ImportError, match=r"pip install 'worldsim\[export\]'"):
        export_policy(tmp_path / "p.onnx", policy, card, CALM)
