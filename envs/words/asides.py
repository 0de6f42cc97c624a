"""What is told and not wished for: "the pupil has never driven on a motorway", 平时都在晚上练，今天……."""

from __future__ import annotations

from collections.abc import Sequence

from .book import Book
from .clauses import Clause

_MARKS = ("aside", "past_time", "now_time")


def set_aside(clauses: Sequence[Clause], book: Book) -> list[Clause]:
    """``clauses`` without those that only tell of other times and of people's minds, which are noted.

    What somebody has never done, or fears, is none of the scene; what was so at other times is not, where the clauses
    after it speak of now.
    """
    kept = []
    for place, clause in enumerate(clauses):
        others = [each for each in clauses[place + 1 :] if each.sentence <= clause.sentence + 1]
        now = any(each.of("now_time") for each in others)
        happens = all(clause.of(kind) for kind in ("actor", "motion", "side"))  # 最怕大车从右边挤过来
        if (clause.of("aside") and not happens) or (clause.of("past_time") and now and not clause.of("now_time")):
            elsewhere = any(each is not clause and each.of("road") for each in clauses)
            # "The exit was empty last time" still says where.
            kept_road = [] if clause.of("aside") or elsewhere else clause.of("road")
            book.note("background, and no wish", *(each for each in clause.pieces if each not in kept_road))
            clause.pieces = kept_road
        else:
            clause.pieces = [piece for piece in clause.pieces if piece.kind not in _MARKS]
        if clause.pieces or clause.opener:
            kept.append(clause)
    return kept
