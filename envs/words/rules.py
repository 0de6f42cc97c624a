"""What rules are made of: a pattern over the kinds of neighbouring pieces, and what becomes of those it matches."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from typing import Any

from .lexicon import Piece

Build = Callable[[list[Piece]], Piece | list[Piece] | None]
Rule = tuple[re.Pattern[str], Build]


def apply(pattern: re.Pattern[str], build: Build, pieces: list[Piece]) -> list[Piece]:
    """``pieces`` with every match of ``pattern`` rebuilt."""
    ends = list(accumulate(len(piece.kind) + 1 for piece in pieces))
    result, done = [], 0
    for match in pattern.finditer("".join(f"{piece.kind};" for piece in pieces)):
        first, last = bisect_right(ends, match.start()), bisect_right(ends, match.end() - 1) + 1
        built = build(pieces[first:last])
        if built is not None:
            result += [*pieces[done:first], *(built if isinstance(built, list) else [built])]
            done = last
    return result + pieces[done:]


def rule(pattern: str, build: Build) -> Rule:
    """``pattern`` is a regular expression whose letters are kinds: "after? number unit"."""
    return re.compile("(?:(?<=;)|^)" + re.sub(r"[a-z_]+", r"(?:\g<0>;)", pattern).replace(" ", "")), build


# --- parts of a match -----------------------------------------------------------------------------------------


def spanning(found: list[Piece], kind: str, value: Any) -> Piece:
    """One piece over the whole match, which a correction may have put into another order."""
    start, end = min(piece.start for piece in found), max(piece.end for piece in found)
    said = next((piece.said for piece in found if piece.said), "")
    return Piece(kind, value, start, end, any(piece.near for piece in found), said)


def of_kinds(found: list[Piece], *kinds: str) -> list[Piece]:
    return [piece for piece in found if piece.kind in kinds]


def has(found: list[Piece], kind: str) -> bool:
    return any(piece.kind == kind for piece in found)


# --- what often becomes of it ---------------------------------------------------------------------------------


def drop(found: list[Piece]) -> list[Piece]:
    """The first piece says nothing here."""
    return found[1:]


def as_list(piece: Piece | None) -> list[Piece]:
    return [] if piece is None else [piece]


def slash(found: list[Piece]) -> list[Piece]:
    """ "rain/snow", "3/4 lanes" are one of two; between different kinds a slash only parts."""
    return [found[0], found[1].of("or")]


def if_first(value: Any, build: Build) -> Build:
    """``build`` where the first piece has this value."""
    return lambda found: build(found) if found[0].value == value else None
