"""Keeping to a lane and to a distance by what both worlds say of a drive: one law for one driver or many.

Axis legend: ... any batch shape, () for a single drive. Left is positive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worldsim.types import EGO_FIELDS, LEAD_RANGE_M, MOTION_FIELDS, FloatArray

from . import kinematics

Array = npt.NDArray[np.float64]

SPEED, FORWARD, YAW = EGO_FIELDS.index("speed_mps"), MOTION_FIELDS.index("forward_m"), MOTION_FIELDS.index("yaw_rad")
LOOKED_AT = ("lane_offset_m", "heading_error_rad", "lead_distance_m", "closing_speed_mps")
"""The labels that it drives by."""
SMOOTHING = 0.2
SHARPEST = 0.15  # 1/m; what seems to turn more sharply is another lane, not a bend


@dataclass(frozen=True)
class Manner:
    """How a lane keeper drives."""

    cornering_mps2: float = 2.5
    acceleration_mps2: float = 2.2
    braking_mps2: float = 3.0
    time_gap_s: float = 1.5
    standstill_m: float = 3.0
    sees_m: float = 0.99 * LEAD_RANGE_M  # a vehicle ahead counts from this distance on; 0: never
    correction: float = 1.0  # share of the steering that brings it back to the lane; 0: only follows the bend


class LaneKeeping:
    """Drives (...) that keep to the middle of their lane, at a target speed and behind whoever is ahead.

    Steering is feedback of lane offset and heading error (Hoffmann et al. 2007, "Stanley", with gains in distance)
    over the lane's curvature, which nobody tells: it is what the vehicle turned less what its heading error changed,
    smoothed. Speed follows IDM (Treiber et al. 2000), slower in bends.
    """

    def __init__(self, target_speed_mps: npt.ArrayLike, manner: Manner = Manner()) -> None:
        self.target_speed_mps, self.manner = np.asarray(target_speed_mps, dtype=np.float64), manner
        self.curvature: Array = np.zeros_like(self.target_speed_mps)
        self._heading_error: Array | None = None

    def act(
        self,
        labels: Mapping[str, npt.ArrayLike],
        ego: npt.ArrayLike,
        motion: npt.ArrayLike,
        wanted_offset_m: npt.ArrayLike = 0.0,
    ) -> FloatArray:
        """Actions (..., 2) from labels (...) by name, ego (..., e) and the motion (..., m) that led here.

        ``wanted_offset_m`` (...) is where in the lane to drive, left of its middle.
        """
        offset, heading_error, gap, closing = (np.asarray(labels[name], dtype=np.float64) for name in LOOKED_AT)
        speed = np.asarray(ego, dtype=np.float64)[..., SPEED]
        self._observe_curvature(heading_error, np.asarray(motion, dtype=np.float64))
        curvature = self._wanted_curvature(offset - np.asarray(wanted_offset_m), heading_error, speed)
        acceleration = self._wanted_acceleration(gap, closing, speed)
        most = np.where(acceleration > 0, kinematics.MAX_ACCELERATION_MPS2, kinematics.MAX_BRAKING_MPS2)
        steering = kinematics.steering_for_curvature(curvature, speed)
        return np.clip(np.stack([steering, acceleration / most], axis=-1), -1.0, 1.0).astype(np.float32)

    def _observe_curvature(self, heading_error: Array, motion: Array) -> None:
        last, self._heading_error = self._heading_error, heading_error
        forward, yaw = motion[..., FORWARD], motion[..., YAW]
        moved = forward > 0.1  # not just begun (motion is NaN), nor at a standstill
        if last is None:
            return
        turned = np.where(moved, yaw, 0.0) - kinematics.wrap(heading_error - last)
        seen = turned / np.where(moved, forward, 1.0)
        believed = moved & (np.abs(seen) < SHARPEST)
        self.curvature = self.curvature + np.where(believed, SMOOTHING * (seen - self.curvature), 0.0)

    def _wanted_curvature(self, offset: Array, heading_error: Array, speed: Array) -> Array:
        reach = np.clip(0.55 * speed, 3.5, 16.0)  # distance over which an offset is corrected
        towards = -np.clip(offset / (1.8 * reach), -0.6, 0.6)
        slip = np.arcsin(np.clip(self.curvature * kinematics.WHEELBASE_M / 2, -0.5, 0.5))
        course = np.clip(heading_error + slip, -1.5, 1.5)
        back = 1.8 / reach * (np.sin(towards) - np.sin(course))
        return np.asarray(self.curvature + self.manner.correction * back)

    def _wanted_acceleration(self, gap: Array, closing: Array, speed: Array) -> Array:
        m = self.manner
        bend = np.sqrt(m.cornering_mps2 / np.maximum(np.abs(self.curvature), 1e-4))
        wanted = np.maximum(np.minimum(self.target_speed_mps, bend), 1.0)
        free = np.maximum(m.acceleration_mps2 * (1 - (speed / wanted) ** 4), -m.braking_mps2)
        approach = speed * closing / (2 * np.sqrt(m.acceleration_mps2 * m.braking_mps2))
        room = m.standstill_m + np.maximum(speed * m.time_gap_s + approach, 0.0)
        held_back = m.acceleration_mps2 * (room / np.maximum(gap, 0.3)) ** 2
        return np.asarray(free - np.where(gap < m.sees_m, held_back, 0.0))
