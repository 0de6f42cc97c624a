"""Who says how the camera moves, and motion turned around for what is drawn backwards.

Axis legend: k steps, m motion.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from worldsim.engine import Step
from worldsim.training.backwards import undone
from worldsim.types import MOTION_FIELDS, FloatArray

SPEED = MOTION_FIELDS.index("speed_mps")


class Mover(Protocol):
    """Tells the motion that leads into the next frame."""

    def move(self, seen: Step) -> Tensor:
        """Motion (1, m) after the frame that ``seen`` tells of; NaN: not known."""
        ...


class Planned:
    """Motion (k, m) that was fixed beforehand, step by step; then the last one again."""

    def __init__(self, motion: FloatArray) -> None:
        if motion.ndim != 2 or motion.shape[1] != len(MOTION_FIELDS) or not len(motion):
            raise ValueError(f"motion: expected (k, {len(MOTION_FIELDS)}), at least one step, got {motion.shape}")
        self._motion, self._next = torch.from_numpy(motion.astype(np.float32)), 0

    def move(self, seen: Step) -> Tensor:
        """The next row, (1, m)."""
        row = min(self._next, len(self._motion) - 1)
        self._next += 1
        return self._motion[row : row + 1].clone()


def turned_around(motion: FloatArray) -> FloatArray:
    """The motion (k, m) that drives the same way back: the last step first, each undone; NaN stays NaN.

    The speed at the end of a step that is undone is that at which the step began, negative.
    """
    if not len(motion):
        return motion.astype(np.float32)
    back = undone(torch.from_numpy(motion.astype(np.float32))).numpy()[::-1].copy()
    began = np.concatenate([motion[:1, SPEED], motion[:-1, SPEED]])[::-1]
    back[:, SPEED] = np.where(np.isnan(began), back[:, SPEED], -began)
    return back
