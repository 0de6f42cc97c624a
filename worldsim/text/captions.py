"""Captions from scene fields. What words ask for is read in ``envs.words``.

Words carry road, weather, time of day, traffic and lanes, never where the ego vehicle goes: sentence
encoders barely tell left from right, so directions are numbers (see docs/design.md, contract 4).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from worldsim.types import SceneFields

ROAD_PHRASES = {
    "highway": ("highway", "motorway", "freeway", "multi-lane highway", "expressway"),
    "curves": ("winding road", "curvy road", "road with bends"),
    "racetrack": ("racetrack", "race track", "racing circuit"),
    "merge": ("highway with a merging ramp", "merging lane", "on-ramp joining a highway"),
    "roundabout": ("roundabout", "traffic circle", "rotary"),
    "intersection": ("intersection", "crossroads", "four-way junction"),
    "two_way": ("two-way road", "country road with oncoming traffic", "undivided two-way road"),
    "exit": ("highway with an exit", "highway exit", "off-ramp leaving a highway"),
}
WEATHER_PHRASES = {
    "clear": ("clear weather", "fine weather", "clear conditions", "dry weather"),
    "rain": ("rain", "rainy weather", "wet weather", "a rain shower"),
    "fog": ("fog", "foggy weather", "mist", "dense fog"),
    "snow": ("snow", "snowy weather", "falling snow", "a snowfall"),
}
TIME_PHRASES = {
    "day": ("by day", "in daylight", "in the daytime", "around noon"),
    "dusk": ("at dusk", "at sunset", "in the evening twilight"),
    "night": ("at night", "in the dark", "after dark", "at nighttime"),
}
TRAFFIC_PHRASES = {
    "none": ("no traffic", "no other cars", "nobody else on the road"),
    "light": ("light traffic", "few cars", "sparse traffic"),
    "medium": ("moderate traffic", "medium traffic", "some cars"),
    "heavy": ("heavy traffic", "dense traffic", "many cars", "a busy road"),
}
NUMBERS = ("one", "two", "three", "four", "five")


@dataclass(frozen=True)
class Words:
    """How each field is said this time; "" where it is not known."""

    road: str
    lanes: str
    traffic: str
    weather: str
    time: str

    @property
    def known(self) -> list[str]:
        """All that is known, in the order of the fields here."""
        return [part for part in (self.road, self.lanes, self.traffic, self.weather, self.time) if part]


def choose_words(fields: SceneFields, rng: np.random.Generator) -> Words:
    """One of the phrases of every field."""
    road = _pick(ROAD_PHRASES, fields.road, rng)
    weather = _pick(WEATHER_PHRASES, fields.weather, rng)
    time = _pick(TIME_PHRASES, fields.time_of_day, rng)
    traffic = _pick(TRAFFIC_PHRASES, fields.traffic, rng)
    return Words(road, _lanes(fields.lanes, rng), traffic, weather, time)


def caption_from_fields(fields: SceneFields, rng: np.random.Generator) -> str:
    """One of many phrasings of ``fields``, from a bare list of words to a full sentence; "" where nothing is known."""
    words = choose_words(fields, rng)
    road, lanes, traffic, weather, time = words.road, words.lanes, words.traffic, words.weather, words.time
    parts = words.known
    if not parts:
        return ""
    style = int(rng.integers(4))
    if style == 0:  # words: "fog, roundabout, at night"
        return ", ".join(str(part) for part in rng.permutation(parts))
    place = road or "road"
    if style == 1:  # short: "roundabout at night, fog"
        return ", ".join(part for part in (f"{place} {time}".strip(), weather, traffic, lanes) if part)
    if style == 2:  # plain sentence: "Driving on a roundabout with two lanes in fog at night with light traffic."
        carried = (f"with {lanes}" if lanes else "", f"in {weather}" if weather else "", time)
        tail = f", {traffic}" if traffic else ""
        return " ".join(part for part in (f"Driving on {article(place)}", *carried) if part) + tail + "."
    sentences = [f"A dashboard camera view of {article(place)}{f' {time}' if time else ''}."]
    if lanes:
        sentences.append(f"There {'is' if fields.lanes == 1 else 'are'} {lanes}.")
    if weather:
        sentences.append(f"The weather: {weather}.")
    if traffic:
        sentences.append(f"There is {traffic}." if traffic.endswith("traffic") else f"{traffic.capitalize()}.")
    return " ".join(sentences)


def _pick(phrases: Mapping[str, tuple[str, ...]], value: str | None, rng: np.random.Generator) -> str:
    return "" if value is None else phrases[value][int(rng.integers(len(phrases[value])))]


def _lanes(lanes: int | None, rng: np.random.Generator) -> str:
    if lanes is None:
        return ""
    number = NUMBERS[lanes - 1] if rng.random() < 0.5 else str(lanes)
    return f"{number} lane{'s' * (lanes > 1)}"


def article(noun: str) -> str:
    """The noun with its indefinite article."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
