"""What is noted down while a text is read: values, events as they are told, what cannot be had."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from worldsim.types import WEATHERS

from ..choices import possible
from .clauses import Clause
from .lexicon import Piece
from .limits import NO_PLACE, Limit
from .measures import Moment

_NO_DRIVE = ("actor", "turn", "start", "over", "cannot")
"""Beside these, a length of time is not that of the drive."""
TURNING = ("weather", "time_of_day")


@dataclass
class Mention:
    """An event as it is told, before it has a time."""

    kind: str
    pieces: list[Piece]
    names: tuple[str, ...] = ()  # of vehicles, or "pedestrian or cyclist"
    side: Any = None
    to: Any = None
    moment: Moment | None = None
    anchor: Mention | None = None  # the moment counts from this event
    shares_side: bool = False  # with others of its kind, until it gets its own
    at_once: bool = False  # at the time of the event before
    sentence: int = 0  # that it is told in
    is_like: bool = False  # another of the event before: "two trucks"

    def give(self, piece: Piece) -> bool:
        """Take a side or a moment; False where there is one already."""
        if piece.kind == "side":
            if self.side is not None and not self.shares_side:
                return False
            self.side, self.shares_side = piece.value, False
        else:
            if self.moment is not None:
                return False
            self.moment = piece.value if piece.kind == "moment" else Moment(piece.value[0], piece.value[1], "start")
        self.pieces.append(piece)
        return True

    @property
    def is_bare(self) -> bool:
        """Whether nothing is said of it but that it happens."""
        return not self.names and self.side is None and self.moment is None


@dataclass(frozen=True)
class Said:
    """Values named for a key of the scenario. ``weak``: an explicit word wins over it without a conflict."""

    piece: Piece
    values: tuple[Any, ...]
    weak: bool = False


@dataclass
class Told:
    """The events of a clause, and its sides, moments and length of time that belong to no frame in it."""

    clause: Clause
    mentions: list[Mention] = field(default_factory=list)
    loose: list[Piece] = field(default_factory=list)
    lasting: Piece | None = None


@dataclass
class Book:
    """What was read in a text, and the pieces that it was cut into."""

    pieces: list[Piece]
    said: dict[str, list[Said]] = field(default_factory=dict)
    denied: dict[str, list[Said]] = field(default_factory=dict)
    implied: dict[str, Said] = field(default_factory=dict)  # what a turning says was there before
    told: list[Told] = field(default_factory=list)
    refused: list[tuple[Piece, Limit]] = field(default_factory=list)
    unread: list[Piece] = field(default_factory=list)
    noted: list[tuple[Piece, str]] = field(default_factory=list)  # understood, and sets nothing
    softened: list[tuple[Piece, str]] = field(default_factory=list)  # taken more plainly than said, and why

    def say(self, key: str, piece: Piece, values: Iterable[Any], weak: bool = False) -> None:
        """``piece`` asks for one of ``values``."""
        self.said.setdefault(key, []).append(Said(piece, tuple(values), weak or piece.near))

    def deny(self, key: str, piece: Piece, values: Iterable[Any]) -> None:
        """``piece`` rules out all of ``values``."""
        self.denied.setdefault(key, []).append(Said(piece, tuple(values)))

    def note(self, means: str, *pieces: Piece) -> None:
        """``pieces`` are understood, and set nothing."""
        self.noted += [(piece, means) for piece in pieces]

    def refuse(self, why: str | Limit, *pieces: Piece, nearest: str = "") -> None:
        """``pieces`` cannot be honoured."""
        limit = why if isinstance(why, Limit) else Limit(why, nearest)
        self.refused += [(piece, limit) for piece in pieces]

    def idle(self, piece: Piece, clause: Clause | None = None) -> None:
        """A side or a moment that no event can take. Where its ``clause`` names nobody beside it, a length of time is
        that of the drive, and a side may be the way to go.
        """
        moves = clause is not None and any(each.value != "walk" for each in clause.of("motion"))
        alone = clause is not None and not moves and not clause.of("actor", "cannot")
        by_ego = clause is not None and bool(clause.of("ego"))
        is_drive = not (clause and clause.of(*_NO_DRIVE)) and not (by_ego and moves)  # 自车12秒时急刹
        if piece.kind == "length" and piece.value[1] == "s" and is_drive:
            self.say("horizon_s", piece, (piece.value[0],))
        elif piece.kind == "side" and alone and self._branches() and (by_ego or not self._happens()):
            self.say("command", piece, (piece.value,))  # "exit, fog, light traffic, right", "we take it to the left"
        elif piece.kind == "side":
            self.refuse(NO_PLACE, piece, nearest=f"a car cuts in from the {possible(piece.value)[0]}")
        else:
            self.refuse(NO_PLACE, piece, nearest="a car cuts in after 5 s")

    def _happens(self) -> bool:
        """Whether there is any event."""
        return any(told.mentions for told in self.told)

    def _branches(self) -> bool:
        """Whether the road that is said leads several ways."""
        roads = {value for each in self.said.get("road", ()) for value in each.values}
        return bool(roads & {"exit", "intersection", "roundabout"})

    def was_told(self, kind: str) -> bool:
        """Whether there is an event of this kind already."""
        return any(mention.kind == kind for told in self.told for mention in told.mentions)


def turning_key(value: Any) -> str:
    """Which of ``TURNING`` turns to ``value``."""
    return "weather" if possible(value)[0] in WEATHERS else "time_of_day"
