"""What it takes to make something happen in the reference world: where the ego will be, and who comes from where.

An act stages one event. Long before its moment it prepares: it takes a vehicle that is near or places one out of
sight, and leads it to where it is needed; nobody ever pops up in view. Distances are in metres along the ego's path.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from highway_env.road.lane import AbstractLane
from highway_env.road.road import LaneIndex
from highway_env.vehicle.kinematics import Vehicle

from ..events import Event
from .camera.look import VISIBILITY_M
from .lanes import LaneNetwork, Path, Points, station_on
from .traffic import FAR_M, Traffic
from .truth import Truth
from .vehicles import BODIES, EgoVehicle, Orders, TrafficVehicle

SIGHT_M = 100.0
"""Whoever is placed during a drive is at least so far away, as newcomers of the traffic are, or lost in fog."""

_PITCH_M, _LEAST_M = 4.0, 18.0  # between places that are tried, and to the nearest of them
_SETTLING_S = 5.0
_LOST_IN_FOG = 1.7  # times the visibility: less than one part in a hundred of the contrast is left
_TOP_SPEED_MPS = 38.0
_REACH_M = 240.0  # how far ahead on the path places are looked for


@dataclass
class Stage:
    """The drive as acts see it. ``opening``: before the first frame, when anybody may be placed anywhere."""

    truth: Truth
    traffic: Traffic
    rng: np.random.Generator
    target_speed: float  # m/s
    weather: str
    opening: bool = True

    @property
    def ego(self) -> EgoVehicle:
        """The ego in highway-env's world."""
        return self.traffic.ego

    @property
    def network(self) -> LaneNetwork:
        """The lanes of the road."""
        return self.truth.network

    @property
    def speed(self) -> float:
        """The ego's speed, of at least 3 m/s, so that times can be reckoned with it."""
        return max(float(self.ego.speed), 3.0)

    def reach_m(self, time_s: float) -> float:
        """How far the ego is likely to come: it settles to the target speed, or what the bends allow."""
        settled = min(self.target_speed, self.truth.lane.comfort_speed_at(self.truth.station))
        lag = _SETTLING_S * (1.0 - math.exp(-time_s / _SETTLING_S))
        return settled * time_s + (self.speed - settled) * lag

    # --- where --------------------------------------------------------------------------------------------------

    @property
    def own(self) -> float:
        """The ego's station on its path."""
        return float(self.truth.path[0][0].local_coordinates(self.ego.position)[0])

    def path_ahead(self, reach_m: float) -> Path:
        """The ego's path as far as ``reach_m`` ahead of it."""
        return self.network.path(self.truth.index, self.truth.route.ahead, self.own + reach_m)

    def spot(self, ahead_m: float) -> tuple[LaneIndex, float] | None:
        """Lane and station at a distance ahead on the ego's path; None beyond its reach or the end of the road."""
        if ahead_m > _REACH_M:
            return None
        path, station = self.path_ahead(_REACH_M), self.own + ahead_m
        lane, offset = next((part for part in reversed(path) if part[1] <= station), path[0])
        if station - offset > lane.length - 2.0:
            return None
        return self.index_of(lane), station - offset

    def spots_from(self, wanted_m: float) -> list[tuple[LaneIndex, float]]:
        """Places on the ego's path about ``wanted_m`` ahead, the best first, if need be farther, where nobody is seen.

        At the opening, when nobody is seen anyway, nearer ones come last.
        """
        if wanted_m > _REACH_M:
            return []
        places = [wanted_m + _PITCH_M * i for i in range(8)]
        if not self.opening:
            places += [max(wanted_m, SIGHT_M) + 1.0 + _PITCH_M * i for i in range(8)]
        else:
            places += [near for i in range(1, 20) if (near := wanted_m - _PITCH_M * i) > _LEAST_M]
        return [spot for place in places if (spot := self.spot(place)) is not None]

    def along(self, index: LaneIndex, station: float) -> tuple[LaneIndex, float] | None:
        """The place at a station of a lane that may lie before its start or beyond its end; None where no road is."""
        while station < 0.0:
            before = self.network.predecessors[index]
            if not before:
                return None
            index = before[0]
            station += self.network.get_lane(index).length
        while station > (length := self.network.get_lane(index).length):
            following = self.network.successors[index]
            if not following:
                return None
            index, station = following[0], station - length
        return index, station

    def index_of(self, lane: AbstractLane) -> LaneIndex:
        """A lane's index."""
        return self.network.indexes[next(i for i, other in enumerate(self.network.lanes) if other is lane)]

    def distance_to(self, vehicle: Vehicle) -> float | None:
        """How far ahead on the ego's path a vehicle's centre is; None if it is not there."""
        found = station_on(self.path_ahead(_REACH_M), vehicle.position, 0.5)
        return found[0] - self.own if found is not None and found[0] > self.own else None

    def gap_to(self, vehicle: TrafficVehicle) -> float | None:
        """Bumper to bumper distance to a vehicle ahead on the ego's path; None if it is not there."""
        distance = self.distance_to(vehicle)
        return None if distance is None else max(distance - (vehicle.LENGTH + EgoVehicle.LENGTH) / 2, 0.0)

    def ahead_of_ego(self, vehicle: TrafficVehicle) -> float:
        """How far a vehicle's centre is ahead of the ego's, along the ego's heading; behind it is negative."""
        delta = vehicle.position - self.ego.position
        return float(delta[0] * math.cos(self.ego.heading) + delta[1] * math.sin(self.ego.heading))

    # --- who ----------------------------------------------------------------------------------------------------

    def is_here(self, vehicle: Vehicle | None) -> bool:
        """Whether a vehicle is still on the road, and whole."""
        return vehicle is not None and not vehicle.crashed and vehicle in self.traffic.others

    def free_vehicles(self, kind: str | None) -> list[TrafficVehicle]:
        """Vehicles of a kind, or of any, that nobody directs."""
        return [
            vehicle
            for vehicle in self.traffic.others
            if isinstance(vehicle, TrafficVehicle)
            and vehicle.orders is None
            and not vehicle.crashed
            and kind in (None, vehicle.kind)
        ]

    def out_of_sight(self, where: Points) -> bool:
        """Whether somebody could appear or vanish there without being seen."""
        sight = min(SIGHT_M, _LOST_IN_FOG * VISIBILITY_M[self.weather])
        return self.opening or math.dist(where, self.ego.position) >= sight

    def may_appear(self, where: Points) -> bool:
        """Whether somebody may be placed there: unseen, and not so far away that they would be taken away again."""
        return self.out_of_sight(where) and math.dist(where, self.ego.position) < FAR_M - 5.0

    def place(
        self, spots: Iterable[tuple[LaneIndex, float] | None], kind: str | None, orders: Orders, speed: float
    ) -> TrafficVehicle | None:
        """Put a vehicle on the first of these lanes and stations that is out of sight and free; None if there is none.

        Whoever of the traffic is in the way is taken away, if out of sight too.
        """
        for spot in spots:
            if spot is None:
                continue
            lane = self.network.get_lane(spot[0])
            where, heading = lane.position(spot[1], 0.0), lane.heading_at(spot[1])
            if not self.may_appear(where):
                continue
            self._make_room(where, heading)
            if self.traffic.has_room(where, heading):
                kind = kind or str(self.rng.choice(list(BODIES)))
                vehicle = TrafficVehicle(self.traffic.world, spot[0], spot[1], self.rng, kind)
                vehicle.speed = speed
                vehicle.obey(orders)
                self.traffic.world.vehicles.append(vehicle)
                return vehicle
        return None

    def _make_room(self, where: Points, heading: float) -> None:
        taken = [v for v in self.free_vehicles(None) if not self.traffic.has_room(where, heading, [v])]
        self.remove(taken)

    def remove(self, vehicles: Sequence[Vehicle]) -> None:
        """Take vehicles away; only those that cannot be seen."""
        gone = [v for v in vehicles if self.out_of_sight(v.position)]
        self.traffic.world.vehicles = [v for v in self.traffic.world.vehicles if v not in gone]


class Act(ABC):
    """One event being staged. ``preparation_s`` before its moment ``prepare`` is called for the first time."""

    preparation_s = 12.0
    patience_s = 10.0
    """How long after its moment the event may still begin; then it is missed."""

    def __init__(self, event: Event, stage: Stage) -> None:
        self.event, self.stage = event, stage
        self.actor: TrafficVehicle | None = None
        self.helpers: list[TrafficVehicle] = []  # who makes way

    @abstractmethod
    def prepare(self, due_s: float) -> bool:
        """Get ready, a step at a time; True when it can begin. ``due_s`` seconds are left, below 0 when late."""

    @abstractmethod
    def begin(self) -> None:
        """Make it happen."""

    @abstractmethod
    def go_on(self, since_s: float) -> bool:
        """Go on, a step at a time, ``since_s`` after it began; False when it is over."""

    def direct(self, vehicle: TrafficVehicle, speed_mps: float, braking_mps2: float = 0.0) -> None:
        """Tell a vehicle how fast to drive; where there is a choice it goes the ego's way."""
        truth = self.stage.truth
        speed = min(max(speed_mps, 0.0), _TOP_SPEED_MPS)
        vehicle.obey(Orders(speed, braking_mps2, tuple(truth.route.edges[truth.route.at :])))
        if vehicle is not self.actor and vehicle not in self.helpers:
            self.helpers.append(vehicle)

    def release(self) -> None:
        """Let those who were directed go their own way again."""
        for vehicle in self.helpers:
            vehicle.obey(None)
        self.helpers.clear()
        if self.actor is not None:
            self.actor.obey(None)
