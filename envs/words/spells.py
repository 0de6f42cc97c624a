"""States that each last so long: "10 seconds of rain, then 10 s of fog, then snow" as times at which they begin."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from ..choices import Range
from .book import TURNING, turning_key
from .lexicon import Piece
from .measures import Moment

_PARTS = ("comma", "end", "and", "colon", "turn", "close")
_AROUND = ("order", "start", "at", "for", "scope", "pronoun", "rest", "later", "pre", "nothing")


class _Spell(NamedTuple):
    """A run of pieces that names one state, with how long it lasts, if that is said."""

    start: int
    end: int
    state: Piece
    length: float | None
    begins: float | None  # where that is said: "10-20 s fog"
    rests: bool  # whether it is said to be so for the rest
    lasts: bool  # whether that is how long, and may not be when: "10 s of fog" and not "10 s fog"


def timed_spells(pieces: Sequence[Piece]) -> list[Piece]:
    """``pieces`` where each of such states but the first has the moment at which it begins, and no length."""
    found = list(pieces)
    for run in reversed(_runs([_spell(found, *bounds) for bounds in _segments(found)])):
        begins = 0.0
        changed: list[Piece] = []
        for place, spell in enumerate(run):
            segment = found[spell.start : spell.end]
            lengths = [piece for piece in segment if piece.kind in ("length", "horizon_s", "span", "rest", "moment")]
            if place == 0:
                changed += [piece.of("label") for piece in lengths] + [spell.state]
            else:
                when = lengths[0] if lengths and lengths[0].kind != "rest" else spell.state
                changed += [when.of("moment", Moment(begins, "s", "start")), spell.state]
            changed += found[spell.end : spell.end + 1] if place + 1 < len(run) else []
            begins += spell.length or 0.0
        found[run[0].start : run[-1].end] = changed
    return found


def _segments(pieces: Sequence[Piece]) -> list[tuple[int, int]]:
    """Bounds of the runs between commas and their like."""
    cuts = [-1, *(place for place, piece in enumerate(pieces) if piece.kind in _PARTS), len(pieces)]
    return [(before + 1, after) for before, after in pairwise(cuts) if after > before + 1]


def _spell(pieces: Sequence[Piece], start: int, end: int) -> _Spell | None:
    segment = pieces[start:end]
    states = [piece for piece in segment if piece.kind in TURNING]
    lengths = [piece for piece in segment if piece.kind in ("length", "horizon_s", "span")]
    since = [piece for piece in segment if piece.kind == "moment" and piece.value.since in ("post", "open")]
    if len(since) == 1 and len(states) == 1 and not lengths and isinstance(since[0].value.value, float):
        return _Spell(start, end, states[0], None, since[0].value.value, True, False)  # 20秒以后晴
    others = [piece for piece in segment if piece not in states and piece not in lengths and piece.kind not in _AROUND]
    if len(states) != 1 or len(lengths) > 1 or others:
        return None
    if not lengths:
        return _Spell(start, end, states[0], None, None, any(piece.kind == "rest" for piece in segment), False)
    value, unit = (lengths[0].value, "s") if lengths[0].kind == "horizon_s" else lengths[0].value
    if isinstance(value, Range) and unit == "s" and lengths[0].kind != "horizon_s":
        return _Spell(start, end, states[0], value.max - value.min, value.min, False, True)
    is_number = isinstance(value, float) and unit == "s" and lengths[0].kind != "span"
    return _Spell(start, end, states[0], value, None, False, _lasts(segment, lengths[0])) if is_number else None


def _lasts(segment: Sequence[Piece], length: Piece) -> bool:
    """Whether a length is said to be one: "for 10 s", "10 s of rain", 起10秒雾."""
    place = segment.index(length)
    before, after = segment[:place][-1:], segment[place + 1 : place + 2]
    of = any(piece.kind == "scope" or piece.start - length.end > len(" x") for piece in after)
    of |= any(piece.kind == "pre" for piece in before)  # 前十秒下雨
    return length.kind == "horizon_s" or of or any(piece.kind == "start" for piece in before)


def _runs(spells: Sequence[_Spell | None]) -> list[list[_Spell]]:
    """Runs of neighbours of one key, of which all but the last say how long, and at least two do or one and a rest."""
    runs: list[list[_Spell]] = []
    current: list[_Spell] = []
    for spell in (*spells, None):
        alike = spell is not None and (
            not current or turning_key(spell.state.value) == turning_key(current[0].state.value)
        )
        if spell is not None and spell.begins is not None:
            alike &= spell.begins == sum(each.length or 0.0 for each in (current if alike else ()))
            spell = spell if alike or spell.begins == 0.0 else None
        if spell is not None and alike and spell.length is not None:
            current.append(spell)
            continue
        if spell is not None and alike and current:
            current.append(spell)
        counted = [each for each in current if each.length is not None]
        if any(each.lasts for each in current) and (len(counted) > 1 or any(each.rests for each in current)):
            runs.append(current)
        current = [spell] if spell is not None and not alike and spell.length is not None else []
    return runs
