"""What is true at a moment of the reference world, in the order of ``worldsim.types.LABEL_FIELDS``.

The ego has a planned route over the lane graph, drawn by chance and extended for ever. Lane offset and heading error
are measured from the lane of that route nearest to the ego; where the ego has clearly taken another road, the route
is planned anew from there.
"""

from __future__ import annotations

import math

import numpy as np
from highway_env.road.road import LaneIndex

from worldsim.types import COMMANDS, LEAD_RANGE_M, FloatArray

from .lanes import Path, PathLane, Points, station_on
from .roads import Edge, Road
from .traffic import Traffic
from .vehicles import EgoVehicle, TrafficVehicle

_PLAN_M = 450.0  # the route is planned at least this far
_COMMAND_M = 30.0  # a branching is announced this far ahead, or 4 s
_COMMAND_S = 4.0
_TURN_RAD = 0.6
_REPLAN_GAIN = 2.0


class Route:
    """Edges that the ego is to drive, drawn by chance, or by a wish for one command where it can be had."""

    def __init__(self, road: Road, start: Edge, rng: np.random.Generator, wish: str | None = None) -> None:
        self.road, self.rng, self.wish = road, rng, wish
        self.edges = [start]
        self.at = 0
        self.extend()

    def lanes(self, edge: Edge) -> list[PathLane]:
        """The lanes of an edge, from the left."""
        return self.road.network.graph[edge[0]][edge[1]]

    @property
    def ahead(self) -> list[Edge]:
        """Edges after the current one."""
        return self.edges[self.at + 1 :]

    def extend(self) -> None:
        """Plan on until there is enough road ahead, or no more road."""
        while sum(self.lanes(edge)[0].length for edge in self.ahead) < _PLAN_M:
            options = self._options(self.edges[-1])
            if not options:
                return
            self.edges.append(self._choose(options))

    def _options(self, edge: Edge) -> list[Edge]:
        network = self.road.network
        found = {
            next_index[:2]: None
            for lane_id in range(len(self.lanes(edge)))
            for next_index in network.successors[(*edge, lane_id)]
        }
        return list(found)

    def _choose(self, options: list[Edge]) -> Edge:
        if len(options) > 1 and self.wish in COMMANDS[1:]:
            here = len(self.edges)
            suits = [o for o in options if self._turn([*self.edges, o], here) == self.wish and self._leaves(o)]
            stays = [o for o in options if not self._leaves(o)]
            options = suits or stays or options
        return options[int(self.rng.integers(len(options)))]

    def _leaves(self, edge: Edge) -> bool:
        """Whether an edge ends its junction."""
        return not any(following in self.road.junctions for following in self._options(edge))

    def _turn(self, edges: list[Edge], i: int) -> str | None:
        """The command of edge ``i``: known beforehand, or from the heading change over its junction."""
        if edges[i] in self.road.turns:
            return self.road.turns[edges[i]]
        if edges[i] not in self.road.junctions:
            return None
        first = last = i
        while first > 0 and edges[first - 1] in self.road.junctions:
            first -= 1
        while last + 1 < len(edges) and edges[last + 1] in self.road.junctions:
            last += 1
        change = self.lanes(edges[last])[0].headings[-1] - self.lanes(edges[first])[0].headings[0]
        change = (change + np.pi) % (2 * np.pi) - np.pi
        return "left" if change > _TURN_RAD else "right" if change < -_TURN_RAD else "straight"

    def command(self, station: float, speed: float) -> int:
        """Index into COMMANDS at a station of the current edge."""
        distance, reach = -station, max(_COMMAND_M, _COMMAND_S * speed)
        for i in range(self.at, len(self.edges)):
            if distance > reach:
                break
            turn = self._turn(self.edges, i)
            if turn is not None:
                return COMMANDS.index(turn)
            distance += self.lanes(self.edges[i])[0].length
        return 0

    def leading_lanes(self) -> list[int]:
        """Lane ids of the current edge from which the route can be driven on."""
        good: set[LaneIndex] | None = None
        for edge in reversed(self.edges[self.at : self.at + 4]):
            ids = range(len(self.lanes(edge)))
            successors = self.road.network.successors
            kept = {
                (*edge, i) for i in ids if good is None or not good or any(n in good for n in successors[(*edge, i)])
            }
            good = kept or {(*edge, i) for i in ids}
        return sorted(index[2] for index in good or ())


class Truth:
    """Where the ego is on its route, and what is around it. ``update`` once a step."""

    def __init__(self, road: Road, start: Edge, rng: np.random.Generator, wish: str | None = None) -> None:
        self.road, self.network, self.rng, self.wish = road, road.network, rng, wish
        self.route = Route(road, start, rng, wish)
        self.collided = False

    def update(self, ego: EgoVehicle, traffic: Traffic) -> FloatArray:
        """Labels (len(LABEL_FIELDS),) of this moment."""
        self._locate(ego.position, ego.heading)
        self.collided = self.collided or bool(ego.crashed)
        self.path: Path = self.network.path(self.index, self.route.ahead, self.station + LEAD_RANGE_M + 20.0)
        ego.path = self.path
        self.position, self.heading, self.speed = ego.position, ego.heading, ego.speed
        self.heading_error = _wrap(ego.heading - self.lane.heading_at(self.station))
        on_lane = abs(self.lateral) <= self.lane.width / 2 and -0.5 <= self.station <= self.lane.length + 0.5
        self.offroad = not on_lane and not self.network.on_surface(ego.position)
        self.others = [v for v in traffic.others if math.dist(v.position, ego.position) < 1.5 * LEAD_RANGE_M]
        self.lead_distance, self.closing_speed = self.lead_on(self.path)
        self.command = self.route.command(self.station, ego.speed)
        self.labels = np.array(
            [
                self.lateral, self.heading_error, self.offroad, self.collided, self.lead_distance,
                self.closing_speed, self.beside(-1) is not None, self.beside(1) is not None,
            ],
            dtype=np.float32,
        )  # fmt: skip
        return self.labels

    def _locate(self, position: Points, heading: float) -> None:
        """Find the nearest lane of the route; plan a new route if another road is clearly nearer."""
        route, best = self.route, math.inf
        for i in range(route.at, min(route.at + 3, len(route.edges))):
            for lane_id, lane in enumerate(route.lanes(route.edges[i])):
                distance = lane.distance_with_heading(position, heading)
                if distance < best - 1e-6:
                    best, found = distance, (i, (*route.edges[i], lane_id))
        if best > 3.0:
            index = self.network.get_closest_lane_index(position, heading)
            nearer = self.network.get_lane(index).distance_with_heading(position, heading) < best - _REPLAN_GAIN
            if nearer and self.network.on_surface(position):
                self.route = route = Route(self.road, index[:2], self.rng, self.wish)
                found = (0, index)
        route.at, self.index = found
        route.extend()
        self.lane: PathLane = self.network.get_lane(self.index)
        self.station, self.lateral = self.lane.local_coordinates(position)

    def lead_on(self, path: Path) -> tuple[float, float]:
        """Bumper-to-bumper distance (m) and closing speed (m/s) to the next vehicle on a path from the ego on."""
        nearest, closing = LEAD_RANGE_M, 0.0
        lane = path[0][0]
        own = lane.local_coordinates(self.position)[0]
        course = math.cos(_wrap(self.heading - lane.heading_at(own)))
        for other in self.others:
            found = _rear_on(path, other)
            if found is None or found[0] + other.LENGTH / 2 <= own:
                continue
            gap = max(found[0] - own - EgoVehicle.LENGTH / 2, 0.0)
            if gap < nearest:
                nearest = gap
                closing = self.speed * course - other.speed * math.cos(other.heading - found[1])
        return nearest, closing

    def beside(self, step: int) -> LaneIndex | None:
        """The lane ``step`` to the right (negative: left) that can be driven here in the same direction, or None."""
        index = self.network.side_lane(self.index, step)
        if index is None:
            return None
        lane = self.network.get_lane(index)
        station, lateral = lane.local_coordinates(self.lane.position(self.station, 0.0))
        return index if 0 <= station <= lane.length and 2.0 < abs(lateral) < 6.0 else None

    # --- for privileged drivers ---------------------------------------------------------------------------------

    def path_of(self, index: LaneIndex) -> Path:
        """The path from a lane of the current edge on."""
        return self.path if index == self.index else self.network.path(index, self.route.ahead, self.station + 120.0)

    def on_path(self, path: Path, distance_m: float = 0.0) -> tuple[PathLane, float]:
        """The lane of a path ``distance_m`` ahead of the ego, and the station there."""
        station = path[0][0].local_coordinates(self.position)[0] + distance_m
        lane, offset = next((part for part in reversed(path) if part[1] <= station), path[0])
        return lane, station - offset

    def room_on(self, index: LaneIndex, ahead_m: float, behind_m: float) -> bool:
        """Whether no vehicle's centre lies within these distances of the ego along a lane."""
        lane = self.network.get_lane(index)
        own = lane.local_coordinates(self.position)[0]
        for other in self.others:
            station, lateral = lane.local_coordinates(other.position)
            if abs(lateral) < lane.width / 2 + 0.5 and -behind_m < station - own < ahead_m:
                return False
        return True

    @property
    def at_end(self) -> bool:
        """Whether the road is about to end."""
        return not self.route.ahead and self.station > self.lane.length - 15.0


def _rear_on(path: Path, other: TrafficVehicle) -> tuple[float, float] | None:
    """Where along a path a vehicle's nearest part is, and the lane's heading there; None if it is clear of the path."""
    found = station_on(path, other.position, other.WIDTH / 2 - 0.8)
    if found is not None and math.cos(other.heading - found[2]) > 0.9:
        return found[0] - other.LENGTH / 2, found[2]
    if not any(_may_reach(lane, other) for lane, _ in path):
        return None
    corners = [station_on(path, corner, -0.6) for corner in (*other.polygon()[:4], other.position)]
    return min(((at[0], at[2]) for at in corners if at is not None), default=None)


def _may_reach(lane: PathLane, other: TrafficVehicle) -> bool:
    """Whether a part of a vehicle may lie well within a lane, told quickly from its middle; never no for yes."""
    station, lateral = lane.local_coordinates(other.position)
    apart = other.heading - lane.heading_at(station)
    half = (other.LENGTH * abs(math.sin(apart)) + other.WIDTH * abs(math.cos(apart))) / 2
    bulge = other.LENGTH**2 / 8 * lane.sharpest  # by which a bend comes towards the ends of a vehicle beside it
    return abs(lateral) <= lane.width / 2 + half + bulge


def _wrap(angle: float) -> float:
    return (angle + math.pi) % (2 * math.pi) - math.pi
