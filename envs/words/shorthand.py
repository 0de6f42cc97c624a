"""Shorthand: "3L", "RHS", "x2", "0:05", "t<16 s", "#1", "1 min 30 s" as the words that they stand for."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from .counted import MOST_LANES
from .lexicon import Piece
from .measures import Moment, speed
from .rules import drop, rule, spanning


def stamped(pieces: Sequence[Piece]) -> list[Piece]:
    """ "0:05 a truck cuts in, 1:10 rain": where one time begins with a nought, all are minutes and seconds."""
    found = list(pieces)
    places = [place for place in range(len(found) - 2) if _is_stamp(found[place : place + 3])]
    if not any(found[place].value == 0 for place in places):
        return found
    for place in reversed(places):
        first, _, second = match = found[place : place + 3]
        found[place : place + 3] = [spanning(match, "moment", Moment(60.0 * first.value + second.value, "s", "start"))]
    return found


def _is_stamp(found: Sequence[Piece]) -> bool:
    kinds = [piece.kind for piece in found]
    close = all(before.end == after.start for before, after in pairwise(found))
    return kinds == ["number", "colon", "number"] and close and found[2].end - found[2].start == 2


def _lanes_or_side(found: list[Piece]) -> list[Piece] | None:
    """ "3L" is three lanes, and so is no "5 s L"."""
    number, initial = found
    if number.end != initial.start or initial.value != "left" or number.value not in range(1, MOST_LANES + 1):
        return None
    return [spanning(found, "lanes", (int(number.value),))]


def _to_the_other(found: list[Piece]) -> Piece | None:
    """ "L2R"."""
    return spanning(found, "side", found[0].value) if found[1].value == 2 else None


def _counted(found: list[Piece]) -> list[Piece]:
    """ "ped x2" is two pedestrians."""
    return [spanning(found[1:], "number", found[2].value), found[0]]


def _times(found: list[Piece], number: Any) -> Piece:
    return spanning(found, "times", f"{number:g}" if isinstance(number, float) else "1")


def _clock_length(found: list[Piece]) -> Piece | None:
    """ "1:30 min" is ninety seconds."""
    if found[3].value != "min":
        return None
    return spanning(found, "length", (60.0 * found[0].value + found[2].value, "s"))


def _minutes_and_seconds(found: list[Piece]) -> Piece | None:
    """ "1 min 30 s", 一分十秒, "1m30s"."""
    minutes, unit, *_, seconds, small = found
    close = unit.value == "m" and unit.end == seconds.start and minutes.end == unit.start
    if small.value != "s" or not (unit.value == "min" or close) or seconds.value >= 60:
        return None
    return spanning(found, "length", (60.0 * minutes.value + seconds.value, "s"))


def _as_hour(found: list[Piece]) -> list[Piece] | None:
    """23时15分 is an hour of the day."""
    if found[3].value != "min":
        return None
    return [found[0], spanning(found[1:], "clock", "hours")]


def _motorway(found: list[Piece]) -> Piece | None:
    """ "M25" is the name of a motorway, and no metre."""
    letter, number = found
    return spanning(found, "road", "highway") if letter.value == "m" and letter.end == number.start else None


def _and_more(found: list[Piece]) -> list[Piece] | None:
    """二十多秒."""
    return found[:1] if found[1].value == "heavy" else None


def _each_unit(found: list[Piece]) -> list[Piece] | None:
    """ "At 5, 10 and 15 seconds"."""
    numbers, unit = [piece for piece in found if piece.kind == "number"], found[-1]
    joins = [piece for piece in found if piece.kind in ("comma", "and")]
    values = [piece.value for piece in numbers]
    if joins[-1].kind != "and" or not all(isinstance(value, float) for value in values) or values != sorted(values):
        return None
    each = [part for number in numbers[:-1] for part in (number, number.of("unit", unit.value), joins[-1].of("and"))]
    return [*each, numbers[-1], unit]


def _driven_speed(found: list[Piece]) -> Piece | None:
    """跑一百二 is how fast."""
    if found[0].value != "walk" or not isinstance(found[1].value, float) or not 30 <= found[1].value <= 200:
        return None
    return speed(found)


SHORTHAND = [
    rule("hash number", lambda found: spanning(found, "label", "")),
    rule("hash", drop),
    rule("initial number initial", _to_the_other),
    rule("number initial", _lanes_or_side),
    rule("initial", lambda found: found[0].of("side", found[0].value)),
    rule("(?<!number)unit number (?!unit|scale)", _motorway),
    rule("number by_sign (?=number lane_word)", lambda found: []),
    rule("(vehicle|vehicles|person|lead) by_sign number (?!unit|lane_word)", _counted),
    rule("by_sign number (?!unit|lane_word)", lambda found: _times(found, found[1].value)),
    rule("number by_sign (?=motion|crossing)", lambda found: _times(found, found[0].value)),
    rule("number by_sign (?=vehicle|vehicles|person)", lambda found: found[:1]),
    rule("by_sign", drop),
    rule("ordinal (and|plus) (?=number)", lambda found: found[:1]),
    rule("ordinal (before|at) (?=number)", lambda found: found[1:]),
    rule("ordinal turn (?=number)", lambda found: [found[1].of("at")]),
    rule("number colon number unit", _clock_length),
    rule("differ number unit (?=(number|scale){1,3} clock)", lambda found: [spanning(found, "label", "")]),
    rule("differ", lambda found: found[0].of("unknown")),
    rule("number (during|clock) number unit", _as_hour),
    rule("(number|scale) fuzz (?=unit)", lambda found: found[:1]),
    rule("unit fuzz", lambda found: found[:1]),
    rule("fuzz", lambda found: found[0].of("motion", "walk")),
]
"""Before anything is counted."""

COMPOUND = [
    rule("number unit and? number unit", _minutes_and_seconds),
    rule("number amount (?=unit)", _and_more),
    rule("(?<!lane_word)number ((comma|and) number){1,5} unit", _each_unit),
    rule("motion number (?=comma|end|close|$)", _driven_speed),
]
"""Once numbers are whole."""
