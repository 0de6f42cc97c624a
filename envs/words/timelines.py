"""States with the times at which they begin: 雾→10秒雨→20秒晴, "rain (0 s), snow (15 s)", "dusk, night from 22 s"."""

from __future__ import annotations

from ..choices import Range, possible
from .lexicon import Piece
from .measures import Moment, moment
from .rules import Rule, drop, if_first, rule


def _began(found: list[Piece]) -> list[Piece] | None:
    """0秒雪 is how it begins."""
    value, _ = found[0].value
    return [found[0].of("order", "first"), found[0].of("label")] if value == 0.0 else None


def _dated(piece: Piece) -> Piece:
    """A length as the moment at which something begins."""
    if piece.kind == "moment":
        return piece
    value, unit = piece.value
    return piece.of("moment", Moment(value, unit, "start"))


def _open(length: Piece) -> list[Piece]:
    """最后28秒: from the start, unless that is over."""
    value, unit = length.value
    return [length.of("moment", Moment(value, unit, "open"))]


def _turns_there(found: list[Piece]) -> list[Piece] | None:
    """雾→10秒雨."""
    if found[1].kind == "length" and isinstance(found[1].value[0], Range):
        return None
    return [found[0].of("comma"), _dated(found[1]), found[2]]


def _in_brackets(found: list[Piece]) -> list[Piece]:
    """ "Rain (0 s)", "rain (0-10 s)"."""
    if found[2].kind == "length" and isinstance(found[2].value[0], Range):
        return [found[2], found[0], found[3].of("comma")]
    return [_dated(found[2]), found[0], found[3].of("comma")]


def _since_then(found: list[Piece]) -> list[Piece] | None:
    """其后5秒: Chinese, which leaves no blank between them, counts from what was told last."""
    order, length = found
    if order.kind == "order" and (order.value != "next" or order.end != length.start):
        return None
    value, unit = length.value
    return [order.of("order", "next"), length.of("moment", Moment(value, unit, "last"))]


def _behind(found: list[Piece]) -> Piece | None:
    """ "Four seconds behind it"."""
    value, unit = found[0].value
    if found[1].value != "behind" or unit != "s":
        return None
    return found[0].of("moment", Moment(value, unit, "last"))


def once_more_at(found: list[Piece]) -> list[Piece] | None:
    """ "By day; at ten seconds, twilight; at twenty, darkness": the unit goes on."""
    first: Moment = found[0].value
    number = found[-1].value
    if first.unit not in ("s", "m") or not isinstance(number, float) or number <= max(possible(first.value)):
        return None
    when = found[-1].of("moment", Moment(number, first.unit, "start"))
    return [*found[:-2], Piece(when.kind, when.value, found[-2].start, when.end, when.near)]


TIMELINES: list[Rule] = [
    rule("length colon? (?=weather|time_of_day)", _began),
    rule("turn (length|moment) (weather|time_of_day)", _turns_there),
    rule("(weather|time_of_day) comma (length|moment) close", _in_brackets),
    rule("finally length", lambda found: [found[0].of("order", "next"), *_open(found[1])]),
    rule("finally", lambda found: found[0].of("order", "next")),
    rule("length cannot pronoun?", _behind),
    rule("length after repeat? (?=comma|end|close|$)", moment("last")),
    rule("order (?=(weather|time_of_day) (over|turn))", if_first("first", drop)),
    rule("(?:(?<=comma)|(?<=end)|^) post length", _since_then),
    rule("order length (?!scope)", _since_then),
]
"""Once lengths are whole."""

FROM_THEN = [
    rule("between length (?=comma|end|close|later|order|$)", moment("start")),
    rule("after length over", lambda found: None if found[-1].value else moment("open")(found)),
]
"""What is left of "from 22 s" once "from 22 s to 30 s" is read."""
