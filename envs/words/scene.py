"""Single pieces to what they say of the scene: values asked for or ruled out, and words of no use."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..choices import possible
from . import limits
from .book import Book, turning_key
from .clauses import Clause
from .counted import Actor
from .lexicon import Piece

FIELDS = ("road", "weather", "time_of_day", "traffic", "lanes", "drivers", "command", "speed", "oncoming", "both_ways")
_KEYS = {"speed": "target_speed_mps", "oncoming": "road", "both_ways": "road"}
_NOTES = {
    "label": "a number in a list",
    "nothing": "no events",
    "repeat": "again",
    "teller": "who it is",
    "manner_of": "how it is done",
}
_IDLE = ("number", "scale", "turn", "over", "visibility")


def read_scene(piece: Piece, denied: bool, clause: Clause, book: Book) -> None:
    """Note what one piece of ``clause`` says; kinds that only hold a sentence together say nothing."""
    if piece.kind in FIELDS:
        _field(piece, denied, clause, book)
    elif piece.kind == "denied":
        if piece.value.kind in FIELDS:
            _field(replace(piece, kind=piece.value.kind, value=piece.value.value), True, clause, book)
    elif piece.kind == "becomes":
        book.deny(turning_key(piece.value), piece, (piece.value,))
    elif piece.kind == "manner":
        book.refuse(limits.ONE_DRIVER if clause.of("actor") else limits.CANNOT["ego_manner"], piece)
    elif piece.kind == "beyond":
        book.refuse(limits.CANNOT[piece.value], piece)
    elif piece.kind == "stronger":
        book.refuse("weather comes in one strength", piece)
    elif piece.kind == "others_route":
        book.refuse(limits.OTHERS_ROUTE, piece)
    elif piece.kind == "amount":
        _amount(piece, clause, book)
    elif piece.kind == "every" and any(0 <= each.start - piece.end <= 1 for each in clause.of("length", "moment")):
        book.refuse(limits.CANNOT["repeat"], piece)
    elif piece.kind in _NOTES:
        book.note(_NOTES[piece.kind], piece)
    elif piece.kind in _IDLE:
        book.refuse(limits.NO_PLACE, piece)


def _field(piece: Piece, denied: bool, clause: Clause, book: Book) -> None:
    key, values = _KEYS.get(piece.kind, piece.kind), _values(piece)
    if piece.kind == "command" and any(each.start < piece.start for each in clause.of("actor")):
        book.refuse(limits.OTHERS_ROUTE, piece)
    elif piece.kind == "speed" and any(_is_other(each) for each in clause.of("actor")):
        book.refuse(limits.OTHERS_SPEED, piece)
    elif denied and (piece.near or piece.kind in ("oncoming", "speed")):
        book.note("there is none", replace(piece, near=False))
    elif denied:
        book.deny(key, piece, values)
    else:
        book.say(key, piece, values, weak=piece.kind == "oncoming")


def _is_other(piece: Piece) -> bool:
    """Whether an actor is another vehicle: "the vehicle proceeds at 36 km/h" is the ego."""
    actor: Actor = piece.value
    return actor.names != ("any",) or actor.is_lead or actor.count is not None or actor.level is not None


def _values(piece: Piece) -> tuple[Any, ...]:
    """What a piece asks for; a lexicon writes numbers as words."""
    if piece.kind in ("oncoming", "both_ways"):
        return ("two_way",)
    if piece.kind == "speed":
        return (piece.value,)
    return tuple(int(value) if piece.kind == "lanes" else value for value in possible(piece.value))


def _amount(piece: Piece, clause: Clause, book: Book) -> None:
    """ "heavy", "many", "some" that count nothing in the clause."""
    level = possible(piece.value)[0]
    before = [each for each in clause.pieces if each.kind == "scope" and each.start < piece.start]
    if len(clause.pieces) == 1 + len(before) and level != "medium":
        book.say("traffic", piece, (level,), weak=True)  # "merge, high density, rain"
    elif clause.of("weather", "becomes"):
        book.softened.append((piece, "weather comes in one strength"))
    elif clause.of("road"):
        book.softened.append((piece, "how much of it there is cannot be chosen"))
    elif clause.of("turn", "start"):
        book.refuse("traffic stays as it begins", piece, nearest=f"{level} traffic")
    elif level == "medium":
        book.note("some", piece)
    else:
        book.refuse(limits.NO_PLACE, piece, nearest=f"{level} traffic")


def even_traffic(book: Book) -> None:
    """Not empty and not jammed either: where both are ruled out and nothing is asked for, what is between is."""
    denied = book.denied.get("traffic", [])
    values = {value for said in denied for value in said.values}
    if "traffic" in book.said or "heavy" not in values or not values & {"none", "light"} or "medium" in values:
        return
    del book.denied["traffic"]
    for said in denied:
        book.say("traffic", said.piece, ("medium",))
