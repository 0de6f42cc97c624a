"""What is taken back while it is said: "a truck, no wait, a van", "three lanes, make that four", 第五秒，不对，第八秒.

The words that put something right stand for those of their kind that were said last, which are dropped (Shriberg 1994,
"Preliminaries to a theory of speech disfluencies": reparandum, interregnum, repair).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile

from ..choices import possible
from .book import Book, turning_key
from .lexicon import Piece
from .measures import NUMBERS
from .rules import apply

_KINDS = {
    "vehicle": "who", "vehicles": "who", "person": "who", "lead": "who", "rides": "who", "road": "road",
    "oncoming": "road", "amount": "traffic", "usual": "traffic", "traffic": "traffic",
    "number": "number", "scale": "number",
    "weather": "weather", "time_of_day": "time_of_day", "side": "side", "command": "command", "motion": "motion",
    "crossing": "motion", "unit": "unit", "lane_word": "lane_word", "lanes": "lane_word", "length": "number",
    "traffic_word": "traffic_word", "order": "order", "manner": "drivers", "leave": "command",
}  # fmt: skip
"""What may stand for what."""
_ENDS = ("comma", "end", "but", "retract", "colon", "and", "with", "close")
_COUNTED = ("unit", "lane_word", "who")
_FARTHEST = 40  # pieces


def take_back(pieces: Sequence[Piece], book: Book) -> list[Piece]:
    """``pieces`` without what is taken back, and with what stands for it in its place."""
    found = _spoken(pieces)
    if any(piece.kind == "retract" for piece in found):
        for pattern, build in NUMBERS:
            found = apply(pattern, build, found)
    place = 0
    while place < len(found):
        if found[place].kind != "retract":
            place += 1
            continue
        book.note("a correction", found[place])
        before, after = found[:place], found[place + 1 :]
        while before and before[-1].kind in (*_ENDS, "not"):
            before.pop()
        while after and after[0].kind in (*_ENDS, "turn") and after[0].kind != "end":
            if after[0].kind in ("retract", "turn"):
                book.note("a correction", after[0])
            after.pop(0)
        put_right = _put_right(before, after, book)
        if put_right is None:
            found[place] = found[place].of("comma")
            place += 1
        else:
            found = put_right
    return found


def _is_said_again(kinds: Sequence[str], place: int) -> bool:
    """ "From the left no from the right", "six seconds no seven seconds"."""
    following = next((kind for kind in kinds[place + 1 :] if kind not in ("between", "at", "after")), "")
    return (kinds[max(place - 1, 0)], following) in (("side", "side"), ("unit", "number"), ("lane_word", "number"))


def _recounted(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """The pieces; "two people no one person walk" and 两个人不是一个人走 take back how many."""
    kinds = [_KINDS.get(piece.kind, piece.kind) for piece in pieces]
    for place, piece in enumerate(pieces):
        counted = kinds[max(place - 2, 0) : place] == ["number", "who"]
        following = kinds[place + 1 : place + 4]
        if counted and (piece.kind == "recount" or (piece.kind == "nobody" and following[:1] == ["who"])):
            yield piece.of("retract")
            yield piece.of("number", 1.0)
        elif piece.value == "no" and piece.kind == "not" and _is_said_again(kinds, place):
            yield piece.of("retract")
        elif piece.kind == "recount":
            yield piece.of("not")
        elif counted and piece.kind == "not" and following[:2] == ["number", "who"] and following[2:] != ["comma"]:
            yield piece.of("retract")
        else:
            yield piece


def _spoken(pieces: Sequence[Piece]) -> list[Piece]:
    """The pieces; "no" between commas, and 改成 before what cannot turn, take something back too."""
    found = list(_recounted(pieces))
    for place, piece in enumerate(found):
        around = [each.kind for each in (*found[max(place - 1, 0) : place], *found[place + 1 : place + 2])]
        following = next((each.kind for each in found[place + 1 :] if each.kind not in ("at", "to", "number")), "")
        if piece.kind == "not" and len(around) == 2 and set(around) <= {"comma", "end"}:
            found[place] = piece.of("retract")
        elif piece.kind == "turn" and following in ("lane_word", "road", "vehicle", "person", "side", "ordinal"):
            if around[:1] in (["comma"], ["but"], ["end"]):
                found[place] = piece.of("retract")
        elif piece.kind == "turn" and around[:1] == ["but"]:
            found[place] = piece.of("retract")
    return found


def _put_right(before: list[Piece], after: list[Piece], book: Book) -> list[Piece] | None:
    """``before`` and ``after`` as one, where ``after`` begins with what stands for something in ``before``."""
    said = list(takewhile(lambda place: after[place].kind not in _ENDS, range(len(after))))
    repair = [place for place in said if after[place].kind in _KINDS or after[place].kind == "becomes"]
    if not repair or any(after[place].kind == "not" for place in said[: repair[0]]):
        return None
    spoken = [place for place in range(len(before)) if before[place].kind in _KINDS or before[place].kind == "becomes"]
    first = next((place for place in reversed(spoken[-_FARTHEST:]) if _alike(before, place, after, repair[0])), None)
    if first is None:
        return None
    pairs = _pairs(before, spoken[spoken.index(first) :], after, repair)
    last = pairs[-1][0]
    if last == spoken[-1]:  # what is taken back goes up to here
        start = first
        lead = [piece.kind for piece in after[: repair[0]]]
        while lead and start and before[start - 1].kind == lead.pop():
            start -= 1
        book.note("taken back", *before[start:])
        return [*before[:start], *after]
    for old, new in pairs:
        book.note("taken back", before[old])
        before[old] = after[new]
    rest = after[pairs[-1][1] + 1 :]
    return [*before, *rest]


def _pairs(before: list[Piece], spoken: list[int], after: list[Piece], repair: list[int]) -> list[tuple[int, int]]:
    pairs = []
    for old, new in zip(spoken, repair, strict=False):
        if not _alike(before, old, after, new):
            break
        pairs.append((old, new))
    return pairs


def _alike(before: list[Piece], old: int, after: list[Piece], new: int) -> bool:
    """Whether two pieces are of a kind; of numbers, whether they count the same, as far as is said."""
    if _kind(before[old]) != _kind(after[new]):
        return False
    if _kind(before[old]) != "number":
        return True
    counted = [_counted(each, place) for each, place in ((before, old), (after, new))]
    return "" in counted or counted[0] == counted[1]


def _kind(piece: Piece) -> str:
    if piece.kind == "becomes":
        return turning_key(possible(piece.value)[0])
    return _KINDS[piece.kind]


def _counted(pieces: list[Piece], place: int) -> str:
    """What the number at ``place`` counts, or ""."""
    if pieces[place].kind == "length":
        return "unit"
    following = takewhile(lambda piece: piece.kind not in _ENDS, pieces[place + 1 : place + 5])
    kinds = (_KINDS.get(piece.kind, "") for piece in following)
    return next((kind for kind in kinds if kind in _COUNTED), "")
