"""Events where roads meet: somebody merges from a ramp, or drives across an intersection without giving way.

They happen at the first fitting place after their moment. Distances are in metres along the ego's path.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from highway_env.road.road import LaneIndex

from .lanes import PathLane, Points
from .stage import Act
from .vehicles import Orders, TrafficVehicle

_AHEAD_M = 420.0  # so far ahead ramps are looked for: who comes down one needs as long as the ego


class Merging(Act):
    """A vehicle comes down a ramp so as to join just ahead of the ego."""

    preparation_s = 20.0
    patience_s = math.inf
    _ahead_m, _ahead_s = 11.0, 0.25
    _ramp_speed_mps = (6.0, 24.0)
    _lasts_s = 14.0

    def prepare(self, due_s: float) -> bool:
        """Lead a vehicle down the ramp, level with the ego."""
        stage = self.stage
        if self.actor is not None and not (stage.is_here(self.actor) and stage.ahead_of_ego(self.actor) > -40.0):
            self.release()
            self.actor = None
        if self.actor is None and not self._cast(due_s):
            return False
        assert self.actor is not None
        if self.actor.lane_index[:2] != self._ramp[:2]:
            return due_s <= 0.0 and 0.0 < stage.ahead_of_ego(self.actor) < 60.0
        left = self._lane.length - self._lane.local_coordinates(self.actor.position)[0]
        time = max((self._to_join() - self._lead()) / stage.speed, 0.3)
        self.direct(self.actor, min(max(left / time, 4.0), self._ramp_speed_mps[1] + 2.0))
        return False

    def begin(self) -> None:
        """It is on the slip lane."""

    def go_on(self, since_s: float) -> bool:
        """Keep just ahead until it is in the lane."""
        stage = self.stage
        if self.actor is None or not stage.is_here(self.actor):
            return False
        place = stage.ahead_of_ego(self.actor)
        self.direct(self.actor, max(stage.ego.speed + min(max(0.5 * (self._lead() - place), -3.0), 4.0), 4.0))
        return since_s < self._lasts_s

    def _lead(self) -> float:
        return self._ahead_m + self._ahead_s * self.stage.speed

    def _to_join(self) -> float:
        """How far the ego is from where the ramp ends."""
        end = self._lane.points[-1] - self.stage.ego.position
        return float(end[0] * math.cos(self.stage.ego.heading) + end[1] * math.sin(self.stage.ego.heading))

    def _cast(self, due_s: float) -> bool:
        """Put somebody on the next ramp from which the ego can still be met after the moment."""
        stage = self.stage
        for lane, offset in stage.path_ahead(_AHEAD_M):
            own = stage.index_of(lane)
            distance = offset + lane.length - stage.own
            time = distance / stage.speed
            ramps = [edge for edge in stage.truth.road.ramps if edge[1] == own[1] and edge != own[:2]]
            if not ramps or time < max(due_s, 2.0):
                continue
            self._ramp: LaneIndex = (*ramps[0], 0)
            self._lane: PathLane = stage.network.get_lane(self._ramp)
            low, high = (speed * time for speed in self._ramp_speed_mps)
            places = [left for left in np.arange(max(low, 15.0), min(high, self._lane.length - 5.0), 8.0).tolist()]
            places.sort(key=lambda left: abs(left - 15.0 * time))
            on_ramp = [v for v in stage.free_vehicles(None) if v.lane_index == self._ramp]
            stage.remove(on_ramp)
            spots = ((self._ramp, self._lane.length - left) for left in places)
            speed = min(max(15.0, self._ramp_speed_mps[0]), self._ramp_speed_mps[1])
            self.actor = stage.place(spots, self.event.vehicle, Orders(speed), speed)
            return self.actor is not None
        return False


class CrossTraffic(Act):
    """A vehicle comes from the side to an intersection, and goes straight across just ahead of the ego."""

    preparation_s = 20.0
    patience_s = math.inf
    _speed_mps, _fastest_mps, _slowest_mps = 9.0, 14.0, 3.5
    _committed_m = 18.0
    _ahead_m, _ahead_s = 6.0, 0.5  # of the ego, where their ways cross, beside half its own length
    _arm_m = 55.0  # from the intersection: nearer than that, whoever is placed on an arm could be seen

    def prepare(self, due_s: float) -> bool:
        """Bring a vehicle to the intersection together with the ego."""
        stage = self.stage
        if self.actor is not None and (not stage.is_here(self.actor) or self._to_meeting() < -5.0):
            self.release()
            self.actor = None
        if self.actor is None and not self._cast(due_s):
            return False
        assert self.actor is not None
        self._hurry()
        entered = self.actor.lane_index[:2] in stage.truth.road.junctions
        return due_s <= 0.0 and entered

    def begin(self) -> None:
        """It is in the intersection."""

    def go_on(self, since_s: float) -> bool:
        """Until it has crossed."""
        if self.actor is None or not self.stage.is_here(self.actor):
            return False
        self._hurry()
        return self.actor.lane_index[:2] in self.stage.truth.road.junctions and since_s < 10.0

    def _hurry(self) -> None:
        """Arrive where the ways cross just before the ego; never stop on the way."""
        assert self.actor is not None
        left = self._left(self.actor)
        ahead = self._ahead_m + self._ahead_s * self.stage.speed + self.actor.LENGTH / 2
        time = max((self._to_meeting() - ahead) / self.stage.speed, 0.3)
        least = 8.0 if left < self._committed_m else self._slowest_mps
        speed = min(max(left / time if left > 0 else 8.0, least), self._fastest_mps)
        self.actor.obey(Orders(speed, edges=(self._across[:2],)))

    def _left(self, actor: TrafficVehicle) -> float:
        """How far the actor still is from where the ways cross."""
        if actor.lane_index == self._arm:
            arm = self.stage.network.get_lane(self._arm)
            return arm.length - arm.local_coordinates(actor.position)[0] + self._meeting_station
        return self._meeting_station - self.stage.network.get_lane(self._across).local_coordinates(actor.position)[0]

    def _to_meeting(self) -> float:
        """How far the ego is from there, along its heading."""
        delta, heading = self._meeting - self.stage.ego.position, self.stage.ego.heading
        return float(delta[0] * math.cos(heading) + delta[1] * math.sin(heading))

    def _cast(self, due_s: float) -> bool:
        """Put somebody on the arm to the side of the intersection that the ego comes to next."""
        stage = self.stage
        junctions = stage.truth.road.junctions
        path = stage.path_ahead(140.0)
        for (lane, offset), (inside, _) in pairwise(path):
            own, distance = stage.index_of(lane), offset + lane.length - stage.own
            if own[:2] in junctions or stage.index_of(inside)[:2] not in junctions:
                continue
            time = (distance + 6.0) / stage.speed
            found = self._side_arm(own)
            if found is None or time < max(due_s, 2.0) or (distance < self._arm_m and not stage.opening):
                return False
            self._arm, self._across = found
            self._meet(inside)
            arm = stage.network.get_lane(self._arm)
            stage.remove([v for v in stage.free_vehicles(None) if v.lane_index in (self._arm, self._across)])
            first = arm.length + self._meeting_station - self._speed_mps * time if stage.opening else 2.0
            first = min(max(first, 2.0), arm.length - 10.0)
            spots = ((self._arm, station) for station in (first, first + 5.0, first + 10.0) if station < arm.length)
            orders = Orders(self._speed_mps, edges=(self._across[:2],))
            self.actor = stage.place(spots, self.event.vehicle, orders, self._speed_mps)
            return self.actor is not None
        return False

    def _side_arm(self, own: LaneIndex) -> tuple[LaneIndex, LaneIndex] | None:
        """The arm on the event's side of an arm, and the lane straight on from it."""
        network, junctions = self.stage.network, self.stage.truth.road.junctions
        lane = network.get_lane(own)
        heading, end = float(lane.headings[-1]), lane.points[-1]
        wanted = 1.0 if self.event.side == "left" else -1.0
        for index in network.indexes:
            inside = [after for after in network.successors[index] if after[:2] in junctions]
            if index[:2] in junctions or not inside:
                continue
            arm = network.get_lane(index)
            delta = arm.points[-1] - end
            aside = math.cos(heading) * delta[1] - math.sin(heading) * delta[0]
            across = abs(math.cos(float(arm.headings[-1]) - heading)) < 0.5
            if across and aside * wanted > 0:
                return index, min(inside, key=lambda after: _turn(network.get_lane(after)))
        return None

    def _meet(self, inside: PathLane) -> None:
        """Where the ego's way through the intersection and the actor's come nearest."""
        across = self.stage.network.get_lane(self._across)
        away = np.hypot(*np.moveaxis(across.points[:, None] - inside.points[None], -1, 0))
        nearest = int(away.min(1).argmin())
        self._meeting: Points = across.points[nearest]
        self._meeting_station = float(across.stations[nearest])


def _turn(lane: PathLane) -> float:
    """By how much a lane changes its heading, in radians."""
    return abs(float(lane.headings[-1] - lane.headings[0]))
