"""From single words to phrases: numbers, moments, counted vehicles, lists of alternatives.

A cascade of finite-state rules (Abney 1996, "Partial parsing via finite-state cascades"): each rule is a regular
expression over the kinds of neighbouring pieces and a function of what it matched: new pieces, or None to leave it.
The rules run once each, in order. They speak of kinds alone, so they serve every language.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from . import measures
from .counted import Actor, bounded_lanes, count_actor, count_lanes, traffic_level
from .lexicon import Piece
from .listing import FEW, NUMBER_SETS, lists, union
from .measures import Moment
from .own import GLASS
from .phrasing import PHRASES, is_bare_right
from .rules import apply, drop, if_first, of_kinds, rule, spanning
from .sayings import SAYINGS
from .shorthand import COMPOUND, SHORTHAND, stamped
from .spells import timed_spells
from .timelines import FROM_THEN, TIMELINES, once_more_at


def phrases(pieces: Sequence[Piece]) -> list[Piece]:
    """The pieces, combined by every rule in turn."""
    found = stamped(pieces)
    for pattern, build in _RULES:
        found = apply(pattern, build, found)
    return [piece for piece in timed_spells(found) if piece.kind != "rest"]


def _several(found: list[Piece]) -> list[Piece] | None:
    """ "two cut-ins", "brakes twice": somebody does it so often."""
    motion, often = of_kinds(found, "motion")[0], of_kinds(found, "number", "times")[0].value
    if (not isinstance(often, float) and not str(often).isdigit()) or not 2 <= float(often) < 10:
        return None
    doer = of_kinds(found, "actor")
    actor = replace(doer[0].value, count=float(often)) if doer else Actor(("any",), float(often))
    return [spanning([each for each in found if each is not motion], "actor", actor), motion]


def _after_that(found: list[Piece]) -> list[Piece] | None:
    """ "four seconds after that", "drive 10 s, then"."""
    if found[1].value != "next":
        return None
    value, unit = found[0].value
    since = "open" if found[1].end - found[1].start == len("再") else "last"  # 开400米再变雾
    return [found[1], found[0].of("moment", Moment(value, unit, since))]


def _more(found: list[Piece]) -> Piece | None:
    """ "3 more seconds"."""
    length = measures.length(found)
    return None if length is None else length.of("moment", Moment(length.value[0], length.value[1], "last"))


def _conjunction(found: list[Piece]) -> list[Piece] | None:
    """ "right after the truck": here "right" is no side, as in "from the right after" it is."""
    return [found[0].of("manner_of"), found[1]] if is_bare_right(found[0]) else None


def _from_to(found: list[Piece]) -> Piece:
    """ "from left to right": the side that somebody comes from."""
    return spanning(found, "side", found[0].value)


def _turns_at(found: list[Piece]) -> list[Piece]:
    """ "clear -> rain (10 s) -> fog (25 s)"."""
    turn, state, comma, when, _ = found
    if when.kind == "length":
        value, unit = when.value
        when = when.of("moment", Moment(value, unit, "start"))
    return [comma, turn.of("label"), when, state]


def _midway(found: list[Piece]) -> list[Piece]:
    """ "In the middle of a 40 s drive"."""
    middle = next(piece for piece in found if piece.kind == "middle")
    clip = [piece for piece in found if piece.kind in ("length", "clip")]
    return [*clip, middle.of("moment", Moment(0.5, "share", "start"))]


def _at_once(found: list[Piece]) -> list[Piece] | None:
    """ "t=0: clear" is how it begins."""
    moment: Moment = found[0].value
    begins = moment.value == 0.0 and moment.since == "start"
    return [found[0].of("order", "first"), found[0].of("label")] if begins else None


def _one_after_another(found: list[Piece]) -> list[Piece] | None:
    """ "a truck, two cars and a van cut in": each of them does."""
    return [piece.of("and") if piece.kind == "comma" else piece for piece in found]


_RULES = [
    *GLASS,
    *SHORTHAND,
    *SAYINGS,
    *PHRASES,
    rule("nobody", lambda found: [found[0].of("not"), found[0].of("actor", Actor(("any",)))]),
    rule("(?<!between)side (after|before) (?!number|scale|amount|length)", _conjunction),
    rule("straight (?=road)", lambda found: found[0].of("stop")),
    rule("straight", lambda found: found[0].of("command", "straight")),
    rule("some (?=vehicles|traffic_word)", lambda found: found[0].of("amount", "medium")),
    rule("number colon number (?!unit)", measures.hour),
    rule("number (colon|close)", lambda found: [found[1], found[0].of("label")]),
    rule("amount or amount", lambda found: spanning(found, "amount", (found[0].value, found[2].value))),
    rule("vehicle between? (side|road|side road) leave", lambda found: [*found[:-1], found[-1].of("motion", "walk")]),
    rule("leave", measures.leave),
    rule("number and_half", measures.decimal),
    rule("number clock (at|between)? time_of_day", lambda found: spanning(found, "time_of_day", found[-1].value)),
    rule("number clock number (?=unit)", measures.decimal),
    *measures.NUMBERS,
    *NUMBER_SETS,
    *COMPOUND,
    rule("between number (to|and) number unit", measures.spell(measures.numbers_between)),
    rule("between number (to|and) number", measures.number_range),
    rule("ordinal number to ordinal number unit", lambda f: [f[0].of("between"), f[1], f[2], *f[4:]]),
    rule("between? ordinal number (to|and) ordinal number", measures.seconds_between),
    rule("(?:(?<!number)(?<!scale)unit|ordinal) colon? number (?!unit|scale|clock|lane_word|to|or)", measures.seconds),
    rule("number to number", measures.number_range),
    rule("number ((comma|and) number){1,4} (comma|and)? or number (?=unit|lane_word)", measures.number_either),
    rule("number or number", measures.number_either),
    rule("ordinal number (?=vehicle|lead|person)", lambda found: found[0].of("stop")),
    rule("time_of_day? number clock", measures.clock),
    rule("at number at? time_of_day", measures.clock),
    rule("clock", lambda found: found[0].of("time_of_day", "day") if found[0].value == "morning" else None),
    rule("number during", measures.hour),
    rule("number? length", measures.listed_length),
    rule("speed_of (colon|at){0,2} (number|amount)? unit", measures.length),
    rule("speed_of (colon|at){0,2} number (?!unit|lane_word)", measures.speed),
    rule("number unit scope? speed_of", measures.length),
    rule("number scope? speed_of (?!number|amount|colon|at)", lambda found: measures.speed(found[:1])),
    rule("least number unit? (and|comma|but){0,2} most number unit", measures.bounds),
    rule("after? number more unit", _more),
    rule("(number|amount) unit", measures.length),
    rule("ordinal colon? length", measures.moment("start")),
    rule("(?<=after) unit", measures.length),
    rule("unit (?=later|post|after|before)", measures.length),
    rule("between length (to|and) length", measures.spell(measures.between)),
    rule("(between|at)? length (to|and) length scope? amid", measures.spell(measures.between)),
    rule("(between? length to|between length and) length", measures.between),
    rule("amid", drop),
    rule("at? middle length? clip", _midway),
    rule("middle", drop),
    *TIMELINES,
    rule("heading length", lambda found: [found[0].of("pre"), found[1]]),
    rule("heading", drop),
    rule("pre length nothing (?=comma? order)", lambda f: [f[1].of("horizon_s", f[1].value[0]), f[2]]),
    rule("pre length nothing", lambda found: spanning(found, "nothing", "")),
    rule("length or at? length", measures.either_length),
    *FROM_THEN,
    rule("(length before_end|before_end at? length)", measures.before_end),
    rule("visibility (colon|at|to|scope|within|than|unknown){0,3} length", measures.visibility),
    rule("visibility", measures.low_visibility),
    rule("(weather|time_of_day) to (?=length)", lambda found: [found[0], found[1].of("before")]),
    rule("(least|most) (?=length (for|clip))", drop),
    rule("for (least|most) (?=length)", lambda found: found[:1]),
    rule("(least|most) (after|at)? length", measures.bounded),
    rule("length (least|most)", measures.bounded),
    rule("(?<=ego)length", measures.drive_speed),
    rule("(for length clip?|(?<!at)length scope? (for|clip)|clip for? length)", measures.horizon),
    rule("after? another length (later|post|after|elapse)?", measures.moment("last")),
    rule("length (later|elapse)", measures.moment("last")),
    rule("elapse", lambda found: found[0].of("motion", "walk")),
    rule("length into (?=weather|time_of_day)", lambda found: [found[0], found[1].of("after")]),
    rule("(at? within) length", measures.moment("start")),
    rule("length within", measures.moment("start")),
    rule("length (ahead|into)", measures.moment("start")),
    rule("length at (?=comma)", measures.moment("start")),
    rule("ahead length", measures.moment("start")),
    rule("after length post?", measures.moment("open")),
    rule("length post", measures.moment("post")),
    rule("at length", measures.moment("start")),
    rule("length order", _after_that),
    rule("length colon (?!length|moment|number)", measures.moment("start")),
    rule("moment", _at_once),
    rule("moment or moment", measures.either_moment),
    rule("(?:(?<=comma)|(?<=end)|^) to (?=moment)", drop),
    rule("(?:(?<=comma)|(?<=end)|^) to length (?!to)", measures.moment("start")),
    rule("turn (weather|time_of_day) comma (length|moment) close", _turns_at),
    rule("moment to moment", measures.spell(measures.span)),
    rule("order length", if_first("earlier", lambda found: found[::-1])),
    *[rule("moment .{0,200}? (at|after) number (?=comma|end|close|$)", once_more_at)] * 3,
    rule("again (?=moment|length)", lambda found: found[0].of("repeat")),
    rule("moment again", lambda found: [found[0], found[1].of("repeat")]),
    rule("again", drop),
    rule("at becomes", measures.time_of_day),
    rule("both_ways? (least|most|above|under) both_ways? number lane_word", bounded_lanes),
    rule("both_ways? number lane_word (least|most)", bounded_lanes),
    rule("(both_ways number|number) lane_word", count_lanes),
    rule("lane_word colon? number (?!unit|lane_word|vehicle|vehicles|person)", count_lanes),
    rule(
        "(?:(?<=lanes (but|not))|(?<=lanes comma (but|not))) number (?!unit|vehicle|vehicles|person|scale)",
        count_lanes,
    ),
    rule("manner scope? (?=vehicles|vehicle|traffic_word)", lambda found: spanning(found, "drivers", found[0].value)),
    rule("amount scope? traffic_word", traffic_level),
    rule("traffic_word colon? amount", traffic_level),
    rule("number traffic_word", traffic_level),
    rule("motion scope? traffic_word", traffic_level),
    rule("time_of_day to (?=time_of_day)", lambda found: [found[0], found[1].of("turn")]),
    rule("weather to (?=weather)", lambda found: [found[0], found[1].of("turn")]),
    rule("number motion scope? (?=vehicle|vehicles)", measures.counted_motion),
    rule("(number|amount) lead", count_actor),
    rule("lead vehicle?", count_actor),
    rule("(vehicle|vehicles|person) colon? amount (?!unit|vehicle|vehicles|person|weather)", count_actor),
    rule("ahead scope? (number|amount)? (vehicle|lead)", count_actor),
    rule("(number|amount scope?)? (vehicle|vehicles|person) ahead?", count_actor),
    rule("traffic_word", lambda found: found[0].of("actor", Actor(("any",), level="medium"))),
    rule(f"actor (comma actor){FEW} comma? and (?=actor)", _one_after_another),
    rule("number (?=(at|between){0,2} (side|moment|length))", if_first(1.0, lambda found: found[0].of("label"))),
    rule("actor with (cannot|unknown)", lambda found: [found[0], found[2]]),
    rule("number motion (?!actor|scope|traffic_word)", _several),
    rule("actor? motion times", _several),
    rule("times actor? motion", _several),
    rule("side and side", union),
    *lists(),
    rule("side (to|turn)? side", _from_to),
    rule("(?:(?<=comma)|(?<=end)|^) actor order (?=(moment|side|at|between){0,3} motion)", lambda f: f[::-1]),
]
