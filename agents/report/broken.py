"""Worlds broken on purpose, one for each probe of physics: a probe that does not fail in its own is worth nothing.

Axis legend: r branches, k of them that are broken, t frames, h w c of a frame.

Each takes true frames and cuts them so that just what its probe asks no longer holds.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from worldsim.types import FrameArray

from .looks import Looks
from .moments import Branches
from .physics import EDGE_CELLS, SOLID_CELLS, departures

Rows = npt.NDArray[np.int64]
Broken = tuple[Rows, FrameArray]
"""Rows of branches (k,), and what is shown in them instead (k, t, h, w, 3)."""

MOST = 6
"""Branches of each world at most: enough to see that a probe fails."""
CUT = 10
"""Step at which a scene is cut."""


def _shown_as(branches: Branches, shown: dict[str, str]) -> Broken:
    """Branches by name, each with the frames of another branch of the same moment."""
    row_of = {(m, name): row for row, (m, name) in enumerate(_keys(branches))}
    pairs = [(row, row_of[m, shown[name]]) for (m, name), row in row_of.items()
             if name in shown and (m, shown[name]) in row_of][:MOST]  # fmt: skip
    rows = np.array([row for row, _ in pairs], np.int64)
    return rows, branches.frames[np.array([other for _, other in pairs], np.int64)]


def _keys(branches: Branches) -> list[tuple[int, str]]:
    return list(zip(branches.moment.tolist(), branches.name.tolist(), strict=True))


def lane_leaves(branches: Branches, looks: Looks) -> Broken:
    """Who keeps the lane sees it leave, as who swerves would."""
    return _shown_as(branches, {"keep": "left_hard"})


def aside_unseen(branches: Branches, looks: Looks) -> Broken:
    """Who moves aside sees what who keeps the lane would see: as if the lane were endlessly wide."""
    return _shown_as(branches, {"left": "keep", "right": "keep"})


def size_against_distance(branches: Branches, looks: Looks) -> Broken:
    """Who brakes sees what who accelerates would see, and the other way round."""
    return _shown_as(branches, {"brake": "accelerate", "accelerate": "brake"})


def someone_is_born(branches: Branches, looks: Looks) -> Broken:
    """An empty road, and from CUT on somebody near ahead."""
    return _cut(branches, looks, lambda empty, near: (empty[:CUT], near[CUT:]))


def someone_vanishes(branches: Branches, looks: Looks) -> Broken:
    """Somebody near ahead, and from CUT on an empty road."""
    return _cut(branches, looks, lambda empty, near: (near[:CUT], empty[CUT:]))


def _cut(branches: Branches, looks: Looks, cut: Callable[[FrameArray, FrameArray], tuple[FrameArray, ...]]) -> Broken:
    """Branches in which nobody is to be seen, cut with the frame that shows somebody at its largest and whole."""
    cells = looks.vehicles
    covered = cells.sum(axis=(2, 3))  # (r, t)
    whole = ~(cells[..., :EDGE_CELLS].any((2, 3)) | cells[..., -EDGE_CELLS:].any((2, 3)) | cells[:, :, -2:].any((2, 3)))
    empty = np.flatnonzero((covered < 2).all(axis=1))[:MOST]
    row, step = np.unravel_index(int((covered * whole).argmax()), covered.shape)
    if covered[row, step] * whole[row, step] < SOLID_CELLS:
        empty = empty[:0]  # nobody comes near
    near = np.broadcast_to(branches.frames[row, step], branches.frames[row].shape)
    frames = [np.concatenate(cut(branches.frames[each], near)) for each in empty]
    return empty, np.stack(frames) if frames else branches.frames[:0]


def returns_on_the_other_side(branches: Branches, looks: Looks) -> Broken:
    """Whoever has left on one side comes back on the other: what was seen, mirrored and backwards."""
    rows, frames = [], []
    for row in range(len(branches)):
        for t in (departures(looks.vehicles[row]) + departures(looks.vehicles[row, :, :, ::-1]))[:1]:
            shown = branches.frames[row].copy()
            back = shown[: t + 1][::-1, :, ::-1]
            first = min(t + 3, len(shown))
            shown[first : first + len(back)] = back[: len(shown) - first]
            rows.append(row)
            frames.append(shown)
    return np.array(rows[:MOST], np.int64), np.stack(frames[:MOST]) if frames else branches.frames[:0]


BROKEN: dict[str, Callable[[Branches, Looks], Broken]] = {
    "lane_stays": lane_leaves, "lane_width": aside_unseen, "size_distance": size_against_distance,
    "no_birth": someone_is_born, "no_vanishing": someone_vanishes, "side_kept": returns_on_the_other_side,
}  # fmt: skip
"""Probe -> the world in which it must fail; ``looks`` are those of the true frames."""
