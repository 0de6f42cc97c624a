"""A text to what it asks for, clause by clause."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from . import limits
from .asides import set_aside
from .book import Book
from .clauses import clauses
from .deeds import roads_said
from .grammar import phrases
from .happenings import Happenings
from .lexicon import Lexicon, Piece
from .own import own_deeds
from .scene import even_traffic, read_scene
from .taking_back import take_back

_SILENT = ("stop", "hedge", "shade", "asking")
_KEYS = ("stop", "traffic_word", "lane_word", "command_word", "speed_of")


def read(text: str, lexicon: Lexicon) -> Book:
    """All that ``text`` says, in the order told."""
    book = Book(list(_keyed(text, lexicon.read(text))))
    for piece in book.pieces:
        if piece.kind == "unknown":
            book.unread.append(piece)
        elif piece.kind == "cannot":
            book.refuse(limits.CANNOT[piece.value], piece)
        elif piece.kind == "hedge":
            book.softened.append((piece, "taken as said, without the doubt"))
        elif piece.kind == "shade":
            book.softened.append((piece, "in what manner cannot be chosen"))
    spoken = take_back([piece for piece in own_deeds(book.pieces) if piece.kind not in _SILENT], book)
    told = set_aside(clauses(phrases(spoken)), book)
    happenings = Happenings(book, roads_said(told))
    for clause in told:
        turned = {piece.start for piece in happenings.take(clause)}
        for piece, denied in zip(clause.pieces, clause.denials(), strict=True):
            if piece.start not in turned:
                read_scene(piece, denied, clause, book)
    happenings.waiting.close()
    even_traffic(book)
    return book


def _keyed(text: str, pieces: Sequence[Piece]) -> Iterator[Piece]:
    """The pieces; in "weather -> rain" the arrow is a colon, and not from one to the other; 会不会 denies nothing."""
    before = ""
    for piece in pieces:
        if piece.kind == "not" and text[piece.start : piece.end] == "不" and _asks(text, piece):
            piece = piece.of("stop")
        is_sign = piece.kind == "turn" and not any(sign.isalnum() for sign in text[piece.start : piece.end])
        yield piece.of("colon") if is_sign and before in _KEYS else piece
        before = piece.kind


def _asks(text: str, piece: Piece) -> bool:
    """会不会, 认不认得: the same on both sides."""
    before = text[max(piece.start - 1, 0) : piece.start]
    return before.isalnum() and before == text[piece.end : piece.end + 1]
