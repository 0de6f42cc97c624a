"""What the ego would do itself, and what is on its glass: "let me change lanes", 我想主动变道, "the mirrors iced up".

"I want to brake" is a wish about the ego, "I want to see somebody brake" is not: the modal has to stand right before
the motion. Mist on a pane is no fog, and ice on it no snow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..choices import possible
from .lexicon import Piece
from .rules import Rule, of_kinds, rule

DEEDS = ("motion", "through")
OWN_DEEDS = ("brake", "stop", "cut_in", "enter", "join", "merge", "cross")
"""What the ego does because of somebody else: "we brake for a cyclist"; in "we are stuck behind a van" the van does."""
_BETWEEN = ("shade", "hedge", "ego", "side", "between", "number", "scale", "unit", "post", "later", "ordinal", "length",
    "at", "amid")  # fmt: skip
"""What may stand between a modal and the motion that it governs."""
_OTHERS = ("vehicle", "vehicles", "person", "lead", "pronoun", "rides", "traffic_word")
_GLASS = ("cabin", "sensor")


def own_deeds(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """The pieces; a modal right before a motion is the ego, where nobody else is its subject, and else says nothing."""
    others = False
    for place, piece in enumerate(pieces):
        others = piece.kind != "end" and (others or piece.kind in _OTHERS)
        if piece.kind != "willing":
            yield piece
            continue
        if piece.value == "car":
            yield piece.of("ego") if _takes_a_route(pieces[place + 1 :]) else piece.of("vehicle", "car")
            continue
        own = _governed(pieces[place + 1 :]) in DEEDS and (piece.value == "self" or not others)
        yield piece.of("ego" if own else "stop", "")


def _governed(following: Sequence[Piece]) -> str:
    """The kind of what a modal stands before; 我想在路口停下 passes over the place."""
    before = ""
    for piece in following:
        if piece.kind not in _BETWEEN and (before, piece.kind) != ("at", "road"):
            return piece.kind
        before = piece.kind
    return ""


def _takes_a_route(following: Sequence[Piece]) -> bool:
    """ "Could the car turn left": whose route is chosen is the ego."""
    return next((piece.kind for piece in following if piece.kind not in ("stop", "shade")), "") == "command"


def _on_glass(found: list[Piece]) -> list[Piece] | None:
    """ "The windscreen fogged up", "frost on the mirrors", 车里起雾."""
    part, weather = of_kinds(found, "cannot", "indoors")[0], of_kinds(found, "weather", "becomes")[0]
    if part.kind == "cannot" and part.value not in _GLASS:
        return None
    value = tuple(possible(weather.value))
    if value != ("fog",) and not (value == ("snow",) and weather.near):
        return None
    return [part, weather.of("beyond", "cabin")]


GLASS: list[Rule] = [
    rule("(cannot|indoors) unknown{0,2} (weather|becomes)", _on_glass),
    rule("weather (over|start)? at? within? scope? (cannot|indoors)", _on_glass),
    rule("indoors", lambda found: []),
]
"""First of all, before weather is read as such."""
