"""Captions out: what is known of a drive, said at three lengths in many ways.

A short caption names a few things, as people prompt; a medium one is a sentence; a long one tells the scene, what
happened and what the ego did, in order. Nothing is said that is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from worldsim.types import Captions, Happening, SceneFields

from .captions import Words, article, choose_words
from .deeds import Deed
from .happenings import phrase

TRIES = 8  # for each phrasing that is wanted; some scenes have little to say

DEED_PHRASES: dict[str, tuple[str, ...]] = {
    "turn_left": ("turns left", "takes a left turn"),
    "turn_right": ("turns right", "takes a right turn"),
    "bend_left": ("follows the road round to the left", "drives through a bend to the left"),
    "bend_right": ("follows the road round to the right", "drives through a bend to the right"),
    "lane_left": ("changes to the lane on the left", "moves over one lane to the left"),
    "lane_right": ("changes to the lane on the right", "moves over one lane to the right"),
    "stop": ("comes to a stop", "stops"),
    "set_off": ("sets off again", "drives on"),
    "brake": ("brakes hard", "slows down sharply"),
    "offroad": ("leaves the road", "runs off the road"),
    "crash": ("crashes", "collides"),
}
EGO = ("the car", "the ego vehicle", "our car")
MOST_TOLD = 4  # happenings and deeds in a medium caption

Rng = np.random.Generator


@dataclass(frozen=True)
class Facts:
    """What is known of a drive."""

    fields: SceneFields
    happenings: Sequence[Happening] = ()
    deeds: Sequence[Deed] = ()
    speed_mps: float | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all is known."""
        return self.fields == SceneFields() and not self.happenings and not self.deeds and self.speed_mps is None


Say = Callable[[Facts, Rng], str]


def recaption(facts: Facts, count: int, seed: int | Sequence[int] = 0) -> Captions:
    """Up to ``count`` different phrasings at each length, the same for the same seed; none where nothing is known."""
    if facts.is_empty:
        return Captions()
    ways: tuple[Say, ...] = (_short, _medium, _long)
    rngs = (np.random.default_rng([*_listed(seed), place]) for place in range(len(ways)))
    return Captions(*(_several(say, facts, count, rng) for say, rng in zip(ways, rngs, strict=True)))


def _several(say: Say, facts: Facts, count: int, rng: Rng) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for _ in range(TRIES * count):
        if len(found) == count:
            break
        found[say(facts, rng)] = None
    return tuple(text for text in found if text)


# --- three lengths --------------------------------------------------------------------------------------------------


def _short(facts: Facts, rng: Rng) -> str:
    """ "night, rain, highway, a truck cuts in": two or three things of the scene, and one of what happens."""
    words = choose_words(facts.fields, rng)
    known = [part for part in (words.road, words.weather, words.time, words.traffic) if part]
    kept = rng.permutation(len(known))[: int(rng.integers(2, 4))]
    parts = [known[place] for place in kept]
    told = _told(facts, rng)
    if told and (not parts or rng.random() < 0.7):
        parts.append(told[int(rng.integers(len(told)))][1])
    if not parts:
        return f"driving {_speed(facts.speed_mps, rng)}".strip()
    return ", ".join(parts)


def _medium(facts: Facts, rng: Rng) -> str:
    """One sentence of the scene, and what happens in it, in order."""
    told = [text for _, text in _told(facts, rng)][:MOST_TOLD]
    scene = _scene(choose_words(facts.fields, rng), rng)
    if not told:
        speed = _speed(facts.speed_mps, rng)
        return f"{scene}, {speed}." if speed else f"{scene}."
    return f"{scene}; {_joined(told, rng)}."


def _long(facts: Facts, rng: Rng) -> str:
    """Several sentences: scene, lanes, traffic, speed, and everything that happens, with when."""
    words = choose_words(facts.fields, rng)
    view = ("A dashboard camera view", "The view through the windscreen", "A forward-facing driving video")
    place = article(words.road) if words.road else "a drive"
    sentences = [f"{view[int(rng.integers(3))]} of {place}{f' {words.time}' if words.time else ''}."]
    rest = []
    if words.lanes:
        rest.append(f"There {'is' if facts.fields.lanes == 1 else 'are'} {words.lanes}.")
    if words.weather:
        rest.append((f"The weather: {words.weather}.", f"It is driven in {words.weather}.")[int(rng.integers(2))])
    if words.traffic:
        rest.append(
            f"There is {words.traffic}." if words.traffic.endswith("traffic") else _capital(words.traffic) + "."
        )
    if speed := _speed(facts.speed_mps, rng):
        rest.append(f"{_capital(_ego(rng))} drives {speed}.")
    sentences += [rest[place] for place in rng.permutation(len(rest))]
    sentences += [_dated(at_s, text, rng) for at_s, text in _told(facts, rng)]
    return " ".join(sentences)


# --- parts ----------------------------------------------------------------------------------------------------------


def _told(facts: Facts, rng: Rng) -> list[tuple[float | None, str]]:
    """When and what: happenings and deeds in order; those without a time keep their order before the rest."""
    ego = _ego(rng)
    told: list[tuple[float | None, str]] = [(each.began_s, phrase(each, rng)) for each in facts.happenings]
    for deed in facts.deeds:
        ways = DEED_PHRASES[deed.kind]
        told.append((deed.at_s, f"{ego} {ways[int(rng.integers(len(ways)))]}"))
    return sorted(told, key=lambda each: -1.0 if each[0] is None else each[0])


def _scene(words: Words, rng: Rng) -> str:
    place = article(words.road) if words.road else "a road" if words.lanes or words.weather else ""
    style = int(rng.integers(3))
    lanes, weather = f"with {words.lanes}" if words.lanes else "", f"in {words.weather}" if words.weather else ""
    tail = f", {words.traffic}" if words.traffic else ""
    if not place:
        return _capital(f"driving {words.time}".strip()) + tail
    if style == 0:
        return _capital(" ".join(part for part in ("driving on", place, lanes, weather, words.time) if part)) + tail
    if style == 1:
        return _capital(" ".join(part for part in (words.time, weather, "on", place, lanes) if part)) + tail
    return (
        _capital(", ".join(part for part in (f"{place} {words.time}".strip(), words.weather, words.lanes) if part))
        + tail
    )


def _joined(told: list[str], rng: Rng) -> str:
    links = (", then ", " and then ", ", after that ")
    text = told[0]
    for each in told[1:]:
        text += links[int(rng.integers(len(links)))] + each
    return text


def _dated(at_s: float | None, text: str, rng: Rng) -> str:
    if at_s is None:
        return _capital(text) + "."
    if at_s < 1.0:
        return f"{('At first', 'To begin with')[int(rng.integers(2))]} {text}."
    seconds = f"{round(at_s)} second{'s' * (round(at_s) != 1)}"
    lead = (f"After {seconds}", f"After about {seconds}", f"Some {seconds} in,", "Then")
    return f"{lead[int(rng.integers(len(lead)))]} {text}."


def _speed(speed_mps: float | None, rng: Rng) -> str:
    if speed_mps is None:
        return ""
    plain = "slowly" if speed_mps < 6 else "at a moderate speed" if speed_mps < 16 else "fast"
    exact = (f"at about {round(speed_mps)} m/s", f"at about {5 * round(speed_mps * 3.6 / 5)} km/h")
    return (plain, *exact)[int(rng.integers(3))]


def _ego(rng: Rng) -> str:
    return EGO[int(rng.integers(len(EGO)))]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _listed(seed: int | Sequence[int]) -> list[int]:
    return [seed] if isinstance(seed, int) else list(seed)
