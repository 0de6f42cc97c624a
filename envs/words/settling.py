"""What was said to one scene: contradictions decided, gaps filled, roads and events made to fit; nothing silently."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from worldsim.types import ROADS, SCENE_VOCABULARY

from ..choices import possible
from ..events import KEYS_OF, LANES_NEEDED, ROADS_OF, Event
from ..scenario import LANES_OF, TARGET_SPEED_MPS, Scenario
from .book import TURNING, Book, Mention, Said
from .lexicon import Piece
from .limits import NO_PLACE, WITHOUT
from .order import Dated
from .wish import Assumed, Understood, Unsupported

DEFAULTS: dict[str, Any] = {"weather": "clear", "time_of_day": "day", "traffic": "medium"}
ROADS_BY_CHOICE = ("highway", "two_way", "merge", "intersection", "exit", "curves", "racetrack", "roundabout")
"""Where no road is said, the first of these on which everything can happen; at junctions, if a turn is asked for."""
REFINES = {"exit": ("highway",), "merge": ("highway",), "curves": ("highway", "two_way"), "intersection": ("two_way",)}
"""Roads that another word makes more precise: a highway with an exit is an exit."""
RANGES = {"target_speed_mps": (1.0, 40.0), "horizon_s": (1.0, 3600.0)}
HORIZON_S, AFTERMATH_S = 60.0, 15.0
MOST_EVENTS = 20
WEIGHTY = (
    "road", "weather", "time_of_day", "becomes", "traffic", "lanes", "command", "side", "vehicle", "vehicles", "lead",
    "person", "motion", "number", "scale", "length", "cannot", "turn", "over", "both_ways", "oncoming", "nobody",
    "straight", "rides", "ramp", "dims", "crossing", "crossing_road", "pair", "sides", "share",
    "visibility", "before_end", "leaves", "afoot", "jams", "commute",
)  # fmt: skip
"""Kinds of words that mean something by themselves."""


@dataclass
class Ledger:
    """The account of a text, word by word, as it is drawn up."""

    text: str
    understood: dict[Understood, None] = field(default_factory=dict)  # in order, each once
    assumed: list[Assumed] = field(default_factory=list)
    unsupported: dict[Unsupported, None] = field(default_factory=dict)

    def understand(self, piece: Piece, means: str) -> None:
        """``piece`` set something. A word that was misspelt, or only comes near what there is, is said to be so."""
        said = self.text[piece.start : piece.end]
        entry = Understood(said, piece.start, piece.end, means)
        if entry not in self.understood:
            self.understood[entry] = None
            if piece.said:
                self.assume(f"reading of {said!r}", piece.said, "it is no known word, and this is spelt alike")
            if piece.near:
                value = means.split(": ")[-1]
                self.refuse(piece, "there is none here, and the nearest is taken", value)

    def assume(self, key: str, value: Any, why: str) -> None:
        """``key`` was left open, and was set."""
        self.assumed.append(Assumed(key, value, why))

    def withdraw(self, piece: Piece) -> None:
        """What was said of ``piece`` so far does not hold."""
        self.understood = {each: None for each in self.understood if each.start != piece.start}
        self.unsupported = {each: None for each in self.unsupported if each.start != piece.start}

    def close(self, pieces: Sequence[Piece]) -> None:
        """Whatever word of weight is in no entry so far cannot be honoured: nothing is dropped silently."""
        entries: list[Understood | Unsupported] = [*self.understood, *self.unsupported]
        covered = bytearray(len(self.text) + 1)
        for entry in entries:
            covered[entry.start : entry.end] = b"\1" * (entry.end - entry.start)
        for piece in pieces:
            if piece.kind in WEIGHTY and not covered[piece.start]:
                self.refuse(piece, NO_PLACE, "")

    def refuse(self, piece: Piece, why: str, nearest: str) -> None:
        """``piece`` cannot be honoured."""
        said = self.text[piece.start : piece.end]
        self.unsupported[Unsupported(said, piece.start, piece.end, why, nearest or WITHOUT)] = None


# --- values ---------------------------------------------------------------------------------------------------


def decide(book: Book, ledger: Ledger) -> tuple[dict[str, Any], dict[str, tuple[Any, ...]]]:
    """What is asked for and what is ruled out, by key: the later of two words that contradict each other wins."""
    asked: dict[str, Any] = {}
    for key, entries in book.said.items():
        strong = [entry for entry in entries if not entry.weak]
        values = _agreed(key, strong or entries, ledger)
        if values:
            asked[key] = values[0] if len(values) == 1 else values
        for entry in entries if strong else ():
            if entry.weak and not entry.piece.near and set(entry.values) & set(values):
                ledger.understand(entry.piece, f"{key}: {_either(entry.values)}")
            elif entry.weak:  # it only comes near, and something is there
                ledger.refuse(entry.piece, f"there is none here, and {_either(values)} is asked for", _either(values))
    excluded = _denials(book, asked, ledger)
    for key, entry in book.implied.items():
        if key not in asked:
            asked[key] = entry.values[0] if len(entry.values) == 1 else entry.values
        if set(entry.values) & set(possible(asked[key])):
            ledger.understand(entry.piece, f"{key}: {_either(entry.values)}")
        else:
            ledger.refuse(
                entry.piece, f"the scene begins with {_either(possible(asked[key]))}, as is said elsewhere", ""
            )
    return asked, excluded


def _agreed(key: str, entries: Sequence[Said], ledger: Ledger) -> tuple[Any, ...]:
    """The values that the last entry and those which do not contradict it leave."""
    values: tuple[Any, ...] = ()
    last, agreeing = "", []
    for entry in reversed(entries):
        problem = _impossible(key, entry.values)
        if problem:
            ledger.refuse(entry.piece, *problem)
        elif not values or (key == "road" and _refines(entry.values, values)):
            values, last = entry.values, last or ledger.text[entry.piece.start : entry.piece.end]
            agreeing.append(entry)
        elif common := tuple(value for value in values if value in entry.values):
            values = common
            agreeing.append(entry)
        elif key == "road" and _refines(values, entry.values):
            agreeing.append(entry)
        else:
            here, there = _either(entry.values), _either(values)
            nearest = f"{here} that turns to {there}" if key in TURNING else here
            ledger.refuse(entry.piece, f"it contradicts {last!r}, which is said later and taken", nearest)
    for entry in agreeing:
        ledger.understand(entry.piece, f"{key}: {_either(values)}")
    return values


def _refines(values: Sequence[Any], others: Sequence[Any]) -> bool:
    return len(values) == len(others) == 1 and others[0] in REFINES.get(values[0], ())


def _impossible(key: str, values: Sequence[Any]) -> tuple[str, str] | None:
    """Why values are out of reach, and the nearest within; None where they are not."""
    if key == "lanes":
        outside = [value for value in values if value not in SCENE_VOCABULARY["lanes"]]
        return (f"roads have 1 to 5 lanes in a direction, not {outside[0]}", "five lanes") if outside else None
    if key in RANGES:
        low, high = RANGES[key]
        numbers = [number for value in values for number in possible(value)]
        if min(numbers) < low or max(numbers) > high:
            unit = "s" if key == "horizon_s" else "m/s"
            bound = high if max(numbers) > high else low
            return f"expected {low:g} to {high:g} {unit}", f"{bound:g} {unit}"
    return None


def _denials(book: Book, asked: dict[str, Any], ledger: Ledger) -> dict[str, tuple[Any, ...]]:
    excluded: dict[str, tuple[Any, ...]] = {}
    for key, entries in book.denied.items():
        for entry in entries:
            left = tuple(value for value in possible(asked.get(key)) if value not in entry.values)
            if key in asked and not left:
                said = ledger.text[book.said[key][-1].piece.start : book.said[key][-1].piece.end]
                ledger.refuse(entry.piece, f"{said!r} asks for it", said)
                continue
            every = {*excluded.get(key, ()), *entry.values} >= set(SCENE_VOCABULARY.get(key, (None,)))
            if every:
                ledger.refuse(entry.piece, "with it, nothing would be left", "")
                continue
            if key in asked:
                asked[key] = left[0] if len(left) == 1 else left
            excluded[key] = tuple(dict.fromkeys((*excluded.get(key, ()), *entry.values)))
            ledger.understand(entry.piece, f"{key}: not {_either(entry.values)}")
    return excluded


def _shown(value: Any) -> str:
    return _either([f"{each:g}" for each in value]) if isinstance(value, tuple) else str(value)


def _either(values: Sequence[Any]) -> str:
    return " or ".join(str(value) for value in values)


# --- the road -------------------------------------------------------------------------------------------------


def settle_road(
    asked: dict[str, Any],
    excluded: dict[str, tuple[Any, ...]],
    book: Book,
    mentions: list[Mention],
    ledger: Ledger,
) -> list[Mention]:
    """Fix a road on which the events can happen; those that cannot are refused. Returns the others."""
    near = all(entry.weak for entry in book.said.get("road", ()))
    junctions = (
        ("intersection", "roundabout") if possible(asked.get("command"))[0] in ("left", "right", "straight") else ()
    )
    by_choice = [road for road in (*junctions, *ROADS_BY_CHOICE) if road not in excluded.get("road", ())]
    roads = possible(asked["road"]) if "road" in asked else by_choice
    refined = [road for road in ("merge", "exit") if len(roads) == 1 and roads[0] in REFINES[road]]
    if "road" in asked and mentions:
        roads = [*roads, *refined]  # a highway on which vehicles merge has a ramp
    if near and "road" in asked and mentions:
        roads = list(dict.fromkeys((*roads, *by_choice)))  # what only comes near gives way to what happens
    lanes = possible(asked["lanes"]) if "lanes" in asked else None
    if lanes and not any(set(lanes) & set(LANES_OF[road]) for road in roads):
        for entry in book.said["lanes"]:
            most = min(max(LANES_OF[roads[0]]), max(max(lanes), min(LANES_OF[roads[0]])))
            why = f"the road {roads[0]!r} can have {_either(LANES_OF[roads[0]])} lanes"
            ledger.withdraw(entry.piece)
            ledger.refuse(entry.piece, why, f"lanes: {most}")
        lanes = None
        del asked["lanes"]
    roads = [road for road in roads if lanes is None or set(lanes) & set(LANES_OF[road])]
    kept = []
    for mention in mentions:
        fitting = [road for road in roads if _can_happen(mention.kind, road, lanes)]
        if fitting:
            roads = fitting
            kept.append(mention)
        else:
            refuse_event(mention, *_why_not(mention.kind, roads, lanes), ledger)
    if "road" in asked and set(roads) & set(refined) and not set(roads) & set(possible(asked["road"])):
        ledger.assume("kind of road", roads[0], f"a {asked['road']} on which that can happen")
        asked["road"] = next(road for road in roads if road in refined)
    if "road" in asked and not set(roads) & set(possible(asked["road"])):
        for entry in book.said["road"]:
            ledger.withdraw(entry.piece)
            why = (
                f"there is none here, and what else is asked for cannot be had on the nearest: {_either(entry.values)}"
            )
            ledger.refuse(entry.piece, why, roads[0])
        del asked["road"]
    if "road" in asked:
        left = tuple(road for road in possible(asked["road"]) if road in roads)
        asked["road"] = left[0] if len(left) == 1 else left
    else:
        ledger.assume("road", roads[0], "no road is said" + ("; there all of it can happen" if mentions else ""))
    return kept


def _can_happen(kind: str, road: str, lanes: Sequence[int] | None) -> bool:
    enough = [number for number in LANES_OF[road] if number >= LANES_NEEDED[kind] and (not lanes or number in lanes)]
    return road in ROADS_OF[kind] and bool(enough)


def _why_not(kind: str, roads: Sequence[str], lanes: Sequence[int] | None) -> tuple[str, str]:
    what = kind.replace("_", " ")
    if lanes and not any(number >= LANES_NEEDED[kind] for number in lanes):
        return f"{what}: that needs {LANES_NEEDED[kind]} lanes", f"{LANES_NEEDED[kind]} lanes"
    where = _either(ROADS_OF[kind])
    return f"{what}: that can happen on {where}, and the road is {_either(roads)}", f"{what} on {ROADS_OF[kind][0]}"


# --- events ---------------------------------------------------------------------------------------------------


def refuse_event(mention: Mention, why: str, nearest: str, ledger: Ledger) -> None:
    """Every piece of an event goes to what cannot be honoured."""
    for piece in mention.pieces:
        ledger.refuse(piece, why, nearest)


def build(each: Dated) -> Event:
    """The event of a dated mention, with the keys that its kind takes."""
    mention, keys = each.mention, {"at_s" if each.unit == "s" else "at_m": each.value}
    persons = tuple(name for name in mention.names if name in ("pedestrian", "cyclist"))
    vehicles = tuple(name for name in mention.names if name not in persons)  # "a child crosses, brake!"
    for key, value in (("side", mention.side), ("vehicle", vehicles or None), ("to", mention.to)):
        if value is not None and key in KEYS_OF[mention.kind]:
            keys[key] = value[0] if len(possible(value)) == 1 and isinstance(value, tuple) else value
    return Event(persons if len(persons) > 1 else mention.kind, **keys)


def fit(events: Sequence[Dated], values: dict[str, Any], ledger: Ledger) -> tuple[Event, ...]:
    """The events that a scenario of ``values`` can have, which is asked itself; the others are refused."""
    built: list[Event] = []
    for each in events:
        event = build(each)
        try:
            if len(built) == MOST_EVENTS:
                raise ValueError(f"at most {MOST_EVENTS} events are staged in a drive")
            Scenario(**values, events=(*built, event))
        except ValueError as error:
            refuse_event(each.mention, str(error).split(": ")[-1], "", ledger)
            continue
        built.append(event)
        number = f"event {len(built)}"
        if each.why:
            ledger.assume(f"{number}: {event.clock}", event.at, each.why)
        for piece in each.mention.pieces:
            _explain(piece, number, event, each.mention, ledger)
    return tuple(built)


def _explain(piece: Piece, number: str, event: Event, mention: Mention, ledger: Ledger) -> None:
    if piece.kind == "side":
        if event.side is None:
            nearest = f"a car cuts in from the {possible(piece.value)[0]}"
            ledger.refuse(piece, f"the side of a {event.kind.replace('_', ' ')} cannot be chosen", nearest)
        else:
            ledger.understand(piece, f"{number}: side {_either(possible(piece.value))}")
    elif piece.kind in ("moment", "length"):
        ledger.understand(piece, f"{number}: {event.clock} {_shown(event.at)}")
    elif piece.kind == "actor" and mention.names:
        ledger.understand(piece, f"{number}: {_either(mention.names)}")
    elif event.kind in TURNING:
        ledger.understand(piece, f"{number}: {event.kind} turns to {_either(possible(event.to))}")
    else:
        ledger.understand(piece, f"{number}: {event.kind}")


# --- what is left open ----------------------------------------------------------------------------------------


def fill(
    asked: dict[str, Any], excluded: dict[str, tuple[Any, ...]], mentions: Sequence[Mention], ledger: Ledger
) -> None:
    """Assume what the text says nothing of: the plainest that it does not rule out."""
    for key, usual in DEFAULTS.items():
        if key in asked:
            continue
        barred = {*excluded.get(key, ()), *(possible(m.to)[0] for m in [m for m in mentions if m.kind == key][:1])}
        left = tuple(value for value in SCENE_VOCABULARY[key] if value not in barred)
        value = usual if usual in left else left[0] if len(left) == 1 else left
        why = "nothing is said of it" if usual in left else f"one of what is left without {_either(sorted(barred))}"
        ledger.assume(key, value, why)


def fill_horizon(asked: dict[str, Any], road: str, events: Sequence[Dated], ledger: Ledger) -> None:
    """A drive that lasts beyond its last event."""
    if "horizon_s" in asked:
        return
    speed = min(possible(asked.get("target_speed_mps", TARGET_SPEED_MPS[road])))
    ends = [max(possible(each.value)) / (1.0 if each.unit == "s" else speed) for each in events]
    last = max(ends, default=0.0) + AFTERMATH_S
    if last > HORIZON_S:
        value = min(float(round(last)), RANGES["horizon_s"][1])
        ledger.assume("horizon_s", value, "it ends after the last event")


assert set(ROADS_BY_CHOICE) == set(ROADS)
