"""Captions from scene fields, and scene fields from words.

Words carry road, weather, time of day, traffic and lanes, never where the ego vehicle goes: sentence
encoders barely tell left from right, so directions are numbers (see docs/design.md, contract 4).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

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


def caption_from_fields(fields: SceneFields, rng: np.random.Generator) -> str:
    """One of many phrasings of ``fields``, from a bare list of words to a full sentence; "" where nothing is known."""
    road = _pick(ROAD_PHRASES, fields.road, rng)
    weather = _pick(WEATHER_PHRASES, fields.weather, rng)
    time = _pick(TIME_PHRASES, fields.time_of_day, rng)
    traffic = _pick(TRAFFIC_PHRASES, fields.traffic, rng)
    lanes = _lanes(fields.lanes, rng)
    parts = [part for part in (road, lanes, traffic, weather, time) if part]
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
        return " ".join(part for part in (f"Driving on {_article(place)}", *carried) if part) + tail + "."
    sentences = [f"A dashboard camera view of {_article(place)}{f' {time}' if time else ''}."]
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


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


SYNONYMS: dict[str, tuple[tuple[str, str], ...]] = {
    # Patterns are whole words, tried in order; the first that is found decides.
    "road": (
        ("roundabout", r"roundabouts?|traffic circle|rotary"),
        ("intersection", r"intersections?|cross-?roads?|crossing|(four-way )?junction"),
        ("racetrack", r"race ?tracks?|racing circuit|race circuit|circuit"),
        ("merge", r"merg(e|es|ing)|on-?ramp|entrance ramp|slip road"),
        ("exit", r"exits?|off-?ramp"),
        ("two_way", r"two-?way|bidirectional|oncoming( traffic| cars)?"),
        ("curves", r"curves?|curvy|winding|bends?|serpentines?|hairpins?"),
        ("highway", r"highways?|motorways?|freeways?|expressways?|autobahn"),
    ),
    "weather": (
        ("snow", r"snow|snowy|snowing|snowfall|snowstorm|blizzard"),
        ("fog", r"fog|foggy|mist|misty|haze|hazy"),
        ("rain", r"rain|rainy|raining|rainfall|wet|showers?|drizzle|downpour|storm|stormy"),
        ("clear", r"clear|sunny|sunshine|fine weather|dry|blue sky|cloudless"),
    ),
    "time_of_day": (
        ("night", r"night|nighttime|night-time|midnight|dark|darkness"),
        ("dusk", r"dusk|sunset|sundown|twilight|evening|dawn|sunrise"),
        ("day", r"day|daytime|daylight|noon|midday|morning|afternoon|sunny"),
    ),
    "traffic": (
        ("none", r"empty|deserted|(no|without)( any)?( other)? (traffic|cars|vehicles)|nobody else"),
        (
            "heavy",
            r"(heavy|dense|thick|busy|much) traffic|many (other )?(cars|vehicles)|busy|crowded|traffic jam|rush hour",
        ),
        ("light", r"(light|sparse|little|thin) traffic|(a )?few (other )?(cars|vehicles)|quiet"),
        ("medium", r"(medium|moderate|normal|average|some) traffic|some (other )?(cars|vehicles)"),
    ),
}


def parse_fields(text: str) -> SceneFields:
    """The scene fields that ``text`` names, by synonyms; what it does not name stays None.

    A negated word names nothing: "no rain" leaves the weather open. Raises ValueError unless given text.
    """
    if not isinstance(text, str):
        raise ValueError(f"parse_fields: expected text, got {type(text).__name__}: {text!r}")
    words = " ".join(text.lower().replace("_", "-").split())
    found = {name: _first(words, synonyms) for name, synonyms in SYNONYMS.items()}
    return SceneFields(lanes=_count_lanes(words), **found)


def _first(words: str, synonyms: tuple[tuple[str, str], ...]) -> str | None:
    for value, pattern in synonyms:
        if re.search(rf"(?<!\bno )(?<!\bnot )(?<!\bwithout )\b(?:{pattern})\b", words):
            return value
    return None


def _count_lanes(words: str) -> int | None:
    names = "|".join(NUMBERS)
    match = re.search(rf"\b([1-5]|{names})[- ]lanes?\b", words)
    if match is None:
        return 1 if re.search(r"\bsingle[- ]lane\b", words) else None
    number = match.group(1)
    return int(number) if number.isdigit() else 1 + NUMBERS.index(number)
