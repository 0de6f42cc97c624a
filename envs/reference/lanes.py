"""Lanes along any smooth curve, and a network of them that finds its way quickly.

Axis legend: n samples along a lane, k points. Frame: metres, x east, y north. highway-env draws y downwards, but its
physics does not care: read with y upwards, its lateral coordinate and its heading grow to the left, as ours do. All
roads here are built in our frame, so nothing is converted later. In an edge, lane ids grow to the right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from highway_env.road.lane import AbstractLane
from highway_env.road.road import LaneIndex, RoadNetwork

Points = npt.NDArray[np.float64]

COMFORT_LATERAL_MPS2 = 2.5
COMFORT_BRAKING_MPS2 = 2.0
_STRIDE = 16  # coarse search looks at every 16th sample
_NEAR_M = 12.0
_SLACK_M = 0.1  # by which a lane may go on beyond its ends
_MEMO = 64  # positions remembered per lane: every vehicle asks for the same ones many times in a step


class PathLane(AbstractLane):
    """A lane of constant width along a densely sampled curve (k, 2), resampled to an even ``spacing_m``."""

    def __init__(
        self,
        points: Points,
        width: float = 4.0,
        speed_limit: float = 30.0,
        priority: int = 0,
        spacing_m: float = 1.0,
    ) -> None:
        steps = np.hypot(*np.diff(points, axis=0).T)
        along = np.concatenate([[0.0], np.cumsum(steps)])
        self.length = float(along[-1])
        count = max(3, math.ceil(self.length / spacing_m) + 1)
        self.stations = np.linspace(0.0, self.length, count)
        self.spacing = float(self.stations[1])
        self.points = np.stack([np.interp(self.stations, along, points[:, axis]) for axis in (0, 1)], axis=1)
        tangent = np.gradient(self.points, axis=0, edge_order=2)
        self.headings = np.unwrap(np.arctan2(tangent[:, 1], tangent[:, 0]))
        self.curvatures = np.gradient(self.headings, self.spacing)
        self.sharpest = float(np.abs(self.curvatures).max())
        self.comfort_speeds = np.full(count, speed_limit)  # filled in by LaneNetwork.finish
        self.width = width
        self.speed_limit = speed_limit
        self.priority = priority
        self.forbidden = False
        self.line_types = None  # paint is worked out from the geometry, see markings.py
        self._coarse = np.ascontiguousarray(self.points[::_STRIDE])
        self._x, self._y = (np.ascontiguousarray(column) for column in self.points.T)
        self._coarse_x, self._coarse_y = (np.ascontiguousarray(column) for column in self._coarse.T)
        self._xy = [tuple(point) for point in self.points.tolist()]
        self._box = (*self.points.min(0).tolist(), *self.points.max(0).tolist())
        self._heading_list = self.headings.tolist()
        self._memo: dict[tuple[float, float], tuple[float, float]] = {}

    def width_at(self, longitudinal: float) -> float:
        """The width in metres, the same everywhere."""
        return self.width

    def _place(self, longitudinal: float) -> tuple[int, float]:
        """Segment, and the fraction along it, of a station (beyond the ends: outside [0, 1])."""
        scaled = longitudinal / self.spacing
        segment = min(max(int(scaled), 0), len(self._xy) - 2)
        return segment, scaled - segment

    def heading_at(self, longitudinal: float) -> float:
        """Heading (rad) of the curve at a station; beyond the ends, that of the end."""
        segment, fraction = self._place(longitudinal)
        fraction = min(max(fraction, 0.0), 1.0)
        first, second = self._heading_list[segment], self._heading_list[segment + 1]
        return first + fraction * (second - first)

    def position(self, longitudinal: float, lateral: float) -> Points:
        """The point (2,) at a station and an offset to the left, in metres; beyond the ends, straight on."""
        segment, fraction = self._place(longitudinal)
        (x0, y0), (x1, y1) = self._xy[segment], self._xy[segment + 1]
        heading = self.heading_at(longitudinal)
        return np.array(
            [
                x0 + fraction * (x1 - x0) - lateral * math.sin(heading),
                y0 + fraction * (y1 - y0) + lateral * math.cos(heading),
            ]
        )

    def local_coordinates(self, position: Points) -> tuple[float, float]:
        """Station and offset to the left of a point (2,). Answers are remembered for a while."""
        key = (float(position[0]), float(position[1]))
        found = self._memo.get(key)
        if found is None:
            if len(self._memo) >= _MEMO:
                self._memo.clear()
            found = self._memo[key] = self._project(*key)
        return found

    def _project(self, x: float, y: float) -> tuple[float, float]:
        coarse = _nearest(self._coarse_x, self._coarse_y, x, y) * _STRIDE
        start = max(coarse - _STRIDE, 0)
        near = slice(start, coarse + _STRIDE + 1)
        index = start + _nearest(self._x[near], self._y[near], x, y)
        last = len(self._xy) - 1
        best: tuple[float, float, float] | None = None
        for segment in {max(index - 1, 0), min(index, last - 1)}:
            (x0, y0), (x1, y1) = self._xy[segment], self._xy[segment + 1]
            dx, dy = x1 - x0, y1 - y0
            norm2 = dx * dx + dy * dy
            fraction = ((x - x0) * dx + (y - y0) * dy) / norm2
            low = -math.inf if segment == 0 else 0.0
            high = math.inf if segment == last - 1 else 1.0
            clipped = min(max(fraction, low), high)
            gap = math.hypot(x - x0 - clipped * dx, y - y0 - clipped * dy)
            side = dx * (y - y0) - dy * (x - x0)
            if best is None or gap < best[0]:
                best = (gap, (segment + clipped) * self.spacing, math.copysign(gap, side))
        assert best is not None
        return best[1], best[2]

    def reaches(self, x: float, y: float, margin: float) -> bool:
        """False only where no part of the lane, ``margin`` wider on either side, can hold a point. Quickly told."""
        reach = self.width / 2 + margin + _SLACK_M
        low_x, low_y, high_x, high_y = self._box
        return low_x - reach <= x <= high_x + reach and low_y - reach <= y <= high_y + reach

    def project(self, points: Points) -> tuple[Points, Points, Points]:
        """Station, lateral offset and lane heading, each (k,), for points (k, 2)."""
        coarse = ((self._coarse**2).sum(1) - 2 * points @ self._coarse.T).argmin(1) * _STRIDE
        window = np.clip(coarse[:, None] + np.arange(-_STRIDE, _STRIDE + 1), 0, len(self.points) - 1)
        nearest = ((points[:, None] - self.points[window]) ** 2).sum(-1).argmin(1)
        index = window[np.arange(len(points)), nearest]
        heading = self.headings[index]
        delta = points - self.points[index]
        along = delta[:, 0] * np.cos(heading) + delta[:, 1] * np.sin(heading)
        lateral = -delta[:, 0] * np.sin(heading) + delta[:, 1] * np.cos(heading)
        return self.stations[index] + along, lateral, heading

    def border(self, lateral: float) -> Points:
        """(n, 2): the curve shifted by ``lateral`` to the left."""
        normal = np.stack([-np.sin(self.headings), np.cos(self.headings)], axis=1)
        return self.points + lateral * normal

    def curvature_at(self, longitudinal: float) -> float:
        """Curvature (1/m) at a station, positive to the left."""
        return float(np.interp(longitudinal, self.stations, self.curvatures))

    def comfort_speed_at(self, longitudinal: float) -> float:
        """The speed that keeps lateral acceleration and braking comfortable from here on."""
        index = min(max(int(longitudinal / self.spacing), 0), len(self.comfort_speeds) - 1)
        return float(self.comfort_speeds[index])


def _nearest(xs: Points, ys: Points, x: float, y: float) -> int:
    """Which of the points (n,), (n,) is nearest to one."""
    return int(((xs - x) ** 2 + (ys - y) ** 2).argmin())


Path = list[tuple[PathLane, float]]


def station_on(path: Path, position: Points, margin: float) -> tuple[float, float, float] | None:
    """(distance along ``path``, lateral offset, lane heading) of a point within ``margin`` of its lanes, or None."""
    x, y = float(position[0]), float(position[1])
    for lane, offset in path:
        if offset != 0.0 and not lane.reaches(x, y, margin):
            continue  # the first lane goes on straight behind its start
        station, lateral = lane.local_coordinates(position)
        starts = -math.inf if offset == 0.0 else -0.01
        if starts <= station <= lane.length + 0.01 and abs(lateral) <= lane.width / 2 + margin:
            return offset + station, lateral, lane.heading_at(station)
    return None


class LaneNetwork(RoadNetwork):
    """highway-env's road graph over PathLanes, with successors per lane and a search that skips far lanes."""

    indexes: list[LaneIndex]
    lanes: list[PathLane]
    successors: dict[LaneIndex, list[LaneIndex]]

    def finish(self) -> LaneNetwork:
        """Work out what needs the whole network; call once, after the last ``add_lane``."""
        table = self.lanes_dict()
        self.indexes, self.lanes = list(table), list(table.values())  # type: ignore[arg-type]
        self._low = np.array([lane.points.min(0) for lane in self.lanes])
        self._high = np.array([lane.points.max(0) for lane in self.lanes])
        self.successors = {index: self._successors(index) for index in self.indexes}
        self.predecessors: dict[LaneIndex, list[LaneIndex]] = {index: [] for index in self.indexes}
        for index, following in self.successors.items():
            for next_index in following:
                self.predecessors[next_index].append(index)
        self._plan_speeds()
        return self

    def _successors(self, index: LaneIndex) -> list[LaneIndex]:
        """Lanes that begin where this one ends."""
        end = self.get_lane(index).points[-1]
        return [
            (index[1], to, lane_id)
            for to, lanes in self.graph.get(index[1], {}).items()
            for lane_id, lane in enumerate(lanes)
            if np.hypot(*(lane.points[0] - end)) < 1.0
        ]

    def _plan_speeds(self) -> None:
        """Fill ``comfort_speeds`` so that no bend or slower lane ahead needs more than comfortable braking."""
        for lane in self.lanes:
            bend = np.sqrt(COMFORT_LATERAL_MPS2 / np.maximum(np.abs(lane.curvatures), 1e-4))
            lane.comfort_speeds = np.minimum(bend, lane.speed_limit)
        for _ in range(4):  # a limit reaches back over at most three short lanes
            for index, lane in zip(self.indexes, self.lanes, strict=True):
                following = [self.get_lane(next_index) for next_index in self.successors[index]]
                ahead = max((other.comfort_speeds[0] for other in following), default=lane.speed_limit)
                speeds = lane.comfort_speeds
                gain = 2 * COMFORT_BRAKING_MPS2 * lane.spacing
                for station in range(len(speeds) - 1, -1, -1):
                    ahead = speeds[station] = min(speeds[station], math.sqrt(ahead * ahead + gain))

    def _apart(self, position: Points) -> Points:
        """(lanes, 2): how far a point is from each lane's box along x and y; 0 inside."""
        return np.maximum(np.maximum(self._low - position, position - self._high), 0.0)

    def near(self, position: Points) -> list[int]:
        """Positions in ``lanes`` of those whose surroundings hold ``position``."""
        return np.flatnonzero((self._apart(position) <= _NEAR_M).all(axis=1)).tolist()

    def get_closest_lane_index(self, position: Points, heading: float | None = None) -> LaneIndex:
        """As in highway-env, without looking at lanes that are far away, or farther than one that was looked at."""
        apart = self._apart(position)
        candidates = np.flatnonzero((apart <= _NEAR_M).all(axis=1))
        if not len(candidates):
            candidates = np.arange(len(self.lanes))
        bounds = np.hypot(apart[candidates, 0], apart[candidates, 1])
        best = (math.inf, -1)
        for at in bounds.argsort(kind="stable").tolist():
            if bounds[at] > best[0]:
                break  # no lane is nearer than its box
            lane = int(candidates[at])
            best = min(best, (float(self.lanes[lane].distance_with_heading(position, heading)), lane))
        return self.indexes[best[1]]

    def on_surface(self, position: Points, margin: float = 0.0) -> bool:
        """Whether a point lies on any lane."""
        for i in self.near(position):
            lane = self.lanes[i]
            station, lateral = lane.local_coordinates(position)
            if -0.5 <= station <= lane.length + 0.5 and abs(lateral) <= lane.width / 2 + margin:
                return True
        return False

    def path(self, index: LaneIndex, route: Sequence[tuple[str, str]], reach_m: float) -> Path:
        """Lanes from ``index`` on, along the edges of ``route`` where it says so, with the distance to their starts.

        ``route`` holds the edges after ``index``'s own; beyond it, and where no lane leads along it, the first
        successor is taken. The path ends after ``reach_m`` or where the road does.
        """
        lane = self.get_lane(index)
        path, offset, wanted = [(lane, 0.0)], lane.length, list(route)
        while offset < reach_m and self.successors[index]:
            following = self.successors[index]
            edge = wanted.pop(0) if wanted else None
            index = next((i for i in following if i[:2] == edge), following[0])
            lane = self.get_lane(index)
            path.append((lane, offset))
            offset += lane.length
        return path

    def side_lane(self, index: LaneIndex, step: int) -> LaneIndex | None:
        """The lane ``step`` to the right (negative: left) in the same edge, or None."""
        beside = (index[0], index[1], index[2] + step)
        return beside if 0 <= beside[2] < len(self.graph[index[0]][index[1]]) else None
