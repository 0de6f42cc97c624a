"""What people look like, on foot and on a bicycle: facets for each moment of a step or of a turn of the pedals.

As in the bank of vehicles, somebody is one long, one wide and one high: x in [-0.5, 0.5] to the front, y to the left,
z in [0, 1]. SIZES are the metres that this stands for.
"""

from __future__ import annotations

import math

import numpy as np

from .facets import CORNERS, Colour, Facet, box

SIZES = {"pedestrian": (0.8, 0.6, 1.78), "cyclist": (1.8, 0.6, 1.72)}
POSES = 8
"""Moments of one cycle: two steps, or one turn of the pedals."""

SKIN: Colour = (216, 168, 138)
HAIR: Colour = (58, 44, 36)
TROUSERS: Colour = (46, 52, 72)
SHOES: Colour = (30, 28, 28)
METAL: Colour = (60, 62, 68)
RUBBER: Colour = (26, 26, 28)
SPOKES: Colour = (128, 132, 134)

Point = tuple[float, float, float]


def _limb(top: Point, bottom: Point, half_x: float, half_y: float, colour: Colour, tint: float = 0.0) -> list[Facet]:
    """The four long sides of a slanted block between two points."""

    def corners(at: Point) -> list[Point]:
        x, y, z = at
        return [(x + dx * half_x, y + dy * half_y, z) for dx, dy in ((-1, -1), (1, -1), (1, 1), (-1, 1))]

    low, high = corners(bottom), corners(top)
    sides = [(low[i], low[j], high[j], high[i]) for i, j in ((0, 1), (1, 2), (2, 3), (3, 0))]
    return [Facet(side, colour, tint=tint) for side in sides]


def _block(low: Point, high: Point, colour: Colour, tint: float = 0.0) -> list[Facet]:
    return [Facet(corners, colour, tint=tint) for corners in box(low, high).values()]


def _head(x: float, z: float, length: float) -> list[Facet]:
    """Face and hair; ``length`` is that of the whole figure in metres, for a head that is 0.22 m deep."""
    half = 0.11 / length
    return [
        *_block((x - half, -0.17, z), (x + half, 0.17, 0.965), SKIN),
        *_block((x - 1.15 * half, -0.19, 0.945), (x + 0.8 * half, 0.19, 1.0), HAIR),
    ]


def pedestrian(phase: float) -> list[Facet]:
    """Somebody who walks; ``phase`` in cycles of two steps."""
    swing = math.sin(2 * math.pi * phase)
    facets: list[Facet] = []
    for side, way in ((-1, swing), (1, -swing)):
        foot = 0.42 * way
        lifted = 0.05 * max(0.0, math.cos(2 * math.pi * phase) * side)
        facets += _limb((0.0, 0.18 * side, 0.50), (foot, 0.18 * side, 0.05 + lifted), 0.10, 0.14, TROUSERS)
        facets += _block(
            (foot - 0.11, 0.18 * side - 0.13, lifted), (foot + 0.19, 0.18 * side + 0.13, 0.055 + lifted), SHOES
        )
        hand = (-0.30 * way, 0.44 * side, 0.47)
        facets += _limb((0.0, 0.40 * side, 0.81), hand, 0.07, 0.08, (0, 0, 0), tint=0.85)
    facets += _block((-0.16, -0.34, 0.46), (0.16, 0.34, 0.84), (0, 0, 0), tint=1.0)
    return facets + _head(0.02, 0.86, SIZES["pedestrian"][0])


def cyclist(phase: float) -> list[Facet]:
    """Somebody on a bicycle; ``phase`` in turns of the pedals."""
    facets = _wheel(-0.31) + _wheel(0.31)
    facets += _limb((-0.12, 0.0, 0.53), (-0.31, 0.0, 0.20), 0.015, 0.04, METAL)
    facets += _limb((0.22, 0.0, 0.56), (0.0, 0.0, 0.18), 0.02, 0.04, METAL)
    facets += _limb((0.22, 0.0, 0.60), (0.31, 0.0, 0.20), 0.015, 0.04, METAL)
    facets += _block((-0.17, -0.12, 0.53), (-0.06, 0.12, 0.56), SHOES)
    facets += _block((0.20, -0.42, 0.60), (0.23, 0.42, 0.625), METAL)
    for side in (-1, 1):
        turn = 2 * math.pi * phase + (math.pi if side > 0 else 0.0)
        pedal = (0.02 + 0.09 * math.cos(turn), 0.20 * side, 0.19 + 0.09 * math.sin(turn))
        knee = (0.11 + 0.35 * pedal[0], 0.22 * side, 0.40 + 0.4 * (pedal[2] - 0.19))
        facets += _limb((-0.10, 0.18 * side, 0.58), knee, 0.045, 0.12, TROUSERS)
        facets += _limb(knee, pedal, 0.035, 0.10, TROUSERS)
        facets += _limb((0.07, 0.34 * side, 0.82), (0.20, 0.38 * side, 0.63), 0.03, 0.07, (0, 0, 0), tint=0.85)
    facets += _limb((0.05, 0.0, 0.87), (-0.10, 0.0, 0.55), 0.07, 0.34, (0, 0, 0), tint=1.0)
    return facets + _head(0.10, 0.87, SIZES["cyclist"][0])


def _wheel(x: float) -> list[Facet]:
    """A wheel of 0.68 m seen from either side, and its edges."""
    rx, rz = 0.34 / SIZES["cyclist"][0], 0.34 / SIZES["cyclist"][2]
    facets = [
        Facet(corners, RUBBER)
        for name, corners in box((x - rx, -0.035, 0.06), (x + rx, 0.035, 2 * rz - 0.06)).items()
        if name in ("back", "front")
    ]
    for y, side in ((0.04, 1), (-0.04, -1)):
        angles = np.arange(CORNERS) * (-side) * 2 * math.pi / CORNERS + math.pi / CORNERS
        for share, colour, reach in ((1.0, RUBBER, 400.0), (0.74, SPOKES, 30.0)):
            rim = [(x + share * rx * math.cos(a), y / share, rz * (1 + share * math.sin(a))) for a in angles]
            facets.append(Facet(rim, colour, reach=reach))
    return facets
