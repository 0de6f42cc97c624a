"""Scenarios: what road, traffic, weather and drive an episode is about, the same file for both worlds.

In a YAML file of ``configs/scenario`` any value may be a list, which means "choose one by seed", and a number may be a
range; see ``choices``. ``Scenario.concretise`` makes the choice. ``events`` is a timeline of what happens on the way.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from worldsim.errors import choose, nearest
from worldsim.types import COMMANDS, SCENE_VOCABULARY, SceneFields

from .cameras import Camera, Shot, read_cameras, read_shots
from .choices import Range, draw, is_number, is_open, narrowed, possible, read_choice
from .events import LANES_NEEDED, Event, check_timeline, check_turns, concretise_timeline
from .scenario_defaults import composed

LANES_OF: dict[str, tuple[int, ...]] = {
    "highway": (2, 3, 4, 5),
    "curves": (2, 3, 4),
    "racetrack": (1, 2, 3),
    "merge": (2, 3, 4),
    "roundabout": (1,),
    "intersection": (1,),
    "two_way": (1, 2),
    "exit": (2, 3, 4),
}
"""Lanes in the ego's direction that each road can have."""

TARGET_SPEED_MPS = {
    "highway": 26.0,
    "curves": 17.0,
    "racetrack": 13.0,
    "merge": 22.0,
    "roundabout": 9.0,
    "intersection": 9.0,
    "two_way": 16.0,
    "exit": 22.0,
}
"""Where a scenario names no target speed, the one its road suggests."""

DRIVERS = ("normal", "aggressive", "defensive")
"""Kinds of driver that the traffic is mixed from; ``envs.reference.vehicles`` says how each drives."""

_RANGES = {"ego_speed_mps": (0.0, 40.0), "target_speed_mps": (1.0, 40.0), "horizon_s": (1.0, 3600.0)}


@dataclass(frozen=True)
class Scenario:
    """What an episode is about. A tuple or list stands for "one of these, by seed"; see ``concretise``.

    Speeds are in m/s, ``horizon_s`` in seconds; these and ``lanes`` may be a Range. ``ego_speed_mps`` and
    ``target_speed_mps`` may be None: from the road. ``command`` is the way the ego is to take at branchings; None
    leaves it to chance. ``lanes`` are those in the ego's direction; None is any number that the road can have.
    ``drivers`` are those of the traffic, drawn for each vehicle, as in ``{"normal": 3, "aggressive": 1}``; None is the
    usual mix. ``events`` happen on the way. An empty ``caption`` is written from fields and events. ``seed`` fixes
    everything that chance decides, whatever seed ``reset`` is given. ``cameras`` all see the same drive; none is the
    front alone. ``shots`` are what a film of it is cut from; none shows all cameras at once. See ``envs.cameras``.
    """

    name: str = "custom"
    purpose: str = ""
    road: Any = "highway"
    lanes: Any = None
    traffic: Any = "medium"
    weather: Any = "clear"
    time_of_day: Any = "day"
    ego_speed_mps: Any = None
    target_speed_mps: Any = None
    command: Any = None
    horizon_s: Any = 60.0
    caption: str = ""
    seed: int | None = None
    drivers: Any = None
    events: tuple[Event, ...] = ()
    cameras: tuple[Camera, ...] = ()
    shots: tuple[Shot, ...] = ()

    def __post_init__(self) -> None:
        for key in (*_CHOICES, *_RANGES, "drivers"):
            object.__setattr__(self, key, self._read(key, getattr(self, key)))
        object.__setattr__(self, "events", tuple(_read_events(self.events, f"scenario {self.name!r}")))
        for key, allowed in {**_CHOICES, "drivers": DRIVERS}.items():
            values = possible(getattr(self, key))
            if not values:
                raise ValueError(f"scenario {self.name!r}: key `{key}`: expected a value or a list of them, got []")
            for value in values:
                self._check(key, value, allowed)
        for key, (low, high) in _RANGES.items():
            for value in possible(getattr(self, key)):
                if value is None and key != "horizon_s":
                    continue
                if not is_number(value) or not low <= float(value) <= high:
                    raise ValueError(
                        f"scenario {self.name!r}: key `{key}`: expected a number in [{low:g}, {high:g}], got {value!r}"
                    )
        self._check_events()
        self._read_cameras()
        for road in possible(self.road):
            if not any(self._fits(road, lanes) for lanes in possible(self.lanes)):
                raise ValueError(
                    f"scenario {self.name!r}: key `lanes`: road {road!r} can have {self._lanes_of(road)}, "
                    f"got {self.lanes!r}"
                )
        if self.seed is not None and (not isinstance(self.seed, int) or self.seed < 0):
            raise ValueError(f"scenario {self.name!r}: key `seed`: expected a whole number >= 0, got {self.seed!r}")

    def _read(self, key: str, value: Any) -> Any:
        try:
            choice = read_choice(value)
            return _whole(choice) if key == "lanes" and isinstance(choice, Range) else choice
        except ValueError as error:
            raise ValueError(f"scenario {self.name!r}: key `{key}`: {error}") from error

    def _check(self, key: str, value: Any, allowed: Sequence[Any]) -> None:
        if value is None and key in ("lanes", "command", "drivers"):
            return
        if isinstance(value, bool) or value not in allowed:
            raise ValueError(
                f"scenario {self.name!r}: key `{key}`: expected one of {list(allowed)}, got {value!r}"
                f"{nearest(value, allowed)}"
            )

    def _check_events(self) -> None:
        slowest = min(self._speeds())
        try:
            check_timeline(self.events, possible(self.road), min(possible(self.horizon_s)), slowest)
            check_turns(self.events, {"weather": self.weather, "time_of_day": self.time_of_day})
        except ValueError as error:
            raise ValueError(f"scenario {self.name!r}: {error}") from error

    def _read_cameras(self) -> None:
        key = "cameras"
        try:
            object.__setattr__(self, "cameras", read_cameras(self.cameras))
            key = "shots"
            object.__setattr__(self, "shots", read_shots(self.shots, self.cameras, min(possible(self.horizon_s))))
        except ValueError as error:
            raise ValueError(f"scenario {self.name!r}: key `{key}`: {error}") from error

    def _speeds(self) -> list[float]:
        """What the ego may be meant to drive, in m/s."""
        from_road = [TARGET_SPEED_MPS[road] for road in possible(self.road)]
        speeds = possible(self.target_speed_mps)
        return [own for speed in speeds for own in (from_road if speed is None else [float(speed)])]

    def _fits(self, road: str, lanes: int | None) -> bool:
        return lanes is None or lanes in self._lanes_of(road)

    def _lanes_of(self, road: str) -> list[int]:
        """Numbers of lanes that the road can have and the events need."""
        needed = max((LANES_NEEDED[kind] for event in self.events for kind in possible(event.kind)), default=1)
        return [lanes for lanes in LANES_OF[road] if lanes >= needed]

    def _lanes_on(self, road: str) -> Any:
        """The choice of ``lanes`` that the road leaves."""
        fitting = self._lanes_of(road)
        return narrowed(self.lanes, lambda lanes: fitting if lanes is None else [n for n in fitting if n == lanes])

    @property
    def is_concrete(self) -> bool:
        """Whether nothing is left to chance in the scene."""
        single = not any(is_open(getattr(self, key)) for key in (*_CHOICES, *_RANGES))
        known = self.lanes is not None and None not in (self.ego_speed_mps, self.target_speed_mps)
        parts: list[Event | Camera | Shot] = [*self.events, *self.cameras, *self.shots]
        return single and known and all(part.is_concrete for part in parts)

    def concretise(self, rng: np.random.Generator) -> Scenario:
        """Choose one value wherever there are several, and fill in what follows from the road.

        Events, cameras and shots take no chance from ``rng``'s own stream: with or without them, one seed gives one
        scene.
        """
        drawn: dict[str, Any] = {}
        for key in (*_CHOICES, *_RANGES):
            drawn[key] = draw(self._lanes_on(drawn["road"]) if key == "lanes" else getattr(self, key), rng)
        if drawn["target_speed_mps"] is None:
            drawn["target_speed_mps"] = TARGET_SPEED_MPS[drawn["road"]]
        if drawn["ego_speed_mps"] is None:
            drawn["ego_speed_mps"] = round(float(drawn["target_speed_mps"] * rng.uniform(0.6, 1.0)), 2)
        if self.events:
            drawn["events"] = concretise_timeline(self.events, drawn, _aside(rng, 1))
        if self.cameras or self.shots:
            aside = _aside(rng, 2)
            drawn |= {key: tuple(each.concretise(aside) for each in getattr(self, key)) for key in ("cameras", "shots")}
        concrete = dataclasses.replace(self, **drawn)
        return dataclasses.replace(concrete, caption=self.caption or describe(concrete.fields, concrete.events))

    @property
    def fields(self) -> SceneFields:
        """The scene's structured fields when the drive begins; None where they are left to chance."""

        def single(key: str) -> Any:
            options = possible(getattr(self, key))
            return options[0] if len(options) == 1 else None

        return SceneFields(**{key: single(key) for key in SCENE_VOCABULARY})

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], origin: str = "scenario") -> Scenario:
        """A scenario from plain values, as in a YAML file; errors name ``origin``, key and what is allowed."""
        known = [item.name for item in dataclasses.fields(cls)]
        for key in values:
            if key not in known:
                raise ValueError(f"{origin}: unknown key `{key}`: expected one of {known}{nearest(key, known)}")
        try:
            return cls(**values)
        except ValueError as error:
            raise ValueError(f"{origin}: {error}") from error


def _aside(rng: np.random.Generator, jumps: int) -> np.random.Generator:
    """A stream of its own, which leaves that of ``rng`` where it is."""
    return np.random.Generator(rng.bit_generator.jumped(jumps))  # type: ignore[attr-defined]


_CHOICES: dict[str, tuple[Any, ...]] = {**SCENE_VOCABULARY, "command": COMMANDS}


def _whole(lanes: Range) -> tuple[int, ...]:
    """The whole numbers of a range."""
    numbers = tuple(range(math.ceil(lanes.min), math.floor(lanes.max) + 1))
    if not numbers:
        raise ValueError(f"expected a range with a whole number in it, got {lanes}")
    return numbers


def _read_events(values: Any, where: str) -> Iterator[Event]:
    if not isinstance(values, list | tuple):
        raise ValueError(f"{where}: key `events`: expected a list of events, got {values!r}")
    for number, value in enumerate(values, 1):
        try:
            yield value if isinstance(value, Event) else Event.from_dict(value)
        except ValueError as error:
            raise ValueError(f"{where}: event {number}: {error}") from error


_NUMBERS = {1: "single-lane", 2: "two-lane", 3: "three-lane", 4: "four-lane", 5: "five-lane"}
_PLACES = {
    "highway": "highway",
    "curves": "winding road",
    "racetrack": "racetrack",
    "merge": "highway with a merging on-ramp",
    "roundabout": "road with a roundabout",
    "intersection": "road with an intersection",
    "two_way": "two-way country road",
    "exit": "highway with an exit",
}
_WEATHERS = {"clear": "clear weather", "rain": "rain", "fog": "fog", "snow": "snow"}
_MOMENTS = {"day": "by day", "dusk": "at dusk", "night": "at night"}
_COMPANY = {"none": "no traffic", "light": "light traffic", "medium": "traffic", "heavy": "heavy traffic"}


def describe(fields: SceneFields, events: Sequence[Event] = ()) -> str:
    """A caption from the fields that are known and the events."""
    lanes = f"{_NUMBERS[fields.lanes]} " if fields.lanes is not None else ""
    words = [f"driving on a {lanes}{_PLACES[fields.road] if fields.road else 'road'}"]
    if fields.time_of_day:
        words.append(_MOMENTS[fields.time_of_day])
    if fields.weather:
        words.append(f"in {_WEATHERS[fields.weather]}")
    sentence = " ".join(words)
    sentence = f"{sentence}, {_COMPANY[fields.traffic]}" if fields.traffic else sentence
    return "; ".join([sentence, *(event.words() for event in events)])


def _shipped() -> dict[str, Any]:
    folder = resources.files("configs") / "scenario"
    return {item.name.removesuffix(".yaml"): item for item in folder.iterdir() if item.name.endswith(".yaml")}


def list_scenarios() -> list[str]:
    """Names of the scenarios that ship."""
    return sorted(_shipped())


def load_scenario(name: str | Path) -> Scenario:
    """A shipped scenario by name, or any by the path of its YAML file.

    Raises ValueError for an unknown name or file, an unknown key or an impossible value.
    """
    if str(name).endswith((".yaml", ".yml")):
        source: Any = Path(name)
        if not source.is_file():
            raise ValueError(f"scenario file {source}: it does not exist; names that ship are {list_scenarios()}")
    else:
        shipped = _shipped()
        source = shipped[choose(str(name), sorted(shipped), "scenario")]
    try:
        values = yaml.safe_load(source.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"scenario file {source}: not valid YAML ({error})") from error
    if not isinstance(values, dict):
        raise ValueError(f"scenario file {source}: expected keys and values, got {type(values).__name__}")
    stem = Path(str(source)).stem
    if "defaults" in values:
        values = composed(Path(str(source)), values, Path(str(resources.files("configs") / "scenario")))
    return Scenario.from_dict({"name": stem, **values}, origin=f"scenario file {source}")
