"""Who gives way to whom where lanes meet, and who drives ahead of whom along a route.

Axis legend: t times of prediction. highway-env moves the vehicles; its neighbours are found here along routes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from highway_env.road.road import LaneIndex
from highway_env.vehicle.kinematics import Vehicle

from .lanes import Path, Points, station_on
from .roads import Road
from .vehicles import USUAL_ODDS, EgoVehicle, RoutedRoad, TrafficVehicle

_YIELD_RADIUS_M = 4.6
_SLACK_M = 0.01
_YIELD_TIMES = np.arange(0.25, 3.01, 0.25)
_COMMITTED_M = 6.0  # who is this near to a conflict inside a junction clears it instead of stopping in the way


class TrafficRoad(RoutedRoad):
    """A road with neighbours found along routes, and with giving way."""

    def __init__(self, road: Road, rng: np.random.Generator, personality_odds: Sequence[float] = USUAL_ODDS) -> None:
        super().__init__(road.network, rng, personality_odds)
        self.gives_way, self.junctions = road.yielding, road.junctions
        self._steps = 0

    def step(self, dt: float) -> None:
        """Move everybody; every sixth time, first settle who gives way. There are no ``objects``."""
        if self.gives_way and self._steps % 6 == 0:
            self._give_way()
        self._steps += 1
        for vehicle in self.vehicles:
            vehicle.step(dt)
        for i, j in self._close_pairs(dt):
            self.vehicles[i].handle_collisions(self.vehicles[j], dt)

    def _close_pairs(self, dt: float) -> list[tuple[int, int]]:
        """Those who may touch, by circles around them, in the order in which highway-env looks at all pairs."""
        places = np.array([vehicle.position for vehicle in self.vehicles])
        radii = np.array([vehicle.diagonal / 2 for vehicle in self.vehicles])
        moves = np.array([abs(vehicle.speed) * dt for vehicle in self.vehicles])
        gaps = np.hypot(*np.moveaxis(places[:, None] - places[None], -1, 0))
        reach = radii[:, None] + radii[None] + moves[:, None] + _SLACK_M
        return list(zip(*(axis.tolist() for axis in np.nonzero(np.triu(gaps <= reach, 1))), strict=True))

    def neighbour_vehicles(
        self, vehicle: Vehicle, lane_index: LaneIndex | None = None
    ) -> tuple[Vehicle | None, Vehicle | None]:
        """The vehicles ahead and behind on a lane and on those that follow and precede it."""
        index = lane_index or vehicle.lane_index
        lane = self.network.get_lane(index)
        ahead: Path = vehicle.path if vehicle.path[0][0] is lane else self.network.path(index, (), 80.0)
        before = [self.network.get_lane(i) for i in self.network.predecessors[index]]
        behind: Path = [(other, -other.length) for other in before]
        own = lane.local_coordinates(vehicle.position)[0]
        front = rear = None
        nearest, last = math.inf, -math.inf
        x, y = vehicle.position
        for other in self.vehicles:
            if other is vehicle or abs(other.position[0] - x) > 100 or abs(other.position[1] - y) > 100:
                continue
            found = station_on(ahead, other.position, other.berth_m) or station_on(behind, other.position, 1.0)
            if found is None:
                continue
            if own <= found[0] < nearest:
                front, nearest = other, found[0]
            elif last < found[0] < own:
                rear, last = other, found[0]
        return front, rear

    def _give_way(self) -> None:
        """Whoever would meet another on a crossing or joining lane stops short, by priority; the ego never has to.

        The rule is that of highway-env's RegulatedRoad, with all pairs predicted at once.
        """
        vehicles = [v for v in self.vehicles if not v.crashed and (yields(v) or _drives(v))]
        for vehicle in vehicles:
            vehicle.yield_distance = None
        if len(vehicles) < 2:
            return
        speeds = np.array([v.speed if isinstance(v, EgoVehicle) else max(v.speed, 3.0) for v in vehicles])
        future = np.stack([_predict(v, speed) for v, speed in zip(vehicles, speeds, strict=True)])
        gaps = np.hypot(*np.moveaxis(future[:, None] - future[None], -1, 0))
        for i, j in zip(*np.nonzero(np.triu(gaps.min(-1) < _YIELD_RADIUS_M, 1)), strict=True):
            first, second = vehicles[i], vehicles[j]
            if station_on(first.path, second.position, 0.5) or station_on(second.path, first.position, 0.5):
                continue  # one follows the other: IDM sees to it
            time = float(_YIELD_TIMES[int(np.argmax(gaps[i, j] < _YIELD_RADIUS_M))])
            for k in (i, j) if _goes_first(second, first) else (j, i):
                distance = float(speeds[k]) * time
                committed = vehicles[k].lane_index[:2] in self.junctions and distance < _COMMITTED_M
                if not committed and yields(vehicles[k]):
                    vehicles[k].yield_distance = min(vehicles[k].yield_distance or math.inf, distance)
                    break


def _predict(vehicle: Vehicle, speed: float) -> Points:
    """Positions (t, 2) along the vehicle's route at constant speed."""
    own, _ = vehicle.path[0][0].local_coordinates(vehicle.position)
    positions = []
    for station in own + speed * _YIELD_TIMES:
        lane, offset = next((p for p in reversed(vehicle.path) if p[1] <= station), vehicle.path[0])
        positions.append(lane.position(station - offset, 0.0))
    return np.array(positions)


def yields(vehicle: Vehicle) -> bool:
    """Whether a vehicle gives way at all: the ego never has to, and orders go before."""
    return isinstance(vehicle, TrafficVehicle) and vehicle.orders is None


def _drives(vehicle: Vehicle) -> bool:
    """Whether others must reckon with one that does not yield: the ego always, one under orders while it moves."""
    return isinstance(vehicle, EgoVehicle) or (isinstance(vehicle, TrafficVehicle) and vehicle.speed > 0.5)


def _goes_first(vehicle: Vehicle, other: Vehicle) -> bool:
    """Whether ``vehicle`` has the right of way over ``other``."""
    if not (yields(vehicle) and yields(other)):
        return not yields(vehicle)
    own, theirs = (min(lane.priority for lane, _ in v.path[:2]) for v in (vehicle, other))
    if own != theirs:
        return own > theirs
    return bool(other.front_distance_to(vehicle) > vehicle.front_distance_to(other))
