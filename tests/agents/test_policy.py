"""Policies: what they see is the same in both worlds, they act on it alone, and their files come back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from agents.policy.checkpoint import FILE_NAME, PolicyCard, load_policy, save_policy
from agents.policy.driver import PolicyAgent
from agents.policy.network import Critic, Policy, PolicyConfig
from agents.policy.observe import PolicyInput, PolicyView, PolicyViewEnv
from tests.envs.learned_worlds import LIVELY, WORLD, drives
from worldsim.tensor_file import TensorFile
from worldsim.tokenizer import tokenizer_hash

CARD = PolicyCard("tiny", "imagination", "Drive-v0", "tiny", tokenizer_hash(WORLD.tokenizer), ["highway"], seed=3)


def policy(seed: int = 0, **sizes: Any) -> Policy:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = Policy(PolicyConfig.of(WORLD, frame_width=16, width=16, **sizes)).eval()
        with torch.no_grad():
            made.mean.weight.mul_(300.0)  # awake: an untrained policy coasts
        return made


def seen(b: int = 4, k: int = 3) -> PolicyInput:
    g = torch.Generator().manual_seed(0)
    c = WORLD.config.dynamics
    return PolicyInput(
        torch.randn(b, k, c.n_tokens, c.latent_dim, generator=g), torch.randn(b, 4, generator=g), torch.arange(b) % 4
    )


def test_an_untrained_policy_coasts_and_a_critic_expects_little() -> None:
    config = PolicyConfig.of(WORLD)
    assert Policy(config).act(seen()).abs().max() < 0.1
    assert Critic(config)(seen()).abs().max() < 1.0


def test_actions_are_drawn_by_the_generator_alone() -> None:
    p, x = policy(), seen()
    assert torch.equal(p.act(x), p.act(x)) and p.act(x).abs().max() <= 1.0
    drawn = [p.act(x, torch.Generator().manual_seed(s)) for s in (1, 1, 2)]
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
    assert torch.allclose(p(x).base_dist.stddev[0], p.log_std.exp())


def test_every_part_of_what_is_seen_matters() -> None:
    p, x = policy(), seen()
    for name in ("latents", "ego"):
        other = {**vars(x), name: getattr(x, name) + 1.0}
        assert not torch.allclose(p.act(PolicyInput(**other)), p.act(x))
    assert not torch.allclose(p.act(PolicyInput(x.latents, x.ego, (x.command + 1) % 4)), p.act(x))


def test_history_is_the_last_frames_and_a_new_drive_forgets() -> None:
    view = PolicyView(WORLD, 2, 3)
    c = WORLD.config.dynamics

    def frame(value: float) -> dict[str, Any]:
        latents = np.full((2, c.n_tokens, c.latent_dim), value, np.float32)
        return {"latents": latents, "ego": np.zeros((2, 4), np.float32), "command": np.zeros(2, np.int64)}

    assert view.look(frame(0)).latents[:, :, 0, 0].tolist() == [[0, 0, 0]] * 2
    assert view.look(frame(1)).latents[:, :, 0, 0].tolist() == [[0, 0, 1]] * 2
    later = view.look(frame(2), np.array([False, True]))
    assert later.latents[:, :, 0, 0].tolist() == [[0, 1, 2], [2, 2, 2]]
    view.look(frame(3))
    assert later.latents[:, :, 0, 0].tolist() == [[0, 1, 2], [2, 2, 2]]  # what was given stays as it was


def test_a_camera_is_seen_through_the_tokenizer() -> None:
    env = drives(2, max_steps=5)
    observation, _ = env.reset(seed=0)
    looked = PolicyView(WORLD, 2, 2).look(observation)
    assert torch.allclose(looked.latents[:, -1], WORLD.encode(torch.from_numpy(observation["camera"])), atol=1e-5)


@pytest.mark.parametrize("mode", ["SameStep", "NextStep"])
def test_the_view_env_gives_what_a_view_gives(mode: str) -> None:
    """Step by step equal to looking at the same env's own observations, ends included."""
    wrapped = PolicyViewEnv(drives(3, LIVELY, pixels=False, max_steps=4, autoreset_mode=mode), LIVELY, 2)
    plain = drives(3, LIVELY, pixels=False, max_steps=4, autoreset_mode=mode)
    view = PolicyView(LIVELY, 3, 2)
    a, b = wrapped.reset(seed=5)[0], view.look(plain.reset(seed=5)[0])
    began, ends = np.zeros(3, np.bool_), 0
    rng = np.random.default_rng(0)
    for _ in range(9):
        assert all(np.array_equal(a[key], value) for key, value in b.arrays().items())
        assert wrapped.observation_space.contains(a)
        action = rng.uniform(-1, 1, (3, 2)).astype(np.float32)
        before = a
        a, _, terminated, truncated, info = wrapped.step(action)
        observation, *_, plain_info = plain.step(action)
        ended = terminated | truncated
        b = view.look(observation, ended if mode == "SameStep" else began)
        began = ended
        if mode == "SameStep":
            for i in np.flatnonzero(ended):
                ends += 1
                last = info["final_obs"][i]["latents"]
                assert np.array_equal(last[:-1], before["latents"][i][1:])
                assert np.array_equal(last[-1], plain_info["final_obs"][i]["latents"])
        ends += int(ended.sum())
    assert ends > 3


def test_a_view_env_refuses_an_env_that_its_caller_resets() -> None:
    with pytest.raises(ValueError, match="resets itself"):
        PolicyViewEnv(drives(2, autoreset_mode="Disabled"), WORLD)


def test_both_worlds_show_a_policy_the_same_space() -> None:
    learned = PolicyViewEnv(drives(2), WORLD)
    reference = PolicyViewEnv(
        gym.make_vec("envs:worldsim/RoadCam-v0", num_envs=2, vectorization_mode="sync", max_steps=3), WORLD
    )
    assert learned.observation_space == reference.observation_space
    assert reference.observation_space.contains(reference.reset(seed=0)[0])


def test_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    p = policy()
    save_policy(tmp_path, p, CARD)
    back, card = load_policy(tmp_path)
    assert card == CARD and torch.equal(back.act(seen()), p.act(seen()))
    assert json.loads((tmp_path / "policy.json").read_text())["card"]["seed"] == 3


@pytest.mark.parametrize("damage", ["cut", "version", "missing"])
def test_a_bad_file_is_refused_in_words(tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if damage == "version":
        monkeypatch.setattr("agents.policy.checkpoint.FILE", TensorFile("policy", "policy", version=99))
    if damage != "missing":
        save_policy(tmp_path, policy(), CARD)
    monkeypatch.undo()
    if damage == "cut":
        content = (tmp_path / FILE_NAME).read_bytes()
        (tmp_path / FILE_NAME).write_bytes(content[: len(content) // 2])
    with pytest.raises(
        ValueError, match={"cut": "damaged", "version": "format version", "missing": "found none"}[damage]
    ):
        load_policy(tmp_path)


def test_a_policy_refuses_another_worlds_tokenizer() -> None:
    other = PolicyCard("tiny", "imagination", "Drive-v0", "tiny", "0123456789abcdef")
    with pytest.raises(ValueError, match="expected the tokenizer 0123456789abcdef"):
        PolicyAgent(policy(), other, WORLD)


def test_an_agent_drives_by_what_it_observes_alone() -> None:
    """The same observations with other infos give the same actions."""
    env = drives(2, max_steps=5)
    observation, info = env.reset(seed=0)
    actions = []
    for shown in (info, {}):
        agent = PolicyAgent(policy(), CARD, WORLD)
        agent.begin(env, np.random.default_rng(0))
        actions.append(agent.act(observation, shown))
    assert np.array_equal(*actions) and actions[0].dtype == np.float32 and actions[0].shape == (2, 2)
