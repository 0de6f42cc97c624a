"""The other vehicles, who they are and how each drives, and the ego among them.

highway-env drives the others (IDM and MOBIL) and finds contacts; here are bodies, personalities, routes over the lane
graph, and the orders of a director, which take the place of a vehicle's own ways.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from highway_env.road.road import LaneIndex
from highway_env.road.road import Road as HighwayRoad
from highway_env.vehicle.behavior import IDMVehicle
from highway_env.vehicle.kinematics import Vehicle

from .. import kinematics
from .camera.scene import VehicleView
from .lanes import LaneNetwork, Path, Points, station_on
from .roads import Edge

_HURRY_MPS2, _HARDEST_MPS2 = 3.5, 8.0  # how hard a vehicle under orders accelerates and brakes at most
_BOLD_S, _BOLD_BENDS = 0.7, 1.4  # time gap that it is content with, and how much faster than others it takes bends


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
USUAL_ODDS = (0.6, 0.2, 0.2)

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


class RoutedRoad(HighwayRoad):
    """highway-env's road over a lane graph; it knows how common each of PERSONALITIES is on it."""

    network: LaneNetwork

    def __init__(
        self, network: LaneNetwork, rng: np.random.Generator, personality_odds: Sequence[float] = USUAL_ODDS
    ) -> None:
        super().__init__(network=network, np_random=rng)
        self.personality_odds = personality_odds


class TrafficVehicle(IDMVehicle):
    """An IDM vehicle with a body, a personality and a route that never runs out.

    ``orders`` of a director, while there are any, take the place of its own speed, lane changes and giving way.
    """

    road: RoutedRoad
    speed: float
    orders: Orders | None = None
    berth_m = 1.0  # how far beside a lane those who come along it still reckon with this one

    def __init__(
        self, road: RoutedRoad, index: LaneIndex, station: float, rng: np.random.Generator, kind: str | None = None
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

    def __init__(self, road: RoutedRoad, pose: Points, state: kinematics.EgoState) -> None:
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
