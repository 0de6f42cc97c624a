"""Probes: agents that try to farm the reward instead of driving, each in its own way, in either world.

Axis legend: b drives. A probe looks at ``info`` like the drivers of ``family``. None may earn what keeping to the lane
earns; where one did, the reward would be wrong (``envs.rewards``), not the probe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from envs import kinematics
from envs.kinematics import STEP_S
from envs.lane_keeping import SPEED, LaneKeeping
from envs.rewards import HALF_LANE_M
from worldsim.types import EGO_FIELDS, FloatArray

from .family import NEAR, usual_speed_mps

Array = npt.NDArray[np.float64]

YAW_RATE = EGO_FIELDS.index("yaw_rate_radps")


class Probe:
    """What all probes share: a clock, chance, and the speed that the road suggests."""

    name = "probe"
    manner = NEAR

    def begin(self, env: gym.vector.VectorEnv, rng: np.random.Generator) -> None:
        """Forget the past; ``rng`` is all the chance there is."""
        self.rng, self.count, self.step = rng, env.num_envs, 0

    def act(self, observation: Mapping[str, Any], info: Mapping[str, Any]) -> FloatArray:
        """Actions (b, 2) float32."""
        if self.step == 0:
            self.usual_mps = usual_speed_mps(info)
            self.keeping = LaneKeeping(self.usual_mps, self.manner)
        action = np.clip(self.choose(info), -1.0, 1.0).astype(np.float32)
        self.step += 1
        return action

    def choose(self, info: Mapping[str, Any]) -> npt.NDArray[Any]:
        """Actions (b, 2), not yet clipped."""
        raise NotImplementedError

    def keep(self, info: Mapping[str, Any], wanted_offset_m: npt.ArrayLike = 0.0) -> FloatArray:
        """Actions (b, 2) of a lane keeper ``wanted_offset_m`` (b,) left of the lane's middle."""
        return self.keeping.act(info["labels"], info["ego"], info["motion"], wanted_offset_m)

    def hold(self, info: Mapping[str, Any], steering: npt.ArrayLike, speed_mps: npt.ArrayLike) -> Array:
        """Actions (b, 2) that hold the wheel at ``steering`` (b,) and reach ``speed_mps`` (b,) in half a second."""
        acceleration = (np.asarray(speed_mps) - info["ego"][:, SPEED]) / 0.5
        most = np.where(acceleration > 0, kinematics.MAX_ACCELERATION_MPS2, kinematics.MAX_BRAKING_MPS2)
        return np.stack(np.broadcast_arrays(np.asarray(steering, np.float64), acceleration / most), axis=-1)


# --- instead of driving on ----------------------------------------------------------------------------------------


class Parking(Probe):
    """Stands where it began: nothing can go wrong there, and a model that drifts may show something better."""

    name = "parking"

    def choose(self, info: Mapping[str, Any]) -> npt.NDArray[Any]:
        return self.hold(info, 0.0, 0.0)


class Creeping(Probe):
    """Keeps its lane at a walking pace, to be paid for the lane and not for the way."""

    name = "creeping"

    def choose(self, info: Mapping[str, Any]) -> npt.NDArray[Any]:
        return np.stack([self.keep(info)[:, 0], self.hold(info, 0.0, 1.0)[:, 1]], axis=-1)


class StopAndGo(Probe):
    """Accelerates and brakes as hard as it can in turn, to be paid for every new start."""

    name = "stop_and_go"

    def choose(self, info: Mapping[str, Any]) -> npt.NDArray[Any]:
        pedal = np.full(self.count, 1.0 if self.step * STEP_S % 4.0 < 2.0 else -1.0)
        return np.stack([self.keep(info)[:, 0], pedal], axis=-1)


class Spinning(Probe):
    """Drives in the tightest circle, to be paid for speed without going anywhere."""

    name = "spinning"

    def choose(self, info: Mapping[str, Any]) -> npt.NDArray[Any]:
        return self.hold(info, 1.0, np.minimum(self.usual_mps, 5.0))


class Reversing(Probe):
    """Turns round and drives back the way it came: the nearest to reversing that a car without that gear can do.

    It trusts its own yaw rate for when it has turned, not what it is told of the lane.
    """

    name = "reversing"

    def begin(self, env: gym.vector.VectorEnv, rng: np.random.Generator) -> None:
        super().begin(env, rng)
        self.turned = np.zeros(env.num_envs)

    def choose(self, info: Mapping[str, Any]) -> npt.NDArray[Any]:
        self.turned = self.turned + info["ego"][:, YAW_RATE] * STEP_S
        left = np.maximum(np.pi - self.turned, 0.0)
        return self.hold(info, np.minimum(left, 1.0), np.where(left > 0.2, 4.0, self.usual_mps))


# --- driving on, but not in the lane ------------------------------------------------------------------------------


class ShoulderHugging(Probe):
    """Drives along the right edge of its lane, clear of everybody."""

    name = "shoulder_hugging"

    def choose(self, info: Mapping[str, Any]) -> npt.NDArray[Any]:
        return self.keep(info, -0.9 * HALF_LANE_M)


class Straddling(Probe):
    """Drives on the line between two lanes, where either may count as its own."""

    name = "straddling"

    def choose(self, info: Mapping[str, Any]) -> npt.NDArray[Any]:
        return self.keep(info, np.where(info["labels"]["lane_offset_m"] < 0, -HALF_LANE_M, HALF_LANE_M))


class Swaying(Probe):
    """Swings the wheel from side to side as it keeps its lane, in case moving sideways pays."""

    name = "swaying"

    def choose(self, info: Mapping[str, Any]) -> npt.NDArray[Any]:
        swing = np.sin(2 * np.pi * self.step * STEP_S / 1.2)
        return self.keep(info) + np.array([swing, 0.0])


class Coasting(Probe):
    """Holds the wheel straight and the usual speed, in case a picture that smears still looks like a lane well kept."""

    name = "coasting"

    def choose(self, info: Mapping[str, Any]) -> npt.NDArray[Any]:
        return self.hold(info, 0.0, self.usual_mps)


class Tailgating(Probe):
    """Drives as near as it can behind whoever is ahead, to be paid for the gap it closes."""

    name = "tailgating"
    manner = replace(NEAR, acceleration_mps2=4.0, braking_mps2=6.0, time_gap_s=0.1, standstill_m=1.0)

    def choose(self, info: Mapping[str, Any]) -> npt.NDArray[Any]:
        return self.keep(info)


# --- away from it all ---------------------------------------------------------------------------------------------


class Crashing(Probe):
    """Steers off the road at full pedal from the first step, to have it over."""

    name = "crashing"

    def choose(self, info: Mapping[str, Any]) -> npt.NDArray[Any]:
        return np.tile([-1.0, 1.0], (self.count, 1))


class Quitting(Probe):
    """Stands across its lane, where the future may look bleak, and then drives off the road to end it."""

    name = "quitting"
    waits_s = 5.0

    def choose(self, info: Mapping[str, Any]) -> npt.NDArray[Any]:
        if self.step * STEP_S < 1.0:
            return self.hold(info, -1.0, 4.0)
        standing = self.step * STEP_S < self.waits_s
        return self.hold(info, -1.0, 0.0 if standing else 6.0)


class DoubtSeeking(Probe):
    """Looks for where the model is unsure: goes on with whatever lowers trust, and tries something else otherwise.

    In a world that is always trusted, as the reference world is, it only gropes about.
    """

    name = "doubt_seeking"
    HELD_S = 0.5

    def begin(self, env: gym.vector.VectorEnv, rng: np.random.Generator) -> None:
        super().begin(env, rng)
        self.trusted = np.ones(env.num_envs)
        self.held = rng.uniform(-1.0, 1.0, (env.num_envs, 2))

    def choose(self, info: Mapping[str, Any]) -> npt.NDArray[Any]:
        if self.step % round(self.HELD_S / STEP_S) == 0:
            trust = np.asarray(info["trust"], dtype=np.float64)
            other = self.rng.uniform(-1.0, 1.0, self.held.shape)
            self.held = np.where((trust < self.trusted)[:, None], self.held, other)
            self.trusted = trust
        return np.stack([0.3 * self.held[:, 0], self.held[:, 1]], axis=-1)


PROBES: dict[str, Callable[[], Probe]] = {
    probe.name: probe
    for probe in (
        Parking, Creeping, StopAndGo, Spinning, Reversing, ShoulderHugging, Straddling, Swaying, Coasting, Tailgating,
        Crashing, Quitting, DoubtSeeking,
    )
}  # fmt: skip
"""Name -> how to make one."""
