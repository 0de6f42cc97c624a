"""Many drives of the reference world take the arguments of the learned world's, in one process or in several."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

import envs  # noqa: F401 (registers)

ACTIONS = np.array([[0.1, 0.5], [-0.1, -0.5], [0.0, 1.0]], np.float32)


def test_scenarios_are_dealt_in_turn() -> None:
    env = gym.make_vec("worldsim/RoadCam-v0", num_envs=3, scenario=["highway", "roundabout"], max_steps=2)
    assert isinstance(env, gym.vector.SyncVectorEnv)
    _, info = env.reset(seed=4)
    assert list(info["scenario"]) == ["highway", "roundabout", "highway"]
    alone = gym.make("worldsim/RoadCam-v0", scenario="roundabout", max_steps=2)
    first, _ = alone.reset(seed=5)
    observation, *_ = env.reset(seed=4)
    assert np.array_equal(observation["camera"][1], first["camera"])


def test_processes_show_what_one_process_does() -> None:
    settings = {"num_envs": 3, "scenario": ["highway", "roundabout"], "max_steps": 3, "autoreset_mode": "SameStep"}
    together = gym.make_vec("worldsim/RoadCam-v0", **settings)
    apart = gym.make_vec("worldsim/RoadCam-v0", parallel=True, **settings)
    assert isinstance(apart, gym.vector.AsyncVectorEnv)
    try:
        one, other = together.reset(seed=0)[0], apart.reset(seed=0)[0]
        for _ in range(4):
            assert all(np.array_equal(one[key], other[key]) for key in one)
            (one, reward, _, cut, _), (other, their_reward, _, their_cut, _) = (
                together.step(ACTIONS),
                apart.step(ACTIONS),
            )
            assert np.array_equal(reward, their_reward) and np.array_equal(cut, their_cut)
    finally:
        apart.close()


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(ValueError, match="a list of 1 to 1"):
        gym.make_vec("worldsim/RoadCam-v0", num_envs=1, scenario=["highway", "merge"])
    with pytest.raises(ValueError, match="did you mean 'SameStep'"):
        gym.make_vec("worldsim/RoadCam-v0", num_envs=1, autoreset_mode="SameStpe")
