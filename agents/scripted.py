"""Drivers that follow written rules, for collecting episodes in the reference world.

They look at the privileged ``env.unwrapped.truth`` (see ``envs.reference.truth.Truth``), never at pixels. Steering is
feed-forward of the lane's curvature plus feedback of lane offset and course error (Hoffmann et al. 2007, "Stanley",
with gains in distance instead of time); speed follows IDM (Treiber et al. 2000) behind whoever is ahead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from highway_env.road.road import LaneIndex

from envs import kinematics
from envs.reference.lanes import Path
from envs.reference.truth import Truth
from worldsim.types import FRAME_RATE_HZ, FloatArray


class Driver(Protocol):
    """Whoever drives: ``reset`` once an episode, ``act`` once a step."""

    name: str

    def reset(self, env: Any, rng: np.random.Generator) -> None:
        """Take a seat in ``env`` (any wrapper of RoadCamEnv), just after its own reset."""
        ...

    def act(self) -> FloatArray:
        """The action (2,) float32 for the env's present state."""
        ...


@dataclass(frozen=True)
class Style:
    """How a scripted driver drives."""

    speed: tuple[float, float] = (0.85, 1.05)  # share of the scenario's target speed, drawn once an episode
    cornering: float = 1.0  # share of the comfortable speed in bends
    time_gap_s: float = 1.5
    standstill_m: float = 3.0
    acceleration_mps2: float = 2.2
    braking_mps2: float = 3.0
    lane_changes_per_s: float = 1 / 15
    lane_change_mps: float = 1.1  # sideways
    room_s: float = 0.9  # free time gap wanted ahead and behind in the other lane
    sees_lead: bool = True


class ScriptedDriver:
    """Keeps to its lane, keeps its distance, changes lane now and then, and follows the route."""

    def __init__(self, style: Style = Style(), name: str = "good") -> None:
        self.style, self.name = style, name

    def reset(self, env: Any, rng: np.random.Generator) -> None:
        """Begin a drive in ``env``, which was just reset; all chance of this drive comes from ``rng``."""
        self.env, self.rng = env.unwrapped, rng
        self.truth: Truth = self.env.truth
        self.cruise = self.env.scenario.target_speed_mps * float(rng.uniform(*self.style.speed))
        self.lane: LaneIndex = self.truth.index
        self.shift = 0.0  # what is left of a lane change: wanted offset from the target lane, in metres
        self.bias = 0.0  # a lasting wish to drive beside the lane's centre, for drivers that misbehave

    def act(self) -> FloatArray:
        """The action (2,) in [-1, 1] for what is true now."""
        self.truth = self.env.truth
        self._choose_lane()
        path = self.truth.path_of(self.lane)
        steering = float(kinematics.steering_for_curvature(self.curvature(path), self.truth.speed))
        acceleration = self.acceleration(path)
        most = kinematics.MAX_ACCELERATION_MPS2 if acceleration > 0 else kinematics.MAX_BRAKING_MPS2
        return np.clip([steering, acceleration / most], -1.0, 1.0).astype(np.float32)

    # --- sideways -----------------------------------------------------------------------------------------------

    def curvature(self, path: Path) -> float:
        """The curvature (1/m) to drive now."""
        truth = self.truth
        lane, station = truth.on_path(path)
        _, offset = lane.local_coordinates(truth.position)
        ahead, ahead_station = truth.on_path(path, 0.5 + 0.12 * truth.speed)
        forward = ahead.curvature_at(ahead_station) if 0 <= ahead_station <= ahead.length else 0.0
        slip = math.asin(max(min(forward * kinematics.WHEELBASE_M / 2, 0.5), -0.5))
        course = float(kinematics.wrap(truth.heading + slip - lane.heading_at(station)))
        reach = min(max(0.55 * truth.speed, 3.5), 16.0)  # distance over which an offset is corrected
        wanted = -max(min((offset - self.shift - self.bias) / (1.8 * reach), 0.6), -0.6)
        return forward + 1.8 / reach * (math.sin(wanted) - math.sin(max(min(course, 1.5), -1.5)))

    def _choose_lane(self) -> None:
        truth, step = self.truth, self.style.lane_change_mps / FRAME_RATE_HZ
        self.shift = math.copysign(max(abs(self.shift) - step, 0.0), self.shift)
        if self.lane[:2] != truth.index[:2]:  # the edge has ended: go on in the lane that follows
            following = truth.network.successors[self.lane]
            self.lane = next((index for index in following if index[:2] == truth.index[:2]), truth.index)
        leading = truth.route.leading_lanes()
        if self.lane[2] not in leading:
            nearest = min(leading, key=lambda lane_id: abs(lane_id - self.lane[2]))
            self._change(1 if nearest > self.lane[2] else -1)
        elif abs(self.shift) < 0.05 and self.rng.random() < self.style.lane_changes_per_s / FRAME_RATE_HZ:
            step_right = 1 if self.rng.random() < 0.5 else -1
            if self.lane[2] + step_right in leading:
                self._change(step_right)

    def _change(self, step_right: int) -> None:
        """Begin a change of lane if the lane is there and has room."""
        if self.lane != self.truth.index or self.truth.beside(step_right) is None:
            return
        index = self.truth.beside(step_right)
        assert index is not None
        room = 7.0 + self.style.room_s * self.truth.speed
        if self.truth.room_on(index, room, room):
            self.lane = index
            self.shift = self.truth.network.get_lane(index).local_coordinates(self.truth.position)[1]

    # --- along --------------------------------------------------------------------------------------------------

    def acceleration(self, path: Path) -> float:
        """The acceleration (m/s^2) to drive now."""
        truth = self.truth
        lane, station = truth.on_path(path, 0.3 * truth.speed)
        wanted = max(min(self.cruise, self.style.cornering * lane.comfort_speed_at(station)), 1.0)
        free = self.style.acceleration_mps2 * (1 - (truth.speed / wanted) ** 4)
        free = max(free, -self.style.braking_mps2)
        if not self.style.sees_lead:
            return free
        leads = [truth.lead_on(path)]
        if self.lane != truth.index:
            leads.append((truth.lead_distance, truth.closing_speed))
        joining = self._joining()
        if joining is not None:
            leads.append(truth.lead_on(truth.path_of(joining)))
        return min(self._behind(free, gap, closing) for gap, closing in leads)

    def _behind(self, free: float, gap: float, closing: float) -> float:
        if gap >= 99.0:
            return free
        style, speed = self.style, self.truth.speed
        wanted = style.standstill_m + max(
            speed * style.time_gap_s + speed * closing / (2 * math.sqrt(style.acceleration_mps2 * style.braking_mps2)),
            0.0,
        )
        return free - style.acceleration_mps2 * (wanted / max(gap, 0.3)) ** 2

    def _joining(self) -> LaneIndex | None:
        """The lane that this one is about to run into, as at the end of a slip lane."""
        truth = self.truth
        for step in (-1, 1):
            index = truth.beside(step)
            if index is not None and set(truth.network.successors[index]) & set(truth.network.successors[truth.index]):
                return index
        return None
