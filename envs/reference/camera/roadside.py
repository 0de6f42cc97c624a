"""What stands beside the road: posts, lamps, signs, trees, bushes and buildings, placed by seed.

Axis legend: n things, p facets, k points of an edge.

Things are placed along `RoadMap.edges`, on their left; none stands on asphalt. Forest, town and open country take
turns along the way, so that every stretch has its own look and speed shows everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from .facets import CORNERS, Array, Colour, Facet, Facets, Indices, box, panel
from .scene import RoadMap

Maker = Callable[[np.random.Generator], list[Facet]]
LARGEST_RASTER = 16_000_000


@dataclass(frozen=True)
class Species:
    """How one sort of thing is strewn: every ``spacing`` metres, ``offset`` metres from the asphalt."""

    make: Maker
    spacing: float
    offset: tuple[float, float]
    clearance: float  # metres from its centre that must be free of asphalt
    zones: tuple[float, float, float]  # chance in open country, forest, town
    height: float
    faces_camera: bool = True
    shade_width: float = 0.0  # of the shadow that it casts; 0 casts none
    variants: int = 6


def _blob(z: float, rx: float, rz: float, squash: float = 1.0) -> list[tuple[float, float, float]]:
    angles = np.arange(CORNERS) * 2 * math.pi / CORNERS + math.pi / CORNERS
    return [(0.0, -rx * math.cos(a), z + rz * math.sin(a) * (squash if math.sin(a) < 0 else 1.0)) for a in angles]


def _mix(a: Colour, b: Colour, share: float) -> Colour:
    return (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share)


def _face(y0: float, z0: float, y1: float, z1: float) -> tuple:
    return panel("back", 0.0, (y0, z0), (y1, z1))


def _facing(points: list[tuple[float, float]]) -> list[tuple[float, float, float]]:
    """Corners (y, z), counter-clockwise with y to the right, of a facet that faces backwards, at the camera."""
    return [(0.0, -y, z) for y, z in points]


def broadleaf(rng: np.random.Generator) -> list[Facet]:
    """A trunk and a crown of two blobs, the lower darker; one in seven has turned."""
    height, radius = rng.uniform(5.5, 9.0), rng.uniform(1.8, 3.0)
    leaf = _mix((56, 122, 46), (124, 148, 50), rng.uniform())
    if rng.uniform() < 0.15:
        leaf = (196, 106, 40)
    middle = height - radius
    return [
        Facet(_face(-0.16, 0, 0.16, middle), (78, 58, 42), reach=90.0),
        Facet(_blob(middle, radius, radius, 0.8), _mix(leaf, (14, 30, 18), 0.32)),
        Facet(_blob(middle + 0.28 * radius, 0.78 * radius, 0.68 * radius), leaf, reach=120.0),
    ]


def conifer(rng: np.random.Generator) -> list[Facet]:
    """A trunk and two triangles, the lower darker."""
    height, half = rng.uniform(6.0, 11.0), rng.uniform(1.3, 2.0)
    leaf = _mix((34, 88, 58), (60, 118, 68), rng.uniform())
    return [
        Facet(_face(-0.15, 0, 0.15, 1.2), (70, 52, 40), reach=60.0),
        Facet(_facing([(-half, 0.9), (half, 0.9), (0.0, 0.72 * height)]), _mix(leaf, (10, 26, 20), 0.28)),
        Facet(_facing([(-0.74 * half, 0.40 * height), (0.74 * half, 0.40 * height), (0.0, height)]), leaf),
    ]


def bush(rng: np.random.Generator) -> list[Facet]:
    """One low blob."""
    wide, high = rng.uniform(0.8, 1.6), rng.uniform(0.5, 1.1)
    leaf = _mix((56, 104, 44), (122, 128, 58), rng.uniform())
    return [Facet(_blob(0.45 * high, wide, 0.6 * high, 0.7), leaf, reach=70.0)]


def post(_: np.random.Generator) -> list[Facet]:
    """A delineator: white, with a reflector that still shows at night."""
    return [
        Facet(_face(-0.09, 0, 0.09, 1.0), (236, 236, 232), reach=60.0),
        Facet(_face(-0.09, 0.62, 0.09, 0.84), (250, 110, 30), glow=(70, 24, 4), reach=60.0),
    ]


def street_lamp(_: np.random.Generator) -> list[Facet]:
    """A pole with two arms; the lamps glow."""
    return [
        Facet(_face(-0.10, 0, 0.10, 8.0), (112, 116, 122), reach=130.0),
        Facet(_face(-0.95, 7.9, 0.95, 8.08), (112, 116, 122), reach=70.0),
        Facet(_face(-1.15, 7.72, -0.55, 8.0), (206, 208, 206), glow=(255, 214, 130), reach=170.0),
        Facet(_face(0.55, 7.72, 1.15, 8.0), (206, 208, 206), glow=(255, 214, 130), reach=170.0),
    ]


def sign(rng: np.random.Generator) -> list[Facet]:
    """A board in blue, green, yellow or red with a white rim, on a pole. It says nothing."""
    board: Colour = [(30, 84, 190), (24, 122, 74), (236, 196, 40), (206, 44, 40)][rng.integers(4)]
    wide, low, high = rng.uniform(0.7, 1.5), 2.1, rng.uniform(3.1, 3.7)
    return [
        Facet(_face(-0.07, 0, 0.07, low), (120, 124, 128), reach=60.0),
        Facet(_face(-wide, low, wide, high), (238, 238, 236)),
        Facet(_face(-wide + 0.12, low + 0.12, wide - 0.12, high - 0.12), board, glow=(20, 20, 20)),
    ]


def _windows(rng: np.random.Generator, half_x: float, half_y: float, floors: int, floor_m: float) -> list[Facet]:
    facets = []
    for side, across, at in (("back", half_y, -half_x), ("front", half_y, half_x),
                             ("left", half_x, half_y), ("right", half_x, -half_y)):  # fmt: skip
        count = max(2, int(across / 1.7))
        pitch = 2 * across / count
        for floor in range(floors):
            for index in range(count):
                middle, low = -across + (index + 0.5) * pitch, floor * floor_m + 1.0
                glow: Colour = (226, 176, 84) if rng.uniform() < 0.45 else (10, 12, 18)
                rectangle = (middle - 0.28 * pitch, low), (middle + 0.28 * pitch, low + 0.52 * floor_m)
                facets.append(Facet(panel(side, at * 1.003, *rectangle), (58, 70, 88), glow=glow, reach=75.0))
    return facets


def house(rng: np.random.Generator) -> list[Facet]:
    """One floor of plaster and windows under a gabled roof whose ridge runs along x."""
    x, y, wall, ridge = rng.uniform(4, 6), rng.uniform(3.5, 5), rng.uniform(3, 5), rng.uniform(2, 3)
    colour = _plaster(rng)
    roof = _mix((150, 66, 46), (92, 80, 78), rng.uniform())
    sides = box((-x, -y, 0), (x, y, wall))
    top = wall + ridge
    facets = [Facet(sides[name], colour) for name in ("back", "front", "left", "right")]
    facets += [Facet(((-x, y, wall), (-x, -y, wall), (-x, 0, top)), colour)]
    facets += [Facet(((x, -y, wall), (x, y, wall), (x, 0, top)), colour)]
    eave = 0.4
    for s in (1, -1):
        slope = [
            (-s * x, -s * (y + eave), wall - 0.2),
            (s * x, -s * (y + eave), wall - 0.2),
            (s * x, 0, top),
            (-s * x, 0, top),
        ]
        facets.append(Facet(slope, roof))
    return facets + _windows(rng, x, y, 1, 2.8)


def block(rng: np.random.Generator) -> list[Facet]:
    """A flat-roofed building of three to six floors, windows on all sides."""
    x, y, floors = rng.uniform(6, 10), rng.uniform(5, 8), int(rng.integers(3, 7))
    high = floors * 3.1 + 0.8
    colour = _plaster(rng)
    sides = box((-x, -y, 0), (x, y, high))
    return [Facet(corners, colour) for corners in sides.values()] + _windows(rng, x, y, floors, 3.1)


def _plaster(rng: np.random.Generator) -> Colour:
    tones: list[Colour] = [
        (206, 190, 160), (176, 104, 82), (196, 198, 200), (216, 170, 110), (150, 160, 178), (184, 148, 138),
    ]  # fmt: skip
    return _mix(tones[rng.integers(len(tones))], (128, 128, 128), rng.uniform(0, 0.25))


SPECIES = (
    Species(post, 12.0, (0.9, 0.9), 0.5, (1.0, 1.0, 0.35), 1.0, variants=1),
    Species(street_lamp, 32.0, (2.2, 2.2), 1.2, (0.12, 0.0, 1.0), 8.0, variants=1),
    Species(sign, 74.0, (2.4, 3.4), 1.8, (0.8, 0.4, 0.9), 3.4),
    Species(bush, 9.0, (2.5, 9.0), 1.8, (0.75, 0.6, 0.3), 1.0),
    Species(broadleaf, 11.0, (5.0, 13.0), 3.4, (0.35, 0.85, 0.55), 7.5, shade_width=2.4, variants=10),
    Species(conifer, 10.0, (6.0, 20.0), 2.6, (0.12, 0.9, 0.05), 8.5, shade_width=1.5, variants=8),
    Species(broadleaf, 15.0, (14.0, 34.0), 3.4, (0.35, 0.8, 0.3), 7.5, variants=10),
    Species(house, 27.0, (14.0, 20.0), 8.0, (0.22, 0.04, 0.6), 6.0, faces_camera=False, shade_width=4.0, variants=10),
    Species(block, 31.0, (17.0, 26.0), 13.0, (0.0, 0.0, 0.85), 15.0, faces_camera=False, shade_width=6.0, variants=8),
)


@dataclass(frozen=True, eq=False)
class Roadside:
    """Things beside a road, in world metres, and their facets."""

    place: Array  # (n, 2)
    yaw: Array  # (n,)
    faces_camera: Array  # (n,) bool
    shade: Array  # (n, 2) width and height of what casts a shadow; width 0 casts none
    variant: Indices  # (n,) which thing of the bank
    bank: Facets
    starts: Indices  # where each variant's facets start in the bank

    @classmethod
    def plant(cls, road: RoadMap, seed: int) -> Roadside:
        """Strew every species along every edge. Deterministic in (road, seed)."""
        rng = np.random.default_rng((seed & 0xFFFFFFFF, 53))
        rarity = rng.uniform(0, 2 * math.pi, 3)
        lean = rng.normal(0, 0.45, 2)
        free = _distance_to_asphalt(road)
        things: list[list[Facet]] = []
        columns: list[Array] = []
        for species in SPECIES:
            first = len(things)
            things += [species.make(rng) for _ in range(species.variants)]
            for edge in road.edges:
                found = _strew(np.asarray(edge, dtype=np.float64), species, rng, rarity, lean)
                found = found[free(found[:, :2]) >= species.clearance]
                kind = first + rng.integers(species.variants, size=len(found))
                shade = np.tile([species.shade_width, species.height], (len(found), 1))
                facing = np.full(len(found), float(species.faces_camera))
                columns.append(np.column_stack([found, facing, shade, kind]))
        table = np.concatenate([np.zeros((0, 7)), *columns])
        facets = Facets.of(things)
        return cls(
            place=table[:, :2].copy(), yaw=table[:, 2].copy(), faces_camera=table[:, 3] > 0, shade=table[:, 4:6].copy(),
            variant=table[:, 6].astype(np.intp), bank=facets, starts=facets.ranges(len(things)),
        )  # fmt: skip

    def facets(self, rows: Indices, away: Array) -> tuple[Facets, Indices]:
        """Facets (p) of the things in ``rows`` (n,) that are ``away`` (n,) metres off, and whose they are (p,)."""
        first = self.starts[self.variant[rows]]
        counts = self.starts[self.variant[rows] + 1] - first
        owner = np.repeat(np.arange(len(rows)), counts)
        within = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        facet = first[owner] + within
        kept = away[owner] < self.bank.reach[facet]
        return self.bank.take(facet[kept], owner[kept]), owner[kept]


def _strew(edge: Array, species: Species, rng: np.random.Generator, rarity: Array, lean: Array) -> Array:
    """Candidates (n, 3) x, y, yaw to the left of an edge."""
    step = np.diff(edge, axis=0)
    length = np.linalg.norm(step, axis=1)
    step, length, start = step[length > 1e-6], length[length > 1e-6], edge[:-1][length > 1e-6]
    if not len(length):
        return np.zeros((0, 3))
    ends = np.cumsum(length)
    jitter = 0.0 if species.offset[0] == species.offset[1] else 0.35
    along = np.arange(rng.uniform(0, 1), ends[-1] / species.spacing)
    along = (along + rng.uniform(-jitter, jitter, len(along))) * species.spacing
    along = np.clip(along, 0, ends[-1] - 1e-6)
    piece = np.minimum(np.searchsorted(ends, along, side="right"), len(ends) - 1)
    direction = step[piece] / length[piece, None]
    base = start[piece] + direction * (along - (ends - length)[piece])[:, None]
    left = np.stack([-direction[:, 1], direction[:, 0]], axis=1)
    offset = rng.uniform(*species.offset, len(along)) if jitter else np.full(len(along), species.offset[0])
    place = base + left * offset[:, None]
    kept = rng.uniform(0, 1, len(along)) < _zones(base, rarity, lean) @ np.array(species.zones)
    yaw = np.arctan2(direction[:, 1], direction[:, 0])
    return np.column_stack([place, yaw])[kept]


def _zones(place: Array, rarity: Array, lean: Array) -> Array:
    """Shares (n, 3) of open country, forest and town at world places: broad patches of a few hundred metres."""
    x, y = place[:, 0] / 95.0, place[:, 1] / 95.0
    forest = np.sin(x + rarity[0]) + np.sin(0.7 * y + 0.45 * x + rarity[1]) + lean[0]
    town = np.sin(0.6 * x + 0.5 * y + rarity[2]) * 1.4 + lean[1]
    weight = np.exp(3 * np.stack([np.full_like(forest, 0.25), forest, town], axis=1))
    return weight / weight.sum(axis=1, keepdims=True)


def _distance_to_asphalt(road: RoadMap) -> Callable[[Array], Array]:
    """A look-up of the distance in metres from world points (n, 2) to the nearest asphalt."""
    surfaces = [np.asarray(surface, dtype=np.float64) for surface in road.surfaces]
    margin = 40.0
    points = np.concatenate([*surfaces, *(np.asarray(edge) for edge in road.edges), np.zeros((0, 2))])
    if not len(surfaces):
        return lambda places: np.full(len(places), np.inf)
    low, high = points.min(0) - margin, points.max(0) + margin
    cell = max(0.75, math.sqrt(float(np.prod(high - low)) / LARGEST_RASTER))
    cols, rows = (np.ceil((high - low) / cell).astype(int) + 1).tolist()
    free = np.ones((rows, cols), np.uint8)
    for surface in surfaces:
        cv2.fillPoly(free, [np.round(((surface - low) / cell - 0.5) * 16).astype(np.int32)], (0,), cv2.LINE_8, 4)
    distance = cv2.distanceTransform(free, cv2.DIST_L2, 3)

    def look_up(places: Array) -> Array:
        index = np.clip(((places - low) / cell).astype(int), 0, [cols - 1, rows - 1])
        return distance[index[:, 1], index[:, 0]] * cell - 0.7 * cell

    return look_up
