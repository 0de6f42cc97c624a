"""Agents by name."""

from __future__ import annotations

from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from agents.judging.drivers import agent_names, make_agent
from agents.policy.checkpoint import PolicyCard, save_policy, shipped_policies
from agents.policy.network import Policy, PolicyConfig
from agents.scripted import ScriptedDriver
from envs.reference.roadcam import RoadCamEnv
from envs.spaces import action_space
from tests.agents.plays import SMALL, reference
from tests.envs.learned_worlds import WORLD, drives
from worldsim.tokenizer import tokenizer_hash


def test_every_name_makes_an_agent_of_that_name_that_drives() -> None:
    env = reference(["highway", "curves"], steps=9)
    observation, info = env.reset(seed=0)
    names = agent_names()
    assert {"random", "scripted", "expert", "parking", "student"} <= {*names} and len({*names}) == len(names)
    for name in {*names} - {*shipped_policies()}:
        agent = make_agent(name)
        agent.begin(env, np.random.default_rng(0))
        actions = agent.act(observation, info)
        assert agent.name == name and all(action_space().contains(action) for action in actions)


def test_an_unknown_name_is_answered_by_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"unknown agent .* 'tail_gating'.* did you mean 'tailgating'"):
        make_agent("tail_gating")


def test_random_depends_on_its_generator_alone() -> None:
    env, agent = drives(3), make_agent("random")
    actions = []
    for seed in (0, 0, 1):
        agent.begin(env, np.random.default_rng(seed))
        actions.append(agent.act({}, {}))
    np.testing.assert_array_equal(actions[0], actions[1])
    assert (actions[0] != actions[2]).all()


def test_scripted_is_the_privileged_driver_in_every_drive() -> None:
    env = reference(["curves", "merge"], steps=50)
    observation, info = env.reset(seed=5)
    agent = make_agent("scripted")
    agent.begin(env, np.random.default_rng(0))
    chances = np.random.default_rng(0).spawn(2)
    single = [RoadCamEnv(name, cameras=SMALL, max_steps=50) for name in ("curves", "merge")]
    drivers = [ScriptedDriver() for _ in single]
    for i, one in enumerate(single):
        one.reset(seed=5 + i)
        drivers[i].reset(one, chances[i])
    for _ in range(5):
        actions = agent.act(observation, info)
        np.testing.assert_array_equal(actions, [driver.act() for driver in drivers])
        observation, *_, info = env.step(actions)
        for one, action in zip(single, actions, strict=True):
            one.step(action)


def test_scripted_needs_the_truth_of_the_reference_world() -> None:
    for env in (drives(2), gym.vector.VectorWrapper(drives(2))):
        with pytest.raises(ValueError, match=r"expected the reference world .* got DriveVectorEnv.* use 'expert'"):
            make_agent("scripted").begin(env, np.random.default_rng(0))


def test_a_folder_is_a_policy_and_needs_its_world(tmp_path: Path) -> None:
    card = PolicyCard("mine", "imitation", "episodes", "tiny", tokenizer_hash(WORLD.tokenizer))
    save_policy(tmp_path, Policy(PolicyConfig.of(WORLD)), card)
    env = drives(2, pixels=False)
    observation, info = env.reset(seed=0)
    agent = make_agent(str(tmp_path), WORLD)
    agent.begin(env, np.random.default_rng(0))
    assert agent.name == "mine" and agent.act(observation, info).shape == (2, 2)
    with pytest.raises(ValueError, match="expected the world model"):
        make_agent(str(tmp_path))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"expected policy.safetensors in .*empty"):
        make_agent(str(tmp_path / "empty"), WORLD)
