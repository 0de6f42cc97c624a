"""What the ego vehicle did on a drive, read from its motion and, where they are known, its labels.

Axis legend: t frames. Rows follow ``worldsim.types``: ``motion[t]`` takes frame ``t`` to frame ``t + 1``; NaN is "not
known", and what is not known is not said.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worldsim.types import LABEL_FIELDS, MOTION_FIELDS, Episode

DEEDS = ("turn_left", "turn_right", "bend_left", "bend_right", "lane_left", "lane_right", "stop", "set_off", "brake",
         "offroad", "crash")  # fmt: skip

YAW, SPEED = MOTION_FIELDS.index("yaw_rad"), MOTION_FIELDS.index("speed_mps")
OFFSET, OFFROAD, COLLISION = (LABEL_FIELDS.index(name) for name in ("lane_offset_m", "offroad", "collision"))

STANDING_MPS, DRIVING_MPS = 0.3, 2.0
HARD_MPS2, HARD_S = 3.5, 0.4  # braking at least so hard for so long
TURN_RAD, TURN_S = 1.0, 8.0  # a heading that changes so much within so long is a turn
NEXT_LANE_M, OTHER_SIDE_M = 2.0, 2.8  # a lane offset jumps by a lane's width where the next lane becomes one's own
BENDING_ROADS = ("curves", "racetrack", "two_way", "highway", "merge", "exit", "roundabout")

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Deed:
    """Something that the ego did: ``kind`` is one of DEEDS, ``at_s`` seconds from the first frame."""

    kind: str
    at_s: float


def deeds_of(episode: Episode, fps: float) -> list[Deed]:
    """All that the ego did, in order. ``episode`` needs no frames."""
    motion, labels = episode.motion.astype(np.float64), episode.labels.astype(np.float64)
    speed = motion[:-1, SPEED]
    found = [
        *_stops(speed, fps),
        *_braking(speed, fps),
        *_turns(motion[:-1, YAW], speed, fps, episode.fields.road in BENDING_ROADS),
        *_lane_changes(labels, fps),
        *_faults(labels, fps),
    ]
    return sorted(found, key=lambda deed: deed.at_s)


def mean_speed_mps(episode: Episode) -> float | None:
    """The mean speed; None where it is not known."""
    speed = episode.motion[:, SPEED]
    known = speed[np.isfinite(speed)]
    return float(known.mean()) if len(known) else None


def _stops(speed: Array, fps: float) -> Iterator[Deed]:
    """Coming to a stand, and setting off again."""
    standing: bool | None = None
    for t, value in enumerate(speed):
        if standing is not True and value < STANDING_MPS:
            if standing is False:
                yield Deed("stop", (t + 1) / fps)
            standing = True
        elif standing is not False and value > DRIVING_MPS:
            if standing is True:
                yield Deed("set_off", (t + 1) / fps)
            standing = False


def _braking(speed: Array, fps: float) -> Iterator[Deed]:
    steps = max(round(HARD_S * fps), 1)
    if len(speed) <= steps:
        return
    slowing = (speed[:-steps] - speed[steps:]) * fps / steps  # (t - steps,) m/s2
    for t in _onsets(slowing > HARD_MPS2, round(2 * fps)):
        yield Deed("brake", (t + 1) / fps)


def _turns(yaw: Array, speed: Array, fps: float, bends: bool) -> Iterator[Deed]:
    """Where the heading changed much within TURN_S: a turn at a junction, or a bend where the road has bends."""
    if not np.isfinite(yaw).all():
        return
    heading = np.concatenate([[0.0], np.cumsum(yaw)])  # (t,)
    reach, t = round(TURN_S * fps), 0
    while t < len(heading) - 1:
        ahead = heading[t : t + reach + 1] - heading[t]
        far = np.flatnonzero(np.abs(ahead) >= TURN_RAD)
        if not len(far):
            t += 1
            continue
        side = "left" if ahead[far[0]] > 0 else "right"
        begun = t + int(np.flatnonzero(np.abs(ahead) >= 0.1 * TURN_RAD)[0])
        yield Deed(f"{'bend' if bends else 'turn'}_{side}", begun / fps)
        t += int(far[0]) + reach // 2


def _lane_changes(labels: Array, fps: float) -> Iterator[Deed]:
    """Where the lane offset jumps from one side to the other; to the left it falls. Off the road there is no lane."""
    offset, on_road = labels[:, OFFSET], labels[:, OFFROAD] < 0.5
    jump = np.diff(offset)
    near = np.maximum(np.abs(offset[:-1]), np.abs(offset[1:])) < OTHER_SIDE_M
    valid = on_road[:-1] & on_road[1:] & near & (np.sign(offset[:-1]) != np.sign(offset[1:]))
    for kind, found in (("lane_left", valid & (jump < -NEXT_LANE_M)), ("lane_right", valid & (jump > NEXT_LANE_M))):
        for t in _onsets(found, round(fps)):
            yield Deed(kind, (t + 1) / fps)


def _faults(labels: Array, fps: float) -> Iterator[Deed]:
    for kind, column in (("offroad", OFFROAD), ("crash", COLLISION)):
        shown = np.flatnonzero(labels[:, column] >= 0.5)
        if len(shown):
            yield Deed(kind, int(shown[0]) / fps)


def _onsets(found: npt.NDArray[np.bool_], apart: int) -> Iterator[int]:
    """Where ``found`` begins to hold, each at least ``apart`` after it last held."""
    last = -apart - 1
    for t in np.flatnonzero(found).tolist():
        if t - last > apart:
            yield t
        last = t
