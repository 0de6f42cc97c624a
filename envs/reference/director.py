"""The director of a drive: watches the clock and the distance, and has events happen when their moment comes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from worldsim.types import FRAME_RATE_HZ

from ..events import Event
from .acts import CutIn, InTheWay, LeadBrakes
from .camera.scene import Turn
from .junction_acts import CrossTraffic, Merging
from .roads import Edge, Road
from .stage import Act, Stage
from .traffic import Traffic
from .truth import Truth
from .walkers import Crossing

STATES = ("waiting", "preparing", "happening", "over", "missed")
TURN_S = {"weather": 8.0, "time_of_day": 12.0}
"""How long the weather and the light take to turn."""

_SLOW, _STANDING = 0.35, 0.0  # share of the target speed
_ACTS: dict[str, Callable[[Event, Stage], Act]] = {
    "cut_in": CutIn,
    "lead_brakes": LeadBrakes,
    "stopped_vehicle": lambda event, stage: InTheWay(event, stage, _STANDING),
    "slow_vehicle": lambda event, stage: InTheWay(event, stage, _SLOW),
    "merging_vehicle": Merging,
    "crossing_vehicle": CrossTraffic,
    "pedestrian": Crossing,
    "cyclist": Crossing,
}


@dataclass
class Staged:
    """An event and what has become of it; ``began`` is the step at which it began to happen."""

    event: Event
    state: str = "waiting"  # one of STATES
    began: int | None = None


class Sky:
    """Weather and time of day, on their way from one to another where they turn."""

    def __init__(self, weather: str, time_of_day: str) -> None:
        self._now: dict[str, str | Turn] = {"weather": weather, "time_of_day": time_of_day}

    def __getitem__(self, kind: str) -> str | Turn:
        return self._now[kind]

    def settled(self, kind: str) -> str:
        """The name of what is seen, on the way that of the nearer end."""
        now = self._now[kind]
        return now if isinstance(now, str) else now.after if now.share > 0.5 else now.before

    def turns(self, kind: str) -> bool:
        """Whether it is on the way."""
        return isinstance(self._now[kind], Turn)

    def turn(self, kind: str, to: str) -> None:
        """Set out from what is to something else."""
        before = self._now[kind]
        assert isinstance(before, str)
        self._now[kind] = Turn(before, to, 0.0)

    def advance(self) -> None:
        """One step on the way."""
        for kind, now in self._now.items():
            if isinstance(now, Turn):
                share = now.share + 1.0 / (FRAME_RATE_HZ * TURN_S[kind])
                self._now[kind] = Turn(now.before, now.after, share) if share < 1.0 else now.after


class Director:
    """Stages the events of one drive. ``open`` it before the first frame, then ``advance`` it before every step."""

    def __init__(
        self, events: Sequence[Event], sky: Sky, truth: Truth, traffic: Traffic, target_speed: float, seed: int
    ) -> None:
        self.timeline = [Staged(event) for event in events]
        self.sky = sky
        rng = np.random.default_rng((seed, 101))  # its own, so that events change nothing else that chance decides
        self.stage = Stage(truth, traffic, rng, target_speed, sky.settled("weather"))
        self._acts = {i: _ACTS[e.kind](e, self.stage) for i, e in enumerate(events) if e.kind in _ACTS}

    def open(self) -> None:
        """Set the scene for events that come soon, before anything has been seen."""
        self._prepare_all(0, 0.0)
        self.stage.opening = False

    def advance(self, step: int, driven_m: float) -> None:
        """See to what is due at ``step``, ``driven_m`` after the drive began."""
        self.sky.advance()
        self.stage.weather = self.sky.settled("weather")
        self._prepare_all(step, driven_m)
        for i, staged in enumerate(self.timeline):
            if staged.state == "happening" and not self._goes_on(i, staged, step):
                staged.state = "over"

    def _prepare_all(self, step: int, driven_m: float) -> None:
        for i, staged in enumerate(self.timeline):
            if staged.state in ("waiting", "preparing"):
                event = staged.event
                due = event.at - step / FRAME_RATE_HZ
                if event.clock == "at_m":
                    due = (event.at - driven_m) / self.stage.speed
                self._prepare(i, staged, due, step)

    def _prepare(self, i: int, staged: Staged, due_s: float, step: int) -> None:
        act = self._acts.get(i)
        if act is None:
            kind = staged.event.kind
            if due_s <= 0.0 and not self.sky.turns(kind):
                staged.state, staged.began = "happening", step
                self.sky.turn(kind, staged.event.to)
            return
        if due_s > act.preparation_s:
            return
        staged.state = "preparing"
        if act.prepare(due_s) and not self.stage.opening:
            staged.state, staged.began = "happening", step
            act.begin()
        elif due_s < -act.patience_s:
            staged.state = "missed"
            act.release()

    def _goes_on(self, i: int, staged: Staged, step: int) -> bool:
        assert staged.began is not None
        act = self._acts.get(i)
        if act is None:
            return self.sky.turns(staged.event.kind)
        if act.go_on((step - staged.began) / FRAME_RATE_HZ):
            return True
        act.release()
        return False


def starts_for(road: Road, events: Sequence[Event]) -> list[tuple[Edge, float, float]]:
    """Where the ego may start so that the events can happen: not on a ramp that others merge from."""
    kinds = {event.kind for event in events}
    if not kinds & {"merging_vehicle", "cut_in"}:
        return road.starts
    return [start for start in road.starts if start[0] not in road.ramps] or road.starts


def lanes_for(lanes: int, events: Sequence[Event]) -> list[int]:
    """Lanes to start in, of so many, that leave room on the sides from which others cut in or merge."""
    sides = {str(event.side) for event in events if event.kind == "cut_in"}
    low = 1 if "left" in sides else 0
    high = lanes - 2 if "right" in sides else lanes - 1
    if any(event.kind == "merging_vehicle" for event in events) and high == lanes - 1:
        low = high
    return list(range(low, high + 1)) or list(range(lanes))
