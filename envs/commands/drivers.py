"""Whoever sits at the wheel in ``demo`` and ``rollout``: drivers that look only at ``info``, which both worlds offer.

Axis legend: k actions. An action is (2,): steering, acceleration in [-1, 1]; left is positive.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from worldsim.errors import choose
from worldsim.types import EGO_FIELDS, LEAD_RANGE_M, MOTION_FIELDS, FloatArray

from .. import kinematics

SPEED, FORWARD, YAW = EGO_FIELDS.index("speed_mps"), MOTION_FIELDS.index("forward_m"), MOTION_FIELDS.index("yaw_rad")

COMFORT_MPS2 = 2.2
BRAKING_MPS2 = 3.0
CORNERING_MPS2 = 2.5
TIME_GAP_S = 1.5
STANDSTILL_M = 3.0
STEERED = {"straight": 0.0, "left": 0.35, "right": -0.35}
"""Drivers that hold the wheel, and the steering that they hold."""
DRIVERS = ("keep_lane", *STEERED)
ACTIONS_PREFIX = "actions="


class Driver(Protocol):
    """One action for each look at ``info``."""

    def act(self, info: Mapping[str, Any]) -> FloatArray:
        """The action (2,) for the moment that ``info`` describes."""
        ...


class LaneKeeper:
    """Keeps to the lane's centre at a target speed and behind whoever is ahead, by ``info["labels"]``.

    Steering is feedback of lane offset and heading error (Hoffmann et al. 2007, "Stanley", with gains in distance)
    over the lane's curvature, which nobody tells: it is what the vehicle turned less what its heading error changed,
    smoothed. Speed follows IDM (Treiber et al. 2000), slower in bends.
    """

    SMOOTHING = 0.2

    def __init__(self, target_speed_mps: float) -> None:
        self.target_speed_mps = target_speed_mps
        self.curvature = 0.0
        self._heading_error: float | None = None

    def act(self, info: Mapping[str, Any]) -> FloatArray:
        """The action (2,) float32."""
        labels, speed = info["labels"], float(info["ego"][SPEED])
        self._observe_curvature(labels["heading_error_rad"], info["motion"])
        steering = float(kinematics.steering_for_curvature(self._wanted_curvature(labels, speed), speed))
        acceleration = self._wanted_acceleration(labels, speed)
        most = kinematics.MAX_ACCELERATION_MPS2 if acceleration > 0 else kinematics.MAX_BRAKING_MPS2
        return np.clip([steering, acceleration / most], -1.0, 1.0).astype(np.float32)

    def _observe_curvature(self, heading_error: float, motion: FloatArray) -> None:
        last, self._heading_error = self._heading_error, heading_error
        forward, yaw = float(motion[FORWARD]), float(motion[YAW])
        if last is None or not forward > 0.1:  # just begun (motion is NaN), or at a standstill
            return
        seen = (yaw - float(kinematics.wrap(heading_error - last))) / forward
        if abs(seen) < 0.15:  # a sharper turn is another lane, not a bend
            self.curvature += self.SMOOTHING * (seen - self.curvature)

    def _wanted_curvature(self, labels: Mapping[str, float], speed: float) -> float:
        reach = min(max(0.55 * speed, 3.5), 16.0)  # distance over which an offset is corrected
        towards = -min(max(labels["lane_offset_m"] / (1.8 * reach), -0.6), 0.6)
        slip = math.asin(min(max(self.curvature * kinematics.WHEELBASE_M / 2, -0.5), 0.5))
        course = min(max(labels["heading_error_rad"] + slip, -1.5), 1.5)
        return self.curvature + 1.8 / reach * (math.sin(towards) - math.sin(course))

    def _wanted_acceleration(self, labels: Mapping[str, float], speed: float) -> float:
        bend = math.sqrt(CORNERING_MPS2 / max(abs(self.curvature), 1e-4))
        wanted = max(min(self.target_speed_mps, bend), 1.0)
        free = max(COMFORT_MPS2 * (1 - (speed / wanted) ** 4), -BRAKING_MPS2)
        gap = labels["lead_distance_m"]
        if gap >= 0.99 * LEAD_RANGE_M:
            return free
        closing = speed * labels["closing_speed_mps"] / (2 * math.sqrt(COMFORT_MPS2 * BRAKING_MPS2))
        room = STANDSTILL_M + max(speed * TIME_GAP_S + closing, 0.0)
        return free - COMFORT_MPS2 * (room / max(gap, 0.3)) ** 2


class Steered:
    """Holds the wheel and the pedal."""

    def __init__(self, steering: float, acceleration: float = 0.0) -> None:
        self.action = np.array([steering, acceleration], dtype=np.float32)

    def act(self, info: Mapping[str, Any]) -> FloatArray:
        """The same action (2,) always."""
        return self.action.copy()


class Replayed:
    """Actions (k, 2) one after the other, then the last one again."""

    def __init__(self, actions: FloatArray) -> None:
        self.actions, self.next = actions, 0

    def act(self, info: Mapping[str, Any]) -> FloatArray:
        """The next action (2,)."""
        action = self.actions[min(self.next, len(self.actions) - 1)]
        self.next += 1
        return action.copy()


def make_driver(name: str, target_speed_mps: float) -> Driver:
    """``keep_lane``, ``straight``, ``left``, ``right`` or ``actions=FILE.csv``. ValueError for any other name."""
    if name.startswith(ACTIONS_PREFIX):
        return Replayed(read_actions(Path(name.removeprefix(ACTIONS_PREFIX)).expanduser()))
    choose(name, DRIVERS, f"driver (or {ACTIONS_PREFIX}FILE.csv)")
    return Steered(STEERED[name]) if name in STEERED else LaneKeeper(target_speed_mps)


def read_actions(path: Path) -> FloatArray:
    """Actions (k, 2) from a CSV file with ``steering,acceleration`` in each line and, if you like, as its heading.

    Raises ValueError, naming file and line, for a missing file, a bad number or one outside [-1, 1].
    """
    if not path.is_file():
        raise ValueError(f"driver: expected a CSV file of steering,acceleration at {path}, found none")
    with path.open(newline="", encoding="utf-8") as handle:
        rows = [(number, row) for number, row in enumerate(csv.reader(handle), 1) if any(cell.strip() for cell in row)]
    if rows and [cell.strip() for cell in rows[0][1]] == ["steering", "acceleration"]:
        rows = rows[1:]
    if not rows:
        raise ValueError(
            f"driver: {path}: expected a line of steering,acceleration for each tenth of a second, got none"
        )
    actions = []
    for number, row in rows:
        try:
            steering, acceleration = map(float, row)
        except ValueError as error:
            raise ValueError(
                f"driver: {path}:{number}: expected steering,acceleration, got {','.join(row)!r}"
            ) from error
        if not (abs(steering) <= 1.0 and abs(acceleration) <= 1.0):
            raise ValueError(f"driver: {path}:{number}: expected values in [-1, 1], got {steering:g},{acceleration:g}")
        actions.append((steering, acceleration))
    return np.array(actions, dtype=np.float32)
