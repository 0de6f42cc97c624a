"""Rewards and ends from a drive state, the same in the reference world and in the learned one.

Axis legend: ... any batch shape. Each term is a named array (...); the scalar is their documented weighted sum, so
that nothing is rewarded that cannot be read in ``info``. They are computed from state (exact, or predicted by the
model's heads), never from a reward number that a model guesses and a policy exploits. Nothing but driving on along
the lane earns anything: standing, spinning, going against the lane, driving beside it or far too fast all earn less.

What is wrong with how one drives (beside the lane, askew, too close) is paid for by the way driven, not by the time:
each such term is scaled by ``pace``. So standing earns nothing, and costs nothing, wherever and however one stands; and
an end costs more than braking to a stop (within 60 degrees of the lane, at up to the target speed). Whoever fears the
future does better to stop than to crash, or to lose the model's trust. ``agents.judging.probes`` try all of this.
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
    "comfort": 0.5,
    "headway": 1.0,
    "offroad": 30.0,
    "collision": 30.0,
}
"""The reward is the sum of weight times term. ``progress`` lies in [-1, 1], every other term in [-1, 0]; the last two
are -1 at the end that they bring about."""

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


def pace(state: DriveState) -> Array:
    """Speed over the target speed, at most 1."""
    return np.minimum(np.asarray(state.speed) / np.maximum(state.target_speed, 1.0), 1.0)


def headway(state: DriveState) -> Array:
    """0 with room ahead, towards -1 when following too closely or closing in too fast."""
    wanted = STANDSTILL_M + HEADWAY_S * np.asarray(state.speed)
    close = np.clip(1.0 - np.asarray(state.lead_distance) / wanted, 0.0, 1.0)
    time = np.asarray(state.lead_distance) / np.maximum(state.closing_speed, 1e-3)
    fast = np.clip(1.0 - time / TIME_TO_COLLISION_S, 0.0, 1.0)
    return -np.maximum(close, fast)


def _hazard(probability: Array) -> Array:
    """-1 where the drive ends by it, else 0: a doubt that lasts must not cost more than the end that it is about."""
    return -(np.asarray(probability) >= END_PROBABILITY).astype(np.float64)


def terms(state: DriveState) -> dict[str, Array]:
    """Each named term (...), unweighted, in the order of ``WEIGHTS``."""
    lateral = np.asarray(state.speed) * np.asarray(state.yaw_rate) / MAX_LATERAL_MPS2
    pedal = np.asarray(state.acceleration) / MAX_BRAKING_MPS2
    way = pace(state)
    return {
        "progress": progress(state),
        "lane_keeping": -way * np.minimum(np.abs(state.lane_offset) / HALF_LANE_M, 1.0) ** 2,
        "heading": -way * np.minimum(np.abs(state.heading_error) / (np.pi / 4), 1.0),
        "comfort": -np.clip(0.5 * (lateral**2 + pedal**2), 0.0, 1.0),
        "headway": way * headway(state),
        "offroad": _hazard(state.offroad),
        "collision": _hazard(state.collision),
    }


def total(values: dict[str, Array]) -> Array:
    """The scalar reward (...): the weighted sum of ``terms``."""
    return np.sum([WEIGHTS[name] * np.asarray(value) for name, value in values.items()], axis=0)


def ended(state: DriveState) -> npt.NDArray[np.bool_]:
    """Whether the episode is terminated (...): a collision or leaving the road is more likely than not."""
    return (np.asarray(state.offroad) >= END_PROBABILITY) | (np.asarray(state.collision) >= END_PROBABILITY)
