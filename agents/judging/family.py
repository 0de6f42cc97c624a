"""Scripted drivers of graded skill, for either world: one lane keeper with one fault after another.

Axis legend: b drives. They look at ``info["labels"]``, ``info["ego"]`` and ``info["motion"]``, which the learned world
predicts or computes and the reference world knows, and take their speed from the road in ``info["fields"]``.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from envs.kinematics import STEP_S
from envs.lane_keeping import LaneKeeping, Manner
from envs.scenario import TARGET_SPEED_MPS
from worldsim.types import FloatArray

UNKNOWN_ROAD_MPS = 12.0
NEAR = Manner(time_gap_s=1.2, standstill_m=2.0)
"""Keeps the distance that the reward asks for and no more."""


@dataclass(frozen=True)
class Skill:
    """What a driver does less well than it could; the defaults are as well as the family can."""

    manner: Manner = field(default_factory=lambda: NEAR)
    speed: float = 1.0  # share of the road's usual speed
    reaction_s: float = 0.0  # from a decision until hands and feet follow
    hold_s: float = STEP_S  # from a decision until the next; math.inf: the first is the last
    noise: float = 0.0  # deviation of both actions from what was meant (Ornstein-Uhlenbeck, NOISE_S)
    weave_m: float = 0.0  # how far it swings to either side of its lane's middle
    weave_s: float = 4.0  # and how long a swing there and back takes


NOISE_S = 0.6
"""How long a slip of the hand lasts."""


class SkilledDriver:
    """A lane keeper of a given skill, b drives at a time (an ``agents.agent.Agent``)."""

    def __init__(self, name: str, skill: Skill) -> None:
        self.name, self.skill = name, skill

    def begin(self, env: gym.vector.VectorEnv, rng: np.random.Generator) -> None:
        """Forget the past; ``rng`` is all the chance there is."""
        self.rng, self.step = rng, 0
        self.phase = rng.uniform(0.0, 2 * np.pi, env.num_envs)
        self.slip = np.zeros((env.num_envs, 2))
        waiting = round(self.skill.reaction_s / STEP_S)
        self.coming = deque([np.zeros((env.num_envs, 2), np.float32)] * waiting)  # decided, not yet done

    def act(self, observation: Mapping[str, Any], info: Mapping[str, Any]) -> FloatArray:
        """Actions (b, 2) float32."""
        if self.step == 0:
            self.keeping = LaneKeeping(self.skill.speed * usual_speed_mps(info), self.skill.manner)
        swing = self.skill.weave_m * np.sin(2 * np.pi * self.step * STEP_S / self.skill.weave_s + self.phase)
        wish = self.keeping.act(info["labels"], info["ego"], info["motion"], wanted_offset_m=swing)
        if self.step == 0 or (self.skill.hold_s < math.inf and self.step % round(self.skill.hold_s / STEP_S) == 0):
            self.decided = wish
        self.step += 1
        self.coming.append(self._slipped(self.decided))
        return self.coming.popleft()

    def _slipped(self, action: FloatArray) -> FloatArray:
        kick = np.sqrt(2 * STEP_S / NOISE_S) * self.rng.normal(size=self.slip.shape)
        self.slip += -self.slip * STEP_S / NOISE_S + self.skill.noise * kick
        return np.clip(action + self.slip, -1.0, 1.0).astype(np.float32)


def usual_speed_mps(info: Mapping[str, Any]) -> npt.NDArray[np.float64]:
    """The speed (b,) that each drive's road suggests, where its scene says what road it is."""
    return np.array([TARGET_SPEED_MPS.get(fields.road, UNKNOWN_ROAD_MPS) for fields in info["fields"]])


FAMILY: dict[str, Skill] = {
    "expert": Skill(),
    "slow": Skill(reaction_s=0.3),
    "weaving": Skill(weave_m=1.2),
    "noisy": Skill(noise=0.2),
    "careless": Skill(manner=replace(NEAR, sees_m=0.0), weave_m=1.5),  # of others, and of the lane
    "timid": Skill(speed=0.7),
    "fast": Skill(manner=Manner(cornering_mps2=6.0, time_gap_s=0.6, acceleration_mps2=4.0), speed=1.3),
    "unsteered": Skill(manner=replace(NEAR, correction=0.0)),
    "sleepy": Skill(hold_s=1.5),
    "blind": Skill(hold_s=math.inf),
}
"""Name -> skill, best first by what it earns in the reference world."""
