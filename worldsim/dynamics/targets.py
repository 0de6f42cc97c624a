"""Targets of the state heads from an episode's labels.

Axis legend: t frames of one whole episode. Hazards look ahead along the episode, so targets are made
before clips are cut from it.
"""

from __future__ import annotations

import numpy as np

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
