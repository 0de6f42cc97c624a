"""Numbers, lengths, speeds and moments: what ``grammar.py`` makes of neighbouring pieces that count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from worldsim.types import TIMES

from ..choices import Range, possible
from .lexicon import Piece
from .rules import Build, has, of_kinds, rule, spanning

UNITS = {
    "s": ("s", 1.0), "min": ("s", 60.0), "m": ("m", 1.0), "km": ("m", 1000.0), "mile": ("m", 1609.3),
    "ft": ("m", 0.3048), "yard": ("m", 0.9144), "m/s": ("m/s", 1.0), "km/h": ("m/s", 1 / 3.6), "mph": ("m/s", 0.44704),
}  # fmt: skip
ABOUT = {"light": 3.0, "medium": 5.0, "heavy": 12.0}
"""What "a few", "several" and "many" count of seconds or metres."""


FOG_M = 1000.0
"""Who sees no farther is in fog, as meteorology has it."""
FARTHEST_M = 10_000.0
"""A distance from here on is none that an event has: kilometres are then those of an hour."""


@dataclass(frozen=True)
class Moment:
    """When: ``value`` (a number, alternatives or a Range) of ``unit`` "s", "m", "share" or "s left" of the drive.

    ``since`` is "start" (of the drive), "last" (event), or "open": the start, unless that would be before the last.
    "post" is open too, but Chinese says it of the event that stands before it: 切入三秒后.
    """

    value: Any
    unit: str
    since: str


def scaled(value: Any, factor: float) -> Any:
    """A number, alternatives or a Range, times ``factor``."""
    if isinstance(value, Range):
        return Range(round(value.min * factor, 3), round(value.max * factor, 3))
    numbers = tuple(round(each * factor, 3) for each in possible(value))
    return numbers if len(numbers) > 1 else numbers[0]


def is_digits(piece: Piece) -> bool:
    """Whether a number is written in digits, which others do not go on."""
    return piece.end - piece.start == len(f"{piece.value:g}")


# --- numbers, lengths, moments --------------------------------------------------------------------------------


def number(found: list[Piece]) -> Piece | None:
    """ "two hundred", 二十五: values that a scale multiplies, added up; None for a row of several numbers."""
    values = [piece.value for piece in found]
    if len(values) == 2 and values[1] == values[0] + 1 < 10:  # 两三秒
        return spanning(found, "number", Range(*values))
    if any(is_digits(piece) and piece.value >= 10 for piece in found[:-1] if found[-1].kind == "number"):
        return None  # "TC-109 five lanes"
    if len(found) > 2 and found[-2].kind == "scale" and _is_colloquial(found[-1]) and found[-2].value >= 100:
        values[-1] *= found[-2].value / 10  # 一百二
        found = [*found[:-1], replace(found[-1], value=values[-1])]
    total = current = 0.0
    room = float("inf")  # what comes next must be smaller than what is there
    for piece in found:
        if piece.kind == "scale":
            total, current, room = total + (current or 1.0) * piece.value, 0.0, piece.value
        elif (current and (current < 20 or piece.value >= 10)) or piece.value >= room:
            return None
        else:
            current += piece.value
    return spanning(found, "number", total + current)


def _is_colloquial(piece: Piece) -> bool:
    """Whether a number is one character from one to nine, as 二 in 一百二."""
    return piece.kind == "number" and piece.end - piece.start == 1 and 0 < piece.value < 10


def number_range(found: list[Piece]) -> Piece | None:
    low, high = (piece.value for piece in of_kinds(found, "number"))
    return spanning(found, "number", Range(low, high)) if low < high else None


def number_either(found: list[Piece]) -> Piece:
    return spanning(found, "number", tuple(piece.value for piece in of_kinds(found, "number")))


def bounds(found: list[Piece]) -> list[Piece] | None:
    """ "no earlier than 5 and no later than 9 seconds" is from 5 to 9 seconds."""
    low, high = (piece.value for piece in of_kinds(found, "number"))
    if not isinstance(low, float) or not isinstance(high, float) or low >= high:
        return None
    return [spanning(found[:-1], "number", Range(low, high)), found[-1]]


def between(found: list[Piece]) -> Piece | None:
    """ "from 7 s to 10 s" as one length."""
    (low, unit), (high, other) = (piece.value for piece in of_kinds(found, "length"))
    if unit != other or min(possible(low)) >= max(possible(high)):
        return None
    return spanning(found, "length", (Range(min(possible(low)), max(possible(high))), unit))


def either_moment(found: list[Piece]) -> Piece | None:
    """第5秒或第8秒."""
    first, second = found[0].value, found[-1].value
    if (first.unit, first.since) != (second.unit, second.since):
        return None
    return spanning(found, "moment", replace(first, value=(*possible(first.value), *possible(second.value))))


def before_end(found: list[Piece]) -> Piece | None:
    """ "10 s before the end"."""
    value, unit = of_kinds(found, "length")[0].value
    return spanning(found, "moment", Moment(value, "s left", "start")) if unit == "s" else None


def either_length(found: list[Piece]) -> Piece | None:
    """五秒或十秒."""
    (first, unit), (second, other) = (piece.value for piece in of_kinds(found, "length"))
    if unit != other:
        return None
    return spanning(found, "length", ((*possible(first), *possible(second)), unit))


def span(found: list[Piece]) -> Piece | None:
    """从第10秒到第20秒."""
    first, last = found[0].value, found[-1].value
    if first.unit != last.unit or not isinstance(first.value, float) or not isinstance(last.value, float):
        return None
    return spanning(found, "length", (Range(first.value, last.value), first.unit)) if first.value < last.value else None


def numbers_between(found: list[Piece]) -> Piece | None:
    """ "from 10 to 20 s"."""
    numbers = number_range(found[:-1])
    return None if numbers is None else length([numbers, found[-1]])


def seconds_between(found: list[Piece]) -> Piece | None:
    """ "Between second 5 and second 9"."""
    numbers = number_range(found)
    return None if numbers is None else spanning(found, "length", (numbers.value, "s"))


def spell(build: Callable[[list[Piece]], Piece | None]) -> Build:
    """ "from 10 s to 20 s": weather lasts so long; to anything else it is a time in between."""

    def built(found: list[Piece]) -> Piece | None:
        piece = build(found)
        return None if piece is None or piece.kind != "length" else replace(piece, kind="span")

    return built


def bounded(found: list[Piece]) -> Piece | None:
    """ "at the latest after 9 s", "not before 5 s"."""
    value, unit = of_kinds(found, "length")[0].value
    return spanning(found, "moment", Moment(Range(0.0, value) if has(found, "most") else value, unit, "start"))


def unit_and_half(found: list[Piece]) -> list[Piece] | None:
    """两分半 is two and a half minutes."""
    counted, half = found[0], found[-1]
    if half.value != 0.5 or not isinstance(counted.value, float):
        return None
    return [spanning([counted, half], "number", counted.value + 0.5), replace(found[1], end=half.end)]


def named(found: list[Piece]) -> Piece | None:
    """ "in the third second"."""
    whole = length([found[0].of("number", float(found[0].value)), found[-1]])
    return (
        None
        if whole is None or whole.kind != "length"
        else whole.of("moment", Moment(whole.value[0], whole.value[1], "start"))
    )


def drive_speed(found: list[Piece]) -> Piece | None:
    """ "we do 90 kilometres": so far goes no event; "40 公里的时速"."""
    value, unit = of_kinds(found, "length")[0].value
    if unit != "m" or min(possible(value)) < FARTHEST_M:
        return None
    speed = spanning(found, "speed", scaled(scaled(value, 0.001), UNITS["km/h"][1]))
    return replace(speed, start=of_kinds(found, "length")[0].start)


def length(found: list[Piece]) -> Piece | None:
    """A number and a unit: a length of time or of road ("length"), or a speed."""
    unit = of_kinds(found, "unit")[0].value
    if has(found, "speed_of") and unit in ("km", "m"):
        unit = {"km": "km/h", "m": "m/s"}[unit]
    counted, vague = of_kinds(found, "number"), of_kinds(found, "amount")
    if vague and vague[0].value not in ABOUT:
        return None
    number = counted[0].value if counted else ABOUT[vague[0].value] if vague else 1.0
    base, factor = UNITS[unit]
    value = scaled(number, factor)
    return spanning(found, "speed", value) if base == "m/s" else spanning(found, "length", (value, base))


def visibility(found: list[Piece]) -> Piece | None:
    """ "visibility down to fifty metres" is fog."""
    value, unit = found[-1].value
    if unit != "m":
        return None
    return replace(spanning(found, "weather", "fog" if max(possible(value)) <= FOG_M else "clear"), near=True)


def low_visibility(found: list[Piece]) -> Piece | None:
    """能见度不足, and not how far."""
    return replace(found[0].of("weather", "fog"), near=True) if found[0].value == "low" else None


def decimal(found: list[Piece]) -> Piece:
    """ "one and a half", 一点五."""
    first, last = found[0].value, found[-1].value
    return spanning(
        found, "number", first + (0.5 if found[-1].kind == "and_half" else last / 10 if last < 10 else last / 100)
    )


def seconds(found: list[Piece]) -> Piece:
    """ "at second 9", "t = 9"; 第三关 is only a name."""
    if found[0].value == "th":
        return spanning(found, "label", "")
    return spanning(found, "moment", Moment(found[-1].value, "s", "start"))


def leave(found: list[Piece]) -> list[Piece]:
    """ "take the exit": a route and a road."""
    return [found[0].of("command", "right"), found[0].of("road", "exit")]


def counted_motion(found: list[Piece]) -> list[Piece] | None:
    """ "two slow trucks": the number belongs to the noun."""
    if found[1].value not in ("slow", "stopped", "lifeless"):
        return None
    return [found[1], replace(found[0], end=found[-1].end)]


def speed(found: list[Piece]) -> Piece:
    """ "speed limit 80": km/h, where no unit is said."""
    return spanning(found, "speed", scaled(found[-1].value, UNITS["km/h"][1]))


def listed_length(found: list[Piece]) -> Piece | None:
    """ "length=60 s" of a lexicon, as a number and its unit; "half a minute"."""
    times = found[0].value if found[0].kind == "number" else 1.0
    if isinstance(found[-1].value, tuple):
        return None
    number, _, unit = found[-1].value.partition(" ")
    return spanning(found, "length", (scaled(times, float(number)), unit))


def moment(since: str) -> Build:
    """A length of time or road becomes a ``Moment`` counted from ``since``."""

    def build(found: list[Piece]) -> Piece | None:
        value, unit = of_kinds(found, "length")[0].value
        if has(found, "within") and not isinstance(value, Range):
            value = Range(0.0, max(possible(value)))
        if has(found, "ahead") and unit != "m":
            return None
        return spanning(found, "moment", Moment(value, unit, since))

    return build


def horizon(found: list[Piece]) -> Piece | None:
    """ "for 30 seconds": how long the drive is."""
    value, unit = of_kinds(found, "length")[0].value
    return spanning(found, "horizon_s", value) if unit == "s" else None


def clock(found: list[Piece]) -> Piece | None:
    """An hour of the day: day from 7 to 17, dusk to 20 (and from 5), else night."""
    hour, half = of_kinds(found, "number")[0].value, "".join(piece.value for piece in of_kinds(found, "clock"))
    if not isinstance(hour, float) or not 0 <= hour <= 24:
        return None
    named = of_kinds(found, "time_of_day")
    if named:
        return spanning(found, "time_of_day", named[0].value)
    hour = hour % 12 + 12 * (half == "pm") if half in ("am", "pm", "morning") else hour
    return spanning(found, "time_of_day", "day" if 7 <= hour < 17 else "dusk" if 5 <= hour < 20 else "night")


def hour(found: list[Piece]) -> Piece | None:
    """ "20:30", 23时."""
    hour = clock([found[0], found[0].of("clock", "hours")])
    return None if hour is None else spanning(found, hour.kind, hour.value)


def time_of_day(found: list[Piece]) -> Piece | None:
    """ "at nightfall" is a time of day, and nothing that happens."""
    return spanning(found, "time_of_day", found[1].value) if found[1].value in TIMES else None


NUMBERS = [
    rule("(number|scale){0,4} scale (number|scale){0,4}", number),
    rule("number number{1,4}", number),
]
"""Numbers of several words as one."""
