"""What a scenario leaves open, as dimensions that an optimiser searches."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from envs.choices import Range, is_open, possible
from envs.events import KEYS_OF, SIDES, VEHICLES, Event
from envs.scenario import Scenario
from worldsim.types import SCENE_VOCABULARY

KEYS = (*SCENE_VOCABULARY, "command", "ego_speed_mps", "target_speed_mps")
_ANY = {"side": SIDES, "vehicle": VEHICLES}

Values = dict[str, Any]


@dataclass(frozen=True)
class Dimension:
    """One value to choose: among ``options``, or, where there are none, a number from ``low`` to ``high``."""

    name: str  # a key of the scenario, or "event 2: at_s"
    options: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0

    def draw(self, rng: np.random.Generator) -> Any:
        """A value, all alike likely."""
        if self.options:
            return self.options[int(rng.integers(len(self.options)))]
        return float(rng.uniform(self.low, self.high))

    def coordinates(self, value: Any) -> list[float]:
        """Where a value lies: numbers in [0, 1], of which two options are 1 apart."""
        if self.options:
            return [float(value == option) / np.sqrt(2.0) for option in self.options]
        return [(value - self.low) / (self.high - self.low)]


@dataclass(frozen=True)
class Space:
    """The open values of ``scenario``; what is in no dimension is left to the seed."""

    scenario: Scenario
    dimensions: tuple[Dimension, ...]

    @classmethod
    def of(cls, scenario: Scenario, seconds: float) -> Space:
        """The space of a scenario. Events that come after ``seconds`` are left to chance.

        Raises ValueError where nothing is open, so that there is nothing to search.
        """
        dimensions = (*_of_scene(scenario), *_of_events(scenario, seconds))
        if not dimensions:
            raise ValueError(
                f"scenario {scenario.name!r}: expected at least one value to be a list or a range, so that there is "
                "something to search, got none; open one with change={weather: [clear, rain, fog]}"
            )
        return cls(scenario, dimensions)

    def draw(self, rng: np.random.Generator) -> Values:
        """A value for every dimension, all alike likely."""
        return {each.name: each.draw(rng) for each in self.dimensions}

    def at(self, values: Mapping[str, Any], seed: int) -> Scenario:
        """The scenario with these values and this seed. Raises ValueError where they contradict each other."""
        scene = {name: _rounded(value) for name, value in values.items() if not name.startswith("event ")}
        events = [
            dataclasses.replace(event, **{key: _rounded(values[name]) for key, name in names.items()})
            for event, names in zip(self.scenario.events, self._names(values), strict=True)
        ]
        return dataclasses.replace(self.scenario, **scene, events=tuple(events), seed=seed)

    def coordinates(self, values: Mapping[str, Any]) -> list[float]:
        """The place of ``values``, for distances between scenes."""
        return [x for each in self.dimensions for x in each.coordinates(values[each.name])]

    def _names(self, values: Mapping[str, Any]) -> Iterator[dict[str, str]]:
        """For each event, key -> name of the dimension that sets it."""
        for number in range(1, len(self.scenario.events) + 1):
            prefix = f"event {number}: "
            yield {name.removeprefix(prefix): name for name in values if name.startswith(prefix)}


def _of_scene(scenario: Scenario) -> Iterator[Dimension]:
    for key in KEYS:
        value = getattr(scenario, key)
        options = [option for option in possible(value) if option is not None]
        if not is_open(value) or not options:
            continue
        if isinstance(value, Range):
            yield Dimension(key, (), value.min, value.max)
        elif key != "lanes" or not is_open(scenario.road):  # not every road can have every number of lanes
            yield Dimension(key, tuple(options))


def _of_events(scenario: Scenario, seconds: float) -> Iterator[Dimension]:
    for number, event in enumerate(scenario.events, 1):
        prefix = f"event {number}: "
        if isinstance(event.at, Range) and event.at.min < (high := _latest(event, seconds)):
            yield Dimension(prefix + event.clock, (), event.at.min, high)
        if is_open(event.kind):
            continue  # which keys it takes is not yet known
        for key in KEYS_OF[event.kind]:
            value = getattr(event, key)
            options = possible(value) if value is not None else list(_ANY.get(key, ()))
            if len(options) > 1:
                yield Dimension(prefix + key, tuple(options))


def _latest(event: Event, seconds: float) -> float:
    return min(event.at.max, seconds) if event.clock == "at_s" else event.at.max


def _rounded(value: Any) -> Any:
    return round(value, 2) if isinstance(value, float) else value
