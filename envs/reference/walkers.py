"""Somebody on foot or on a bicycle who waits beside the road and then crosses it ahead of the ego."""

from __future__ import annotations

import math

import numpy as np
from highway_env.vehicle.kinematics import Vehicle

from ..events import Event
from .camera.people import SIZES
from .camera.scene import VehicleView
from .giving_way import TrafficRoad
from .lanes import Path, PathLane, Points
from .stage import Act, Stage
from .vehicles import COLOURS, TrafficVehicle

PACE_MPS = {"pedestrian": 1.5, "cyclist": 3.5}
_CYCLE_M = {"pedestrian": 1.5, "cyclist": 5.0}  # two steps, or one turn of the pedals
_KERB_M = 1.5  # from the edge of the road to where somebody waits or arrives
_FARTHEST_M = 30.0
_AHEAD_M = 260.0
_ASTRAY_M = 10.0
_LATEST = 0.85  # of the distance at which they set out: who comes nearer before meets nobody
_WARNING_S = 4.0  # before they set out, others begin to give way
_EARLY_S = 2.0  # by how much an ego that is faster than expected may have it happen before its moment


class Walker(Vehicle):
    """Goes straight from ``start`` to ``end``, once it is told to. Traffic brakes for it; contact is a collision."""

    position: Points
    speed: float
    wrecked_s = 0.0

    def __init__(self, road: TrafficRoad, kind: str, start: Points, end: Points, rng: np.random.Generator) -> None:
        self.kind, self.end = kind, end
        self.LENGTH, self.WIDTH, self.height = SIZES[kind]
        self.colour = COLOURS[int(rng.integers(len(COLOURS)))]
        self.gone_m = 0.0
        delta = end - start
        super().__init__(road, start, math.atan2(delta[1], delta[0]), 0.0)
        self.path: Path = [(self.lane, 0.0)]

    def act(self, action: dict[str, float] | str | None = None) -> None:
        """Nothing to decide."""

    def go(self) -> None:
        """Begin to cross."""
        self.speed = PACE_MPS[self.kind]

    @property
    def berth_m(self) -> float:
        """How far beside a lane those who come along it reckon with somebody: they see who is about to cross."""
        return 4.0 if self.speed > 0.0 else 1.0

    @property
    def arrived(self) -> bool:
        """Whether it has crossed."""
        return math.dist(self.position, self.end) < 0.5

    def step(self, dt: float) -> None:
        """Move on towards the other side; whoever was hit stays where they are."""
        if self.crashed or self.arrived:
            self.speed = 0.0
        self.gone_m += self.speed * dt
        self.position = self.position + self.speed * dt * np.array([math.cos(self.heading), math.sin(self.heading)])

    def view(self) -> VehicleView:
        """What the camera is told."""
        return VehicleView(
            x=float(self.position[0]), y=float(self.position[1]), yaw=float(self.heading),
            length=self.LENGTH, width=self.WIDTH, height=self.height, kind=self.kind, colour=self.colour,
            speed=float(self.speed), phase=self.gone_m / _CYCLE_M[self.kind] % 1.0,
        )  # fmt: skip


class Crossing(Act):
    """Somebody crosses the road from one side to the other, so that an ego that drives on meets them, or all but.

    They enter its lane while there is still time to brake: the times below are those until the ego would be there.
    """

    preparation_s = 20.0
    patience_s = 30.0
    _least_s, _reaction_s, _braking_mps2 = 1.5, 0.6, 5.0
    _most_spare_s = 0.8

    walker: Walker

    def __init__(self, event: Event, stage: Stage) -> None:
        super().__init__(event, stage)
        self._yielding: list[TrafficVehicle] = []

    def prepare(self, due_s: float) -> bool:
        """Have somebody wait beside the road, where the ego will be at the moment."""
        stage = self.stage
        wanted = stage.reach_m(max(due_s, 0.0) + self._time(stage.truth.lane, stage.truth.station))
        distance = self._distance()
        if distance is None:
            self._wait_at(wanted)
        elif abs(distance - wanted) > _ASTRAY_M and stage.out_of_sight(self.walker.position):
            stage.remove([self.walker])  # the ego comes sooner or later than was expected
            self._wait_at(wanted)
        if (distance := self._distance()) is None:
            return False
        comes = stage.speed * self._time_s
        if distance > max(comes, _FARTHEST_M) + _WARNING_S * stage.speed or due_s > _EARLY_S + _WARNING_S:
            return False
        lets_them = self._traffic_lets_them()
        waits = stage.ego.speed < 2.0 and distance > 6.0  # behind others who have stopped
        return lets_them and due_s <= _EARLY_S and (waits or _LATEST * comes <= distance <= comes)

    def begin(self) -> None:
        """Step onto the road."""
        self.walker.go()

    def go_on(self, since_s: float) -> bool:
        """Until the other side is reached."""
        self._traffic_lets_them()
        return not self.walker.arrived and not self.walker.crashed

    def release(self) -> None:
        """Let those who gave way drive on."""
        for vehicle in self._yielding:
            vehicle.yield_distance = None
        self._yielding.clear()

    def _spare_s(self, lane: PathLane) -> float:
        """By how much they are past the middle of the lane when an ego that does not brake arrives."""
        enters = max(self._least_s, self._reaction_s + self.stage.speed / (2 * self._braking_mps2))
        return min(max(enters - lane.width / 2 / PACE_MPS[self.event.kind], 0.0), self._most_spare_s)

    def _traffic_lets_them(self) -> bool:
        """Whether nobody but the ego would run into them; whoever can still stop is made to give way."""
        self.release()
        allowed = True
        for other in self.stage.free_vehicles(None):
            delta = self.walker.position - other.position
            ahead = float(delta @ other.direction)
            aside = abs(float(delta[1] * other.direction[0] - delta[0] * other.direction[1]))
            needed = 6.0 + other.speed**2 / (2 * self._braking_mps2)
            if aside > _FARTHEST_M / 2 or not -6.0 < ahead < 100.0:
                continue
            if ahead > needed:
                other.yield_distance = min(ahead, other.yield_distance or ahead)
                self._yielding.append(other)
            allowed = allowed and (other.speed < 0.5 or ahead > needed)
        return allowed

    def _distance(self) -> float | None:
        """How far ahead on its path the ego would meet them; None while nobody waits there."""
        stage = self.stage
        if not hasattr(self, "walker") or not stage.is_here(self.walker):
            return None
        found = [offset for lane, offset in stage.path_ahead(_AHEAD_M) if lane is self._lane]
        distance = found[0] + self._station - stage.own if found else -1.0
        return distance if distance > 0.0 else None

    def _wait_at(self, wanted_m: float) -> None:
        """Place somebody beside the road about so far ahead, where no junction is near."""
        stage = self.stage
        for spot in stage.spots_from(wanted_m):
            if spot[0][:2] in stage.truth.road.junctions:
                continue
            lane = stage.network.get_lane(spot[0])
            start, end = (self._kerb(lane, spot[1], way) for way in (self._side, -self._side))
            if stage.may_appear(start):
                self._lane, self._station, self._time_s = lane, spot[1], self._time(lane, spot[1])
                self.walker = Walker(stage.traffic.world, self.event.kind, start, end, stage.rng)
                stage.traffic.world.vehicles.append(self.walker)
                return

    @property
    def _side(self) -> float:
        return 1.0 if self.event.side == "left" else -1.0

    def _time(self, lane: PathLane, station: float) -> float:
        """How long before the ego would be there they set out."""
        way = math.dist(self._kerb(lane, station, self._side), lane.position(station, 0.0))
        return way / PACE_MPS[self.event.kind] + self._spare_s(lane)

    def _kerb(self, lane: PathLane, station: float, way: float) -> Points:
        """Where somebody stands beside the road, on its left (``way`` 1) or right (-1)."""
        return lane.position(station, way * (self._edge(lane, station, way) + _KERB_M))

    def _edge(self, lane: PathLane, station: float, way: float) -> float:
        """How far from the middle of the lane the asphalt ends on one side."""
        offset = lane.width / 2
        while offset < _FARTHEST_M and self.stage.network.on_surface(lane.position(station, way * offset), 0.7):
            offset += 0.5
        return offset
