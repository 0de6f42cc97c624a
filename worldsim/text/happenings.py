"""What happens on a drive in words: many ways to say it, and the way back from how ``envs.events`` says it.

The first phrase of each kind is the one that scenarios write into captions, so ``read_happenings`` understands them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from worldsim.types import Happening

PHRASES: dict[str, tuple[str, ...]] = {
    "cut_in": (
        "a {vehicle} cuts in{side}",
        "a {vehicle} moves into the lane just ahead{side}",
        "a {vehicle} pulls in close ahead{side}",
        "a {vehicle} squeezes in{side}",
    ),
    "lead_brakes": (
        "the {vehicle} ahead brakes hard",
        "the {vehicle} in front stops abruptly",
        "the {vehicle} ahead slams on its brakes",
    ),
    "stopped_vehicle": (
        "a {vehicle} stands in the lane",
        "a {vehicle} has broken down in the lane",
        "a stationary {vehicle} blocks the lane",
    ),
    "slow_vehicle": (
        "a slow {vehicle} is ahead",
        "a {vehicle} crawls along ahead",
        "a {vehicle} ahead drives far too slowly",
    ),
    "merging_vehicle": (
        "a {vehicle} merges from the ramp",
        "a {vehicle} joins from the on-ramp",
        "a {vehicle} comes up the ramp and merges ahead",
    ),
    "crossing_vehicle": (
        "a {vehicle} crosses{side}",
        "a {vehicle} drives across the junction{side}",
        "a {vehicle} runs across without giving way{side}",
    ),
    "pedestrian": (
        "a pedestrian crosses{side}",
        "somebody walks across the road{side}",
        "a person on foot crosses the road{side}",
    ),
    "cyclist": (
        "a cyclist crosses{side}",
        "somebody cycles across the road{side}",
        "a bicycle crosses the road{side}",
    ),
}
TURNS: dict[str, tuple[str, ...]] = {
    "clear": ("the sky clears", "the weather clears up"),
    "rain": ("it begins to rain", "rain sets in", "it starts raining"),
    "fog": ("fog comes up", "fog rolls in", "it becomes foggy"),
    "snow": ("it begins to snow", "snow begins to fall", "it starts snowing"),
    "day": ("day breaks", "it becomes light"),
    "dusk": ("dusk falls", "the sun goes down", "evening comes"),
    "night": ("night falls", "it gets dark", "darkness falls"),
}
"""What weather and time of day turn to, and how that is said."""

_TURNING = {"weather": "the weather turns", "time_of_day": "the light changes"}
_VEHICLES = {"car": ("car",), "van": ("van", "delivery van"), "truck": ("truck", "lorry")}
_ANY_VEHICLE = f"(?P<vehicle>vehicle|{'|'.join(_VEHICLES)})"
_CLAUSE = re.compile(r"after (?P<when>[\d.]+) (?P<unit>s|m) (?P<what>.+)")


def phrase(happening: Happening, rng: np.random.Generator | None = None) -> str:
    """One way to say it, without when: "a truck cuts in from the left"; without ``rng``, the first."""
    if happening.kind in _TURNING:
        return _pick(TURNS.get(happening.to or "", (_TURNING[happening.kind],)), rng)
    vehicle = _pick(_VEHICLES.get(happening.vehicle or "", ("vehicle",)), rng)
    side = f" from the {happening.side}" if happening.side else ""
    return _pick(PHRASES[happening.kind], rng).format(vehicle=vehicle, side=side)


def read_happenings(caption: str) -> tuple[Happening, ...]:
    """The events in a caption that a scenario wrote: "...; after 5 s a truck cuts in from the left".

    ``began_s`` is when the scenario asks for them, None where it says how many metres on.
    """
    found = []
    for clause in caption.split("; "):
        match = _CLAUSE.fullmatch(clause.strip())
        if match and (happening := _read(match["what"])):
            seconds = float(match["when"]) if match["unit"] == "s" else None
            found.append(Happening(happening.kind, seconds, happening.side, happening.vehicle, happening.to))
    return tuple(found)


def _read(what: str) -> Happening | None:
    for to, ways in TURNS.items():
        if what == ways[0]:
            return Happening("time_of_day" if to in ("day", "dusk", "night") else "weather", to=to)
    for kind, ways in PHRASES.items():
        pattern = re.escape(ways[0]).replace(r"\{vehicle\}", _ANY_VEHICLE)
        pattern = pattern.replace(r"\{side\}", r"(?: from the (?P<side>left|right))?")
        if match := re.fullmatch(pattern, what):
            said = match.groupdict()
            vehicle = said.get("vehicle")
            return Happening(kind, side=said.get("side"), vehicle=vehicle if vehicle in _VEHICLES else None)
    return None


def _pick(ways: Sequence[str], rng: np.random.Generator | None) -> str:
    return ways[0] if rng is None else ways[int(rng.integers(len(ways)))]
