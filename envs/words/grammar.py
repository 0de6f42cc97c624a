"""From single words to phrases: numbers, moments, counted vehicles, lists of alternatives.

A cascade of finite-state rules (Abney 1996, "Partial parsing via finite-state cascades"): each rule is a regular
expression over the kinds of neighbouring pieces and a function of what it matched: new pieces, or None to leave it.
The rules run once each, in order. They speak of kinds alone, so they serve every language.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

from worldsim.types import TIMES

from ..choices import Range, possible
from .lexicon import Piece

Build = Callable[[list[Piece]], Piece | list[Piece] | None]

UNITS = {
    "s": ("s", 1.0), "min": ("s", 60.0), "m": ("m", 1.0), "km": ("m", 1000.0), "mile": ("m", 1609.3),
    "ft": ("m", 0.3048), "m/s": ("m/s", 1.0), "km/h": ("m/s", 1 / 3.6), "mph": ("m/s", 0.44704),
}  # fmt: skip
ABOUT = {"light": 3.0, "medium": 5.0, "heavy": 12.0}
"""What "a few", "several" and "many" count of seconds or metres."""
CROWD = {"none": 0.0, "light": 2.0, "medium": 3.0, "heavy": 4.0}
"""What they count of those who do something."""
LISTED = ("road", "oncoming", "drivers", "weather", "time_of_day", "traffic", "lanes", "side", "command", "actor")
"""Kinds of which several may be named: "rain or snow"."""


@dataclass(frozen=True)
class Moment:
    """When: ``value`` (a number, alternatives or a Range) of ``unit`` "s" or "m".

    ``since`` is "start" (of the drive), "last" (event), or "open": the start, unless that would be before the last.
    "post" is open too, but Chinese says it of the event that stands before it: 切入三秒后.
    """

    value: Any
    unit: str
    since: str


@dataclass(frozen=True)
class Actor:
    """Who does something: ``names`` of vehicles ("any" is any) or persons, how many, and whether it is the lead."""

    names: tuple[str, ...]
    count: float | None = None
    level: str | None = None  # the level of traffic that so many are
    is_person: bool = False
    is_lead: bool = False


def phrases(pieces: Sequence[Piece]) -> list[Piece]:
    """The pieces, combined by every rule in turn."""
    found = list(pieces)
    for pattern, build in _RULES:
        found = _apply(pattern, build, found)
    return found


def _apply(pattern: re.Pattern[str], build: Build, pieces: list[Piece]) -> list[Piece]:
    ends = list(accumulate(len(piece.kind) + 1 for piece in pieces))
    result, done = [], 0
    for match in pattern.finditer("".join(f"{piece.kind};" for piece in pieces)):
        first, last = bisect_right(ends, match.start()), bisect_right(ends, match.end() - 1) + 1
        built = build(pieces[first:last])
        if built is not None:
            result += [*pieces[done:first], *(built if isinstance(built, list) else [built])]
            done = last
    return result + pieces[done:]


def _rule(pattern: str, build: Build) -> tuple[re.Pattern[str], Build]:
    """``pattern`` is a regular expression whose letters are kinds: "after? number unit"."""
    return re.compile("(?:(?<=;)|^)" + re.sub(r"[a-z_]+", r"(?:\g<0>;)", pattern).replace(" ", "")), build


# --- parts of a match -----------------------------------------------------------------------------------------


def _all(found: list[Piece], kind: str, value: Any) -> Piece:
    """One piece over the whole match."""
    said = next((piece.said for piece in found if piece.said), "")
    return Piece(kind, value, found[0].start, found[-1].end, any(piece.near for piece in found), said)


def _of(found: list[Piece], *kinds: str) -> list[Piece]:
    return [piece for piece in found if piece.kind in kinds]


def _has(found: list[Piece], kind: str) -> bool:
    return any(piece.kind == kind for piece in found)


def scaled(value: Any, factor: float) -> Any:
    """A number, alternatives or a Range, times ``factor``."""
    if isinstance(value, Range):
        return Range(round(value.min * factor, 3), round(value.max * factor, 3))
    numbers = tuple(round(each * factor, 3) for each in possible(value))
    return numbers if len(numbers) > 1 else numbers[0]


# --- numbers, lengths, moments --------------------------------------------------------------------------------


def _number(found: list[Piece]) -> Piece | None:
    """ "two hundred", 二十五: values that a scale multiplies, added up; None for a row of several numbers."""
    values = [piece.value for piece in found]
    if len(values) == 2 and values[1] == values[0] + 1 < 10:  # 两三秒
        return _all(found, "number", Range(*values))
    total = current = 0.0
    room = float("inf")  # what comes next must be smaller than what is there
    for piece in found:
        if piece.kind == "scale":
            total, current, room = total + (current or 1.0) * piece.value, 0.0, piece.value
        elif (current and (current < 20 or piece.value >= 10)) or piece.value >= room:
            return None
        else:
            current += piece.value
    return _all(found, "number", total + current)


def _range(found: list[Piece]) -> Piece | None:
    low, high = (piece.value for piece in _of(found, "number"))
    return _all(found, "number", Range(low, high)) if low < high else None


def _either(found: list[Piece]) -> Piece:
    return _all(found, "number", tuple(piece.value for piece in _of(found, "number")))


def _length(found: list[Piece]) -> Piece | None:
    """A number and a unit: a length of time or of road ("length"), or a speed."""
    unit = _of(found, "unit")[0].value
    if _has(found, "speed_of") and unit in ("km", "m"):
        unit = {"km": "km/h", "m": "m/s"}[unit]
    counted, vague = _of(found, "number"), _of(found, "amount")
    if vague and vague[0].value not in ABOUT:
        return None
    number = counted[0].value if counted else ABOUT[vague[0].value] if vague else 1.0
    base, factor = UNITS[unit]
    value = scaled(number, factor)
    return _all(found, "speed", value) if base == "m/s" else _all(found, "length", (value, base))


def _decimal(found: list[Piece]) -> Piece:
    """ "one and a half", 一点五."""
    first, last = found[0].value, found[-1].value
    return _all(
        found, "number", first + (0.5 if found[-1].kind == "and_half" else last / 10 if last < 10 else last / 100)
    )


def _seconds(found: list[Piece]) -> Piece:
    """ "at second 9", "t = 9"."""
    return _all(found, "moment", Moment(found[-1].value, "s", "start"))


def _leave(found: list[Piece]) -> list[Piece]:
    """ "take the exit": a route and a road."""
    return [found[0].of("command", "right"), found[0].of("road", "exit")]


def _counted_motion(found: list[Piece]) -> list[Piece]:
    """ "two slow trucks": the number belongs to the noun."""
    return [found[1], replace(found[0], end=found[-1].end)]


def _speed(found: list[Piece]) -> Piece:
    """ "speed limit 80": km/h, where no unit is said."""
    return _all(found, "speed", scaled(found[-1].value, UNITS["km/h"][1]))


def _listed_length(found: list[Piece]) -> Piece | None:
    """ "length=60 s" of a lexicon, as a number and its unit; "half a minute"."""
    times = found[0].value if found[0].kind == "number" else 1.0
    if isinstance(found[-1].value, tuple):
        return None
    number, _, unit = found[-1].value.partition(" ")
    return _all(found, "length", (scaled(times, float(number)), unit))


def _moment(since: str) -> Build:
    def build(found: list[Piece]) -> Piece | None:
        value, unit = _of(found, "length")[0].value
        if _has(found, "within"):
            value = Range(0.0, max(possible(value)))
        if _has(found, "ahead") and unit != "m":
            return None
        return _all(found, "moment", Moment(value, unit, since))

    return build


def _horizon(found: list[Piece]) -> Piece | None:
    value, unit = _of(found, "length")[0].value
    return _all(found, "horizon_s", value) if unit == "s" else None


def _clock(found: list[Piece]) -> Piece | None:
    """An hour of the day: day from 7 to 17, dusk to 20 (and from 5), else night."""
    hour, half = _of(found, "number")[0].value, "".join(piece.value for piece in _of(found, "clock"))
    if not isinstance(hour, float) or not 0 <= hour <= 24:
        return None
    named = _of(found, "time_of_day")
    if named:
        return _all(found, "time_of_day", named[0].value)
    hour = hour % 12 + 12 * (half == "pm") if half in ("am", "pm") else hour
    return _all(found, "time_of_day", "day" if 7 <= hour < 17 else "dusk" if 5 <= hour < 20 else "night")


def _hour(found: list[Piece]) -> Piece | None:
    """ "20:30", 23时."""
    hour = _clock([found[0], found[0].of("clock", "hours")])
    return None if hour is None else _all(found, hour.kind, hour.value)


def _time(found: list[Piece]) -> Piece | None:
    """ "at nightfall" is a time of day, and nothing that happens."""
    return _all(found, "time_of_day", found[1].value) if found[1].value in TIMES else None


def _ordinal(found: list[Piece]) -> Piece:
    """ "the second truck", 第二辆车: only who it is."""
    return found[-1]


# --- lanes, traffic, who is there -----------------------------------------------------------------------------


def _lanes(found: list[Piece]) -> Piece | None:
    number = _of(found, "number")[0].value
    if isinstance(number, Range):
        number = tuple(range(int(number.min), int(number.max) + 1))
    halves = 2 if _has(found, "both_ways") else 1
    lanes = tuple(int(each) // halves for each in possible(number) if each % halves == 0)
    return _all(found, "lanes", lanes) if lanes and 0 not in lanes else None


def _level(found: list[Piece]) -> Piece | None:
    """ "heavy traffic", "traffic is light"; vehicles that stand or crawl are heavy traffic."""
    amount, motion, number = _of(found, "amount"), _of(found, "motion"), _of(found, "number")
    if (motion and motion[0].value not in ("stop", "stopped", "slow")) or (number and number[0].value != 0):
        return None
    if number:
        return _all(found, "traffic", "none")
    return _all(found, "traffic", amount[0].value if amount else "heavy")


def _actor(found: list[Piece]) -> Piece:
    noun = _of(found, "vehicle", "vehicles", "person", "lead")[0]
    counted, vague = _of(found, "number"), _of(found, "amount")
    amount = possible(vague[0].value)[0] if vague else None
    count = max(possible(counted[0].value)) if counted else CROWD[amount] if amount else None
    level = amount if vague else "medium" if noun.kind == "vehicles" and not counted else None
    lead = noun.kind == "lead" or _has(found, "ahead")
    name = noun.value if noun.kind != "lead" else next((p.value for p in _of(found, "vehicle")), "any")
    return _all(found, "actor", Actor((name,), count, level, noun.kind == "person", lead))


# --- lists ----------------------------------------------------------------------------------------------------


def _union(found: list[Piece]) -> Piece:
    """ "A, B or C": one piece with several values."""
    parts = [piece for piece in found if piece.kind in LISTED]
    if parts[0].kind == "actor":
        names = tuple(dict.fromkeys(name for piece in parts for name in piece.value.names))
        return _all(found, "actor", replace(parts[0].value, names=names))
    values = tuple(dict.fromkeys(value for piece in parts for value in possible(piece.value)))
    return _all(found, parts[0].kind, values)


def _several(found: list[Piece]) -> list[Piece] | None:
    """ "two cut-ins", "brakes twice": somebody does it so often."""
    motion, often = _of(found, "motion")[0], _of(found, "number", "times")[0].value
    if (not isinstance(often, float) and not str(often).isdigit()) or float(often) < 2:
        return None
    doer = _of(found, "actor")
    actor = replace(doer[0].value, count=float(often)) if doer else Actor(("any",), float(often))
    return [_all([each for each in found if each is not motion], "actor", actor), motion]


def _after_that(found: list[Piece]) -> list[Piece] | None:
    """ "four seconds after that", "drive 10 s, then"."""
    if found[1].value != "next":
        return None
    value, unit = found[0].value
    return [found[1], found[0].of("moment", Moment(value, unit, "last"))]


def _more(found: list[Piece]) -> Piece | None:
    """ "3 more seconds"."""
    length = _length(found)
    return None if length is None else length.of("moment", Moment(length.value[0], length.value[1], "last"))


def _conjunction(found: list[Piece]) -> list[Piece] | None:
    """ "right after the truck": here "right" is no side."""
    return [found[0].of("stop"), found[1]] if found[0].value == "right" else None


def _from_to(found: list[Piece]) -> Piece:
    """ "from left to right": the side that somebody comes from."""
    return _all(found, "side", found[0].value)


def _denied(found: list[Piece]) -> Piece:
    """ "no A, B or C" as a denial of their union."""
    return _all(found, "denied", _union(found[1:]))


_FEW = "{0,6}"  # a bound, so that no text takes long


def _lists() -> list[tuple[re.Pattern[str], Build]]:
    rules = []
    for kind in LISTED:
        denied = f"not {kind} (comma {kind}){_FEW} comma? (or|and) {kind} ((or|and) {kind}){_FEW}"
        rules.append(_rule(denied, _denied))
        if kind != "actor":
            rules.append(_rule(f"{kind} (comma {kind}){_FEW} comma? or {kind}", _union))
    rules.append(_rule("actor or actor", _union))
    return rules


_RULES = [
    _rule("nobody", lambda found: [found[0].of("not"), found[0].of("actor", Actor(("any",)))]),
    _rule("(?<!between)side (after|before) (?!number|scale|amount|length)", _conjunction),
    _rule("straight (?=road)", lambda found: found[0].of("stop")),
    _rule("straight", lambda found: found[0].of("command", "straight")),
    _rule("some (?=vehicles|traffic_word)", lambda found: found[0].of("amount", "medium")),
    _rule("number colon number (?!unit)", _hour),
    _rule("number (colon|close)", lambda found: [found[1], found[0].of("label")]),
    _rule("amount or amount", lambda found: _all(found, "amount", (found[0].value, found[2].value))),
    _rule("leave", _leave),
    _rule("number and_half", _decimal),
    _rule("number clock number (?=unit)", _decimal),
    _rule("(number|scale){0,4} scale (number|scale){0,4}", _number),
    _rule("number number{1,4}", _number),
    _rule("between number (to|and) number", _range),
    _rule("(?:unit|ordinal) colon? number (?!unit|scale|clock|lane_word|to|or)", _seconds),
    _rule("number to number", _range),
    _rule("number or number", _either),
    _rule("ordinal number (?=vehicle|lead|person)", lambda found: found[0].of("stop")),
    _rule("time_of_day? number clock", _clock),
    _rule("at number at? time_of_day", _clock),
    _rule("number during", _hour),
    _rule("number? length", _listed_length),
    _rule("speed_of colon? (number|amount)? unit", _length),
    _rule("speed_of colon? number (?!unit)", _speed),
    _rule("after? number more unit", _more),
    _rule("(number|amount) unit", _length),
    _rule("ordinal colon? length", _moment("start")),
    _rule("(?<=after) unit", _length),
    _rule("unit (?=later|post)", _length),
    _rule("(for length clip?|length scope? (for|clip)|clip for? length)", _horizon),
    _rule("after? another length (later|post|after)?", _moment("last")),
    _rule("length (later|elapse)", _moment("last")),
    _rule("(at? within) length", _moment("start")),
    _rule("length within", _moment("start")),
    _rule("length (ahead|into)", _moment("start")),
    _rule("ahead length", _moment("start")),
    _rule("after length post?", _moment("open")),
    _rule("length post", _moment("post")),
    _rule("at length", _moment("start")),
    _rule("length order", _after_that),
    _rule("at becomes", _time),
    _rule("(both_ways number|number) lane_word", _lanes),
    _rule("lane_word colon? number (?!unit|lane_word|vehicle|vehicles|person)", _lanes),
    _rule("(?:(?<=lanes but)|(?<=lanes comma but)) number (?!unit|vehicle|vehicles|person|scale)", _lanes),
    _rule("manner scope? (?=vehicles|vehicle|traffic_word)", lambda found: _all(found, "drivers", found[0].value)),
    _rule("amount scope? traffic_word", _level),
    _rule("traffic_word colon? amount", _level),
    _rule("number traffic_word", _level),
    _rule("motion scope? traffic_word", _level),
    _rule("time_of_day to (?=time_of_day)", lambda found: [found[0], found[1].of("turn")]),
    _rule("weather to (?=weather)", lambda found: [found[0], found[1].of("turn")]),
    _rule("(number|amount) lead", _actor),
    _rule("lead vehicle?", _actor),
    _rule("(vehicle|vehicles|person) colon? amount (?!unit|vehicle|vehicles|person|weather)", _actor),
    _rule("ahead scope? (number|amount)? (vehicle|lead)", _actor),
    _rule("(number|amount scope?)? (vehicle|vehicles|person) ahead?", _actor),
    _rule("traffic_word", lambda found: found[0].of("actor", Actor(("any",), level="medium"))),
    _rule("number motion (?!actor|scope|traffic_word)", _several),
    _rule("actor? motion times", _several),
    _rule("times motion", _several),
    _rule("side and side", _union),
    *_lists(),
    _rule("side to? side", _from_to),
]
