"""Phrases to clauses, and the frames in a clause: who does what, from which side, when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from .counted import LISTED, Actor
from .lexicon import Piece
from .limits import ACTS, DOERS
from .own import OWN_DEEDS

_BREAKS = ("comma", "end", "but", "with", "and", "colon", "close")
_ATTRIBUTES = ("side", "moment", "length", "span", "sides")
_OPENERS = ("order", "after", "before", "while", "later")
_CLOSERS = ("post", "pre", "during")  # Chinese says its conjunctions of time after the clause


@dataclass
class Clause:
    """Pieces between two boundaries.

    ``opener`` is the word of time that begins it ("then", "after", "while"), or the one that ends it in Chinese;
    ``offset`` the length before it ("two seconds after ..."); ``sentence`` counts sentences; a title ends in a colon.
    """

    sentence: int
    pieces: list[Piece] = field(default_factory=list)
    opener: Piece | None = None
    offset: Piece | None = None
    is_title: bool = False
    is_joined: bool = False  # by an "and" to the one before

    @property
    def link(self) -> str:
        """The kind of the opener, or its value where it is one of order: "next", "earlier", "meanwhile", "first"."""
        if self.opener is None:
            return ""
        return str(self.opener.value) if self.opener.kind == "order" else self.opener.kind

    @property
    def is_attribute(self) -> bool:
        """Whether it only says where from and when, of what another clause tells: "cut-in, right, 8 s"."""
        return bool(self.pieces) and {piece.kind for piece in self.pieces} <= {*_ATTRIBUTES, "at", "between", "label"}

    def denials(self) -> list[bool]:
        """For each piece, whether a "not" before it denies it.

        That ends with the item that it stands before, others of its kind and, of an actor, what it does; and where
        "on the highway" or 的 goes on: "no cars on the highway" is a highway. An "or" goes on with it. A "not" at the
        end denies what is before it: 车都没有.
        """
        denied: list[bool] = []
        is_open, item, rather, last_end, before = False, "", False, 0, ""
        for piece in self.pieces:
            rather |= piece.kind == "rather"
            if piece.kind == "not" or (piece.kind == "than" and rather):
                is_open, item = True, ""
            elif piece.kind == "or":
                item = ""
            elif piece.kind in ("at", "scope"):
                is_open &= not item and before != "unknown"  # "for no reason on the highway"
            elif piece.kind in LISTED or piece.kind in ("becomes", "cannot"):
                near = piece.kind == item and piece.start == last_end  # 雨雪
                is_open &= item == "" or near or (piece.kind == "side" and item == "actor")
                item = item or piece.kind
            elif piece.kind == "motion":
                item = item or "actor"
            denied.append(is_open and piece.kind != "not")
            last_end, before = piece.end, piece.kind
        if self.pieces and self.pieces[-1].kind == "not":  # 车都没有, 高速不去
            fronted = ("actor",) if self.of("actor") else LISTED
            return [each.kind in fronted for each in self.pieces]
        return denied

    def of(self, *kinds: str) -> list[Piece]:
        """The pieces of these kinds."""
        return [piece for piece in self.pieces if piece.kind in kinds]


@dataclass
class Frame:
    """One thing that happens, as far as its clause says."""

    actors: list[Piece] = field(default_factory=list)
    motions: list[Piece] = field(default_factory=list)
    sides: list[Piece] = field(default_factory=list)
    moments: list[Piece] = field(default_factory=list)
    denied: bool = False
    by_ego: bool = False
    again: bool = False  # the actor is that of the frame before
    beyond: Piece | None = None  # it does what cannot be staged
    thing: Piece | None = None  # what is not there, or not known, and seems to do it


def clauses(pieces: Sequence[Piece]) -> list[Clause]:
    """Clauses in order. "and" joins neighbours of a kind ("cars and trucks") and parts all others."""
    found = [Clause(0)]
    for place, piece in enumerate(pieces):
        current = found[-1]
        if piece.kind in ("and", "with") and _joins(pieces, place):
            continue
        if piece.kind == "comma" and current.link in ("earlier", "next") and not current.pieces:
            continue  # 在这之前，"then, at 30 s"
        if piece.kind in _BREAKS or (piece.kind == "than" and current.link == "after"):
            current.is_title = piece.kind == "colon"
            _postponed(found)
            carried = _carried(current, pieces[place : place + 2])
            found.append(Clause(current.sentence + (piece.kind == "end"), carried, is_joined=piece.kind == "and"))
        elif piece.kind in _CLOSERS:
            current.opener = current.opener or piece
            follows = piece.of("order", "next") if piece.kind == "post" else None
            found.append(Clause(current.sentence, opener=follows))
        elif piece.kind == "actor" and current.link in ("after", "before", "while") and _has_turned(current):
            found.append(Clause(current.sentence, [piece]))  # "as soon as it gets dark a van cuts in"
        elif (
            piece.kind in ("start", "becomes") and current.link in ("after", "before", "while") and _has_acted(current)
        ):
            found.append(Clause(current.sentence, [piece]))  # "after the truck cuts in it starts to rain"
        elif piece.kind == "order" and _opens_late(current, pieces[place : place + 2]):
            current.opener = current.opener or piece
            if piece.value == "earlier" and current.pieces[-1].kind == "length":
                current.offset = current.pieces.pop()
        elif piece.kind in _OPENERS:
            offset = current.pieces.pop() if current.pieces and current.pieces[-1].kind == "length" else None
            found.append(Clause(current.sentence, opener=piece, offset=offset))
        elif piece.kind == "length" and not current.pieces and len(found) > 1 and found[-2].link in ("pre", "post"):
            found[-2].offset = piece  # 下雨之前两秒
        else:
            current.pieces.append(piece)
    _postponed(found)
    return [clause for clause in found if clause.pieces or clause.opener]


def _carried(clause: Clause, following: Sequence[Piece]) -> list[Piece]:
    """ "Avoid night and heavy traffic" is without both; "leave out the rain and keep the traffic thin" is not."""
    close = len(following) == 2 and following[0].kind in ("and", "or") and following[1].start - following[0].end <= 5
    return [piece for piece in clause.of("not") if piece.value == "all" and close]


def _has_turned(clause: Clause) -> bool:
    """Whether weather or light turn in a clause in which nobody is named yet."""
    turns = bool(clause.of("becomes")) or bool(clause.of("weather", "time_of_day") and clause.of("start", "over"))
    return turns and not clause.of("actor")


def _has_acted(clause: Clause) -> bool:
    """Whether a clause says who does what."""
    return bool(clause.of("actor") and clause.of("motion"))


def _opens_late(clause: Clause, following: Sequence[Piece]) -> bool:
    """ "At 110 m first ...", 雨在此前停, 行人和骑车的同时过: the word of time stands behind what it is said of."""
    piece = following[0]
    kinds = {each.kind for each in clause.pieces}
    if piece.value == "meanwhile":
        return "actor" in kinds and [each.kind for each in following[1:]] == ["motion"]
    if piece.value == "first":
        return bool(kinds) and kinds <= {*_ATTRIBUTES, "at", "weather", "time_of_day", "actor"}
    told = {"weather", "time_of_day", "actor"}
    return piece.value == "earlier" and bool(kinds & told) and kinds <= {*told, "length"}


def _postponed(found: list[Clause]) -> None:
    """ "fog, snow later": a word of time at the end opens the clause that it stands behind."""
    if (
        len(found) < 2
        or any(piece.kind != "at" for piece in found[-1].pieces)
        or found[-1].link not in ("later", "next", "meanwhile", "earlier")
    ):
        return
    if found[-2].opener is None and found[-2].sentence == found[-1].sentence:
        last = found.pop()
        found[-1].opener, found[-1].offset = last.opener, last.offset


def _joins(pieces: Sequence[Piece], place: int) -> bool:
    around = [*pieces[max(place - 1, 0) : place], *pieces[place + 1 : place + 2]]
    alike = len(around) == 2 and around[0].kind == around[1].kind and around[0].kind in LISTED
    if len(around) == 2 and {each.kind for each in around} <= {"moment", "length"}:
        # "at 5 s, 10 s and 15 s", and not "at 5 s and 3 s later"
        return around[1].kind != "moment" or around[1].value.since != "last"
    if alike and pieces[place].kind == "with":  # "a man with a dog"
        return all(isinstance(each.value, Actor) and each.value.is_person for each in around)
    return alike


def _parts(motions: Sequence[Piece], piece: Piece) -> bool:
    """Whether a motion begins a frame of its own: not where it adds to the one before, as in "brakes to a halt"."""
    before = [each.value for each in motions if each.value != "walk"]
    if before == ["slow"] and piece.value == "stopped":
        return False  # held up by a slow tractor
    if before and piece.value == "enter":
        return False  # merges from the right into our lane
    return piece.value != "walk" and bool(before) and not {piece.value, *before} <= {"brake", "stop", "stopped"}


def frames(clause: Clause) -> Iterator[Frame]:
    """The frames of a clause, in order; a side or a moment goes to the frame that it stands in."""
    frame = Frame()
    for piece, denied in zip(clause.pieces, clause.denials(), strict=True):
        if denied and piece.kind == "motion" and frame.motions:
            continue  # "crosses without stopping"
        frame.denied |= denied and piece.kind in ("actor", "motion")
        if piece.kind == "ego":
            frame.by_ego |= not frame.actors and not frame.motions
        elif piece.kind == "actor" or (piece.kind == "denied" and piece.value.kind == "actor"):
            if frame.by_ego and not frame.actors and any(each.value in OWN_DEEDS for each in frame.motions):
                moments, frame.moments = frame.moments, []
                yield frame  # "we brake at 5 s for a cyclist"
                frame = Frame(moments=moments, denied=denied)
            elif frame.actors and frame.motions:
                yield frame
                frame = Frame(denied=denied)
            frame.actors.append(piece if piece.kind == "actor" else piece.of("actor", piece.value.value))
            frame.denied |= piece.kind == "denied" or piece.value.count == 0
        elif piece.kind == "motion":
            if frame.actors and not frame.actors[0].value.is_person and _parts(frame.motions, piece):
                yield frame
                frame = Frame(actors=frame.actors, denied=denied, again=True)
            frame.motions.append(piece)
        elif piece.kind == "side":
            frame.sides.append(piece)
        elif piece.kind == "moment" and piece.value.since == "post" and frame.motions:
            yield frame
            frame = Frame(moments=[piece.of("moment", replace(piece.value, since="last"))])
        elif piece.kind in ("moment", "length"):
            frame.moments.append(piece)
        elif piece.kind == "cannot" and piece.value in ACTS:
            frame.beyond = piece
        elif piece.kind in ("unknown", "oncoming") or (piece.kind == "cannot" and piece.value in DOERS):
            frame.thing = frame.thing or (piece if not frame.motions else None)
    yield frame
