"""What the scene parser makes of a text, in short."""

from __future__ import annotations

from typing import Any

from envs.words import GrammarParser
from envs.words.neighbours import ByLetters

PARSER = GrammarParser(ByLetters())


def asked(text: str) -> dict[str, Any]:
    """The fields that a text asks for."""
    return dict(PARSER.parse(text).asked)


def events(text: str) -> list[dict[str, Any]]:
    """The events of a text."""
    return PARSER.parse(text).plain()["events"]


def told(text: str, *keys: str) -> list[tuple[Any, ...]]:
    """These keys of each event of a text."""
    return [tuple(each.get(key) for key in keys) for each in events(text)]
