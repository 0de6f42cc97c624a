"""What the CAN bus expansion of nuScenes tells of the ego, in the units of this project.

Messages and units (devkit, can_bus/README.md): `pose` 50 Hz: vel m/s, rotation_rate rad/s, accel m/s^2, all about x
forward, y left, z up; `steeranglefeedback` 100 Hz: angle of the steering wheel in rad, positive to the left;
`vehicle_monitor` 2 Hz: vehicle_speed km/h, used where `pose` is not there; `utime` in microseconds.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from worldsim.data.logs.ego_motion import MOST_SPEED_MPS, Signal
from worldsim.data.logs.faults import Faults
from worldsim.data.logs.nuscenes.tables import can_messages

MOST_WHEEL_RAD = 7.7
"""Steering wheel angle of full steering: the largest that the devkit documents for the Renault Zoe."""

_SOURCES = (
    ("speed_mps", "pose", lambda row: row["vel"][0]),
    ("speed_mps", "vehicle_monitor", lambda row: row["vehicle_speed"] / 3.6),
    ("yaw_rate_radps", "pose", lambda row: row["rotation_rate"][2]),
    ("acceleration_mps2", "pose", lambda row: row["accel"][0]),
    ("steering", "steeranglefeedback", lambda row: row["value"] / MOST_WHEEL_RAD),
)
_LIMITS = {"speed_mps": MOST_SPEED_MPS, "yaw_rate_radps": 3.0, "acceleration_mps2": 30.0, "steering": 1.05}


def can_signals(root: Path, scene: str, faults: Faults) -> dict[str, Signal]:
    """Signals by name of EGO_FIELDS, times in seconds; those that are not recorded, or broken, are left out."""
    found: dict[str, Signal] = {}
    for name, message, value in _SOURCES:
        if name in found:
            continue
        try:
            rows = can_messages(root, scene, message)
            if rows is None:
                continue
            pairs = np.array([(row["utime"] * 1e-6, value(row)) for row in rows], np.float64).reshape(-1, 2)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            faults("broken_can", f"{scene}: CAN message {message}: expected `{name}`, got {error}", error)
            continue
        if len(kept := _checked(pairs, f"{scene}: CAN message {message}", name, faults)) > 1:
            found[name] = Signal(kept[:, 0], kept[:, 1])
    if not found:
        faults.note("scenes_without_can", f"{scene}: no CAN bus recording; speed and yaw rate come from the poses")
    return found


def _checked(pairs: np.ndarray, where: str, name: str, faults: Faults) -> np.ndarray:
    """Samples (k, 2) of time and value in the order of time, each time once, without what no car can do."""
    back = int((np.diff(pairs[:, 0]) <= 0).sum())
    if back:
        words = f"{where}: expected increasing times, got {back} that repeat or go back"
        if back > 0.1 * len(pairs):
            faults("reversed_can", words)
            return pairs[:0]
        faults.note("unordered_can_messages", words, back)
        pairs = pairs[np.unique(pairs[:, 0], return_index=True)[1]]
    good = np.isfinite(pairs).all(-1) & (np.abs(pairs[:, 1]) <= _LIMITS[name])
    if not good.all():
        worst = pairs[~good][0, 1]
        faults("absurd_can", f"{where}: expected |{name}| up to {_LIMITS[name]:g}, got {worst:g}")
    return np.asarray(pairs[good])
