"""What is told and not wished for: "the pupil has never driven on a motorway", 平时都在晚上练，今天……."""

from __future__ import annotations

from collections.abc import Sequence

from .book import Book
from .clauses import Clause

_MARKS = ("aside", "past_time", "now_time", "kin")
_HAPPENS = ("actor", "motion", "side")


def set_aside(clauses: Sequence[Clause], book: Book) -> list[Clause]:
    """``clauses`` without those that only tell of other times, places and people's minds, which are noted.

    What somebody has never done, or fears, is none of the scene; what was so at other times, or is so with others, is
    not, where something after it speaks of now, or asks: "give me", 来个.
    """
    kept, before = [], None
    for place, clause in enumerate(clauses):
        after = [each for each in clauses[place + 1 :] if each.sentence <= clause.sentence + 1]
        goes_on = before is not None and before.sentence == clause.sentence and bool(clause.pieces)
        is_told = (clause.of("past_time", "kin") or goes_on) and not _is_now(clause, clauses, place, book)
        is_told = bool(is_told) and any(_is_now(each, clauses, place + 1 + i, book) for i, each in enumerate(after))
        before = clause if is_told else None
        if is_told or _is_in_mind(clause):
            kept_road = _road_said(clause, clauses) if not clause.of("aside") else []
            book.note("background, and no wish", *(each for each in clause.pieces if each not in kept_road))
            clause.pieces = kept_road
        else:
            book.note("who it is", *clause.of("kin"))
            clause.pieces = [piece for piece in clause.pieces if piece.kind not in _MARKS]
        if clause.pieces or clause.opener:
            kept.append(clause)
    return kept


def _is_in_mind(clause: Clause) -> bool:
    """ "She is afraid of motorways"; what is feared to happen, as in 最怕大车从右边挤过来, is told to happen."""
    return bool(clause.of("aside")) and not all(clause.of(kind) for kind in _HAPPENS)


def _is_now(clause: Clause, clauses: Sequence[Clause], place: int, book: Book) -> bool:
    """Whether a clause, at its ``place`` among all, speaks of now, or asks for something."""
    if clause.of("now_time"):
        return True
    start = max((piece.end for each in clauses[:place] for piece in each.pieces), default=0)
    end = max((piece.end for piece in clause.pieces), default=start)
    return any(piece.kind in ("asking", "willing") and start <= piece.start < end for piece in book.pieces)


def _road_said(clause: Clause, clauses: Sequence[Clause]) -> list:
    """ "The exit was empty last time" still says where, if nothing else does; a habit does not."""
    elsewhere = any(each is not clause and each.of("road") for each in clauses)
    habit = any(piece.value == "habit" for piece in clause.of("past_time")) or clause.of("kin")
    return [] if elsewhere or habit else clause.of("road")
