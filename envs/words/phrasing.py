"""Turns of phrase, read before anything is counted: "a boy on a bicycle", "half full", "squeezes in from the ramp"."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from ..choices import possible
from . import measures
from .counted import count_lanes, traffic_level
from .lexicon import Piece
from .measures import Moment
from .rules import as_list, drop, if_first, rule, slash, spanning

_NO_DEED = "comma|end|close|with|number|amount|vehicle|vehicles|person|lead|side|weather|time_of_day|$"
"""What may follow "after it", where that is no beginning of "after it brakes"."""


def _labelled(found: list[Piece]) -> list[Piece] | None:
    """ "TC-109" is a name."""
    if any(first.end != second.start for first, second in pairwise(found)) or not measures.is_digits(found[-1]):
        return None
    return [found[0], found[-1].of("label")]


def _right_ahead(found: list[Piece]) -> Piece | None:
    """ "right ahead", and not "from the right, just ahead"."""
    is_close = found[1].start - found[0].end == 1 and is_bare_right(found[0])
    return spanning(found, "ahead", "") if is_close else None


def is_bare_right(piece: Piece) -> bool:
    """Whether it is "right" alone, which may be no side: "right ahead", "right after"."""
    return piece.value == "right" and piece.end - piece.start == len("right")


def _rider(found: list[Piece]) -> list[Piece]:
    """ "a boy on a bicycle", 小伙子骑车: a cyclist."""
    person, ride = found[0], found[-1]
    near = person.near or ride.near
    return [replace(person, value="cyclist", near=near), ride.of("teller"), *found[1:-1]]


def _two_names(found: list[Piece]) -> Piece | None:
    """ "a student cyclist", 骑车的老头."""
    names = [piece.value for piece in found]
    return spanning(found, "person", "cyclist") if set(names) == {"pedestrian", "cyclist"} else None


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


def _at_the_crossing(found: list[Piece]) -> list[Piece] | None:
    """ "flies through the crossing": the second is a place."""
    if found[0].kind == "motion" and found[0].value != "cross":
        return None
    return [found[0].of("motion", "cross"), found[-1].of("road", "intersection")]


def _regardless(found: list[Piece]) -> list[Piece] | None:
    """ "without slowing drives across", 不停就横穿: what is not done is how the rest is."""
    if found[1].value not in ("brake", "stop", "stopped", "slow") or found[-1].value not in ("cross", "walk", "cut_in"):
        return None
    return [spanning(found[:-1], "manner_of", ""), found[-1]]


def _in_brackets(found: list[Piece]) -> list[Piece]:
    """ "a slow mover (truck)", "VRU (ped)": who it is, more exactly."""
    first, second = found[0], found[-2]
    if first.kind == "lead":
        return [first, second]
    return [replace(second, start=first.start), *(piece for piece in found[1:-2] if piece.kind == "ahead")]


def _more_exactly(found: list[Piece]) -> Piece | None:
    """ "The third-party lorry", 对方货车."""
    first, second = found
    close = second.start - first.end <= len(" ")
    return replace(second, start=first.start) if first.value == "any" and close else None


def _clock_past(found: list[Piece]) -> list[Piece]:
    """ "half past eleven at night"."""
    if found[-1].kind == "time_of_day":
        return [spanning(found, "time_of_day", found[-1].value)]
    return [found[1], found[0].of("clock", "hours")]


def _hundred_and(found: list[Piece]) -> list[Piece] | None:
    """ "one hundred and fifty"."""
    return [found[0]] if found[1].end - found[1].start == len("and") else None


def _each_side(found: list[Piece]) -> list[Piece]:
    """一左一右各一个行人: two of them."""
    return [*(piece.of("label") for piece in found[1:-1]), found[0], found[0].of("number", 2.0), found[-1]]


def _not_towards(found: list[Piece]) -> list[Piece]:
    """对面不要来车."""
    return [found[1], spanning([found[0], found[2]], "oncoming", "")]


def _driver(found: list[Piece]) -> list[Piece] | None:
    """有人开着面包车."""
    person, vehicle = found
    return [vehicle, person.of("teller")] if 1 <= vehicle.start - person.end <= len("开着") else None


def _in_vehicle(found: list[Piece]) -> list[Piece] | None:
    """ "Someone barges in from the left in a van"."""
    deeds = [piece.value for piece in found if piece.kind == "motion"]
    if not deeds or deeds[0] not in ("cut_in", "join", "brake", "merge", "stop", "stopped", "slow"):
        return None
    return [found[-1], found[0].of("teller"), *found[1:-2]]


def _lifeless(found: list[Piece]) -> list[Piece] | None:
    """ "The motorway is dead": nobody is there."""
    return [found[0], found[1].of("traffic", "none")] if found[1].value == "lifeless" else None


def _across_lanes(found: list[Piece]) -> Piece | None:
    """横在两条车道上: how many lanes it blocks is not how many there are."""
    return spanning(found, "motion", found[0].value) if found[0].value == "stopped" else None


def _as_soon_as(found: list[Piece]) -> list[Piece] | None:
    """雾一散……就……."""
    return [found[0], found[2], found[1].of("label"), found[1].of("post")] if found[1].value == 1.0 else None


def _crawls(found: list[Piece]) -> Piece | None:
    """ "The traffic is moving at a snail's pace"."""
    return spanning(found, "traffic", "heavy") if found[-1].value in ("slow", "stopped") else None


def _most_of_all(found: list[Piece]) -> list[Piece]:
    """ "Cars: max"."""
    return [*found[:-1], found[-1].of("amount", "heavy")]


PHRASES = [
    rule("most (?=traffic_word|measure)", lambda found: found[0].of("amount", "heavy")),
    rule("(?:(?<=vehicles)|(?<=vehicle)|(?<=traffic_word)|(?<=measure)) colon? most (?=comma|end|$)", _most_of_all),
    rule("(motion|through) at? crossing", _at_the_crossing),
    rule("crossing_road", lambda found: [found[0].of("motion", "cross"), found[0].of("road", "intersection")]),
    rule("pair (?=vehicle|vehicles|unit)", lambda found: found[0].of("number", 2.0)),
    rule("pair", lambda found: found[0].of("person", "pedestrian")),
    rule("weather turn amount (?!traffic_word)", lambda f: [f[0], spanning(f[1:], "stronger", "")]),
    rule("(?<=lead)vehicle vehicle", lambda found: found[-1] if found[0].value == "any" else None),
    rule("person vehicle", _driver),
    rule("person (motion|between|side|road){1,4} at vehicle", _in_vehicle),
    rule("person at vehicle (?!motion road)", lambda found: [found[2], found[0].of("teller")]),
    rule("vehicle scope person", lambda found: [found[0], found[2].of("teller")]),
    rule("vehicle number (vehicle|vehicles) ahead", lambda found: [found[0], spanning(found[1:], "ahead", "")]),
    rule("(weather|becomes) comma amount close", lambda found: [found[0], found[2].of("manner_of")]),
    rule("command scope (?=vehicle|vehicles)", lambda found: found[0].of("others_route")),
    rule("order another (?=comma|end|close|$)", lambda found: [found[0], found[1].of("motion", "walk")]),
    rule("road motion", _lifeless),
    rule("motion number lane_word", _across_lanes),
    rule("(weather|time_of_day) number (over|start)", _as_soon_as),
    rule("crossing", lambda found: found[0].of("motion", "cross")),
    rule("not motion (and|just|post)? motion", _regardless),
    rule("vehicle vehicle", _more_exactly),
    rule("(vehicle|person|lead) ahead? comma (vehicle|person) close", _in_brackets),
    rule("side comma side close", _in_brackets),
    rule("past number (at|between)? time_of_day", _clock_past),
    rule("past number", _clock_past),
    rule("scale and (?=number)", _hundred_and),
    rule("opposite not vehicle", _not_towards),
    rule("opposite", drop),
    rule("(weather|comma|time_of_day) elapse (?=at|number|ordinal)", lambda f: [f[0], f[1].of("over")]),
    rule("(?:(?<=comma)|(?<=end)|^) manner comma? (?=side|person|ahead|lead)", drop),
    rule("traffic_word at? motion", _crawls),
    rule("clip scope? amid", lambda found: [found[0], found[-1].of("share", 0.5)]),
    rule("at? share", lambda found: spanning(found, "moment", Moment(found[-1].value, "share", "start"))),
    rule("sides number? (vehicle|vehicles|person)", _each_side),
    rule("measure not amount", lambda found: [found[1], *as_list(traffic_level([found[0], found[2]]))]),
    rule("ramp", lambda found: [found[0].of("motion", "merge"), found[0].of("road", "merge")]),
    rule("through (at|between)? (?=road)", lambda found: found[0].of("motion", "through")),
    rule("through", lambda found: found[0].of("motion", "walk")),
    rule("unknown to number", _labelled),
    rule("side ahead", _right_ahead),
    rule("(vehicle|vehicles|person|lead|ahead) who", lambda found: found[:1]),
    rule("who", lambda found: found[0].of("with")),
    rule("number th", lambda found: spanning(found, "nth", f"{found[0].value:g}")),
    rule("th", lambda found: found[0].of("unknown")),
    rule("nth (?=colon)", lambda found: found[0].of("label")),
    rule("nth unit", measures.named),
    rule("nth (?=vehicle|vehicles|lead|person|motion|rides)", drop),
    rule("nth", lambda found: found[0].of("repeat")),
    rule("person (side|at|between|number|amount|motion|repeat){0,4} rides", _rider),
    rule("rides scope? person", lambda found: _rider([found[-1], found[0]])),
    rule("rides", lambda found: found[0].of("person", "cyclist")),
    rule("person person", _two_names),
    rule("person says", lambda found: [found[0].of("teller")]),
    rule("says", drop),
    rule("for (?=motion)", drop),
    rule("motion times vehicle", lambda found: found[:2] if found[0].value == "brake" else None),
    rule("number unit number (?!unit|lane_word|vehicle|vehicles|person|clock|scale|motion)", measures.unit_and_half),
    rule(
        "(?<!number)lane_word not number (?!unit|lane_word)",
        lambda found: [found[1], *as_list(count_lanes([found[0], found[2]]))],
    ),
    rule("traffic_word not amount", lambda found: [found[1], *as_list(traffic_level([found[0], found[2]]))]),
    rule("number (?=(motion|becomes|start|over) just)", if_first(1.0, drop)),
    rule("(motion|becomes) just", lambda found: [found[0], found[1].of("post")]),
    rule("just", drop),
    rule(
        "(?<!time_of_day)(?<!weather)(?<!unit)start (at|between)? (?=time_of_day)", lambda f: f[0].of("order", "first")
    ),
    rule("while dims", lambda found: spanning(found, "time_of_day", found[1].value)),
    rule("dims (into|to) time_of_day", _fades),
    rule("dims (comma|and|end)? becomes", lambda found: spanning(found, "becomes", found[-1].value)),
    rule("dims", lambda found: found[0].of("becomes", found[0].value)),
    rule("before (?=comma|end|close|$)", lambda found: found[0].of("order", "earlier")),
    rule(f"before pronoun (?={_NO_DEED})", lambda found: found[0].of("order", "earlier")),
    rule(f"after pronoun (?={_NO_DEED})", lambda found: found[0].of("order", "next")),
    rule("command_word (colon|turn)? side", lambda found: spanning(found, "command", found[-1].value)),
    rule("command_word", drop),
    rule("(?<!weather)amount scope? measure (?!weather)", traffic_level),
    rule("(?<!weather)measure (colon|at)? amount", traffic_level),
    rule("measure", drop),
    rule("amount scope? turn (?!weather|time_of_day|to|at)", _bends),
    rule("amount scope? traffic (?!at|number)", _tempered),
    rule("motion (at|between)? road", _over_road),
    rule("(vehicle|vehicles) colon? amount (?=comma|end|close|but|$)", _crowd),
    rule("(number|amount|vehicle|vehicles|person) slash (?=number|amount|vehicle|vehicles|person)", slash),
]
"""Turns of phrase, before anything is counted."""
