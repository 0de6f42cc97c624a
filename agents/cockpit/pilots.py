"""Who holds the wheel of one drive: the page, its mirror image, what was done before, or an agent.

Axis legend: b drives, here always one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import gymnasium as gym
import numpy as np

from worldsim.types import FloatArray

from ..agent import Agent

YOU, MIRRORED, AS_BEFORE = "you", "your mirror image", "as before"


class Pilot(Protocol):
    """One action (2,) for each look."""

    @property
    def name(self) -> str:
        """As the page shows it."""
        ...

    def act(self, wheel: FloatArray, observation: Mapping[str, Any], info: Mapping[str, Any]) -> FloatArray:
        """The action (2,) now. ``wheel`` (2,) is what the page does; the rest has Gymnasium's vector form, b = 1."""
        ...


class You:
    """The page's own keys."""

    name = YOU

    def act(self, wheel: FloatArray, observation: Mapping[str, Any], info: Mapping[str, Any]) -> FloatArray:
        """``wheel`` itself."""
        return wheel


class Mirrored:
    """Steers to the other side."""

    name = MIRRORED

    def act(self, wheel: FloatArray, observation: Mapping[str, Any], info: Mapping[str, Any]) -> FloatArray:
        """``wheel`` with left and right exchanged."""
        return wheel * np.array([-1.0, 1.0], np.float32)


class AsBefore:
    """Repeats actions (2,) that were taken from here on; when they are done, another pilot goes on."""

    def __init__(self, actions: Sequence[FloatArray], then: Pilot) -> None:
        self.actions, self.then, self.done = list(actions), then, 0

    @property
    def name(self) -> str:
        """Its own, or the other pilot's once that drives."""
        return AS_BEFORE if self.done < len(self.actions) else self.then.name

    def act(self, wheel: FloatArray, observation: Mapping[str, Any], info: Mapping[str, Any]) -> FloatArray:
        """The next action, or the other pilot's."""
        if self.done == len(self.actions):
            return self.then.act(wheel, observation, info)
        self.done += 1
        return self.actions[self.done - 1]


@dataclass(frozen=True)
class Seats:
    """All that an agent asks of the env that it is seated in: how many drives there are."""

    num_envs: int


class Seated:
    """An agent in a drive of its own."""

    def __init__(self, name: str, agent: Agent, rng: np.random.Generator) -> None:
        self.name, self.agent = name, agent
        agent.begin(cast("gym.vector.VectorEnv[Any, Any, Any]", Seats(1)), rng)

    def act(self, wheel: FloatArray, observation: Mapping[str, Any], info: Mapping[str, Any]) -> FloatArray:
        """The agent's action."""
        return np.clip(self.agent.act(observation, info)[0], -1.0, 1.0).astype(np.float32)


def row(values: Mapping[str, Any], i: int) -> dict[str, Any]:
    """Drive ``i`` of an observation or info in vector form, in vector form too."""
    return {key: row(value, i) if isinstance(value, Mapping) else value[i : i + 1] for key, value in values.items()}
