"""A population of vehicles that keeps company with the ego for as long as an episode lasts.

Whoever falls far behind or ahead returns, out of sight, somewhere else nearby.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from highway_env.vehicle.kinematics import Vehicle

from .. import kinematics
from ..choices import shares
from .giving_way import TrafficRoad, yields
from .lanes import Points
from .roads import Road
from .vehicles import PERSONALITIES, USUAL_ODDS, EgoVehicle, TrafficVehicle

NEARBY = {"none": 0, "light": 4, "medium": 8, "heavy": 14}
"""Vehicles kept within FAR_M of the ego on a two-lane road, for each level of traffic."""

FAR_M = 165.0
_SIGHT_M = (100.0, 155.0)  # newcomers appear this far away, a pixel or two in the picture
_START_M = (24.0, 145.0)
_TOW_S = 4.0  # a wreck that the ego has no part in is taken away after this


class Traffic:
    """The vehicles around the ego, kept at the density of a traffic level."""

    def __init__(self, road: Road, level: str, rng: np.random.Generator, drivers: Any = None) -> None:
        """``drivers`` is a choice of DRIVERS (see ``envs.choices``); None: the usual mix."""
        self.rng = rng
        self.network = road.network
        self.world = TrafficRoad(road, rng, USUAL_ODDS if drivers is None else shares(drivers, PERSONALITIES))
        self.wanted = round(NEARBY[level] * (0.7 + 0.15 * road.lanes))

    def start(self, ego: EgoVehicle) -> None:
        """Add the ego and populate its surroundings."""
        self.ego = ego
        self.world.vehicles = [ego]
        for _ in range(self.wanted):
            self._add(_START_M)

    @property
    def others(self) -> list[TrafficVehicle]:
        """Everybody but the ego."""
        return self.world.vehicles[1:]

    def advance(self, substeps: int) -> None:
        """One env step of everybody, the ego included."""
        self.world.act()
        for _ in range(substeps):
            self.world.step(kinematics.STEP_S / substeps)
        self._recycle()

    def _recycle(self) -> None:
        x, y = self.ego.position
        kept = [
            v
            for v in self.others
            if math.hypot(v.position[0] - x, v.position[1] - y) < FAR_M and (v.wrecked_s < _TOW_S or self.ego.crashed)
        ]
        self.world.vehicles = [self.ego, *kept]
        if sum(yields(v) for v in kept) < self.wanted:
            self._add(_SIGHT_M)

    def _add(self, distance_m: tuple[float, float]) -> None:
        """Put one vehicle on a lane at a distance from the ego, more often ahead, if there is room."""
        spots = self._spots(distance_m)
        if not spots:
            return
        for _ in range(6):
            lane_at, station = spots[int(self.rng.integers(len(spots)))]
            index = self.network.indexes[lane_at]
            lane = self.network.lanes[lane_at]
            where, heading = lane.position(station, 0.0), lane.heading_at(station)
            if self.has_room(where, heading):
                self.world.vehicles.append(TrafficVehicle(self.world, index, station, self.rng))
                return

    def _spots(self, distance_m: tuple[float, float]) -> list[tuple[int, float]]:
        """Positions in ``network.lanes`` and stations where a vehicle may appear; those ahead count three times."""
        x, y = self.ego.position
        direction = np.array([math.cos(self.ego.heading), math.sin(self.ego.heading)])
        spots: list[tuple[int, float]] = []
        for i, lane in enumerate(self.network.lanes):
            delta = lane.points[::4] - (x, y)
            distance = np.hypot(delta[:, 0], delta[:, 1])
            allowed = (distance > distance_m[0]) & (distance < distance_m[1])
            if not allowed.any() or lane.length < 8.0:
                continue
            stations = lane.stations[::4]
            spots += [(i, float(s)) for s in stations[allowed]]
            spots += 2 * [(i, float(s)) for s in stations[allowed & (delta @ direction > 0)]]
        return spots

    def has_room(self, where: Points, heading: float, among: Sequence[Vehicle] | None = None) -> bool:
        """Whether nobody, or nobody ``among`` these, is in the way of a vehicle placed there."""
        return all(self._room(other, where, heading) for other in (self.world.vehicles if among is None else among))

    @staticmethod
    def _room(other: Vehicle, where: Points, heading: float) -> bool:
        gap = math.hypot(other.position[0] - where[0], other.position[1] - where[1])
        aligned = math.cos(other.heading - heading) > 0.5
        return gap > (10.0 + 0.7 * other.speed if aligned else 9.0) or (gap > 3.4 and _beside(other, where, heading))


def _beside(other: Vehicle, where: Points, heading: float) -> bool:
    """Whether ``other`` is in another lane, next to a place rather than ahead of it or behind."""
    dx, dy = other.position[0] - where[0], other.position[1] - where[1]
    return abs(-dx * math.sin(heading) + dy * math.cos(heading)) > 3.4
