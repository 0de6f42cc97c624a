"""``parse_scene``: words, in English or Chinese, to a scene. No network, no model: tables and a grammar."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Protocol

from worldsim.types import SCENE_VOCABULARY, SceneFields

from ..choices import possible
from ..events import Event
from ..scenario import TARGET_SPEED_MPS, describe
from . import english, limits
from .book import Book, Mention
from .lexicon import Language, Lexicon, Piece
from .neighbours import MOST_ENCODED, ByLetters, Neighbours, neighbours
from .order import dated, narrative
from .reading import read
from .settling import HORIZON_S, Ledger, decide, fill, fill_horizon, fit, settle_road
from .wish import SETTABLE, SceneWish

LANGUAGES = (Language("english", english.bases), Language("chinese"))
MOST_CHARACTERS = 20_000


class SceneParser(Protocol):
    """Whatever turns words into a scene."""

    def parse(self, text: str) -> SceneWish:
        """The scene that ``text`` asks for. Raises ValueError for what is no text, or nothing to read."""
        ...


class GrammarParser:
    """Reads by the tables of ``LANGUAGES`` and the rules of ``grammar.py``; the same answer on every machine.

    ``nearest`` suggests wishes for unknown words; by default it compares meanings where the extra ``text`` is
    installed, else letters.
    """

    def __init__(self, nearest: Neighbours | None = None) -> None:
        self._nearest = nearest

    def parse(self, text: str) -> SceneWish:
        """The scene that ``text`` asks for.

        Every word ends up in ``understood``, ``unsupported`` or the kind ``stop`` of a language. Raises ValueError for
        no text, nothing but blanks, or more than ``MOST_CHARACTERS``.
        """
        check_text(text)
        book = read(text, lexicon())
        return conclude(text, book, narrative(book), self._nearest)


def conclude(text: str, book: Book, mentions: list[Mention], nearest: Neighbours | None = None) -> SceneWish:
    """One scene of all that was noted, with the account of every word."""
    ledger = Ledger(text)
    asked, excluded, events = _scene(book, mentions, ledger)
    for piece, means in book.noted:
        ledger.understand(piece, means)
    for piece, why in book.softened:
        ledger.assume(f"reading of {text[piece.start : piece.end]!r}", "plainly", why)
    for piece, limit in book.refused:
        ledger.refuse(piece, limit.why, limit.nearest)
    ledger.close(book.pieces)
    _unread(book.unread, ledger, nearest)
    return SceneWish(
        text, asked, excluded, events, _caption(asked, ledger, events),
        understood=tuple(sorted(ledger.understood, key=lambda each: each.start)),
        assumed=tuple(ledger.assumed),
        unsupported=tuple(sorted(ledger.unsupported, key=lambda each: each.start)),
    )  # fmt: skip


def _scene(book: Book, mentions: list[Mention], ledger: Ledger) -> tuple[dict, dict, tuple[Event, ...]]:
    asked, excluded = decide(book, ledger)
    mentions = settle_road(asked, excluded, book, mentions, ledger)
    fill(asked, excluded, mentions, ledger)
    road = possible(asked.get("road") or next(each.value for each in ledger.assumed if each.key == "road"))[0]
    speed_mps = min(possible(asked.get("target_speed_mps", TARGET_SPEED_MPS[road])))
    events = dated(mentions, speed_mps, min(possible(asked.get("horizon_s", HORIZON_S))))
    fill_horizon(asked, road, events, ledger)
    values = {each.key: each.value for each in ledger.assumed if each.key in SETTABLE} | asked
    return asked, excluded, fit(events, values, ledger)


def _unread(pieces: Sequence[Piece], ledger: Ledger, nearest: Neighbours | None) -> None:
    """Words of no table, neighbours as one, with the wish that comes nearest."""
    runs: list[Piece] = []
    for piece in pieces:
        if runs and not ledger.text[runs[-1].end : piece.start].strip():
            runs[-1] = Piece("unknown", "", runs[-1].start, piece.end)
        else:
            runs.append(piece)
    why = limits.UNREAD if ledger.understood else f"{limits.UNREAD}; English and Chinese are read"
    for place, run in enumerate(runs):
        finder = nearest or (usual_neighbours() if place < MOST_ENCODED else ByLetters())
        ledger.refuse(run, why, finder.nearest(ledger.text[run.start : run.end]))


def check_text(text: str) -> None:
    """Raise ValueError unless ``text`` is something to read."""
    if not isinstance(text, str):
        raise ValueError(f"parse_scene: expected text, got {type(text).__name__}: {text!r}")
    if len(text) > MOST_CHARACTERS:
        raise ValueError(
            f"parse_scene: expected at most {MOST_CHARACTERS} characters, got {len(text)}; shorten the text"
        )
    if not any(character.isalnum() for character in text):
        raise ValueError('parse_scene: expected words such as "rainy night, dense traffic", got nothing to read')


def _caption(asked: dict, ledger: Ledger, events: Sequence[Event]) -> str:
    values = {each.key: each.value for each in ledger.assumed if each.key in SCENE_VOCABULARY} | asked
    single = {key: options[0] for key in SCENE_VOCABULARY if len(options := possible(values.get(key))) == 1}
    return describe(SceneFields(**single), events)


@functools.cache
def usual_neighbours() -> Neighbours:
    """By meaning or by letters, as what is installed allows."""
    return neighbours()


@functools.cache
def lexicon() -> Lexicon:
    """The tables of all languages."""
    return Lexicon(LANGUAGES)


def parse_scene(text: str, parser: SceneParser | None = None) -> SceneWish:
    """The scene that ``text`` asks for, by the project's own grammar or another ``parser``."""
    return (parser or GrammarParser()).parse(text)
