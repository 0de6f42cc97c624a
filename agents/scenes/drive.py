"""One drive of a scene, from its first frame to its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np

from envs.learned.infos import together
from envs.scenario import Scenario
from worldsim.types import FRAME_RATE_HZ, FloatArray

from ..agent import Agent
from .worlds import Begun

GRACE_S = 1.2
"""How long a drive goes on after a fault, so that it is seen."""


@dataclass(frozen=True)
class Driven:
    """All that was seen: t frames, and the t - 1 actions between them."""

    scenario: Scenario
    observations: list[dict[str, Any]]
    infos: list[dict[str, Any]]
    actions: list[FloatArray]


def drive(begun: Begun, agent: Agent, steps: int, rng: np.random.Generator, grace_s: float = GRACE_S) -> Driven:
    """Let ``agent`` drive ``steps`` steps, or until the road ends, or until ``grace_s`` after a fault.

    The agent's chance comes from ``rng``.
    """
    env, observation, info = begun.env, begun.observation, begun.info
    driven, faulty = Driven(begun.scenario, [observation], [info], []), 0
    agent.begin(gym.vector.SyncVectorEnv([lambda: env]), rng)
    for _ in range(steps):
        action = np.asarray(agent.act(together(observation), together(info))[0], np.float32)
        observation, _, terminated, truncated, info = env.step(action)
        driven.observations.append(observation)
        driven.infos.append(info)
        driven.actions.append(action)
        faulty = faulty + 1 if terminated else 0
        if truncated or faulty > round(grace_s * FRAME_RATE_HZ):
            break
    return driven
