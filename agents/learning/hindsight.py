"""What should have been done: a lane keeper's word on every moment of a recorded drive, whoever drove.

A clone of good drivers never sees how to come back, for they never were away. Drivers who swerve and stray were, and
what they should have done there follows from the labels (after DAgger, Ross et al. 2011, whose expert is asked about
states that others came to; here all of them are on record).

Axis legend: t moments of a drive.
"""

from __future__ import annotations

import numpy as np

from envs.lane_keeping import LOOKED_AT, LaneKeeping, Manner
from envs.scenario import TARGET_SPEED_MPS
from worldsim.types import LABEL_FIELDS, Episode, FloatArray

from ..judging.family import UNKNOWN_ROAD_MPS
from .teacher import FEELS_FIRST_STEPS

MANNER = Manner(time_gap_s=1.6, standstill_m=4.0)
"""More distance than the reward asks for, since whoever learns from pictures sees a gap worse than labels tell it."""

_LOST = [LABEL_FIELDS.index(name) for name in ("offroad", "collision")]


def lane_keeper_says(episode: Episode) -> FloatArray:
    """The actions (t, 2) of a lane keeper in the driver's place, by the labels of ``episode``.

    NaN where it has nothing to say: at first, since it feels a bend only as it is driven through; where a label or the
    ego state is not known; off the road and after a collision, where there is no lane to keep.
    """
    keeping = LaneKeeping(TARGET_SPEED_MPS.get(episode.fields.road or "", UNKNOWN_ROAD_MPS), MANNER)
    labels = {name: episode.labels[:, LABEL_FIELDS.index(name)] for name in LOOKED_AT}
    led_here = np.concatenate((np.full_like(episode.motion[:1], np.nan), episode.motion[:-1]))
    known = np.isfinite(np.stack(list(labels.values()))).all(0) & np.isfinite(episode.ego).all(1)
    lost = ~(episode.labels[:, _LOST] == 0).all(1)
    said = np.full((len(episode), 2), np.nan, np.float32)
    felt = 0
    for t in range(len(episode)):
        if not known[t] or lost[t]:
            felt = 0
            continue
        if felt == 0:
            keeping = LaneKeeping(keeping.target_speed_mps, MANNER)
        action = keeping.act({name: values[t] for name, values in labels.items()}, episode.ego[t], led_here[t])
        felt += 1
        if felt > FEELS_FIRST_STEPS:
            said[t] = action
    return said
