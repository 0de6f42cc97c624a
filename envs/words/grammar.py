"""From single words to phrases: numbers, moments, counted vehicles, lists of alternatives.

A cascade of finite-state rules (Abney 1996, "Partial parsing via finite-state cascades"): each rule is a regular
expression over the kinds of neighbouring pieces and a function of what it matched: new pieces, or None to leave it.
The rules run once each, in order. They speak of kinds alone, so they serve every language.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Any

from ..choices import Range, possible
from . import measures
from .lexicon import Piece
from .measures import Build, Moment, has, of_kinds, spanning

CROWD = {"none": 0.0, "light": 2.0, "medium": 3.0, "heavy": 4.0}
"""What they count of those who do something."""
LISTED = ("road", "oncoming", "drivers", "weather", "time_of_day", "traffic", "lanes", "side", "command", "actor")
"""Kinds of which several may be named: "rain or snow"."""


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


# --- lanes, traffic, who is there -----------------------------------------------------------------------------


def _lanes(found: list[Piece]) -> Piece | None:
    number = of_kinds(found, "number")[0].value
    if isinstance(number, Range):
        number = tuple(range(int(number.min), int(number.max) + 1))
    halves = 2 if has(found, "both_ways") else 1
    lanes = tuple(int(each) // halves for each in possible(number) if each % halves == 0)
    return spanning(found, "lanes", lanes) if lanes and 0 not in lanes else None


def _level(found: list[Piece]) -> Piece | None:
    """ "heavy traffic", "traffic is light"; vehicles that stand or crawl are heavy traffic."""
    amount, motion, number = of_kinds(found, "amount"), of_kinds(found, "motion"), of_kinds(found, "number")
    if (motion and motion[0].value not in ("stop", "stopped", "slow")) or (number and number[0].value != 0):
        return None
    if number:
        return spanning(found, "traffic", "none")
    return spanning(found, "traffic", amount[0].value if amount else "heavy")


def _actor(found: list[Piece]) -> Piece:
    noun = of_kinds(found, "vehicle", "vehicles", "person", "lead")[0]
    counted, vague = of_kinds(found, "number"), of_kinds(found, "amount")
    amount = possible(vague[0].value)[0] if vague else None
    count = max(possible(counted[0].value)) if counted else CROWD[amount] if amount else None
    level = amount if vague else "medium" if noun.kind == "vehicles" and not counted else None
    lead = noun.kind == "lead" or has(found, "ahead")
    name = noun.value if noun.kind != "lead" else next((p.value for p in of_kinds(found, "vehicle")), "any")
    return spanning(found, "actor", Actor((name,), count, level, noun.kind == "person", lead))


# --- lists ----------------------------------------------------------------------------------------------------


def _union(found: list[Piece]) -> Piece:
    """ "A, B or C": one piece with several values."""
    parts = [piece for piece in found if piece.kind in LISTED]
    if parts[0].kind == "actor":
        names = tuple(dict.fromkeys(name for piece in parts for name in piece.value.names))
        return spanning(found, "actor", replace(parts[0].value, names=names))
    values = tuple(dict.fromkeys(value for piece in parts for value in possible(piece.value)))
    return spanning(found, parts[0].kind, values)


def _several(found: list[Piece]) -> list[Piece] | None:
    """ "two cut-ins", "brakes twice": somebody does it so often."""
    motion, often = of_kinds(found, "motion")[0], of_kinds(found, "number", "times")[0].value
    if (not isinstance(often, float) and not str(often).isdigit()) or float(often) < 2:
        return None
    doer = of_kinds(found, "actor")
    actor = replace(doer[0].value, count=float(often)) if doer else Actor(("any",), float(often))
    return [spanning([each for each in found if each is not motion], "actor", actor), motion]


def _after_that(found: list[Piece]) -> list[Piece] | None:
    """ "four seconds after that", "drive 10 s, then"."""
    if found[1].value != "next":
        return None
    value, unit = found[0].value
    return [found[1], found[0].of("moment", Moment(value, unit, "last"))]


def _more(found: list[Piece]) -> Piece | None:
    """ "3 more seconds"."""
    length = measures.length(found)
    return None if length is None else length.of("moment", Moment(length.value[0], length.value[1], "last"))


def _conjunction(found: list[Piece]) -> list[Piece] | None:
    """ "right after the truck": here "right" is no side."""
    return [found[0].of("stop"), found[1]] if found[0].value == "right" else None


def _from_to(found: list[Piece]) -> Piece:
    """ "from left to right": the side that somebody comes from."""
    return spanning(found, "side", found[0].value)


def _denied(found: list[Piece]) -> Piece:
    """ "no A, B or C" as a denial of their union."""
    return spanning(found, "denied", _union(found[1:]))


_FEW = "{0,6}"  # a bound, so that no text takes long


def _lists() -> list[tuple[re.Pattern[str], Build]]:
    rules = []
    for kind in LISTED:
        denied = f"not {kind} (comma {kind}){_FEW} comma? (or|and) {kind} ((or|and) {kind}){_FEW}"
        rules.append(_rule(f"choose colon? {kind} (comma? (comma|and|or) {kind}){_FEW}", _union))
        rules.append(_rule(f"{kind} (comma? (comma|and|or) {kind}){_FEW} scope? comma? choose", _union))
        rules.append(_rule(f"{kind} slash (?={kind})", _slash))
        rules.append(_rule(denied, _denied))
        if kind != "actor":
            rules.append(_rule(f"{kind} (comma {kind}){_FEW} comma? or {kind}", _union))
    rules.append(_rule("actor or actor", _union))
    rules.append(_rule("slash", lambda found: found[0].of("comma")))
    rules.append(_rule("choose", _drop))
    return rules


# --- turns of phrase ------------------------------------------------------------------------------------------


def _drop(found: list[Piece]) -> list[Piece]:
    """The first piece says nothing here."""
    return found[1:]


def _as_list(piece: Piece | None) -> list[Piece]:
    return [] if piece is None else [piece]


def _slash(found: list[Piece]) -> list[Piece]:
    """ "rain/snow", "3/4 lanes" are one of two; between different kinds a slash only parts."""
    return [found[0], found[1].of("or")]


def _labelled(found: list[Piece]) -> list[Piece] | None:
    """ "TC-109" is a name."""
    if any(first.end != second.start for first, second in pairwise(found)):
        return None
    return [found[0], found[-1].of("label")]


def _right_ahead(found: list[Piece]) -> Piece | None:
    """ "right ahead", and not "from the right, just ahead"."""
    is_close = found[1].start - found[0].end == 1 and found[0].value == "right"
    return spanning(found, "ahead", "") if is_close else None


def _rider(found: list[Piece]) -> list[Piece]:
    """ "a boy on a bicycle", 小伙子骑车: a cyclist."""
    person, ride = found[0], found[-1]
    near = person.near or ride.near
    return [replace(person, value="cyclist", near=near), ride.of("teller"), *found[1:-1]]


def _two_names(found: list[Piece]) -> Piece | None:
    """ "a student cyclist"."""
    names = [piece.value for piece in found]
    return spanning(found, "person", "cyclist") if names == ["pedestrian", "cyclist"] else None


def _if_first(value: Any, build: Build) -> Build:
    """``build`` where the first piece has this value."""
    return lambda found: build(found) if found[0].value == value else None


def _fades(found: list[Piece]) -> list[Piece]:
    """ "daylight fades to dusk"."""
    return [found[0].of("time_of_day", "day"), found[1].of("turn"), found[2]]


def _bends(found: list[Piece]) -> Piece:
    """ "many turns"."""
    return spanning(found, "road", "curves")


def _tempered(found: list[Piece]) -> Piece | None:
    """ "moderately busy"."""
    return spanning(found, "traffic", "medium") if found[0].value == "medium" else None


def _crowd(found: list[Piece]) -> Piece | None:
    """车少: what is said is how much traffic there is."""
    level = found[-1].value
    general = found[0].value in ("any", "car") and not found[0].near and len(possible(level)) == 1
    return spanning(found, "traffic", level) if general else None


def _over_road(found: list[Piece]) -> list[Piece] | None:
    """ "squeezes in from the slip road" is to merge, "races over the junction" to cross."""
    motion, road = found[0].value, tuple(possible(found[-1].value))
    if motion == "cut_in" and road == ("merge",):
        return [found[0].of("motion", "merge"), *found[1:]]
    if motion == "through":
        return [found[0].of("motion", "cross" if road == ("intersection",) else "walk"), *found[1:]]
    return None


def _again_at(found: list[Piece]) -> list[Piece] | None:
    """ "by day; at ten seconds, twilight; at twenty, darkness": the unit goes on."""
    moment: Moment = found[0].value
    number = found[-1].value
    if moment.unit != "s" or not isinstance(number, float) or number <= max(possible(moment.value)):
        return None
    return [*found[:-2], spanning(found[-2:], "moment", Moment(number, "s", "start"))]


_PHRASES = [
    _rule("ramp", lambda found: [found[0].of("motion", "merge"), found[0].of("road", "merge")]),
    _rule("through (at|between)? (?=road)", lambda found: found[0].of("motion", "through")),
    _rule("through", lambda found: found[0].of("motion", "walk")),
    _rule("unknown to number", _labelled),
    _rule("side ahead", _right_ahead),
    _rule("(vehicle|vehicles|person|lead|ahead) who", lambda found: found[:1]),
    _rule("who", lambda found: found[0].of("with")),
    _rule("number th", lambda found: spanning(found, "nth", f"{found[0].value:g}")),
    _rule("th", lambda found: found[0].of("unknown")),
    _rule("nth unit", measures.named),
    _rule("nth (?=vehicle|vehicles|lead|person|motion|rides)", _drop),
    _rule("nth", lambda found: found[0].of("repeat")),
    _rule("person (side|at|between|number|amount|motion|repeat){0,4} rides", _rider),
    _rule("rides scope? person", lambda found: _rider([found[-1], found[0]])),
    _rule("rides", lambda found: found[0].of("person", "cyclist")),
    _rule("person person", _two_names),
    _rule("person says", lambda found: [found[0].of("teller")]),
    _rule("says", _drop),
    _rule("for (?=motion)", _drop),
    _rule("motion times vehicle", lambda found: found[:2] if found[0].value == "brake" else None),
    _rule("number unit number (?!unit|lane_word|vehicle|vehicles|person|clock|scale|motion)", measures.unit_and_half),
    _rule("lane_word not number (?!unit)", lambda found: [found[1], *_as_list(_lanes([found[0], found[2]]))]),
    _rule("traffic_word not amount", lambda found: [found[1], *_as_list(_level([found[0], found[2]]))]),
    _rule("number (?=(motion|becomes|start|over) just)", _if_first(1.0, _drop)),
    _rule("(motion|becomes) just", lambda found: [found[0], found[1].of("post")]),
    _rule("just", _drop),
    _rule("(?<!time_of_day)(?<!weather)start (at|between)? (?=time_of_day)", lambda f: f[0].of("order", "first")),
    _rule("dims (into|to) time_of_day", _fades),
    _rule("dims (comma|and|end)? becomes", lambda found: spanning(found, "becomes", found[-1].value)),
    _rule("dims", lambda found: found[0].of("becomes", found[0].value)),
    _rule("before pronoun (?=comma|end|close|with|$)", lambda found: found[0].of("order", "earlier")),
    _rule("after pronoun (?=comma|end|close|with|$)", lambda found: found[0].of("order", "next")),
    _rule("command_word (colon|turn)? side", lambda found: spanning(found, "command", found[-1].value)),
    _rule("command_word", _drop),
    _rule("(?<!weather)amount scope? measure (?!weather)", _level),
    _rule("(?<!weather)measure (colon|at)? amount", _level),
    _rule("measure", _drop),
    _rule("amount scope? turn (?!weather|time_of_day|to|at)", _bends),
    _rule("amount scope? traffic (?!at|number)", _tempered),
    _rule("motion (at|between)? road", _over_road),
    _rule("(vehicle|vehicles) colon? amount (?=comma|end|close|but|$)", _crowd),
    _rule("(number|amount|vehicle|vehicles|person) slash (?=number|amount|vehicle|vehicles|person)", _slash),
]
"""Turns of phrase, before anything is counted."""
_RULES = [
    *_PHRASES,
    _rule("nobody", lambda found: [found[0].of("not"), found[0].of("actor", Actor(("any",)))]),
    _rule("(?<!between)side (after|before) (?!number|scale|amount|length)", _conjunction),
    _rule("straight (?=road)", lambda found: found[0].of("stop")),
    _rule("straight", lambda found: found[0].of("command", "straight")),
    _rule("some (?=vehicles|traffic_word)", lambda found: found[0].of("amount", "medium")),
    _rule("number colon number (?!unit)", measures.hour),
    _rule("number (colon|close)", lambda found: [found[1], found[0].of("label")]),
    _rule("amount or amount", lambda found: spanning(found, "amount", (found[0].value, found[2].value))),
    _rule("leave", measures.leave),
    _rule("number and_half", measures.decimal),
    _rule("number clock number (?=unit)", measures.decimal),
    _rule("(number|scale){0,4} scale (number|scale){0,4}", measures.number),
    _rule("number number{1,4}", measures.number),
    _rule("between number to number unit", measures.spell(measures.numbers_between)),
    _rule("between number (to|and) number", measures.number_range),
    _rule("(?:unit|ordinal) colon? number (?!unit|scale|clock|lane_word|to|or)", measures.seconds),
    _rule("number to number", measures.number_range),
    _rule("number or number", measures.number_either),
    _rule("ordinal number (?=vehicle|lead|person)", lambda found: found[0].of("stop")),
    _rule("time_of_day? number clock", measures.clock),
    _rule("at number at? time_of_day", measures.clock),
    _rule("number during", measures.hour),
    _rule("number? length", measures.listed_length),
    _rule("speed_of (colon|at){0,2} (number|amount)? unit", measures.length),
    _rule("speed_of (colon|at){0,2} number (?!unit|lane_word)", measures.speed),
    _rule("number unit scope? speed_of", measures.length),
    _rule("least number unit? (and|comma|but){0,2} most number unit", measures.bounds),
    _rule("after? number more unit", _more),
    _rule("(number|amount) unit", measures.length),
    _rule("ordinal colon? length", measures.moment("start")),
    _rule("(?<=after) unit", measures.length),
    _rule("unit (?=later|post|after|before)", measures.length),
    _rule("between length to length", measures.spell(measures.between)),
    _rule("between? length (to|and) length", measures.between),
    _rule("(least|most) (after|at)? length", measures.bounded),
    _rule("length (least|most)", measures.bounded),
    _rule("(?<=ego)length", measures.drive_speed),
    _rule("(for length clip?|length scope? (for|clip)|clip for? length)", measures.horizon),
    _rule("after? another length (later|post|after|elapse)?", measures.moment("last")),
    _rule("length (later|elapse)", measures.moment("last")),
    _rule("elapse", lambda found: found[0].of("motion", "walk")),
    _rule("length into (?=weather|time_of_day)", lambda found: [found[0], found[1].of("after")]),
    _rule("(at? within) length", measures.moment("start")),
    _rule("length within", measures.moment("start")),
    _rule("length (ahead|into)", measures.moment("start")),
    _rule("length at (?=comma)", measures.moment("start")),
    _rule("ahead length", measures.moment("start")),
    _rule("after length post?", measures.moment("open")),
    _rule("length post", measures.moment("post")),
    _rule("at length", measures.moment("start")),
    _rule("length order", _after_that),
    _rule("length colon (?!length|moment|number)", measures.moment("start")),
    _rule("moment to moment", measures.spell(measures.span)),
    _rule("order length", _if_first("earlier", lambda found: found[::-1])),
    *[_rule("moment .{0,200}? at number (?=comma|end|close|$)", _again_at)] * 3,
    _rule("again (?=moment|length)", lambda found: found[0].of("repeat")),
    _rule("moment again", lambda found: [found[0], found[1].of("repeat")]),
    _rule("again", _drop),
    _rule("at becomes", measures.time_of_day),
    _rule("(both_ways number|number) lane_word", _lanes),
    _rule("lane_word colon? number (?!unit|lane_word|vehicle|vehicles|person)", _lanes),
    _rule(
        "(?:(?<=lanes (but|not))|(?<=lanes comma (but|not))) number (?!unit|vehicle|vehicles|person|scale)",
        _lanes,
    ),
    _rule("manner scope? (?=vehicles|vehicle|traffic_word)", lambda found: spanning(found, "drivers", found[0].value)),
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
    _rule("actor with (cannot|unknown)", lambda found: [found[0], found[2]]),
    _rule("number motion (?!actor|scope|traffic_word)", _several),
    _rule("actor? motion times", _several),
    _rule("times motion", _several),
    _rule("side and side", _union),
    *_lists(),
    _rule("side to? side", _from_to),
]
