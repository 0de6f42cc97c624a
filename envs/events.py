"""What happens on a drive, and when: events by time or by distance, the same for both worlds.

Here is what an event is and which events contradict a scenario; ``envs.reference.stage`` makes them happen.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from worldsim.errors import nearest
from worldsim.text.happenings import phrase
from worldsim.types import ROADS, TIMES, WEATHERS, Happening

from .choices import Odds, draw, is_number, is_open, narrowed, possible, read_choice

EVENTS = (
    "cut_in",  # a vehicle overtakes the ego, or draws level with it, and moves into its lane close ahead
    "lead_brakes",  # the vehicle ahead brakes hard to a standstill and drives on after a while
    "stopped_vehicle",  # a vehicle stands in the ego's lane
    "slow_vehicle",  # a vehicle ahead drives far slower than the road allows
    "merging_vehicle",  # a vehicle joins from a ramp just ahead of the ego
    "crossing_vehicle",  # a vehicle drives across an intersection without giving way
    "pedestrian",  # somebody walks across the road ahead
    "cyclist",  # somebody cycles across the road ahead
    "weather",  # the weather turns
    "time_of_day",  # day turns into dusk, dusk into night
)

SIDES = ("left", "right")
VEHICLES = ("car", "van", "truck")

KEYS_OF: dict[str, tuple[str, ...]] = {
    "cut_in": ("side", "vehicle"),
    "lead_brakes": ("vehicle",),
    "stopped_vehicle": ("vehicle",),
    "slow_vehicle": ("vehicle",),
    "merging_vehicle": ("vehicle",),
    "crossing_vehicle": ("side", "vehicle"),
    "pedestrian": ("side",),
    "cyclist": ("side",),
    "weather": ("to",),
    "time_of_day": ("to",),
}
"""Keys that each kind of event takes beside ``at_s`` or ``at_m``."""

_ON_FOOT = ("curves", "two_way", "roundabout", "intersection")
ROADS_OF: dict[str, tuple[str, ...]] = dict.fromkeys(EVENTS, ROADS) | {
    "cut_in": ("highway", "curves", "racetrack", "merge", "two_way", "exit"),
    "merging_vehicle": ("merge", "exit"),
    "crossing_vehicle": ("intersection",),
    "pedestrian": _ON_FOOT,
    "cyclist": _ON_FOOT,
}
"""Roads on which each kind can happen: nobody walks on a motorway, and only ramps are merged from."""

MAY_STAY: dict[str, tuple[str, ...]] = dict.fromkeys(EVENTS, ()) | {"lead_brakes": ("vehicle",)}
"""Keys that may be None to the end: whoever is ahead brakes, unless a kind is asked for."""

LANES_NEEDED = dict.fromkeys(EVENTS, 1) | {"cut_in": 2}

NOT_STAGED = "not staged"
"""What the learned world says of every event: events are staged in the reference world only."""

_TURNS_TO = {"weather": WEATHERS, "time_of_day": TIMES}
_WORDS = {"side": SIDES, "vehicle": VEHICLES}
_BY_CHANCE = {"side": SIDES, "vehicle": Odds(VEHICLES, (0.7, 0.15, 0.15))}
_TOP_SPEED_MPS = 40.0


@dataclass(frozen=True)
class Event:
    """One event. Any value but None may be one, a tuple ("one of these, by seed"), a Range of numbers, or Odds.

    Exactly one of ``at_s`` (seconds since the drive began) and ``at_m`` (metres driven since then) is given.
    ``side`` is where a vehicle cuts in from, or where whoever crosses comes from; ``to`` is what the weather or the
    time of day turns to. ``side`` and ``vehicle`` may be None: any by chance (a slow vehicle is a truck, then, and the
    vehicle that brakes is whichever is ahead).
    """

    kind: Any
    at_s: Any = None
    at_m: Any = None
    side: Any = None
    vehicle: Any = None
    to: Any = None

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            try:
                object.__setattr__(self, item.name, read_choice(getattr(self, item.name)))
            except ValueError as error:
                raise ValueError(f"key `{item.name}`: {error}") from error
        self._check_choice("kind", EVENTS)
        self._check_moment()
        for key, allowed in _WORDS.items():
            if getattr(self, key) is not None:
                self._check_choice(key, allowed)
        for kind in possible(self.kind):
            for key in ("side", "vehicle", "to"):
                if getattr(self, key) is not None and key not in KEYS_OF[kind]:
                    takes = [*KEYS_OF[kind], "at_s", "at_m"]
                    raise ValueError(f"key `{key}`: {kind!r} takes {takes}, got {key}: {_shown(getattr(self, key))}")
            if kind in _TURNS_TO:
                self._check_choice("to", _TURNS_TO[kind])

    def _check_choice(self, key: str, allowed: Sequence[str]) -> None:
        options = possible(getattr(self, key))
        if not options:
            raise ValueError(f"key `{key}`: expected one of {list(allowed)} or a list of them, got []")
        for value in options:
            if not isinstance(value, str) or value not in allowed:
                raise ValueError(
                    f"key `{key}`: expected one of {list(allowed)}, got {_shown(value)}{nearest(value, allowed)}"
                )

    def _check_moment(self) -> None:
        if (self.at_s is None) == (self.at_m is None):
            got = "neither" if self.at_s is None else f"both at_s: {_shown(self.at_s)} and at_m: {_shown(self.at_m)}"
            raise ValueError(f"expected one of `at_s` (seconds) and `at_m` (metres driven), got {got}")
        options = possible(self.at)
        if not options:
            raise ValueError(f"key `{self.clock}`: expected a number, a list of them or {{min: .., max: ..}}, got []")
        for value in options:
            if not is_number(value) or value < 0:
                raise ValueError(f"key `{self.clock}`: expected a number of at least 0, got {_shown(value)}")

    @property
    def clock(self) -> str:
        """The key that says when: "at_s" or "at_m"."""
        return "at_s" if self.at_s is not None else "at_m"

    @property
    def at(self) -> Any:
        """When, in seconds or metres."""
        return self.at_s if self.at_s is not None else self.at_m

    @property
    def is_concrete(self) -> bool:
        """Whether nothing of it is left to chance."""
        if any(is_open(getattr(self, item.name)) for item in dataclasses.fields(self)):
            return False
        return all(getattr(self, key) is not None for key in KEYS_OF[self.kind] if key not in MAY_STAY[self.kind])

    def concretise(self, rng: np.random.Generator) -> Event:
        """Choose one value wherever there are several or any."""
        kind = str(draw(self.kind, rng))
        chosen: dict[str, Any] = {self.clock: float(draw(self.at, rng))}
        for key in KEYS_OF[kind]:
            value = getattr(self, key)
            if value is None:
                if key in MAY_STAY[kind]:
                    continue
                value = "truck" if kind == "slow_vehicle" else _BY_CHANCE[key]
            chosen[key] = draw(value, rng)
        return Event(kind, **chosen)

    def words(self) -> str:
        """What happens and when, for captions: "after 5 s a truck cuts in from the left"."""
        kind = draw(self.kind, np.random.default_rng(0))
        happens = phrase(Happening(kind, side=self.side, vehicle=self.vehicle, to=self.to))
        unit, decimals = ("s", 1) if self.clock == "at_s" else ("m", 0)
        when = f"{round(self.at, decimals):g}" if is_number(self.at) else _shown(self.at)
        return f"after {when} {unit} {happens}"

    @classmethod
    def from_dict(cls, values: Any) -> Event:
        """An event from plain values, as in a YAML file; errors name the key and what is allowed."""
        known = [item.name for item in dataclasses.fields(cls)]
        if not isinstance(values, Mapping):
            raise ValueError(f"expected keys and values such as {{kind: cut_in, at_s: 5}}, got {values!r}")
        for key in values:
            if key not in known:
                raise ValueError(f"unknown key `{key}`: expected one of {known}{nearest(key, known)}")
        if "kind" not in values:
            raise ValueError(f"key `kind`: expected one of {list(EVENTS)}, got none")
        return cls(**values)


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, str) else str(value)


def told(event: Event, state: str, began_s: float | None = None) -> dict[str, Any]:
    """What ``info["events"]`` says of a concrete event: kind, side, vehicle, to, words, state and began_s.

    ``state`` is one of ``envs.reference.director.STATES``, or NOT_STAGED; ``began_s`` None: it has not begun.
    """
    kept = {key: getattr(event, key) for key in ("kind", "side", "vehicle", "to")}
    return kept | {"words": event.words(), "state": state, "began_s": began_s}


def check_timeline(events: Sequence[Event], roads: Sequence[str], horizon_s: float, speed_mps: float) -> None:
    """Raise ValueError, naming the event by its number, where an event contradicts the scenario or one before it.

    ``horizon_s`` is the shortest that the drive may be and ``speed_mps`` the least that its ego is meant to drive.
    """
    for number, event in enumerate(events, 1):
        for kind in possible(event.kind):
            for road in roads:
                if road not in ROADS_OF[kind]:
                    raise ValueError(
                        f"event {number}: key `kind`: {kind!r} can happen on {list(ROADS_OF[kind])}, but the road may "
                        f"be {road!r}"
                    )
        end = horizon_s if event.clock == "at_s" else horizon_s * speed_mps
        latest = max(possible(event.at))
        if latest >= end:
            raise ValueError(
                f"event {number}: key `{event.clock}`: expected less than {end:g}, where a drive of {horizon_s:g} s "
                f"ends, got {latest:g}"
            )
        for before, other in enumerate(events[: number - 1], 1):
            alike = possible(event.kind) == possible(other.kind) and event.clock == other.clock
            if alike and not is_open(event.at) and possible(event.at) == possible(other.at):
                raise ValueError(
                    f"event {number}: key `{event.clock}`: expected another moment than event {before}, which is "
                    f"{possible(event.kind)[0]!r} too, got {_shown(event.at)} for both"
                )


def check_turns(events: Sequence[Event], now: Mapping[str, Any]) -> None:
    """Raise ValueError, naming the event by its number, where weather or time of day may turn to what it is.

    ``now`` holds the choices of ``weather`` and ``time_of_day`` when the drive begins. The order of such events must
    be certain: all by seconds or all by metres, and one's latest moment before the next one's earliest.
    """
    for kind, values in _TURNS_TO.items():
        present, last = possible(now[kind]), None
        for place in _in_order(events, kind):
            event = events[place]
            where = f"event {place + 1}"
            if last is not None:
                before = events[last]
                if event.clock != before.clock or min(possible(event.at)) <= max(possible(before.at)):
                    raise ValueError(
                        f"{where}: key `{event.clock}`: expected a moment certainly after that of event {last + 1}, "
                        f"{before.clock}: {_shown(before.at)}, as {kind} turns in both, got {_shown(event.at)}"
                    )
            stuck = [value for value in present if possible(event.to) == [value]]
            if stuck:
                others = [value for value in values if value not in stuck]
                raise ValueError(
                    f"{where}: key `to`: {kind} may be {stuck[0]!r} already when it turns; expected one of {others}, "
                    f"got {_shown(event.to)}"
                )
            present, last = possible(event.to), place


def concretise_timeline(events: Sequence[Event], now: Mapping[str, str], rng: np.random.Generator) -> tuple[Event, ...]:
    """One concrete event for each, in the same order; ``now`` holds ``weather`` and ``time_of_day`` at the beginning.

    Weather and time of day turn to what they are not when their moment comes.
    """
    result = [dataclasses.replace(event, kind=draw(event.kind, rng)) for event in events]
    for kind in _TURNS_TO:
        present = now[kind]
        for place in _in_order(result, kind):
            present = draw(_without(result[place].to, present), rng)
            result[place] = dataclasses.replace(result[place], to=present)
    return tuple(event.concretise(rng) for event in result)


def _without(choice: Any, value: str) -> Any:
    return narrowed(choice, lambda option: () if option == value else (option,))


def _in_order(events: Sequence[Event], kind: str) -> list[int]:
    """Places of the events that may be of a kind, the earliest first."""
    places = [place for place, event in enumerate(events) if kind in possible(event.kind)]
    return sorted(places, key=lambda place: min(possible(events[place].at)))
