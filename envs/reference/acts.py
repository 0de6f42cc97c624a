"""Events along the road, staged with vehicles: cutting in, braking hard, standing in the way, driving slowly.

Distances are in metres, ahead of the ego positive, from centre to centre where nothing else is said.
"""

from __future__ import annotations

from highway_env.road.road import LaneIndex

from worldsim.types import FRAME_RATE_HZ

from ..events import Event
from .stage import Act, Stage
from .vehicles import EgoVehicle, Orders, TrafficVehicle

_STEP_S = 1.0 / FRAME_RATE_HZ
_PASSING_MPS = 8.0  # by how much whoever overtakes, or makes way, is faster than the ego


class CutIn(Act):
    """A vehicle draws level on one side, passes, and moves over close ahead of the ego."""

    preparation_s = 20.0
    _waits_m = -10.0  # beside and behind the ego, until it is time to pass
    _passes_s = 4.0  # before the moment
    _slower_mps = 2.5  # than the ego, once it is ahead
    _lasts_s = 5.0

    def prepare(self, due_s: float) -> bool:
        """Bring a vehicle to where it can move over."""
        self._to_right = -1 if self.event.side == "left" else 1
        index = self.stage.truth.beside(self._to_right)
        if index is None:
            return False
        if not self.stage.is_here(self.actor):
            self.actor = self._near(index) or self._newcomer(index, due_s)
        if self.actor is None:
            return False
        slot = self._slot(self.actor)
        wanted = self._waits_m if due_s > self._passes_s else slot + 2.0
        place = self.stage.ahead_of_ego(self.actor)
        self.direct(self.actor, self.stage.ego.speed + min(max(0.5 * (wanted - place), -5.0), _PASSING_MPS))
        self._keep_beside(index, place, slot)
        self._clear_the_way(place, slot)
        return due_s <= 0.0 and slot - 1.5 <= place <= slot + 12.0 and self._gap_is_open(place)

    def begin(self) -> None:
        """Move over."""
        assert self.actor is not None
        beside = self.stage.network.side_lane(self.actor.lane_index, -self._to_right)
        assert beside is not None
        self.direct(self.actor, max(self.stage.ego.speed - self._slower_mps, 0.6 * self.stage.ego.speed))
        self.actor.target_lane_index = beside

    def go_on(self, since_s: float) -> bool:
        """Stay close for a while."""
        return since_s < self._lasts_s

    def _slot(self, actor: TrafficVehicle) -> float:
        """How far ahead it moves over: 4 m and 0.15 s between bumpers."""
        return 4.0 + 0.15 * self.stage.speed + (actor.LENGTH + EgoVehicle.LENGTH) / 2

    def _near(self, index: LaneIndex) -> TrafficVehicle | None:
        """Who already drives there, a little ahead or behind."""
        lane = self.stage.network.get_lane(index)
        near = [
            vehicle
            for vehicle in self.stage.free_vehicles(self.event.vehicle)
            if vehicle.lane_index == index == vehicle.target_lane_index
            and abs(lane.local_coordinates(vehicle.position)[1]) < 1.0
            and -70.0 < self.stage.ahead_of_ego(vehicle) < 60.0
        ]
        return min(near, key=lambda vehicle: abs(self.stage.ahead_of_ego(vehicle)), default=None)

    def _newcomer(self, index: LaneIndex, due_s: float) -> TrafficVehicle | None:
        """Somebody placed far behind, or far ahead if there is no room; at the opening, so as to be there in time."""
        stage = self.stage
        own = stage.network.get_lane(index).local_coordinates(stage.ego.position)[0]
        first = -12.0 - 4.0 * max(due_s - self._passes_s, 0.0) if stage.opening else -105.0
        places = [first - 5.0 * i for i in range(8)] + [105.0 + 5.0 * i for i in range(8)]
        spots = (stage.along(index, own + place) for place in places)
        speed = stage.speed + (3.0 if stage.opening else _PASSING_MPS)
        return stage.place(spots, self.event.vehicle, Orders(stage.speed), speed)

    def _clear_the_way(self, place: float, slot: float) -> None:
        """Hurry on whoever holds the actor up in its lane, or fills the gap that it is to take."""
        assert self.actor is not None
        stage = self.stage
        for vehicle in (*stage.free_vehicles(None), *self.helpers):
            ahead = stage.ahead_of_ego(vehicle)
            in_lane = vehicle.lane_index == self.actor.lane_index and place < ahead < slot + 60.0
            gap = stage.gap_to(vehicle)
            if in_lane or (gap is not None and gap < slot + self.actor.LENGTH + 8.0):
                self.direct(vehicle, stage.speed + _PASSING_MPS)

    def _keep_beside(self, index: LaneIndex, place: float, slot: float) -> None:
        """Follow the ego into the next lane if it has changed its own, unless just level with it."""
        assert self.actor is not None
        here = self.actor.target_lane_index
        if here[:2] == index[:2] and here[2] != index[2] and not -8.0 < place < slot:
            step = 1 if index[2] > here[2] else -1
            self.actor.target_lane_index = (*here[:2], here[2] + step)

    def _gap_is_open(self, place: float) -> bool:
        assert self.actor is not None
        ends = place + (self.actor.LENGTH - EgoVehicle.LENGTH) / 2
        beside = self.stage.network.side_lane(self.actor.lane_index, -self._to_right)
        return beside is not None and self.stage.truth.lead_distance > ends + 3.0


class LeadBrakes(Act):
    """The vehicle ahead brakes hard to a standstill, and drives on a little later."""

    preparation_s = 25.0
    _headway_s, _least_gap_m, _loose = 1.3, 6.0, 1.3  # of the gap to the vehicle ahead, and how much more will do
    _reach_m = 70.0  # within which the vehicle ahead is taken for the part
    _braking_mps2 = 7.0
    _stands_s = 2.0
    _escort_s = 60.0

    def __init__(self, event: Event, stage: Stage) -> None:
        super().__init__(event, stage)
        if event.vehicle is not None:  # it may have to lead from the beginning, lest another kind be ahead
            self.preparation_s = self._escort_s

    def prepare(self, due_s: float) -> bool:
        """Have somebody drive ahead of the ego, near enough to matter."""
        stage = self.stage
        lead = self._lead()
        if not stage.is_here(self.actor):
            self.actor = self._cast(lead)
        if self.actor is None:
            return False
        if lead is not None and lead is not self.actor:
            self._send_aside(lead)
        gap = stage.gap_to(self.actor)
        if gap is None:
            self.release()
            self.actor = None
            return False
        farthest = self._loose * (self._least_gap_m + self._headway_s * stage.speed)
        usual = 0.9 * min(stage.target_speed, self.actor.lane.speed_limit)
        slower = stage.ego.speed - min(0.4 * (gap - farthest), 7.0)  # but not so slow that both wait for each other
        self.direct(self.actor, usual if gap < farthest else min(max(slower, 0.5 * usual), usual))
        return due_s <= 0.0 and gap < farthest + 4.0 and lead is self.actor

    def begin(self) -> None:
        """Brake."""
        assert self.actor is not None
        self.direct(self.actor, 0.0, self._braking_mps2)
        self._stood_s = 0.0

    def go_on(self, since_s: float) -> bool:
        """Brake, and stand for a while."""
        assert self.actor is not None
        self._stood_s += _STEP_S if self.actor.speed < 0.3 else 0.0
        return self._stood_s < self._stands_s and self.stage.is_here(self.actor)

    def _lead(self) -> TrafficVehicle | None:
        """Whoever is next on the ego's path."""
        ahead = [
            (gap, vehicle)
            for vehicle in self.stage.traffic.others
            if isinstance(vehicle, TrafficVehicle) and (gap := self.stage.gap_to(vehicle)) is not None
        ]
        gap, lead = min(ahead, key=lambda pair: pair[0], default=(0.0, None))
        return lead if gap < self._reach_m else None

    def _cast(self, lead: TrafficVehicle | None) -> TrafficVehicle | None:
        """The vehicle ahead, if it is of the right kind; else a newcomer."""
        stage = self.stage
        if lead is not None and lead in stage.free_vehicles(self.event.vehicle):
            return lead
        if stage.opening and lead is not None:
            stage.remove([lead])
        wanted = self._least_gap_m + self._headway_s * stage.speed + EgoVehicle.LENGTH + 2.0
        return stage.place(stage.spots_from(wanted), self.event.vehicle, Orders(stage.speed), stage.speed)

    def _send_aside(self, vehicle: TrafficVehicle) -> None:
        """Have somebody who is in between go on, and change lane if there is another."""
        self.direct(vehicle, self.stage.speed + 6.0)
        for step in (1, -1):
            beside = self.stage.network.side_lane(vehicle.lane_index, step)
            if beside is not None and vehicle.target_lane_index == vehicle.lane_index:
                vehicle.target_lane_index = beside


class InTheWay(Act):
    """A vehicle ahead in the ego's lane that stands, or drives far slower than others.

    At its moment it is four seconds and ten metres away. Who waits behind a standing vehicle is not held up for ever:
    after a while it drives on.
    """

    preparation_s = 25.0
    _notice_s, _notice_m = 4.0, 10.0
    _astray_m = 12.0
    _patience_s = 4.0
    _late_s = 3.0  # after its moment, somebody who is on the road already is taken for the part

    def __init__(self, event: Event, stage: Stage, share: float) -> None:
        """``share`` of the target speed is what the vehicle drives; 0: it stands."""
        super().__init__(event, stage)
        self._speed = share * stage.target_speed
        self._waited_s = 0.0

    def prepare(self, due_s: float) -> bool:
        """Place it so far ahead that the ego comes near at the moment."""
        stage, time = self.stage, self._notice_s + max(due_s, 0.0)
        wanted = self._notice_m + max(stage.reach_m(time) - self._speed * time, 2.0 * time)
        if self.actor is not None and stage.is_here(self.actor):
            distance = stage.distance_to(self.actor)
            astray = distance is None or abs(distance - wanted) > self._astray_m
            if astray and stage.out_of_sight(self.actor.position):  # the ego comes sooner or later than was expected
                stage.remove([self.actor])
                self.actor = None
            elif stage.ahead_of_ego(self.actor) < -10.0:
                self.actor = None
        else:
            self.actor = None
        if self.actor is None:
            self.actor = self._newcomer(wanted) or (self._somebody() if due_s < -self._late_s else None)
        if self.actor is None:
            return False
        self.direct(self.actor, self._speed)
        return due_s <= 0.0

    def begin(self) -> None:
        """It is there already."""

    def go_on(self, since_s: float) -> bool:
        """Until the ego has passed it, or has waited behind it for a while."""
        stage = self.stage
        if self.actor is None or not stage.is_here(self.actor):
            return False
        self.direct(self.actor, self._speed)
        gap = stage.gap_to(self.actor)
        waits = stage.ego.speed < 1.0 and gap is not None and gap < 25.0
        self._waited_s = self._waited_s + _STEP_S if waits else 0.0
        return stage.ahead_of_ego(self.actor) > -20.0 and self._waited_s < self._patience_s

    def _newcomer(self, wanted: float) -> TrafficVehicle | None:
        """Somebody at a distance of ``wanted`` or nearly; nobody stands in a junction."""
        stage = self.stage
        spots = stage.spots_from(wanted)
        if not self._speed:
            spots = [spot for spot in spots if spot[0][:2] not in stage.truth.road.junctions]
        return stage.place(spots, self.event.vehicle, Orders(self._speed), self._speed)

    def _somebody(self) -> TrafficVehicle | None:
        """Somebody of the kind who drives ahead, far enough to slow down gently."""
        ahead = [
            vehicle
            for vehicle in self.stage.free_vehicles(self.event.vehicle)
            if (gap := self.stage.gap_to(vehicle)) is not None and gap > 30.0
        ]
        return min(ahead, key=lambda vehicle: self.stage.ahead_of_ego(vehicle), default=None)
