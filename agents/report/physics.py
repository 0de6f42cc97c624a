"""Physics and permanence: what may not happen in a world of solid things, asked of what frames show.

Axis legend: r branches, t frames of a branch, p x q cells of the reader.

Every probe looks at branches through estimators that know no model (``looks``), and passes or fails each branch that it
can be asked of; others are left out. What it asks must hold in the reference world and fail where the world is broken:
both are measured in every report.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ..judging.scores import Estimate, rate
from .counterfactuals import known
from .looks import Looks
from .moments import Branches

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Verdicts = dict[int, bool]
"""Row of a branch -> whether it passed; rows that cannot be asked are not there."""

LANE_M = 1.0
ASIDE_M, ASIDE_SHARES = 0.5, (0.33, 2.5)  # moves to the side that are asked about, and the shares of them to be seen
SIZE_LOG, SIZE_SHARE = 0.25, 0.33  # changes of size that are asked about, and how much of them must be seen
LEAST_GAP_M = 3.0  # nearer than this the vehicle fills the picture, and its size is not to be seen
NEARER_M = 6.0  # from the bumper to where the camera would see it at its largest
SOLID_CELLS = 10  # a vehicle of this size, 13 px square, is near enough not to come from nowhere
EDGE_CELLS, REACH_CELLS = 2, 2
BEFORE, AFTER = 4, 2  # frames for which there was nothing, and for which it then stays


def lane_stays(branches: Branches, looks: Looks) -> Verdicts:
    """Who keeps the lane stays in it: its offset holds, and there are as many lanes beside it as before."""
    offset = steady(looks.lane_offset)
    found: Verdicts = {}
    for row in np.flatnonzero((branches.name == "keep") & known(branches, "lane_offset_m").all(axis=1)):
        held = np.abs(offset[row] - offset[row, 0]).max() < LANE_M
        sides = (("lane_left", looks.lane_left), ("lane_right", looks.lane_right))
        asked = [values[row] for name, values in sides if np.ptp(branches.label(name)[row]) == 0]
        as_many = all((each[:5].mean() > 0.5) == (each[-10:].mean() > 0.5) or _unsure(each) for each in asked)
        found[int(row)] = bool(held and as_many)
    return found


def _unsure(chance: npt.NDArray[Any]) -> bool:
    """Whether the reader has no clear opinion at the start, so that no change of it can be held against anybody."""
    return bool(0.2 < chance[:5].mean() < 0.8)


def lane_keeps_its_width(branches: Branches, looks: Looks, step: int = 15) -> Verdicts:
    """A car that moves aside in its lane is seen about as far aside: lanes are as wide as they were."""
    offset, true = steady(looks.lane_offset), branches.label("lane_offset_m")
    valid = known(branches, "lane_offset_m")[:, step]
    rows = np.flatnonzero(np.isin(branches.name, ("left", "right")) & valid)
    seen, moved = (values[:, step] - values[:, 0] for values in (offset, true))
    least, most = ASIDE_SHARES
    return {int(row): bool(least < seen[row] / moved[row] < most) for row in rows if abs(moved[row]) > ASIDE_M}


def size_follows_distance(branches: Branches, looks: Looks) -> Verdicts:
    """Whoever is ahead grows as the gap closes and shrinks as it opens, by a clear share of what the gap says."""
    gap, seen = branches.label("lead_distance_m"), steady(looks.lead_distance)
    asked = known(branches, "lead_distance_m").all(axis=1) & (gap[:, 0] < 30.0) & (gap.min(axis=1) > LEAST_GAP_M)
    asked &= np.isin(branches.name, ("keep", "brake", "accelerate"))
    found: Verdicts = {}
    for row in np.flatnonzero(asked):
        true, said = (np.log((each[row, -1] + NEARER_M) / (each[row, 0] + NEARER_M)) for each in (gap, seen))
        if abs(true) > SIZE_LOG:
            found[int(row)] = bool(said / true > SIZE_SHARE)
    return found


def nobody_is_born_in_view(branches: Branches, looks: Looks) -> Verdicts:
    """No near vehicle is there all at once, away from the picture's edges."""
    return {row: not _births(looks.vehicles[row]) for row in range(len(branches))}


def nobody_vanishes_in_view(branches: Branches, looks: Looks) -> Verdicts:
    """No near vehicle is gone all at once, away from the picture's edges: a birth, seen backwards."""
    return {row: not _births(looks.vehicles[row, ::-1]) for row in range(len(branches))}


def who_leaves_stays_away(branches: Branches, looks: Looks) -> Verdicts:
    """A near vehicle that left the picture on one side is not at its other edge within a second."""
    found: Verdicts = {}
    for row in range(len(branches)):
        for cells in (looks.vehicles[row], looks.vehicles[row, :, :, ::-1]):  # to the left, and to the right
            _, other = _sides(cells)
            for t in departures(cells):
                found[row] = found.get(row, True) and not (other[t + 2 : t + 12] >= SOLID_CELLS).any()
    return found


def departures(cells: Bools) -> list[int]:
    """Last frames (of t, p, q) in which a near vehicle, about to leave on the left, is seen; nobody is right then."""
    left, right = _sides(cells)
    at_edge = cells[:, :, :EDGE_CELLS].any(axis=(1, 2))
    return [
        t for t in range(3, len(cells) - 5)
        if left[t] >= SOLID_CELLS and at_edge[t] and not left[t + 2 : t + 5].any()
        and not right[max(t - 5, 0) : t + 1].any()
    ]  # fmt: skip


def _sides(cells: Bools) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Cells that vehicles cover in the left and in the right third (t,)."""
    third = cells.shape[-1] // 3
    left, right = (side.sum(axis=(1, 2)) for side in (cells[:, :, :third], cells[:, :, -third:]))
    return left, right


@dataclass(frozen=True)
class Probe:
    """A question with a pass or fail for each branch."""

    words: str
    ask: Callable[[Branches, Looks], Verdicts]


PROBES: dict[str, Probe] = {
    "lane_stays": Probe("the lane and the lanes beside it stay", lane_stays),
    "lane_width": Probe("a lane keeps its width: who moves aside is seen to", lane_keeps_its_width),
    "size_distance": Probe("whoever is ahead grows as the gap closes", size_follows_distance),
    "no_birth": Probe("nobody is born in view", nobody_is_born_in_view),
    "no_vanishing": Probe("nobody vanishes in view", nobody_vanishes_in_view),
    "side_kept": Probe("who leaves on one side does not return on the other", who_leaves_stays_away),
}
NOT_MEASURED = (
    "whether a car behind brakes with the ego: the only camera looks ahead",
    "the order of events with other vehicles: the learned world is told of none while it draws, and says so",
)


def figures(branches: Branches, looks: Looks) -> dict[str, Any]:
    """For each probe the share of branches that pass, with its interval, and how many could be asked."""
    return {name: share(probe.ask(branches, looks)) for name, probe in PROBES.items()}


def share(verdicts: Verdicts) -> dict[str, Any]:
    """The share that passes, with its interval, NaN where none could be asked; and how many could."""
    passed = list(verdicts.values())
    estimate = rate(np.array(passed, np.float64)) if passed else Estimate(float("nan"), float("nan"), float("nan"))
    return asdict(estimate) | {"branches": len(passed)}


def steady(values: npt.NDArray[Any]) -> Array:
    """The median of five neighbours (r, t), of fewer at the ends: a single frame misread is no event."""
    padded = np.pad(values.astype(np.float64), ((0, 0), (2, 2)), constant_values=np.nan)
    return np.asarray(np.nanmedian(np.stack([padded[:, i : i + values.shape[1]] for i in range(5)]), axis=0))


def _births(cells: Bools) -> int:
    """How often a solid group of cells (t, p, q) is there where nothing was before, and stays."""
    reach = np.ones((2 * REACH_CELLS + 1,) * 2, np.uint8)
    count = 0
    for t in range(BEFORE, len(cells) - AFTER):
        groups, names = cv2.connectedComponents(cells[t].astype(np.uint8), connectivity=8)
        for group in range(1, groups):
            mine = names == group
            edge = mine[:, :EDGE_CELLS].any() or mine[:, -EDGE_CELLS:].any() or mine[-EDGE_CELLS:].any()
            if mine.sum() < SOLID_CELLS or edge:
                continue
            around = cv2.dilate(mine.astype(np.uint8), reach).astype(bool)
            new = not cells[t - BEFORE : t][:, around].any()
            lasts = all((cells[t + i] & around).sum() >= SOLID_CELLS // 2 for i in range(1, AFTER + 1))
            count += int(new and lasts)
    return count
