"""What only says that it is as before: "from the same side", "a truck does likewise", 另一侧, "one from each side"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..events import SIDES
from .book import Book, Mention
from .clauses import Clause
from .limits import NO_PLACE

DEED_OF = {
    "cut_in": "cut_in", "lead_brakes": "brake", "stopped_vehicle": "stopped", "slow_vehicle": "slow",
    "merging_vehicle": "merge", "crossing_vehicle": "cross", "pedestrian": "walk", "cyclist": "walk",
}  # fmt: skip
"""The motion of which an event is made, for one who does the same."""


def echo_side(clause: Clause, before: Any, book: Book) -> Any:
    """Put the side that is meant for "the same side" and "the other side"; returns the last side said.

    ``before`` is the side said last. Where none was said, the words have nothing to speak of.
    """
    pieces = []
    for piece in clause.pieces:
        if piece.kind == "side" and piece.value in ("same", "other"):
            if before not in SIDES:
                book.refuse(NO_PLACE, piece, nearest="a car cuts in from the left")
                continue
            other = SIDES[1 - SIDES.index(before)]
            piece = replace(piece, value=before if piece.value == "same" else other)
        if piece.kind == "side":
            before = piece.value
        pieces.append(piece)
    clause.pieces = pieces
    return before


def echo_deed(clause: Clause, last: Mention | None) -> None:
    """Put the motion that is meant for "does the same"; beside another motion it says nothing."""
    deed = DEED_OF.get(last.kind) if last is not None and clause.of("actor") else None
    others = any(piece.value != "same" for piece in clause.of("motion"))
    pieces = []
    for piece in clause.pieces:
        if piece.kind == "motion" and piece.value == "same":
            if deed is None or others:
                continue
            piece = replace(piece, value=deed)
        pieces.append(piece)
    clause.pieces = pieces


def share_sides(clause: Clause, mentions: Sequence[Mention]) -> None:
    """ "One from each side", 先右后左: those told last come from the left and from the right in turn."""
    lacking = [mention for mention in mentions if mention.side is None]
    for piece in clause.of("sides"):
        sides = SIDES if piece.value == "each" else str(piece.value).split()
        for place, mention in enumerate(lacking):
            mention.give(replace(piece, kind="side", value=sides[place % 2]))
