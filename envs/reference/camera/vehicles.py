"""What vehicles and people look like: a bank of facets per kind, stretched to each one's size.

Axis legend: n vehicles, p facets. In the bank a vehicle is one long, one wide and one high: x in [-0.5, 0.5] to the
front, y in [-0.5, 0.5] to the left, z in [0, 1].
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from worldsim.errors import choose

from .facets import CORNERS, Colour, Facet, Facets, Indices, box, panel
from .people import POSES, cyclist, pedestrian
from .scene import VehicleView

KINDS = ("car", "van", "truck", "obstacle")
PEOPLE = ("pedestrian", "cyclist")
GLASS: Colour = (38, 48, 62)
TYRE: Colour = (22, 22, 24)
TRIM: Colour = (48, 48, 52)
PLATE: Colour = (232, 228, 196)
LAMP_OFF: Colour = (120, 16, 18)
LAMP_ON: Colour = (255, 44, 36)
HEADLAMP: Colour = (236, 236, 226)
NEAR_DETAIL, DETAIL = 32.0, 70.0  # metres


def _hull(sides: dict[str, tuple], tint: float = 1.0) -> list[Facet]:
    """Bodywork in the vehicle's own colour."""
    return [Facet(corners, (0, 0, 0), tint=tint) for corners in sides.values()]


def _wheels(rear: float, front: float, radius_x: float, radius_z: float) -> list[Facet]:
    facets = []
    for y, side in ((0.503, 1), (-0.503, -1)):
        for x in (rear, front):
            angles = np.arange(CORNERS) * (-side) * 2 * math.pi / CORNERS + math.pi / CORNERS
            rim = [(x + radius_x * math.cos(a), y, radius_z * (1 + math.sin(a))) for a in angles]
            hub = [(x + 0.5 * radius_x * math.cos(a), y * 1.002, radius_z * (1 + 0.5 * math.sin(a))) for a in angles]
            facets.append(Facet(rim, TYRE, reach=60.0))
            facets.append(Facet(hub, (128, 130, 134), reach=18.0))
    return facets


def _underside(height: float) -> list[Facet]:
    """The dark gap below the body, with the tyres that stand in it."""
    facets = [Facet(corners, (16, 16, 18)) for name, corners in
              box((-0.47, -0.46, 0.03), (0.47, 0.46, height)).items() if name != "top"]  # fmt: skip
    for side, at in (("back", -0.475), ("front", 0.475)):
        facets += [Facet(panel(side, at, (s * 0.30, 0.0), (s * 0.47, height)), TYRE, reach=60.0) for s in (-1, 1)]
    return facets


def _lamps(braking: bool, low: float, high: float, inner: float, at: float = -0.503) -> list[Facet]:
    """Tail lights, dim or bright and larger, and headlights at the other end."""
    grow = 0.05 if braking else 0.0
    lamp = LAMP_ON if braking else LAMP_OFF
    shine: Colour = (225, 26, 20) if braking else (18, 0, 0)
    facets = [
        Facet(panel("back", at, (s * (inner - 2 * grow), low - grow), (s * 0.495, high + grow)), lamp,
              glow=(96, 6, 6), shine=shine)
        for s in (-1, 1)
    ]  # fmt: skip
    return facets + [
        Facet(panel("front", -at, (s * inner, low), (s * 0.47, high)), HEADLAMP, glow=(230, 224, 190), reach=DETAIL)
        for s in (-1, 1)
    ]


def _plate_and_bumpers(low: float, high: float) -> list[Facet]:
    facets = [Facet(panel(side, at, (-0.49, low), (0.49, low + 0.1)), TRIM, reach=DETAIL)
              for side, at in (("back", -0.504), ("front", 0.504))]  # fmt: skip
    plates = [Facet(panel(side, at, (-0.14, low + 0.11), (0.14, high)), PLATE, reach=NEAR_DETAIL)
              for side, at in (("back", -0.504), ("front", 0.504))]  # fmt: skip
    return facets + plates


def _car(braking: bool) -> list[Facet]:
    cabin = box((-0.45, -0.47, 0.58), (0.24, 0.47, 0.98), (0.10, 0.20, 0.09))
    glass = box((-0.455, -0.475, 0.62), (0.245, 0.475, 0.94), (0.085, 0.165, 0.08))
    facets = _underside(0.2) + _hull(box((-0.5, -0.5, 0.17), (0.5, 0.5, 0.60), (0.01, 0.03, 0.02)))
    facets += _wheels(-0.31, 0.31, 0.068, 0.215)
    facets += _hull(cabin, tint=0.92)
    facets += [
        Facet(_inset(corners, 0.1 if name in ("back", "front") else 0.06), GLASS)
        for name, corners in glass.items()
        if name != "top"
    ]
    facets += _plate_and_bumpers(0.17, 0.40) + _lamps(braking, 0.43, 0.56, 0.29)
    if braking:
        facets.append(Facet(panel("back", -0.40, (-0.13, 0.86), (0.13, 0.93)), LAMP_ON, shine=(225, 26, 20)))
    return facets


def _van(braking: bool) -> list[Facet]:
    body = box((-0.5, -0.5, 0.13), (0.42, 0.5, 1.0), (0.02, 0.18, 0.06))
    facets = _underside(0.16) + _hull(box((0.2, -0.49, 0.13), (0.5, 0.49, 0.5), (0, 0.03, 0.02))) + _hull(body)
    facets += _wheels(-0.32, 0.32, 0.07, 0.165)
    facets += [Facet(panel("back", -0.492, (-0.40, 0.60), (0.40, 0.88)), GLASS)]
    facets += [Facet(((0.372, -0.43, 0.58), (0.372, 0.43, 0.58), (0.275, 0.41, 0.93), (0.275, -0.41, 0.93)), GLASS)]
    for side, y in (("left", 0.49), ("right", -0.49)):
        facets += [Facet(panel(side, y, (x0, 0.60), (x1, 0.87)), GLASS)
                   for x0, x1 in ((-0.44, -0.2), (-0.17, 0.05), (0.08, 0.26))]  # fmt: skip
    return facets + _plate_and_bumpers(0.13, 0.32) + _lamps(braking, 0.34, 0.52, 0.36)


def _truck(braking: bool) -> list[Facet]:
    cargo = box((-0.5, -0.5, 0.26), (0.26, 0.5, 1.0))
    cab = box((0.29, -0.48, 0.14), (0.5, 0.48, 0.80), (0, 0.03, 0.02))
    facets = [*_underside(0.26), *_hull(cab)]
    facets += [Facet(((0.494, -0.42, 0.46), (0.494, 0.42, 0.46), (0.476, 0.41, 0.72), (0.476, -0.41, 0.72)), GLASS)]
    facets += [
        Facet(panel(side, y, (0.36, 0.48), (0.46, 0.72)), GLASS) for side, y in (("left", 0.485), ("right", -0.485))
    ]
    facets += [Facet(corners, (224, 224, 220), tint=0.28) for corners in cargo.values()]
    facets += _wheels(-0.36, 0.38, 0.045, 0.15) + _wheels(-0.24, 0.38, 0.045, 0.15)
    for y in (-0.004, 0.004):  # the seam of the doors
        facets.append(Facet(panel("back", -0.502, (y - 0.012, 0.3), (y + 0.012, 0.96)), TRIM, reach=NEAR_DETAIL))
    facets.append(Facet(panel("back", -0.502, (-0.5, 0.19), (0.5, 0.27)), TRIM))
    return facets + _lamps(braking, 0.20, 0.275, 0.30, at=-0.505)


def _obstacle(_: bool) -> list[Facet]:
    sides = box((-0.5, -0.5, 0.0), (0.5, 0.5, 1.0), (0.08, 0.08, 0.08))
    facets = [Facet(corners, (246, 120, 24)) for corners in sides.values()]
    for low, high in ((0.24, 0.44), (0.66, 0.86)):
        half = 0.504 - 0.08 * low
        band = box((-half, -half, low), (half, half, high), (0.016, 0.016, 0.016))
        facets += [Facet(corners, (246, 244, 240)) for name, corners in band.items() if name != "top"]
    return facets


def _inset(corners: tuple, share: float) -> tuple:
    """The same quad, narrower by ``share`` of its width at each end: what is left are the pillars."""
    a, b, c, d = (np.array(corner, dtype=float) for corner in corners)
    return (a + (b - a) * share, b + (a - b) * share, c + (d - c) * share, d + (c - d) * share)


@cache
def bank() -> tuple[Facets, Indices]:
    """Facets of every kind, and where each starts: vehicles calm and braking, then people in each of their poses."""
    makers = (_car, _van, _truck, _obstacle)
    things = [make(braking) for make in makers for braking in (False, True)]
    things += [make(pose / POSES) for make in (pedestrian, cyclist) for pose in range(POSES)]
    facets = Facets.of(things)
    return facets, facets.ranges(len(things))


def bank_index(vehicle: VehicleView) -> int:
    """Place of a vehicle or person in the bank; ValueError names the nearest kind."""
    if vehicle.kind in PEOPLE:
        return 2 * len(KINDS) + POSES * PEOPLE.index(vehicle.kind) + round(vehicle.phase * POSES) % POSES
    if vehicle.kind not in KINDS:
        choose(vehicle.kind, (*KINDS, *PEOPLE), "vehicle kind")
    return 2 * KINDS.index(vehicle.kind) + bool(vehicle.braking)


def vehicle_facets(vehicles: tuple[VehicleView, ...]) -> Facets:
    """Facets (p) of all vehicles in their own frames, in metres and in their own colours."""
    source, starts = bank()
    which = [bank_index(vehicle) for vehicle in vehicles]
    spans = [np.arange(starts[index], starts[index + 1]) for index in which]
    rows: Indices = np.concatenate([np.zeros(0, dtype=np.intp), *spans])
    owner = np.repeat(np.arange(len(vehicles)), [len(span) for span in spans])
    size = np.array([(v.length, v.width, v.height) for v in vehicles]).reshape(-1, 3)
    own = np.array([v.colour for v in vehicles], dtype=np.float64).reshape(-1, 3)
    tint = source.tint[rows, None]
    painted = np.asarray(own[owner] * tint + source.colour[rows] * (1 - tint), dtype=np.float64)
    return Facets(
        corners=source.corners[rows] * size[owner][:, None, :],
        count=source.count[rows],
        colour=painted,
        glow=source.glow[rows],
        shine=source.shine[rows],
        tint=source.tint[rows],
        reach=source.reach[rows],
        owner=owner,
    )
