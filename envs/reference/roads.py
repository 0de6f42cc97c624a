"""The roads of the reference world, each built in metres with x east and y north, for right-hand traffic.

Axis legend: k points along a curve. Straight and winding roads are as long as an episode can drive; the others close
on themselves, so that nobody ever reaches an end. highway-env's graph and lanes carry them all; see lanes.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from worldsim.errors import choose
from worldsim.types import ROADS

from ..scenario import LANES_OF
from .camera.scene import RoadMap
from .lanes import LaneNetwork, PathLane, Points
from .markings import road_map

Edge = tuple[str, str]
_CURVE_M = 0.25  # spacing of generated curves, finer than that of lanes


@dataclass(eq=False)
class Road:
    """A built road: its lanes, its picture, where the ego may start, and what its junctions are."""

    name: str
    network: LaneNetwork
    lanes: int
    starts: list[tuple[Edge, float, float]]  # edge, and the range of stations in it
    junctions: frozenset[Edge] = frozenset()  # edges whose heading change tells left from straight from right
    turns: dict[Edge, str] = field(default_factory=dict)  # edges whose command is known beforehand
    ramps: frozenset[Edge] = frozenset()  # edges from which vehicles merge into the road that ends where they do
    yielding: bool = False  # whether vehicles must give way to each other here
    picture: RoadMap = field(init=False)

    def __post_init__(self) -> None:
        self.picture = road_map(self.network.finish())


def build_road(name: str, lanes: int, length_m: float, rng: np.random.Generator) -> Road:
    """Build a road of ``worldsim.types.ROADS``; raises ValueError for an unknown road or number of lanes."""
    choose(name, ROADS, "road")
    if lanes not in LANES_OF[name]:
        raise ValueError(f"road {name!r}: expected lanes in {list(LANES_OF[name])}, got {lanes}")
    return _BUILDERS[name](lanes, max(length_m, 600.0), rng)


# --- curves -----------------------------------------------------------------------------------------------------


def line(start: tuple[float, float] | Points, end: tuple[float, float] | Points) -> Points:
    """A straight curve (k, 2)."""
    start, end = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    count = max(2, math.ceil(float(np.hypot(*(end - start))) / 1.0) + 1)
    return start + np.linspace(0, 1, count)[:, None] * (end - start)


def arc(centre: tuple[float, float], radius: float, start: float, end: float) -> Points:
    """A circle's arc (k, 2) from phase ``start`` to ``end`` in radians, counter-clockwise when it grows."""
    count = max(8, math.ceil(abs(end - start) * radius / _CURVE_M) + 1)
    phase = np.linspace(start, end, count)
    return np.asarray(centre) + radius * np.stack([np.cos(phase), np.sin(phase)], axis=1)


def connect(start: Points, start_heading: float, end: Points, end_heading: float) -> Points:
    """A smooth curve (k, 2) between two poses: a cubic Hermite curve whose tangents approximate an arc."""
    start, end = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    chord = float(np.hypot(*(end - start)))
    turn = abs((end_heading - start_heading + np.pi) % (2 * np.pi) - np.pi)
    # a Bezier arc of angle a has handles of 4/3 tan(a/4) radii; a Hermite tangent is three handles
    tangent = chord if turn < 0.05 else chord / (2 * np.sin(turn / 2)) * 4 * np.tan(turn / 4)
    t = np.linspace(0, 1, max(8, math.ceil(1.2 * chord / _CURVE_M)))[:, None]
    out = tangent * np.array([np.cos(start_heading), np.sin(start_heading)])
    into = tangent * np.array([np.cos(end_heading), np.sin(end_heading)])
    return (
        (2 * t**3 - 3 * t**2 + 1) * start
        + (t**3 - 2 * t**2 + t) * out
        + (3 * t**2 - 2 * t**3) * end
        + (t**3 - t**2) * into
    )


def sideways(curve: Points, left: float) -> Points:
    """``curve`` (k, 2) shifted to its left."""
    tangent = np.gradient(curve, axis=0)
    tangent /= np.hypot(*tangent.T)[:, None]
    return curve + left * np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)


def winding(length_m: float, radius_m: tuple[float, float], rng: np.random.Generator) -> Points:
    """A road (k, 2) of straights and bends that begin and end gently, and that never comes back to itself."""
    curvature: list[np.ndarray] = [np.zeros(int(60 / _CURVE_M))]
    heading, drawn = 0.0, 60.0
    while drawn < length_m:
        radius = float(rng.uniform(*radius_m))
        turn = float(rng.uniform(0.3, 1.1))
        side = -np.sign(heading) if abs(heading) > 0.25 else float(rng.choice([-1.0, 1.0]))
        turn = min(turn, 0.9 + abs(heading)) if side * heading < 0 else min(turn, 0.9)
        samples = max(int(1.6 * turn * radius / _CURVE_M), 40)
        ramp = np.clip(np.minimum(np.linspace(0, 3, samples), np.linspace(3, 0, samples)), 0, 1)  # clothoids
        bend = side * ramp / radius
        straight = np.zeros(int(rng.uniform(10, 70) / _CURVE_M))
        curvature += [bend, straight]
        heading += float(bend.sum()) * _CURVE_M
        drawn += (len(bend) + len(straight)) * _CURVE_M
    headings = np.cumsum(np.concatenate(curvature)) * _CURVE_M
    steps = np.stack([np.cos(headings), np.sin(headings)], axis=1) * _CURVE_M
    return np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])


# --- roads ------------------------------------------------------------------------------------------------------


def _parallel(
    network: LaneNetwork, edge: Edge, centre: Points, lanes: int, width: float, limit: float, spacing: float = 2.0
) -> None:
    """Lanes of one direction; lane 0 lies on ``centre``, the others to its right."""
    for lane in range(lanes):
        curve = sideways(centre, -lane * width)
        network.add_lane(*edge, PathLane(curve, width, limit, spacing_m=spacing))


def _highway(lanes: int, length_m: float, rng: np.random.Generator) -> Road:
    network = LaneNetwork()
    _parallel(network, ("a", "b"), line((0, 0), (length_m + 400, 0)), lanes, 4.0, 30.0)
    return Road("highway", network, lanes, [(("a", "b"), 160.0, 200.0)])


def _curves(lanes: int, length_m: float, rng: np.random.Generator) -> Road:
    network = LaneNetwork()
    curve = winding(length_m + 400, (60.0, 220.0), rng)
    _parallel(network, ("a", "b"), curve, lanes, 4.0, 24.0, spacing=1.0)
    return Road("curves", network, lanes, [(("a", "b"), 40.0, 180.0)])


def _two_way(lanes: int, length_m: float, rng: np.random.Generator) -> Road:
    network = LaneNetwork()
    curve = winding(length_m + 400, (110.0, 400.0), rng)
    _parallel(network, ("a", "b"), sideways(curve, -2.0), lanes, 4.0, 20.0)
    _parallel(network, ("b", "a"), sideways(curve, 2.0)[::-1], lanes, 4.0, 20.0)
    return Road("two_way", network, lanes, [(("a", "b"), 40.0, 180.0)])


def _racetrack(lanes: int, length_m: float, rng: np.random.Generator) -> Road:
    """A closed circuit whose radius is a short Fourier series of the angle."""
    width, phase = 5.0, np.linspace(0, 2 * np.pi, 4001)
    while True:
        radius = np.ones_like(phase)
        for harmonic, most in ((2, 0.25), (3, 0.2), (4, 0.1), (5, 0.06)):
            radius += rng.uniform(0, most) * np.cos(harmonic * phase + rng.uniform(0, 2 * np.pi))
        curve = rng.uniform(75, 110) * radius[:, None] * np.stack([np.cos(phase), np.sin(phase)], axis=1)
        circuit = PathLane(curve, width)
        if np.abs(circuit.curvatures[2:-2]).max() < 1 / (13.0 + lanes * width):
            break
    curve = curve if rng.random() < 0.5 else curve[::-1]
    network = LaneNetwork()
    # shift the closed curve as a whole, so that its two halves meet exactly
    closed = np.concatenate([curve[-2:-1], curve, curve[1:2]])
    for lane in range(lanes):
        shifted = sideways(closed, -lane * width)[1:-1]
        half = len(shifted) // 2
        network.add_lane("a", "b", PathLane(shifted[: half + 1], width, 20.0))
        network.add_lane("b", "a", PathLane(shifted[half:], width, 20.0))
    return Road("racetrack", network, lanes, [(("a", "b"), 10.0, 200.0), (("b", "a"), 10.0, 200.0)])


def _merge(lanes: int, length_m: float, rng: np.random.Generator) -> Road:
    """A highway with an on-ramp every 600 m."""
    network, x, k = LaneNetwork(), 0.0, 0
    right = -4.0 * (lanes - 1)
    starts: list[tuple[Edge, float, float]] = []
    ramps: set[Edge] = set()
    while x < length_m + 500:
        begin, join, after = f"m{k}", f"j{k}", f"m{k + 1}"
        _parallel(network, (begin, join), line((x, 0), (x + 350, 0)), lanes, 4.0, 30.0)
        _parallel(network, (join, after), line((x + 350, 0), (x + 600, 0)), lanes, 4.0, 30.0)
        foot = np.array([x + 350, right - 4.0])
        slope = float(rng.uniform(0.1, 0.25))
        head = foot + np.array([-90.0, -90.0 * math.tan(slope) * 0.7])
        ramp_start = head - 160.0 * np.array([math.cos(slope), math.sin(slope)])
        ramp = np.concatenate([line(ramp_start, head)[:-1], connect(head, slope, foot, 0.0)])
        network.add_lane(f"r{k}", join, PathLane(ramp, 4.0, 22.0))
        network.add_lane(join, after, PathLane(_slip(foot, 130.0, 90.0), 4.0, 28.0))
        ramps.add((f"r{k}", join))
        if k == 0:
            starts = [((begin, join), 160.0, 200.0), ((f"r{k}", join), 30.0, 80.0)]
        x, k = x + 600, k + 1
    return Road("merge", network, lanes, starts, ramps=frozenset(ramps), yielding=True)


def _slip(foot: Points, parallel_m: float, taper_m: float) -> Points:
    """A slip lane that runs beside the highway (heading +x) from ``foot``, then joins the lane 4 m to its left."""
    bend = foot + np.array([parallel_m, 0.0])
    end = bend + np.array([taper_m, 4.0])
    rest = end + np.array([250.0 - parallel_m - taper_m, 0.0])
    parts = [line(foot, bend)[:-1], connect(bend, 0.0, end, 0.0)]
    if rest[0] > end[0]:
        parts.append(line(end, rest)[1:])
    return np.concatenate(parts)


def _exit(lanes: int, length_m: float, rng: np.random.Generator) -> Road:
    """A highway that a side road leaves and joins again every 900 m."""
    network, x, k = LaneNetwork(), 0.0, 0
    right = -4.0 * (lanes - 1)
    turns: dict[Edge, str] = {}
    ramps: set[Edge] = set()
    while x < length_m + 500:
        begin, split, fork, side, join = (f"{letter}{k}" for letter in "mstdj")
        after = f"m{k + 1}"
        _parallel(network, (begin, split), line((x, 0), (x + 200, 0)), lanes, 4.0, 28.0)
        _parallel(network, (split, fork), line((x + 200, 0), (x + 370, 0)), lanes, 4.0, 28.0)
        _parallel(network, (fork, join), line((x + 370, 0), (x + 650, 0)), lanes, 4.0, 28.0)
        _parallel(network, (join, after), line((x + 650, 0), (x + 900, 0)), lanes, 4.0, 28.0)
        leave = np.array([x + 200, right])
        beside = np.array([x + 270, right - 4.0])
        fork_point = np.array([x + 370, right - 4.0])
        slip = np.concatenate([connect(leave, 0.0, beside, 0.0), line(beside, fork_point)[1:]])
        network.add_lane(split, fork, PathLane(slip, 4.0, 26.0))
        away = np.array([x + 470, right - 4.0 - float(rng.uniform(12, 22))])
        back = away + np.array([60.0, 0.0])
        foot = np.array([x + 650, right - 4.0])
        network.add_lane(fork, side, PathLane(connect(fork_point, 0.0, away, 0.0), 4.0, 20.0))
        ramp = np.concatenate([line(away, back)[:-1], connect(back, 0.0, foot, 0.0)])
        network.add_lane(side, join, PathLane(ramp, 4.0, 20.0))
        network.add_lane(join, after, PathLane(_slip(foot, 130.0, 90.0), 4.0, 26.0))
        turns |= {(fork, side): "right", (fork, join): "straight"}
        ramps.add((side, join))
        x, k = x + 900, k + 1
    return Road(
        "exit", network, lanes, [(("m0", "s0"), 20.0, 120.0)], turns=turns, ramps=frozenset(ramps), yielding=True
    )


def _crossroads(name: str, box_m: float, inner: Callable[[LaneNetwork], set[Edge]], limit: float) -> Road:
    """Four two-way arms around ``inner``; east is tied to north and west to south by wide loops, so it never ends."""
    network, reach = LaneNetwork(), 90.0
    for arm in range(4):
        out, left = _arm_axes(arm)
        priority = 3 if arm % 2 == 0 else 1
        inbound = line(reach * out + 2 * left, box_m * out + 2 * left)
        outbound = line(box_m * out - 2 * left, reach * out - 2 * left)
        network.add_lane(f"o{arm}", f"i{arm}", PathLane(inbound, 4.0, limit, priority))
        network.add_lane(f"x{arm}", f"e{arm}", PathLane(outbound, 4.0, limit, 4))
    for first, centre, start in ((0, (reach, reach), -np.pi / 2), (2, (-reach, -reach), np.pi / 2)):
        wide = arc(centre, reach + 2, start, start + 1.5 * np.pi)
        tight = arc(centre, reach - 2, start + 1.5 * np.pi, start)
        network.add_lane(f"e{first}", f"o{first + 1}", PathLane(wide, 4.0, 14.0, 4))
        network.add_lane(f"e{first + 1}", f"o{first}", PathLane(tight, 4.0, 14.0, 4))
    junctions = frozenset(inner(network))
    starts = [((f"o{arm}", f"i{arm}"), 5.0, 45.0) for arm in range(4)]
    return Road(name, network, 1, starts, junctions, yielding=True)


def _arm_axes(arm: int) -> tuple[Points, Points]:
    """Unit vectors of arm 0 (east), 1 (north), 2 or 3: outwards, and to the left of outwards."""
    out = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]][arm])
    return out, np.array([-out[1], out[0]])


def _intersection(lanes: int, length_m: float, rng: np.random.Generator) -> Road:
    box = 11.0

    def inner(network: LaneNetwork) -> set[Edge]:
        """Every way from every arm to every other; a left turn gives way to what comes straight on."""
        edges = set()
        for arm in range(4):
            out, left = _arm_axes(arm)
            heading = math.atan2(-out[1], -out[0])
            for other in range(4):
                if other == arm:
                    continue
                away, away_left = _arm_axes(other)
                curve = connect(box * out + 2 * left, heading, box * away - 2 * away_left, math.atan2(away[1], away[0]))
                is_left_turn = (other - arm) % 4 == 3
                priority = (3 if arm % 2 == 0 else 1) - int(is_left_turn)
                edge = (f"i{arm}", f"x{other}")
                network.add_lane(*edge, PathLane(curve, 4.0, 9.0, priority, spacing_m=0.5))
                edges.add(edge)
        return edges

    return _crossroads("intersection", box, inner, limit=12.0)


def _roundabout(lanes: int, length_m: float, rng: np.random.Generator) -> Road:
    radius, gap, width = float(rng.uniform(17.0, 24.0)), 0.62, 4.6
    box = radius + 22.0

    def ring_pose(phase: float) -> tuple[Points, float]:
        """Point and heading of the ring's centre line at an angle; it is driven counter-clockwise."""
        return radius * np.array([math.cos(phase), math.sin(phase)]), phase + np.pi / 2

    def inner(network: LaneNetwork) -> set[Edge]:
        """In and out at every arm, and the ring in eight pieces; who is in the ring goes first."""
        edges: set[Edge] = set()

        def add(start: str, end: str, curve: Points, lane_width: float, priority: int) -> None:
            network.add_lane(start, end, PathLane(curve, lane_width, 9.0, priority, spacing_m=0.5))
            edges.add((start, end))

        for arm in range(4):
            out, left = _arm_axes(arm)
            angle = arm * np.pi / 2
            entry, entry_heading = ring_pose(angle + gap)
            leave, leave_heading = ring_pose(angle - gap)
            add(f"i{arm}", f"n{arm}", connect(box * out + 2 * left, angle + np.pi, entry, entry_heading), 4.0, 1)
            add(f"l{arm}", f"x{arm}", connect(leave, leave_heading, box * out - 2 * left, angle), 4.0, 3)
            add(f"l{arm}", f"n{arm}", arc((0, 0), radius, angle - gap, angle + gap), width, 3)
            add(f"n{arm}", f"l{(arm + 1) % 4}", arc((0, 0), radius, angle + gap, angle + np.pi / 2 - gap), width, 3)
        return edges

    return _crossroads("roundabout", box, inner, limit=12.0)


_BUILDERS: dict[str, Callable[[int, float, np.random.Generator], Road]] = {
    "highway": _highway,
    "curves": _curves,
    "racetrack": _racetrack,
    "merge": _merge,
    "roundabout": _roundabout,
    "intersection": _intersection,
    "two_way": _two_way,
    "exit": _exit,
}
