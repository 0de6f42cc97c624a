"""Rewards and ends from a drive state, the same in the reference world and in the learned one.

Axis legend: ... any batch shape. Each term is a named array (...); the scalar is their documented weighted sum, so
that nothing is rewarded that cannot be read in ``info``. They are computed from state (exact, or predicted by the
model's heads), never from a reward number that a model guesses and a policy exploits. Nothing but driving on along
the lane earns anything: standing, spinning, going against the lane, driving beside it or far too fast all earn less.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .kinematics import MAX_BRAKING_MPS2, MAX_LATERAL_MPS2

Array = npt.NDArray[np.float64]

WEIGHTS: dict[str, float] = {
    "progress": 1.0,
    "lane_keeping": 0.5,
    "heading": 0.3,
    "comfort": 0.1,
    "headway": 0.6,
    "offroad": 5.0,
    "collision": 10.0,
}
"""The reward is the sum of weight times term. ``progress`` lies in [-1, 1], every other term in [-1, 0]."""

END_PROBABILITY = 0.5
HALF_LANE_M = 1.75
HEADWAY_S = 1.2
STANDSTILL_M = 2.0
TIME_TO_COLLISION_S = 4.0
OVERSPEED_TOLERANCE = 0.1


@dataclass(frozen=True)
class DriveState:
    """What rewards look at; every value is an array (...), in the units and signs of ``worldsim.types``.

    ``offroad`` and ``collision`` are probabilities in [0, 1] (0 or 1 where they are known).
    """

    speed: Array
    acceleration: Array
    yaw_rate: Array
    steering: Array
    lane_offset: Array
    heading_error: Array
    offroad: Array
    collision: Array
    lead_distance: Array
    closing_speed: Array
    target_speed: Array


def progress(state: DriveState) -> Array:
    """Speed along the lane over the target speed: 1 at the target, less above it, negative against the lane."""
    ratio = np.asarray(state.speed) * np.cos(state.heading_error) / np.maximum(state.target_speed, 1.0)
    over = np.maximum(np.asarray(state.speed) / np.maximum(state.target_speed, 1.0) - 1.0 - OVERSPEED_TOLERANCE, 0.0)
    return np.clip(np.minimum(ratio, 1.0) - 3.0 * over, -1.0, 1.0)


def headway(state: DriveState) -> Array:
    """0 with room ahead, towards -1 when following too closely or closing in too fast."""
    wanted = STANDSTILL_M + HEADWAY_S * np.asarray(state.speed)
    close = np.clip(1.0 - np.asarray(state.lead_distance) / wanted, 0.0, 1.0)
    time = np.asarray(state.lead_distance) / np.maximum(state.closing_speed, 1e-3)
    fast = np.clip(1.0 - time / TIME_TO_COLLISION_S, 0.0, 1.0)
    return -np.maximum(close, fast)


def terms(state: DriveState) -> dict[str, Array]:
    """Each named term (...), unweighted, in the order of ``WEIGHTS``."""
    lateral = np.asarray(state.speed) * np.asarray(state.yaw_rate) / MAX_LATERAL_MPS2
    pedal = np.asarray(state.acceleration) / MAX_BRAKING_MPS2
    return {
        "progress": progress(state),
        "lane_keeping": -(np.minimum(np.abs(state.lane_offset) / HALF_LANE_M, 1.0) ** 2),
        "heading": -np.minimum(np.abs(state.heading_error) / (np.pi / 4), 1.0),
        "comfort": -np.clip(0.5 * (lateral**2 + pedal**2), 0.0, 1.0),
        "headway": headway(state),
        "offroad": -np.clip(state.offroad, 0.0, 1.0),
        "collision": -np.clip(state.collision, 0.0, 1.0),
    }


def total(values: dict[str, Array]) -> Array:
    """The scalar reward (...): the weighted sum of ``terms``."""
    return np.sum([WEIGHTS[name] * np.asarray(value) for name, value in values.items()], axis=0)


def ended(state: DriveState) -> npt.NDArray[np.bool_]:
    """Whether the episode is terminated (...): a collision or leaving the road is more likely than not."""
    return (np.asarray(state.offroad) >= END_PROBABILITY) | (np.asarray(state.collision) >= END_PROBABILITY)
