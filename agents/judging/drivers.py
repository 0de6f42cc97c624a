"""Every agent by its name: random, scripted, of the graded family, a probe, a policy that ships, or a policy's folder.

Axis legend: b drives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np

from envs.reference.roadcam import RoadCamEnv
from worldsim.errors import choose
from worldsim.types import FloatArray
from worldsim.world_model import WorldModel

from ..agent import Agent
from ..mixture import make_driver
from ..policy.checkpoint import load_policy, policy_folder, shipped_policies
from ..policy.driver import PolicyAgent
from .family import FAMILY, SkilledDriver
from .probes import PROBES


class RandomAgent:
    """Actions drawn uniformly, each for itself."""

    name = "random"

    def begin(self, env: gym.vector.VectorEnv, rng: np.random.Generator) -> None:
        """``rng`` is all it knows."""
        self.rng, self.count = rng, env.num_envs

    def act(self, observation: Mapping[str, Any], info: Mapping[str, Any]) -> FloatArray:
        """Actions (b, 2) float32."""
        return self.rng.uniform(-1.0, 1.0, (self.count, 2)).astype(np.float32)


class ScriptedAgent:
    """A privileged driver of ``agents.mixture`` in every drive of the reference world, the only agent that may peek.

    ``begin`` raises ValueError where there is no truth to look at: in the learned world, or in other processes.
    """

    def __init__(self, name: str = "scripted", driver: str = "good") -> None:
        self.name, self.driver = name, driver

    def begin(self, env: gym.vector.VectorEnv, rng: np.random.Generator) -> None:
        """Put a driver of its own, with chance of its own, into each of the b drives."""
        envs = getattr(env.unwrapped, "envs", [])
        if not envs or not all(isinstance(one.unwrapped, RoadCamEnv) for one in envs):
            raise ValueError(
                f"agent {self.name!r}: expected the reference world in this process, as by "
                "gym.make_vec('envs:worldsim/RoadCam-v0', vectorization_mode='sync'), because it drives by its truth, "
                f"got {type(env.unwrapped).__name__}; in the learned world use 'expert'"
            )
        self.drivers = [make_driver(self.driver) for _ in envs]
        for driver, one, chance in zip(self.drivers, envs, rng.spawn(len(envs)), strict=True):
            driver.reset(one, chance)

    def act(self, observation: Mapping[str, Any], info: Mapping[str, Any]) -> FloatArray:
        """Actions (b, 2) float32."""
        return np.stack([driver.act() for driver in self.drivers])


def _named() -> dict[str, Callable[[], Agent]]:
    agents: dict[str, Callable[[], Agent]] = {"random": RandomAgent, "scripted": ScriptedAgent}
    return agents | {name: partial(SkilledDriver, name, skill) for name, skill in FAMILY.items()} | dict(PROBES)


def agent_names() -> tuple[str, ...]:
    """Every name that ``make_agent`` knows, folders of policies apart."""
    return (*_named(), *shipped_policies())


def make_agent(name: str, world: WorldModel | None = None) -> Agent:
    """The agent called ``name``; a policy, shipped or in the folder ``name``, sees through ``world``'s tokenizer.

    Raises ValueError for an unknown name, with the nearest, and for a policy without its world.
    """
    known, folder = _named(), policy_folder(name)
    if name in known or folder is None:
        return known[choose(name, agent_names(), "agent (or folder of a policy)")]()
    if world is None:
        raise ValueError(f"agent {name!r}: expected the world model that this policy sees through, got none")
    return PolicyAgent(*load_policy(folder), world)
