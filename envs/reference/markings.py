"""Asphalt, paint and roadside borders, worked out from the geometry of the lanes alone.

Axis legend: n samples along a lane, k points. Each border of each lane is looked at sample by sample: where nothing
lies beyond it, it is the edge of the road (solid white); where a lane in the same direction lies beyond, the line is
dashed; where one in the opposite direction does, it is yellow; where lanes cross or overlap, there is no paint.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
from highway_env.road.road import LaneIndex

from .camera.scene import LaneLine, RoadMap
from .lanes import LaneNetwork, PathLane, Points

SHOULDER_M = 0.7
_PROBE_M = 0.5  # how far beyond a border to look for the next lane
_OVERLAP_M = 0.25  # a border this deep inside another lane is not painted
_SHORTEST_M = 3.0
_CHUNK_M = 48.0  # surfaces are cut to this length, so that a renderer can skip far ones
_NONE, _EDGE, _SAME, _OPPOSITE = range(4)


def road_map(network: LaneNetwork) -> RoadMap:
    """What the camera needs to know of the ground."""
    surfaces: list[Points] = []
    lines: list[LaneLine] = []
    edges: list[Points] = []
    for i, lane in enumerate(network.lanes):
        surfaces += _surfaces(lane)
        for side in (1, -1):
            border = lane.border(side * lane.width / 2)
            kinds = _kinds(network, i, side, border)
            outer = lane.border(side * (lane.width / 2 + SHOULDER_M))
            for kind, start, stop in _runs(kinds, lane.spacing):
                run = slice(start, stop)
                if kind == _EDGE:
                    lines.append(LaneLine(_thin(border[run], lane.curvatures[run])))
                    edge = _thin(outer[run], lane.curvatures[run])
                    edges.append(edge if side == 1 else edge[::-1])  # the roadside lies to the left of an edge
                elif kind == _SAME and side == 1:
                    lines.append(LaneLine(_thin(border[run], lane.curvatures[run]), "dashed"))
                elif kind == _OPPOSITE:
                    lines.append(LaneLine(_thin(border[run], lane.curvatures[run]), "solid", "yellow"))
    points = np.concatenate(surfaces)
    x0, y0 = points.min(0)
    x1, y1 = points.max(0)
    return RoadMap(tuple(surfaces), tuple(lines), tuple(edges), (float(x0), float(y0), float(x1), float(y1)))


def _surfaces(lane: PathLane) -> list[Points]:
    """The lane and its shoulders as polygons of at most _CHUNK_M each."""
    left, right = (lane.border(side * (lane.width / 2 + SHOULDER_M)) for side in (1, -1))
    step = max(2, round(_CHUNK_M / lane.spacing))
    polygons = []
    for start in range(0, len(left) - 1, step):
        run = slice(start, min(start + step, len(left) - 1) + 1)
        bend = lane.curvatures[run]
        polygons.append(np.concatenate([_thin(left[run], bend), _thin(right[run], bend)[::-1]]))
    return polygons


def _kinds(network: LaneNetwork, own: int, side: int, border: Points) -> npt.NDArray[np.int64]:
    """What to paint at each border sample (n,)."""
    lane = network.lanes[own]
    kinds = np.full(len(border), _EDGE)
    crossed, doubled = np.zeros((2, len(border)), dtype=bool)
    for j, other in enumerate(network.lanes):
        reach = other.width / 2 + _PROBE_M + 0.5
        near = ((border > other.points.min(0) - reach) & (border < other.points.max(0) + reach)).all(1)
        at = np.flatnonzero(near)
        if j == own or not len(at):
            continue
        station, lateral, heading = other.project(border[at])
        turn = lane.headings[at] - heading
        same, opposite = np.cos(turn) > 0.8, np.cos(turn) < -0.8
        probed_station = station - side * _PROBE_M * np.sin(turn)
        probed_lateral = lateral + side * _PROBE_M * np.cos(turn)
        beyond = np.abs(probed_lateral) <= other.width / 2
        beyond &= (probed_station >= -0.01) & (probed_station <= other.length + 0.01)
        alongside = (station > 0.5) & (station < other.length - 0.5)
        kinds[at[beyond & same]] = _NONE if _forks(network.indexes[own], network.indexes[j]) else _SAME
        kinds[at[beyond & opposite]] = _OPPOSITE if own < j else _NONE
        crossed[at] |= alongside & (other.width / 2 - np.abs(lateral) > _OVERLAP_M)
        crossed[at] |= beyond & ~same & ~opposite
        if j < own:  # where two lanes run into one, the first of them paints their separator
            doubled[at] |= alongside & same & (np.abs(lateral - side * lane.width / 2) < other.width / 2)
    kinds[crossed | (doubled & (kinds != _EDGE))] = _NONE
    return kinds


def _forks(own: LaneIndex, other: LaneIndex) -> bool:
    """Whether two lanes of different edges part or join, so that no line belongs between them."""
    return own[:2] != other[:2] and (own[0] == other[0] or own[1] == other[1])


def _runs(kinds: npt.NDArray[np.int64], spacing_m: float) -> list[tuple[int, int, int]]:
    """(kind, start, stop) of stretches of equal paint; a stretch reaches to the first sample of the next one.

    Edges shorter than _SHORTEST_M are left out: they are slivers where borders cross at a narrow angle.
    """
    changes = np.flatnonzero(np.diff(kinds)) + 1
    bounds = [0, *changes.tolist(), len(kinds)]
    runs = []
    for start, stop in pairwise(bounds):
        reach = min(stop + 1, len(kinds))
        sliver = kinds[start] == _EDGE and (reach - 1 - start) * spacing_m < _SHORTEST_M
        if kinds[start] != _NONE and reach - start >= 2 and not sliver:
            runs.append((int(kinds[start]), start, reach))
    return runs


def _thin(points: Points, curvatures: Points) -> Points:
    """Leave out samples where the line is straight enough to lose less than 3 cm."""
    spacing = float(np.hypot(*(points[1] - points[0])))
    reach = np.sqrt(8 * 0.03 / max(float(np.abs(curvatures).max()), 1e-6))
    stride = int(np.clip(reach / max(spacing, 1e-3), 1, 48))
    keep = np.append(np.arange(0, len(points) - 1, stride), len(points) - 1)
    return np.ascontiguousarray(points[keep])
