"""Plays agents in either world for tests: one episode of each drive, matched by seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from agents.agent import Agent
from envs.reference.roadcam import RoadCamEnv
from envs.scenario import Scenario
from worldsim.types import CameraSpec

SMALL = {"front": CameraSpec.from_fov(16, 8)}
"""For agents that look at ``info`` alone."""


def reference(scenarios: Sequence[str | Scenario], steps: int) -> gym.vector.VectorEnv:
    """The reference world, one drive for each scenario."""
    makers = [lambda s=s: RoadCamEnv(s, cameras=SMALL, max_steps=steps) for s in scenarios]
    return gym.vector.SyncVectorEnv(makers)


class Side:
    """Several agents side by side, agent i in drive i: so that a batch compares them."""

    name = "side by side"

    def __init__(self, agents: Sequence[Agent]) -> None:
        self.agents = agents

    def begin(self, env: gym.vector.VectorEnv, rng: np.random.Generator) -> None:
        for agent, chance in zip(self.agents, rng.spawn(len(self.agents)), strict=True):
            agent.begin(env, chance)

    def act(self, observation: Any, info: Any) -> npt.NDArray[np.float32]:
        return np.stack([agent.act(observation, info)[i] for i, agent in enumerate(self.agents)])


def returns(
    agent: Agent, env: gym.vector.VectorEnv, seed: int | list[int], options: dict[str, Any] | None = None
) -> npt.NDArray[np.float64]:
    """What each drive earns (b,) until it ends, which it must do."""
    observation, info = env.reset(seed=seed, options=options)
    agent.begin(env, np.random.default_rng(seed))
    running, earned = np.ones(env.num_envs, np.bool_), np.zeros(env.num_envs)
    while running.any():
        observation, reward, terminated, truncated, info = env.step(agent.act(observation, info))
        earned += np.where(running, reward, 0.0)
        running &= ~(terminated | truncated)
    return earned
