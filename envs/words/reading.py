"""A text to what it asks for, clause by clause."""

from __future__ import annotations

from . import limits
from .book import Book
from .clauses import clauses
from .grammar import phrases
from .happenings import Happenings
from .lexicon import Lexicon
from .scene import read_scene

_SILENT = ("stop", "hedge", "shade")


def read(text: str, lexicon: Lexicon) -> Book:
    """All that ``text`` says, in the order told."""
    book = Book(lexicon.read(text))
    for piece in book.pieces:
        if piece.kind == "unknown":
            book.unread.append(piece)
        elif piece.kind == "cannot":
            book.refuse(limits.CANNOT[piece.value], piece)
        elif piece.kind == "hedge":
            book.softened.append((piece, "taken as said, without the doubt"))
        elif piece.kind == "shade":
            book.softened.append((piece, "in what manner cannot be chosen"))
    happenings = Happenings(book)
    for clause in clauses(phrases([piece for piece in book.pieces if piece.kind not in _SILENT])):
        turned = {piece.start for piece in happenings.take(clause)}
        for piece, denied in zip(clause.pieces, clause.denials(), strict=True):
            if piece.start not in turned:
                read_scene(piece, denied, clause, book)
    happenings.traffic()
    return book
