"""Obedience: is what is commanded to be seen? Ego motion is recovered from frames alone and held against the command.

Axis legend: r branches, t frames of a branch.

The estimator was trained on reference frames and knows no model; the same probes on the true frames give its floor.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from worldsim.evaluation.metrics import correlation
from worldsim.types import FRAME_RATE_HZ, MOTION_FIELDS

from ..judging.scores import Estimate, rate
from .counterfactuals import known
from .looks import Looks
from .moments import Branches

Array = npt.NDArray[np.float64]

SETTLED = 5
"""Steps of a branch after which its turn is measured: the wheels have moved by then."""
UNTIL = 20
"""Steps after which swerves are no longer asked about: most have left the road, where little can be seen to move."""
SIDES = {"left": 1.0, "right": -1.0, "left_hard": 1.0, "right_hard": -1.0}
PEDALS = {"brake": -1.0, "accelerate": 1.0}
UNSEEN = ("zigzag", "pump")
"""Actions that no driver of the training mixture takes."""
FOLLOWS = 0.5
"""Such a branch is obeyed where what is seen correlates with what was commanded by at least this."""
PAIRS = (("left", "right"), ("left_hard", "right_hard"))


def commanded(branches: Branches) -> tuple[Array, Array]:
    """Yaw rate (rad/s) and speed (m/s) of every step (r, t - 1)."""
    motion = branches.motion.astype(np.float64) * FRAME_RATE_HZ
    return motion[..., MOTION_FIELDS.index("yaw_rad")], motion[..., MOTION_FIELDS.index("forward_m")]


def obeyed(branches: Branches, looks: Looks) -> dict[str, list[bool]]:
    """For each kind of probe, whether each was obeyed.

    A swerve must turn further to its side than keeping the lane from the same moment, a pedal must change speed to its
    side of keeping; unseen actions must move the picture as they move the car.
    """
    turn = np.median(looks.yaw_rate[:, SETTLED:UNTIL].astype(np.float64), axis=1)
    speed = np.median(looks.speed[:, -5:].astype(np.float64), axis=1)
    yaw_rate, forward = commanded(branches)
    keeping = {int(m): row for row, m in enumerate(branches.moment) if branches.name[row] == "keep"}
    found: dict[str, list[bool]] = {}
    for row, name in enumerate(branches.name.tolist()):
        kept = keeping[int(branches.moment[row])]
        if name in SIDES:
            fine = SIDES[name] * (turn[row] - turn[kept]) > 0
        elif name in PEDALS:
            fine = PEDALS[name] * (speed[row] - speed[kept]) > 0
        elif name in UNSEEN:
            told, seen = (yaw_rate, looks.yaw_rate) if name == "zigzag" else (forward, looks.speed)
            fine = correlation(told[row], _smooth(seen[row])) >= FOLLOWS
        else:
            continue
        found.setdefault(name, []).append(bool(fine))
    return found


def swaps(branches: Branches, looks: Looks) -> tuple[int, int]:
    """How often a probe to the left turned right of its twin to the right, and how many probes were asked."""
    turn = np.median(looks.yaw_rate[:, SETTLED:UNTIL].astype(np.float64), axis=1)
    keys = zip(branches.moment.tolist(), branches.name.tolist(), strict=True)
    row_of = {key: row for row, key in enumerate(keys)}
    pairs = [
        (row_of[m, left], row_of[m, right]) for m in dict.fromkeys(branches.moment.tolist()) for left, right in PAIRS
        if (m, left) in row_of
    ]  # fmt: skip
    return sum(bool(turn[left] < turn[right]) for left, right in pairs), 2 * len(pairs)


def figures(branches: Branches, looks: Looks) -> dict[str, Any]:
    """Share obeyed in all, by action and of unseen actions; swaps; correlation with what was commanded."""
    by_action = obeyed(branches, looks)
    count, probes = swaps(branches, looks)
    yaw_rate, forward = commanded(branches)
    usual = [fine for name, each in by_action.items() if name not in UNSEEN for fine in each]
    unseen = [fine for name in UNSEEN for fine in by_action.get(name, [])]
    valid = known(branches, "heading_error_rad")[:, 1:] & (branches.label("offroad")[:, 1:] == 0)
    return {
        "obeyed": _share(usual),
        "obeyed_unseen": _share(unseen),
        "by_action": {name: _share(each) for name, each in by_action.items()},
        "left_right_swaps": count,
        "swap_probes": probes,
        "turn_correlation": correlation(yaw_rate[valid], looks.yaw_rate.astype(np.float64)[valid]),
        "speed_correlation": correlation(forward[valid], looks.speed.astype(np.float64)[valid]),
    }


def _share(fine: list[bool]) -> dict[str, float | int]:
    """The share obeyed with its interval, and how many probes there were; NaN where there were none."""
    share = rate(np.array(fine, np.float64)) if fine else Estimate(float("nan"), float("nan"), float("nan"))
    return asdict(share) | {"probes": len(fine)}


def _smooth(values: npt.NDArray[np.float32]) -> Array:
    """The mean of three neighbours (t,), of two at the ends."""
    padded = np.pad(values.astype(np.float64), 1, constant_values=np.nan)
    return np.asarray(np.nanmean(np.stack([padded[i : i + len(values)] for i in range(3)]), axis=0))
