"""What a motion amounts to: the kind of event, which the road and the side may decide."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..choices import possible
from ..events import ROADS_OF
from .clauses import Clause
from .lexicon import Piece

EVENT_OF = {
    "cut_in": "cut_in", "brake": "lead_brakes", "stop": "lead_brakes", "stopped": "stopped_vehicle",
    "slow": "slow_vehicle", "merge": "merging_vehicle", "cross": "crossing_vehicle", "enter": "cut_in",
    "halted": "stopped_vehicle", "lifeless": "stopped_vehicle", "onto": "merging_vehicle", "join": "cut_in",
}  # fmt: skip
"""The event in which a vehicle moves like this; a pedestrian or cyclist is an event whatever they do."""
PLACE_OF = {"merge": "merge", "cross": "intersection", "onto": "merge"}
"""The road that a motion means where nobody moves: "merging", "a crossing"."""
_COMES = ("join", "enter", "walk")
"""Motions that at a ramp are to merge."""
_PLAIN = ("actor", "side", "sides", "moment", "length", "road", "weather", "time_of_day", "lanes", "traffic", "speed",
    "at", "between", "label", "scope", "start", "order", "or", "number", "horizon_s", "motion", "repeat")  # fmt: skip


def roads_said(clauses: Sequence[Clause]) -> frozenset[str]:
    """The roads that a text names anywhere and does not rule out; "merge scenario" is one as well."""
    said: set[str] = set()
    for clause in clauses:
        for piece, denied in zip(clause.pieces, clause.denials(), strict=True):
            if piece.kind == "road" and not denied:
                said.update(str(value) for value in possible(piece.value))
            elif piece.kind == "motion" and piece.value == "merge" and not denied and not clause.of("actor"):
                said.add(PLACE_OF["merge"])
    return frozenset(said)


def deed(acting: Sequence[str]) -> str:
    """The motion that counts: "brakes to a halt" brakes, "has stopped, blocking the lane" stands."""
    return next((motion for motion in ("brake", "slow", "stopped") if motion in acting), acting[0])


def kind_of(acting: Sequence[str], roads: Collection[str], sides: Sequence[Piece]) -> str:
    """The event that a vehicle's motions are: where there is a ramp, one that comes in from it merges."""
    chief = deed(acting)
    if chief in _COMES and _merges(roads, sides):
        return "merging_vehicle"
    if chief in _COMES and sides and set(roads) == {"intersection"}:
        return "crossing_vehicle"  # "pulls out from the left at the crossroads"
    return EVENT_OF[chief]


def usual_kind(clause: Clause, roads: Collection[str], sides: Sequence[Piece]) -> str | None:
    """What one presumably does who is only said to be there at a side and a time: "van left 5 s".

    None where the clause says more, which may be what it does.
    """
    if not {piece.kind for piece in clause.pieces} <= set(_PLAIN):
        return None
    if "intersection" in roads:
        return "crossing_vehicle" if sides else None
    if _merges(roads, sides):
        return "merging_vehicle"
    return "cut_in" if sides and (not roads or set(roads) & set(ROADS_OF["cut_in"])) else None


def _merges(roads: Collection[str], sides: Sequence[Piece]) -> bool:
    """Whether somebody comes from a ramp, which is on the right."""
    return "merge" in roads and "intersection" not in roads and all(piece.value != "left" for piece in sides)
