"""Lanes, how much traffic, and who is there, of pieces that count them."""

from __future__ import annotations

from dataclasses import dataclass

from ..choices import Range, possible
from .lexicon import Piece
from .rules import has, of_kinds, spanning

CROWD = {"none": 0.0, "light": 2.0, "medium": 3.0, "heavy": 4.0}
"""What they count of those who do something."""
LISTED = ("road", "oncoming", "drivers", "weather", "time_of_day", "traffic", "lanes", "side", "command", "actor")
"""Kinds of which several may be named: "rain or snow"."""


MOST_LANES = 5
"""In a direction."""


@dataclass(frozen=True)
class Actor:
    """Who does something: ``names`` of vehicles ("any" is any) or persons, how many, and whether it is the lead."""

    names: tuple[str, ...]
    count: float | None = None
    level: str | None = None  # the level of traffic that so many are
    is_person: bool = False
    is_lead: bool = False


def count_lanes(found: list[Piece]) -> Piece | None:
    """ "Three lanes", "two to four lanes", "six lanes both ways"; None where none are left for each way."""
    number = of_kinds(found, "number")[0].value
    if isinstance(number, Range):
        number = tuple(range(int(number.min), int(number.max) + 1))
    halves = 2 if has(found, "both_ways") else 1
    each_way = tuple(int(each) // halves for each in possible(number) if each % halves == 0)
    return spanning(found, "lanes", each_way) if each_way and 0 not in each_way else None


def bounded_lanes(found: list[Piece]) -> Piece | None:
    """ "At least three lanes", "fewer than four lanes", "3 lanes max"."""
    number = of_kinds(found, "number")[0].value
    halves = 2 if has(found, "both_ways") else 1
    if not isinstance(number, float) or number % halves:
        return None
    each_way = int(number) // halves
    low = each_way if has(found, "least") else each_way + 1 if has(found, "above") else 1
    high = each_way if has(found, "most") else each_way - 1 if has(found, "under") else MOST_LANES
    return spanning(found, "lanes", tuple(range(low, high + 1))) if low <= high else None


def traffic_level(found: list[Piece]) -> Piece | None:
    """ "heavy traffic", "traffic is light"; vehicles that stand or crawl are heavy traffic."""
    amount, motion, number = of_kinds(found, "amount"), of_kinds(found, "motion"), of_kinds(found, "number")
    if (motion and motion[0].value not in ("stop", "stopped", "slow")) or (number and number[0].value != 0):
        return None
    if number:
        return spanning(found, "traffic", "none")
    return spanning(found, "traffic", amount[0].value if amount else "heavy")


def count_actor(found: list[Piece]) -> Piece:
    """ "Three trucks", "a few pedestrians", "the van ahead"."""
    noun = of_kinds(found, "vehicle", "vehicles", "person", "lead")[0]
    counted, vague = of_kinds(found, "number"), of_kinds(found, "amount")
    amount = possible(vague[0].value)[0] if vague else None
    count = max(possible(counted[0].value)) if counted else CROWD[amount] if amount else None
    crowd = amount if vague else "medium" if noun.kind == "vehicles" and not counted else None
    lead = noun.kind == "lead" or has(found, "ahead")
    name = noun.value if noun.kind != "lead" else next((p.value for p in of_kinds(found, "vehicle")), "any")
    return spanning(found, "actor", Actor((name,), count, crowd, noun.kind == "person", lead))
