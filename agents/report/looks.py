"""What frames show to estimators that were trained on reference frames alone and know no world model.

Axis legend: r branches, t frames of a branch, h w c of a frame, p x q cells of the reader.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from worldsim.evaluation.metrics import gradient_energy
from worldsim.evaluation.motion_estimator import load_estimator
from worldsim.evaluation.scene_reader import load_reader
from worldsim.types import FloatArray, FrameArray

VEHICLE = 0.5


@dataclass(frozen=True)
class Looks:
    """Every branch, frame by frame."""

    yaw_rate: FloatArray  # (r, t - 1) rad/s between neighbours, left positive
    speed: FloatArray  # (r, t - 1) m/s
    lane_offset: FloatArray  # (r, t) m
    heading_error: FloatArray  # (r, t) rad
    lead_distance: FloatArray  # (r, t) m
    lane_left: FloatArray  # (r, t) probability that there is one
    lane_right: FloatArray  # (r, t)
    vehicles: npt.NDArray[np.bool_]  # (r, t, p, q) cells that a vehicle covers
    sharpness: FloatArray  # (r, t) gradient energy

    def rows(self, index: npt.NDArray[np.int64]) -> Looks:
        """The branches at ``index`` (k,)."""
        return Looks(*(getattr(self, entry.name)[index] for entry in fields(self)))

    def and_more(self, other: Looks) -> Looks:
        """These branches, then ``other``'s."""
        both = ((getattr(self, entry.name), getattr(other, entry.name)) for entry in fields(self))
        return Looks(*(np.concatenate(each) for each in both))

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """To be kept."""
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, npt.NDArray[Any]]) -> Looks:
        """As it was kept."""
        return cls(**arrays)


def look_at(
    frames: Callable[[slice], FrameArray], count: int, tick: Callable[[], object] = lambda: None, together: int = 8
) -> Looks:
    """Look at ``count`` branches; ``frames(rows)`` gives some of them, (k, t, h, w, 3). Ticks once a branch."""
    estimator, _ = load_estimator()
    reader, _ = load_reader()
    rows: list[Looks] = []
    for first in range(0, count, together):
        some = frames(slice(first, min(first + together, count)))
        for each in some:
            motion, seen = estimator.estimate(each), reader.read(each)
            rows.append(
                Looks(
                    motion[:, 0], motion[:, 1], seen.lane_offset_m, seen.heading_error_rad, seen.lead_distance_m,
                    seen.lane_left, seen.lane_right, seen.vehicles > VEHICLE, gradient_energy(each).astype(np.float32),
                )
            )  # fmt: skip
            tick()
    return Looks(*(np.stack([getattr(row, entry.name) for row in rows]) for entry in fields(Looks)))
