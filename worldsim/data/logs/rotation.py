"""Quaternions (w, x, y, z) as real logs store them, and what a camera's say of its mounting."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def matrix(quaternion: npt.ArrayLike) -> Array:
    """Rotation matrices (..., 3, 3) of quaternions (..., 4), which need not have length one."""
    q = np.asarray(quaternion, np.float64)
    w, x, y, z = np.moveaxis(q / np.linalg.norm(q, axis=-1, keepdims=True), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, -1) for row in rows], -2)


def yaw(quaternion: npt.ArrayLike) -> Array:
    """Heading (...) of the x axis turned by ``quaternion`` (..., 4), about z, left of the fixed x axis."""
    turned = matrix(quaternion)
    return np.asarray(np.arctan2(turned[..., 1, 0], turned[..., 0, 0]))


def mounting(quaternion: npt.ArrayLike) -> tuple[float, float, float]:
    """Pitch (down is positive), yaw (left) and roll (clockwise as it sees) of a camera whose frame is x right, y down,
    z forward and is turned by ``quaternion`` (4,) into the vehicle's: x forward, y left, z up."""
    turned = matrix(quaternion)
    right, down, forward = turned.T
    heading = float(np.arctan2(forward[1], forward[0]))
    pitch = float(-np.arcsin(np.clip(forward[2], -1, 1)))
    return pitch, heading, float(np.arctan2(-right[2], -down[2]))
