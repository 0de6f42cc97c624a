"""The other vehicles: who they are, how they follow roads and give way, and how they keep company with the ego.

Axis legend: n vehicles, t times of prediction. highway-env drives them (IDM and MOBIL) and finds contacts; here are
personalities, routes over the lane graph, giving way where lanes meet, and a population that stays around the ego
for as long as an episode lasts: whoever falls far behind or ahead returns, out of sight, somewhere else nearby.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from highway_env.road.road import LaneIndex
from highway_env.road.road import Road as HighwayRoad
from highway_env.vehicle.behavior import IDMVehicle
from highway_env.vehicle.kinematics import Vehicle

from .. import kinematics
from ..choices import shares
from .camera.scene import VehicleView
from .lanes import LaneNetwork, Path, Points, station_on
from .roads import Edge, Road

NEARBY = {"none": 0, "light": 4, "medium": 8, "heavy": 14}
"""Vehicles kept within FAR_M of the ego on a two-lane road, for each level of traffic."""

FAR_M = 165.0
_SIGHT_M = (100.0, 155.0)  # newcomers appear this far away, a pixel or two in the picture
_START_M = (24.0, 145.0)
_YIELD_RADIUS_M = 4.6
_YIELD_TIMES = np.arange(0.25, 3.01, 0.25)
_COMMITTED_M = 6.0  # who is this near to a conflict inside a junction clears it instead of stopping in the way
_HURRY_MPS2, _HARDEST_MPS2 = 3.5, 8.0  # how hard a vehicle under orders accelerates and brakes at most
_BOLD_S, _BOLD_BENDS = 0.7, 1.4  # time gap that it is content with, and how much faster than others it takes bends
_TOW_S = 4.0  # a wreck that the ego has no part in is taken away after this


@dataclass(frozen=True)
class Personality:
    """Parameters of IDM and MOBIL (Treiber et al. 2000; Kesting et al. 2007), and how much of the limit is driven."""

    time_gap_s: float
    jam_distance_m: float  # centre to centre
    acceleration_mps2: float
    least_gain_mps2: float  # of changing lane
    speed: tuple[float, float]


PERSONALITIES = {
    "normal": Personality(1.5, 9.0, 2.5, 0.4, (0.75, 0.95)),
    "aggressive": Personality(0.8, 7.5, 3.5, 0.1, (0.95, 1.12)),
    "defensive": Personality(2.2, 11.0, 2.0, 0.9, (0.6, 0.8)),
}
_PERSONALITY_ODDS = (0.6, 0.2, 0.2)

BODIES = {"car": (4.6, 1.9, 1.5), "van": (5.4, 2.1, 2.1), "truck": (9.0, 2.5, 3.2)}
"""Length, width and height in metres."""
_BODY_ODDS = (0.76, 0.14, 0.10)

COLOURS = (
    (200, 30, 30), (30, 60, 170), (235, 235, 235), (25, 25, 30), (150, 155, 160), (210, 170, 40),
    (30, 130, 60), (120, 60, 180), (0, 150, 170), (225, 105, 25),
)  # fmt: skip


@dataclass
class Orders:
    """What a director asks of a vehicle, instead of its own ways; it still keeps its distance from those ahead."""

    speed_mps: float
    braking_mps2: float = 0.0  # at least so hard, whatever the speed
    edges: tuple[Edge, ...] = ()  # to take where there is a choice


class TrafficVehicle(IDMVehicle):
    """An IDM vehicle with a body, a personality and a route that never runs out.

    ``orders`` of a director, while there are any, take the place of its own speed, lane changes and giving way.
    """

    road: TrafficRoad
    speed: float
    orders: Orders | None = None
    berth_m = 1.0  # how far beside a lane those who come along it still reckon with this one

    def __init__(
        self, road: TrafficRoad, index: LaneIndex, station: float, rng: np.random.Generator, kind: str | None = None
    ) -> None:
        lane = road.network.get_lane(index)
        self.rng = rng
        self.kind = kind or str(rng.choice(list(BODIES), p=_BODY_ODDS))
        self.LENGTH, self.WIDTH, self.height = BODIES[self.kind]
        self.colour = COLOURS[int(rng.integers(len(COLOURS)))]
        who = PERSONALITIES[str(rng.choice(list(PERSONALITIES), p=road.personality_odds))]
        self.TIME_WANTED, self.DISTANCE_WANTED = who.time_gap_s, who.jam_distance_m + self.LENGTH - 4.6
        self.COMFORT_ACC_MAX, self.LANE_CHANGE_MIN_ACC_GAIN = who.acceleration_mps2, who.least_gain_mps2
        self.share = float(rng.uniform(*who.speed)) * (0.85 if self.kind == "truck" else 1.0)
        speed = self.share * lane.comfort_speed_at(station)
        super().__init__(road, lane.position(station, 0.0), lane.heading_at(station), speed)
        self.target_lane_index = self.lane_index = index
        self.lane = lane
        self.timer = float(rng.uniform(0, self.LANE_CHANGE_DELAY))
        self.enable_lane_change = len(road.network.graph[index[0]][index[1]]) > 1
        self.yield_distance: float | None = None
        self.wrecked_s = 0.0
        self.route = [index]
        self._plan()

    def _plan(self) -> None:
        """Choose the next edge by chance among those that the target lane leads to."""
        following = self.road.network.successors[self.target_lane_index]
        if self.orders is not None:
            following = [index for index in following if index[:2] in self.orders.edges] or following
        self.next_edge = following[int(self.rng.integers(len(following)))][:2] if following else None
        ahead = [self.next_edge] if self.next_edge else []
        self.path = self.road.network.path(self.target_lane_index, ahead, 80.0)

    def follow_road(self) -> None:
        """Go over to the next lane of the route at the end of this one."""
        lane = self.road.network.get_lane(self.target_lane_index)
        if lane.local_coordinates(self.position)[0] > lane.length - 0.5:
            following = self.road.network.successors[self.target_lane_index]
            if following:
                self.target_lane_index = next((i for i in following if i[:2] == self.next_edge), following[0])
                self._plan()
        elif self.path[0][0] is not lane:  # MOBIL has changed the target lane
            self._plan()

    def act(self, action: dict[str, float] | str | None = None) -> None:
        """highway-env's decision, at a speed that suits the bends, and stopping where it must give way."""
        if self.crashed:
            return
        lane = self.road.network.get_lane(self.target_lane_index)
        self.target_speed = self.share * lane.comfort_speed_at(lane.local_coordinates(self.position)[0])
        several = len(self.road.network.graph[self.lane_index[0]][self.lane_index[1]]) > 1
        self.enable_lane_change = several and self.orders is None
        super().act(action)
        if self.orders is not None:
            self.action["acceleration"] = self._ordered_acceleration(self.orders)
        elif self.yield_distance is not None:
            stop = -(self.speed**2) / (2 * max(self.yield_distance - 7.0, 0.5))
            self.action["acceleration"] = min(self.action["acceleration"], max(stop, -self.ACC_MAX))

    def obey(self, orders: Orders | None) -> None:
        """Take orders, or be released from them."""
        news = orders is not None and (self.orders is None or self.orders.edges != orders.edges)
        self.orders = orders
        if news:
            self._plan()

    def _ordered_acceleration(self, orders: Orders) -> float:
        """Towards the ordered speed, with IDM's interaction term for those ahead (Treiber et al. 2000)."""
        station = self.lane.local_coordinates(self.position)[0]
        speed = min(orders.speed_mps, _BOLD_BENDS * self.lane.comfort_speed_at(station))
        wanted = min(max(1.2 * (speed - self.speed), -self.ACC_MAX), _HURRY_MPS2)
        for index in {self.lane_index, self.target_lane_index}:
            front, _ = self.road.neighbour_vehicles(self, index)
            if front is not None:
                wished = self.desired_gap(self, front) - max(self.TIME_WANTED - _BOLD_S, 0.0) * self.speed
                share = max(wished, 0.0) / max(self.lane_distance_to(front), 0.1)
                wanted = min(wanted, self.COMFORT_ACC_MAX * (1 - share**2))
        return max(min(wanted, -orders.braking_mps2) if orders.braking_mps2 else wanted, -_HARDEST_MPS2)

    def step(self, dt: float) -> None:
        """Move, never backwards; ``wrecked_s`` counts since a crash."""
        super().step(dt)
        self.speed = max(self.speed, 0.0)
        self.wrecked_s += dt if self.crashed else 0.0

    def lane_distance_to(self, other: Vehicle, lane: Any = None) -> float:
        """Distance along the route, which may lead over several lanes, to another vehicle's centre."""
        if other is not None and lane is None:
            found = station_on(self.path, other.position, 2.0)
            own = self.path[0][0].local_coordinates(self.position)[0]
            if found is not None and found[0] > own:
                return found[0] - own
        return float(super().lane_distance_to(other, lane))

    def view(self) -> VehicleView:
        """What the camera is told of it. Brake lights are lit from 0.8 m/s2 on, and while it stands."""
        braking = self.action["acceleration"] < -0.8 or self.speed < 0.3
        return VehicleView(
            x=float(self.position[0]), y=float(self.position[1]), yaw=float(self.heading),
            length=self.LENGTH, width=self.WIDTH, height=self.height, kind=self.kind, colour=self.colour,
            braking=bool(braking), speed=float(self.speed),
        )  # fmt: skip


class EgoVehicle(Vehicle):
    """The ego in highway-env's world: it moves as ``envs.kinematics`` says and takes part in contacts."""

    LENGTH, WIDTH = 4.8, 2.0
    berth_m = 1.0
    impact: Points | None

    def __init__(self, road: TrafficRoad, pose: Points, state: kinematics.EgoState) -> None:
        super().__init__(road, pose[:2], float(pose[2]), float(state.speed))
        self.path: Path = [(self.lane, 0.0)]
        self.place(pose, state)

    def place(self, pose: Points, state: kinematics.EgoState) -> None:
        """Set pose (3,) and state exactly, at the end of a step."""
        self.pose, self.state = pose, state
        self.position, self.heading, self.speed = pose[:2].copy(), float(pose[2]), float(state.speed)

    def prepare(self, action: Points) -> None:
        """Say what the coming sub-steps do."""
        self._controls, self._elapsed = kinematics.controls(self.state, action), 0.0

    def act(self, action: dict[str, float] | str | None = None) -> None:
        """Nothing to decide: the policy has."""

    def step(self, dt: float) -> None:
        """Move along the arc of ``envs.kinematics``; a contact is noted and moves nothing."""
        self._elapsed += dt
        speed, rate = self.state.speed, self._controls.acceleration_mps2
        distance, final = kinematics.travelled_m(speed, rate, self._elapsed)
        x, y, yaw = kinematics.compose(self.pose, np.stack(kinematics.arc(distance, self._controls.wheel_rad)))
        self.position, self.heading, self.speed = np.array([x, y]), float(yaw), float(final)
        if self.impact is not None:  # contact: highway-env would push the vehicle aside
            self.crashed, self.impact = True, None
        self.on_state_update()


class TrafficRoad(HighwayRoad):
    """highway-env's road with neighbours found along routes, and with giving way."""

    network: LaneNetwork

    def __init__(
        self, road: Road, rng: np.random.Generator, personality_odds: Sequence[float] = _PERSONALITY_ODDS
    ) -> None:
        super().__init__(network=road.network, np_random=rng)
        self.personality_odds = personality_odds
        self.gives_way, self.junctions = road.yielding, road.junctions
        self._steps = 0

    def step(self, dt: float) -> None:
        if self.gives_way and self._steps % 6 == 0:
            self._give_way()
        self._steps += 1
        super().step(dt)

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
        vehicles = [v for v in self.vehicles if not v.crashed and (_yields(v) or _drives(v))]
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
                if not committed and _yields(vehicles[k]):
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


def _yields(vehicle: Vehicle) -> bool:
    """Whether a vehicle gives way at all: the ego never has to, and orders go before."""
    return isinstance(vehicle, TrafficVehicle) and vehicle.orders is None


def _drives(vehicle: Vehicle) -> bool:
    """Whether others must reckon with one that does not yield: the ego always, one under orders while it moves."""
    return isinstance(vehicle, EgoVehicle) or (isinstance(vehicle, TrafficVehicle) and vehicle.speed > 0.5)


def _goes_first(vehicle: Vehicle, other: Vehicle) -> bool:
    """Whether ``vehicle`` has the right of way over ``other``."""
    if not (_yields(vehicle) and _yields(other)):
        return not _yields(vehicle)
    own, theirs = (min(lane.priority for lane, _ in v.path[:2]) for v in (vehicle, other))
    if own != theirs:
        return own > theirs
    return bool(other.front_distance_to(vehicle) > vehicle.front_distance_to(other))


class Traffic:
    """The vehicles around the ego, kept at the density of a traffic level."""

    def __init__(self, road: Road, level: str, rng: np.random.Generator, drivers: Any = None) -> None:
        """``drivers`` is a choice of DRIVERS (see ``envs.choices``); None: the usual mix."""
        self.rng = rng
        self.network = road.network
        self.world = TrafficRoad(road, rng, _PERSONALITY_ODDS if drivers is None else shares(drivers, PERSONALITIES))
        self.wanted = round(NEARBY[level] * (0.7 + 0.15 * road.lanes))

    def start(self, ego: EgoVehicle) -> None:
        """Add the ego and populate its surroundings."""
        self.ego = ego
        self.world.vehicles = [ego]
        for _ in range(self.wanted):
            self._add(_START_M)

    @property
    def others(self) -> list[TrafficVehicle]:
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
        if sum(_yields(v) for v in kept) < self.wanted:
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
