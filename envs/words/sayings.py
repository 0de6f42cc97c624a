"""Further turns of phrase: "density = medium", "somebody left a van in my lane", "a man on foot came over"."""

from __future__ import annotations

from dataclasses import replace

from .counted import traffic_level
from .lexicon import Piece
from .rules import Rule, drop, of_kinds, rule, spanning


def _level(found: list[Piece]) -> list[Piece]:
    """密度：中."""
    return [*found[:-1], found[-1].of("amount", "medium")]


def _no_traffic(found: list[Piece]) -> Piece | None:
    """背景车流=无, "traffic = 0"."""
    says_none = found[-1].kind == "not" or found[-1].value == 0.0
    return spanning(found, "traffic", "none") if says_none else None


def _lit(found: list[Piece]) -> list[Piece] | None:
    """ "Light: day at the start" is no light traffic."""
    return found[1:] if found[0].value == "light" else None


def _named_so(found: list[Piece]) -> Piece | None:
    """ "Challenger = box truck"."""
    return replace(found[-1], start=found[0].start) if found[0].value == "any" else None


def _walks(found: list[Piece]) -> list[Piece]:
    """ "A man on foot came over": who walks does not cut in."""
    return [found[0], found[-1].of("motion", "walk")]


def _left_there(found: list[Piece]) -> list[Piece] | None:
    """ "Someone had dumped a lorry", "some idiot left a van in my lane"."""
    deed = of_kinds(found, "leaves", "side")[0]
    if deed.kind == "side" and (deed.value != "left" or deed.end - deed.start != len("left")):
        return None
    others = [piece for piece in found[1:] if piece is not deed]
    return [*others, found[0].of("teller"), deed.of("motion", "stopped")]


def _next_item(found: list[Piece]) -> list[Piece]:
    """2秒慢车/8秒右切入: the stroke parts what happens."""
    return [found[0], found[1].of("comma")]


def _one_more(found: list[Piece]) -> list[Piece]:
    """ "Another from the left"."""
    return [found[0].of("repeat")]


def _sets_in(found: list[Piece]) -> list[Piece] | None:
    """先下起雨，四秒以后前车刹车: that it rains happens as well."""
    return [found[0].of("start"), *found[1:]] if found[0].value == "first" else None


def _two_levels(found: list[Piece]) -> Piece | None:
    """流量取低或中."""
    levels = [traffic_level([found[0], amount]) for amount in of_kinds(found, "amount")]
    values = tuple(level.value for level in levels if level is not None)
    return spanning(found, "traffic", values) if len(set(values)) == len(levels) else None


def _at_a_stand(found: list[Piece]) -> list[Piece] | None:
    """堵得纹丝不动: how jammed it is, and nobody who stands."""
    still = found[0].value == "heavy" and found[1].value in ("stopped", "slow", "stop")
    return [found[0], found[1].of("manner_of")] if still else None


def _strips(found: list[Piece]) -> list[Piece] | None:
    """三道减速带: 道 counts more than lanes."""
    return [found[0].of("label"), found[2]] if found[1].end - found[1].start == len("道") else None


SAYINGS: list[Rule] = [
    rule("traffic motion (?=comma|end|close|$)", _at_a_stand),
    rule("number lane_word cannot", _strips),
    rule("mid (?=or amount)", lambda found: found[0].of("amount", "medium")),
    rule("(measure|traffic_word) (colon|at){0,2} mid", _level),
    rule("amount or mid", _level),
    rule("(traffic_word|measure) to (?=amount|mid|not)", lambda found: [found[0], found[1].of("colon")]),
    rule("(weather|time_of_day|road) colon not (?=comma|end|close|$)", lambda found: [found[2], found[0]]),
    rule("clock commute", lambda found: [found[0], found[1].of("traffic", "heavy")]),
    rule("time_of_day commute", lambda found: [found[0], found[1].of("traffic", "heavy")]),
    rule("commute", lambda found: found[0].of("motion", "walk")),
    rule("jams (?=road)", lambda found: found[0].of("traffic", "heavy")),
    rule("jams", lambda found: found[0].of("motion", "stopped")),
    rule("order weather comma (?=(number|scale){1,4} unit (post|later) (ahead|side|vehicle|lead|person))", _sets_in),
    rule("finally (?=vehicle|person|lead)", lambda found: found[0].of("order", "next")),
    rule("mid", drop),
    rule("usual scope? (?=person|motion|vehicle)", drop),
    rule("usual", lambda found: found[0].of("amount", "medium")),
    rule("(traffic_word|measure|vehicles) colon (not|number) (?=comma|end|close|$)", _no_traffic),
    rule("amount colon (?=time_of_day|weather)", _lit),
    rule("(?<!number)(?<!amount)vehicle colon vehicle", _named_so),
    rule("person afoot motion", _walks),
    rule("person afoot", lambda found: found[:1]),
    rule("afoot", lambda found: found[0].of("motion", "walk")),
    rule("(person|vehicle) leaves number? vehicle", _left_there),
    rule("(person|vehicle) side number? vehicle (?=ahead)", _left_there),
    rule("leaves", lambda found: found[0].of("motion", "stopped")),
    rule("(vehicle|person|motion|side) slash (?=(number|scale){1,4} unit)", _next_item),
    rule("another (?=(between|at)? side)", _one_more),
    rule("traffic_word amount or amount", _two_levels),
    rule("measure amount or amount", _two_levels),
]
"""Before anything is counted, and before ``PHRASES``."""
