"""Whoever sits at the wheel in ``demo`` and ``rollout``: drivers that look only at ``info``, which both worlds offer.

Axis legend: k actions. An action is (2,): steering, acceleration in [-1, 1]; left is positive.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from worldsim.errors import choose
from worldsim.types import FloatArray

from ..lane_keeping import LaneKeeping

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
    """One drive of ``envs.lane_keeping``, by ``info["labels"]``, ``info["ego"]`` and ``info["motion"]``."""

    def __init__(self, target_speed_mps: float) -> None:
        self.keeping = LaneKeeping(target_speed_mps)

    def act(self, info: Mapping[str, Any]) -> FloatArray:
        """The action (2,) float32."""
        return self.keeping.act(info["labels"], info["ego"], info["motion"])


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
