"""Everything that stands on the ground is flat facets of things that have a place: one type, one way to draw it.

Axis legend: p facets, v = CORNERS corners of a facet (the last is repeated where there are fewer), n things.
Facet frame: metres, x along the thing's heading, y to its left, z up from the ground.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]
CORNERS = 8
Colour = tuple[float, float, float]
BLACK: Colour = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Facet:
    """A flat convex polygon whose corners (k <= CORNERS, 3) run counter-clockwise seen from outside."""

    corners: Sequence[Sequence[float]]
    colour: Colour
    glow: Colour = BLACK  # light of its own when lamps are lit
    shine: Colour = BLACK  # light of its own at any time
    tint: float = 0.0  # share of the thing's own colour, instead of ``colour``
    reach: float = 400.0  # metres beyond which it is too small to draw


@dataclass(frozen=True, eq=False)
class Facets:
    """Many facets as arrays; ``owner`` says which thing each belongs to and never falls."""

    corners: Array  # (p, v, 3)
    count: Indices  # (p,) corners in use
    colour: Array  # (p, 3)
    glow: Array  # (p, 3)
    shine: Array  # (p, 3)
    tint: Array  # (p,)
    reach: Array  # (p,)
    owner: Indices  # (p,)

    @classmethod
    def of(cls, things: Iterable[Sequence[Facet]]) -> Facets:
        """Pack the facets of each thing, in the order in which they are painted."""
        flat = [(facet, owner) for owner, facets in enumerate(things) for facet in facets]
        corners = np.zeros((len(flat), CORNERS, 3))
        for row, (facet, _) in zip(corners, flat, strict=True):
            points = np.asarray(facet.corners, dtype=np.float64)
            row[: len(points)], row[len(points) :] = points, points[-1]
        return cls(
            corners=corners,
            count=np.array([len(facet.corners) for facet, _ in flat], dtype=np.intp),
            colour=np.array([facet.colour for facet, _ in flat], dtype=np.float64).reshape(-1, 3),
            glow=np.array([facet.glow for facet, _ in flat], dtype=np.float64).reshape(-1, 3),
            shine=np.array([facet.shine for facet, _ in flat], dtype=np.float64).reshape(-1, 3),
            tint=np.array([facet.tint for facet, _ in flat], dtype=np.float64),
            reach=np.array([facet.reach for facet, _ in flat], dtype=np.float64),
            owner=np.array([owner for _, owner in flat], dtype=np.intp),
        )

    def take(self, rows: Indices, owner: Indices) -> Facets:
        """These rows, which belong to other owners now."""
        return Facets(self.corners[rows], self.count[rows], self.colour[rows], self.glow[rows], self.shine[rows],
                      self.tint[rows], self.reach[rows], owner)  # fmt: skip

    @staticmethod
    def join(first: Facets, second: Facets) -> Facets:
        """Both, with the owners of the second counted on from the first's."""
        later = int(first.owner[-1]) + 1 if len(first.owner) else 0
        columns = {name: np.concatenate([getattr(first, name), getattr(second, name)]) for name in COLUMNS}
        columns["owner"][len(first.owner) :] += later
        return Facets(**columns)

    def ranges(self, things: int) -> Indices:
        """(things + 1,) where each thing's facets start."""
        return np.searchsorted(self.owner, np.arange(things + 1))


COLUMNS = tuple(Facets.__dataclass_fields__)


def quad(
    a: Sequence[float], b: Sequence[float], c: Sequence[float], d: Sequence[float]
) -> tuple[Sequence[float], Sequence[float], Sequence[float], Sequence[float]]:
    """Four corners, for reading's sake."""
    return (a, b, c, d)


def box(
    low: Sequence[float], high: Sequence[float], taper: Sequence[float] = (0, 0, 0)
) -> dict[str, tuple[Sequence[float], ...]]:
    """Sides of a box, named back, front, left, right, top, each counter-clockwise seen from outside.

    ``taper`` (rear, front, side) is how far the top is set in.
    """
    x0, y0, z0 = low
    x1, y1, z1 = high
    rear, front, side = taper
    u0, u1, w0, w1 = x0 + rear, x1 - front, y0 + side, y1 - side
    return {
        "back": quad((x0, y1, z0), (x0, y0, z0), (u0, w0, z1), (u0, w1, z1)),
        "front": quad((x1, y0, z0), (x1, y1, z0), (u1, w1, z1), (u1, w0, z1)),
        "left": quad((x1, y1, z0), (x0, y1, z0), (u0, w1, z1), (u1, w1, z1)),
        "right": quad((x0, y0, z0), (x1, y0, z0), (u1, w0, z1), (u0, w0, z1)),
        "top": quad((u0, w0, z1), (u1, w0, z1), (u1, w1, z1), (u0, w1, z1)),
    }


def panel(side: str, at: float, a: tuple[float, float], b: tuple[float, float]) -> tuple[Sequence[float], ...]:
    """An upright rectangle that faces ``side``, in the plane ``at``, from corner ``a`` to ``b`` (across, up).

    Across is y for back and front, x for left and right.
    """
    (a0, a1), (b0, b1) = (min(a[0], b[0]), min(a[1], b[1])), (max(a[0], b[0]), max(a[1], b[1]))
    return {
        "back": quad((at, b0, a1), (at, a0, a1), (at, a0, b1), (at, b0, b1)),
        "front": quad((at, a0, a1), (at, b0, a1), (at, b0, b1), (at, a0, b1)),
        "left": quad((b0, at, a1), (a0, at, a1), (a0, at, b1), (b0, at, b1)),
        "right": quad((a0, at, a1), (b0, at, a1), (b0, at, b1), (a0, at, b1)),
    }[side]
