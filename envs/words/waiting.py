"""Vehicles that have done nothing yet: they share what is told after them, do what is usual there, or are traffic."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from ..choices import possible
from . import limits
from .book import Book, Mention
from .clauses import Clause, Frame
from .counted import Actor
from .deeds import kind_of, usual_kind
from .lexicon import Piece
from .limits import Limit
from .order import LONG_S

LEVELS = ((0, "none"), (5, "light"), (10, "medium"))
"""Up to so many vehicles are this level of traffic; more are heavy."""


class Waiter(NamedTuple):
    """One who waits, with the sides and times that stand alone beside it."""

    piece: Piece
    sides: list[Piece]
    moments: list[Piece]


class Waiting:
    """Those who wait, in the order told; ``roads`` are those that the text names anywhere."""

    def __init__(self, book: Book, roads: Collection[str]) -> None:
        self.book = book
        self.roads = roads
        self.pieces: list[Piece] = []
        self.announced: list[Piece] = []  # in a title, of what comes after it
        self.presumed: list[Mention] = []  # of the sentence, by vehicles of which only the place and time are said
        self.beyond: Limit | None = None  # what they did cannot be staged
        self.sentence = 0

    def add(self, piece: Piece, clause: Clause, beyond: Limit | None) -> None:
        """``piece`` is named in ``clause``, and does nothing there."""
        if clause.is_title:
            self.announced.append(piece)  # "Two intruders: a sedan at 5 s, ..."
            return
        if clause.sentence != self.sentence:
            self.traffic()
        self.sentence = clause.sentence
        if self.pieces and self.pieces[-1].value == Actor(("any",)) and piece.value.names != ("any",):
            self.book.note("who it is", self.pieces.pop())  # "the other party, a lorry, ..."
        self.pieces.append(piece)
        self.beyond = beyond

    def told(self) -> None:
        """Something happened: those announced were who it is told of."""
        self.book.note("who is told of", *self.announced)
        self.announced = []

    def presume(self, mentions: list[Mention]) -> list[Mention]:
        """What these do may be said yet."""
        self.presumed += mentions
        return mentions

    def shares(self, frame: Frame, acting: list[str], clause: Clause, last: Mention | None) -> bool:
        """ "Van left 5 s, truck right 9 s, both cutting in": what they do is said now; whether of nobody else."""
        joined = clause.is_joined and bool(frame.actors) and any(last is each for each in self.presumed)
        if not self.presumed or not (joined or not (frame.actors or frame.sides or frame.moments or frame.by_ego)):
            return False
        for mention in self.presumed:
            mention.kind = kind_of(acting, self.roads, frame.sides)
        self.presumed[-1].pieces += frame.motions if not joined else []
        self.presumed = []
        return not joined

    def take(self, frame: Frame) -> list[Waiter]:
        """All who wait do what ``frame`` says; each from its side and at its time, where each was told with one."""
        pieces, self.pieces, self.beyond = self.pieces, [], None
        sides = self._own(pieces, "side") or [list(frame.sides) for _ in pieces]
        moments = self._own(pieces, "moment", "length")
        if not moments and len(frame.moments) == len(pieces) > 1:
            moments = [[piece] for piece in frame.moments]  # 分别在5秒和10秒切入
        return [Waiter(*each) for each in zip(pieces, sides, moments or [frame.moments for _ in pieces], strict=True)]

    def _own(self, pieces: list[Piece], *kinds: str) -> list[list[Piece]]:
        """For each of several, what stands alone beside it; nothing unless each has one."""
        places = [next((t for t in self.book.told if any(p is each for p in t.clause.pieces)), None) for each in pieces]
        found = [[p for p in told.loose if p.kind in kinds] if told is not None else [] for told in places]
        if len(pieces) < 2 or any(len(each) != 1 for each in found):
            return []
        for told, each in zip(places, found, strict=True):
            if told is not None:
                told.loose = [piece for piece in told.loose if piece is not each[0]]
        return found

    def listed(self) -> Mention | None:
        """ "Truck, left, 150 m": one vehicle, and then only where from and when: what is usual there."""
        if len(self.pieces) != 1 or self.beyond is not None:
            return None
        piece = self.pieces[0]
        place = next((i for i, t in enumerate(self.book.told) if any(p is piece for p in t.clause.pieces)), None)
        actor: Actor = piece.value
        if place is None or actor.is_lead or actor.level is not None or (actor.count or 1) != 1:
            return None
        told, *after = self.book.told[place:]
        if any(not each.clause.is_attribute or each.mentions for each in after):
            return None
        loose = [(each, part) for each in (told, *after) for part in each.loose]
        sides = [part for _, part in loose if part.kind == "side"]
        moments = [part for _, part in loose if part.kind in ("moment", "length") and not _is_long(part)]
        kind = usual_kind(told.clause, self.roads, sides)
        if kind is None or len(moments) != 1 or len(sides) > 1 or len(loose) != len(sides) + 1:
            return None
        mention = Mention(kind, [piece], tuple(name for name in actor.names if name != "any"))
        mention.sentence = told.clause.sentence
        for each, part in loose:
            mention.give(part)
            each.loose = [other for other in each.loose if other is not part]
        told.mentions.append(mention)
        self.pieces = []
        self.presume([mention])
        return mention

    def close(self) -> None:
        """The text is over."""
        self.listed()
        self.traffic()
        self.pieces, self.announced = self.announced, []
        self.traffic()

    def traffic(self) -> None:
        """A vehicle that did nothing is ordinary traffic: so many are so much."""
        (pieces, self.pieces), (beyond, self.beyond) = (self.pieces, []), (self.beyond, None)
        for piece in pieces:
            if beyond is not None:
                self.book.refuse(beyond, piece)
            else:
                self._ordinary(piece)

    def _ordinary(self, piece: Piece) -> None:
        actor: Actor = piece.value
        if actor.count is None:
            self.book.note("there is traffic", piece)
        else:
            level = actor.level or next((level for most, level in LEVELS if actor.count <= most), "heavy")
            self.book.say("traffic", piece, (level,))
        if not {"any", "car"} & set(actor.names):
            self.book.refuse(limits.WHICH_TRAFFIC, piece)


def _is_long(piece: Piece) -> bool:
    """Whether it may be the length of the drive."""
    return piece.kind == "length" and piece.value[1] == "s" and min(possible(piece.value[0])) >= LONG_S
