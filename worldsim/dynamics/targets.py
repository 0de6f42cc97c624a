"""Targets of the state heads from an episode's labels, and the tokens that vehicles touch.

Axis legend: t frames of one whole episode, n tokens, k boxes of a frame. Hazards look ahead along the episode, so
targets are made before clips are cut from it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from worldsim.dynamics.heads import CLOSENESS_RANGE_M, HAZARD_HORIZON_S, HEAD_FIELDS
from worldsim.types import LABEL_FIELDS, FloatArray


def head_targets(labels: FloatArray, frame_rate_hz: float) -> FloatArray:
    """(t, len(LABEL_FIELDS)) -> (t, len(HEAD_FIELDS)), NaN where not known.

    A hazard is 1 when its event happens within HAZARD_HORIZON_S after the frame, 0 when the whole horizon
    was recorded without it, and NaN when the recording ends before either is known.
    """
    named = {name: labels[:, i] for i, name in enumerate(LABEL_FIELDS)}
    horizon = max(1, round(HAZARD_HORIZON_S * frame_rate_hz))
    named["lead_closeness"] = np.exp(-named["lead_distance_m"] / CLOSENESS_RANGE_M)
    named["offroad_soon"] = within(named["offroad"], horizon)
    named["collision_soon"] = within(named["collision"], horizon)
    return np.stack([named[name] for name in HEAD_FIELDS], axis=-1).astype(np.float32)


def within(event: FloatArray, horizon: int) -> FloatArray:
    """Whether ``event`` (t,) in {0, 1, NaN} holds in any of the next ``horizon`` frames, (t,)."""
    t = len(event)
    result = np.full(t, np.nan, dtype=np.float32)
    for i in range(t):
        ahead = event[i + 1 : i + 1 + horizon]
        if (ahead == 1).any():
            result[i] = 1.0
        elif len(ahead) == horizon and not np.isnan(ahead).any():
            result[i] = 0.0
    return result


def vehicle_tokens(
    boxes: Sequence[FloatArray], frames: int, size: tuple[int, int], grid: tuple[int, int]
) -> npt.NDArray[np.bool_]:
    """Which tokens (t, n) of a ``grid`` (rows, columns) over pictures of ``size`` (h, w) a vehicle's box touches.

    ``boxes`` are t arrays (k, >=4) of x0 y0 x1 y1 in pixels, or none, where no vehicle is known.
    """
    touched = np.zeros((frames, *grid), np.bool_)
    scale = np.array([grid[1] / size[1], grid[0] / size[0]] * 2)
    for canvas, rows in zip(touched, boxes, strict=False):
        for x0, y0, x1, y1 in rows[:, :4] * scale:
            canvas[max(int(y0), 0) : max(int(np.ceil(y1)), 0), max(int(x0), 0) : max(int(np.ceil(x1)), 0)] = True
    return touched.reshape(frames, -1)
