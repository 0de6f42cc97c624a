"""Counterfactuals: does an action do in the learned world what it does in truth, from the same moment?

Axis legend: k moments, r branches, t frames of a branch (the moment itself is frame 0).

Two kinds of answer. *Shares* say how much of a true change the model makes: 1 is all of it, 0 is a world that follows
its own habits whatever is done. A share is the slope through the origin of the model's change over the true one, so
that an answer to the wrong side counts against it. *Events* say whether the same branches end badly.

A value that is not known is masked, never guessed: labels of the reference world jump where another lane or another
vehicle becomes the one that is measured, and from there on a branch no longer counts for that label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from envs.rewards import END_PROBABILITY
from worldsim.evaluation.metrics import auroc
from worldsim.types import FRAME_RATE_HZ, LEAD_RANGE_M

from ..judging.scores import Estimate, ratio
from .moments import Branches, Moment
from .told import Told

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

HORIZONS_S = (0.5, 1.0, 2.0, 3.0)
SWERVES = ("left", "right", "left_hard", "right_hard")
PEDALS = ("brake", "accelerate")

JUMP = {"lane_offset_m": 1.0, "heading_error_rad": 0.2, "lead_distance_m": 3.0}
"""A label that changes by more than this in a step speaks of another lane, or of another vehicle."""
LEAST = {"lane_offset_m": 0.3, "heading_error_rad": 0.05, "lead_distance_m": 2.0}
"""True changes below this are left out of shares: there is nothing to have a share of."""

CLOSED = 0.7
"""A branch closes on the vehicle ahead where the gap falls to this share of what it was."""
EVENTS = ("offroad", "collision", "closes")


def known(branches: Branches, label: str) -> Bools:
    """Where a label (r, t) still speaks of what it spoke of at the moment: up to its first jump."""
    values = branches.label(label)
    jumps = np.abs(np.diff(values, axis=1)) > JUMP[label]
    same = np.concatenate([np.ones((len(values), 1), bool), ~np.maximum.accumulate(jumps, axis=1)], axis=1)
    if label == "lead_distance_m":
        same &= np.maximum.accumulate(values >= LEAD_RANGE_M - 0.5, axis=1) == 0  # nobody ahead
    return same


@dataclass(frozen=True)
class Effect:
    """How much of the true change of a label the model makes, and of how many branches that is said."""

    share: Estimate
    branches: int


def effect(branches: Branches, told: Told, label: str, rows: Bools, step: int, against_keeping: bool = True) -> Effect:
    """The share of a change of ``label`` from the moment to ``step`` over the branches in ``rows`` (r,).

    ``against_keeping``: only what the action made of it, less what keeping the lane makes of it from that moment.
    Intervals are a bootstrap over moments.
    """
    truth, said, valid = branches.label(label), told.reading[label], known(branches, label)[:, step]
    true_change, change = (values[:, step] - values[:, 0] for values in (truth, said))
    if against_keeping:
        keeping = _keeping(branches)
        true_change, change = true_change - true_change[keeping], change - change[keeping]
        valid = valid & valid[keeping] & (branches.name != "keep")
    used = rows & valid & (np.abs(true_change) >= LEAST[label])
    count = int(branches.moment.max()) + 1
    above = np.bincount(branches.moment[used], (change * true_change)[used], minlength=count)
    below = np.bincount(branches.moment[used], (true_change**2)[used], minlength=count)
    there = np.isin(np.arange(count), branches.moment[rows])
    nothing = Estimate(float("nan"), float("nan"), float("nan"))
    return Effect(ratio(above[there], below[there]) if used.any() else nothing, int(used.sum()))


def _keeping(branches: Branches) -> npt.NDArray[np.int64]:
    """For each branch (r,) the row of its moment that keeps the lane."""
    kept = {int(m): row for row, (m, name) in enumerate(zip(branches.moment, branches.name, strict=True))
            if name == "keep"}  # fmt: skip
    return np.array([kept[int(m)] for m in branches.moment])


# --- events -----------------------------------------------------------------------------------------------------------


def truly(branches: Branches, event: str) -> tuple[Bools, Bools]:
    """Whether each branch (r,) comes to the event, and for which that can be said."""
    if event != "closes":
        return branches.label(event).max(axis=1) >= 1, np.ones(len(branches), bool)
    gap, valid = branches.label("lead_distance_m"), known(branches, "lead_distance_m")
    pedal = np.isin(branches.name, ("keep", *PEDALS))
    there = pedal & valid[:, 0] & (gap[:, 0] < 0.5 * LEAD_RANGE_M) & valid.all(axis=1)
    return gap.min(axis=1, where=valid, initial=LEAD_RANGE_M) < CLOSED * gap[:, 0], there


def said(told: Told, event: str) -> Bools:
    """Whether the readings of each branch (r,) come to the event: hazards as the env counts them, in two frames."""
    if event != "closes":
        value = told.reading[event]
        return np.minimum(value[:, 1:], value[:, :-1]).max(axis=1) >= END_PROBABILITY
    gap = told.reading["lead_distance_m"]
    steady = np.median(np.stack([gap[:, i : gap.shape[1] - 2 + i] for i in range(3)]), axis=0)  # of three frames
    return steady.min(axis=1) < CLOSED * gap[:, 0]


def agreement(true: Bools, model: Bools, there: Bools) -> dict[str, int]:
    """Branches (r,) where both, only the truth, only the model, or neither comes to an event."""
    true, model = true[there], model[there]
    return {
        "hits": int((true & model).sum()),
        "misses": int((true & ~model).sum()),
        "false_alarms": int((~true & model).sum()),
        "correct_rejections": int((~true & ~model).sum()),
    }


def events(branches: Branches, told: Told) -> dict[str, Any]:
    """Agreement of every event, in all and by what was done."""
    table: dict[str, Any] = {}
    for event in EVENTS:
        true, there = truly(branches, event)
        model = said(told, event)
        table[event] = agreement(true, model, there) | {
            "by_branch": {
                name: agreement(true, model, there & (branches.name == name))
                for name in dict.fromkeys(branches.name.tolist())
                if (there & (branches.name == name)).any()
            }
        }
    return table


def trust_finds_wrong_branches(branches: Branches, told: Told) -> float:
    """AUROC of low trust at telling the branches whose outcome the model has wrong."""
    wrong = np.zeros(len(branches), bool)
    for event in EVENTS:
        true, there = truly(branches, event)
        wrong |= there & (true != said(told, event))
    return auroc(-told.trust[:, 1:].mean(axis=1), wrong.astype(np.float64))


# --- all together -----------------------------------------------------------------------------------------------------


def figures(moments: Sequence[Moment], branches: Branches, told: Told) -> dict[str, Any]:
    """All that is said of one model, or of its heads on true frames; estimates as value, low, high and branches."""
    kind = np.array([moments[i].kind for i in branches.moment])
    coasting = (kind == "bend") & (branches.name == "coast")
    swerving, pedalling = np.isin(branches.name, SWERVES), (kind == "lead") & np.isin(branches.name, PEDALS)
    leaves, _ = truly(branches, "offroad")
    return {
        "lane_turns_when_coasting_in_bends": _by_horizon(branches, told, "heading_error_rad", coasting, False),
        "lane_turns_in_swerves": _by_horizon(branches, told, "heading_error_rad", swerving),
        "lane_shifts_when_coasting_in_bends": _by_horizon(branches, told, "lane_offset_m", coasting, False),
        "lane_shifts_in_swerves": _by_horizon(branches, told, "lane_offset_m", swerving),
        "lead_nears_or_leaves_with_pedals": _by_horizon(branches, told, "lead_distance_m", pedalling),
        "coasting_in_bends": {
            "branches": int(coasting.sum()),
            "leave_the_road_truly": int((coasting & leaves).sum()),
            "leave_the_road_here": int((coasting & leaves & said(told, "offroad")).sum()),
        },
        "events": events(branches, told),
        "trust_finds_wrong_branches": trust_finds_wrong_branches(branches, told),
        "trust": float(told.trust[:, 1:].mean()),
    }


def _by_horizon(
    branches: Branches, told: Told, label: str, rows: Bools, against_keeping: bool = True
) -> dict[str, dict[str, float | int]]:
    found: dict[str, dict[str, float | int]] = {}
    for seconds in HORIZONS_S:
        step = round(seconds * FRAME_RATE_HZ)
        if step < branches.labels.shape[1]:
            each = effect(branches, told, label, rows, step, against_keeping)
            found[f"{seconds:g}"] = asdict(each.share) | {"branches": each.branches}
    return found
