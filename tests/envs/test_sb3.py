"""stable-baselines3 takes a batch of drives and learns from it."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("stable_baselines3", reason="needs the extra `rl`: pip install 'worldsim[rl]'")

from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecMonitor

import envs  # noqa: F401 (registers)
from envs.wrappers.sb3 import SB3VecEnv

from .learned_worlds import CALM, drives


def test_ends_are_told_as_stable_baselines3_expects() -> None:
    env = SB3VecEnv(drives(2, CALM, max_steps=2, autoreset_mode="SameStep"))
    env.seed(3)
    first = env.reset()
    assert first["camera"].shape == (2, 64, 128, 3)
    still = np.zeros((2, 2), np.float32)
    _, reward, done, infos = env.step(still)
    assert reward.dtype == np.float32 and not done.any() and infos == [{}, {}]
    seen, _, done, infos = env.step(still)
    assert done.all()
    for i, info in enumerate(infos):
        assert info["TimeLimit.truncated"] and info["step"] == 2 and "trust" in info
        assert env.observation_space.contains(info["terminal_observation"])
        assert not np.array_equal(info["terminal_observation"]["camera"], seen["camera"][i])
    env.seed(3)
    assert np.array_equal(env.reset()["camera"], first["camera"])


def test_other_autoreset_modes_are_refused() -> None:
    with pytest.raises(ValueError, match="expected an env made with autoreset_mode='SameStep'"):
        SB3VecEnv(drives(2))


def test_the_reference_world_fits_too() -> None:
    batch = gym.make_vec("worldsim/RoadCam-v0", num_envs=2, max_steps=2, autoreset_mode="SameStep")
    env = SB3VecEnv(batch)
    env.reset()
    env.step(np.zeros((2, 2), np.float32))
    _, _, done, infos = env.step(np.zeros((2, 2), np.float32))
    assert done.all() and all("terminal_observation" in info for info in infos)


def test_ppo_learns_for_a_few_steps() -> None:
    env = VecMonitor(SB3VecEnv(drives(4, CALM, max_steps=8, pixels=False, autoreset_mode="SameStep")))
    model = PPO("MultiInputPolicy", env, n_steps=16, batch_size=32, n_epochs=1, seed=0)
    before = model.policy.state_dict()["action_net.weight"].clone()
    model.learn(128)
    assert not bool((model.policy.state_dict()["action_net.weight"] == before).all())
    assert model.num_timesteps == 128 and len(model.ep_info_buffer or []) > 0


def test_ppo_takes_pixels() -> None:
    model = PPO("MultiInputPolicy", SB3VecEnv(drives(2, CALM, autoreset_mode="SameStep")), n_steps=2, batch_size=2)
    observation = model.get_env().reset()  # type: ignore[union-attr]
    action, _ = model.predict(observation)  # type: ignore[arg-type]
    assert action.shape == (2, 2)
