"""Words to meanings: a text is cut into pieces, each a phrase that some language lists, or a word that none does.

A language is one file of tables beside this one, ``english.txt`` or ``chinese.txt``, and that is where a word is added:

    weather=rain: rain, rainy, shower, heavens open,
        pour down
    weather~rain: storm

Before the colon stands a meaning, ``kind=value``, of the kinds that grammar.py and reading.py speak of; behind it
the phrases, parted by commas, on as many indented lines as they need. ``~`` instead of ``=`` is for what does not exist
here: the nearest is taken, and said to be. ``$name: ...`` makes a macro; a phrase with macros stands for every
combination. ``skip`` lists words that may stand inside any phrase, ``stop`` those that mean nothing by themselves,
``asking`` and ``willing`` those that only say that something is wished ("give me", "I want to"), ``hedge`` and
``shade`` those that doubt or colour what is said and are taken plainly. What carries a wish that cannot be had is no
``stop`` but a ``cannot``, so that it is reported.
A new language is a new file, listed in ``parser.LANGUAGES``.

A token is a number, a letter-written word, one Han character or one sign. Spans count characters of the text.
"""

from __future__ import annotations

import difflib
import functools
import itertools
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_TOKEN = re.compile(
    rf"[{_HAN}]|\d{{1,3}}(?:,\d{{3}})+(?!\d)|\d+(?:\.\d+)?|[^\W\d_{_HAN}]+(?:['’][^\W\d_{_HAN}]+)?|[^\w\s]|_|\n"
)
_SIGNS = {
    ",": "comma", "，": "comma", "(": "comma", ")": "close", "（": "comma", "）": "close", "、": "and", "&": "and",
    "+": "and", "/": "slash", "|": "slash", "~": "to", "–": "to", "—": "to", "-": "to", "→": "turn",
    ">": "turn", "⇒": "turn", "➜": "turn", "➔": "turn", "@": "at", "≥": "at", "<": "before", "≤": "before",
    ":": "colon", "：": "colon", "=": "colon", "…": "comma", "•": "comma", "●": "comma", "◦": "comma", "▪": "comma",
    "■": "comma", "◆": "comma", "▶": "comma",
    "{": "brace", "}": "unbrace", "[": "bracket", "]": "unbracket",
    ".": "end", ";": "end", "!": "end", "?": "end", "\n": "end", "。": "end", "；": "end", "！": "end", "？": "end",
}  # fmt: skip
_ENUMERATORS = re.compile("[\u2460-\u24ff\u2776-\u2793\u3220-\u3229]")
"""① and the like, which only begin an item."""
_ENTRY = re.compile(r"(\$[a-z]+|[a-z_]+(?:[=~][^:]+)?):")
_TYPO_LIKENESS, _TYPO_TRIES = 0.85, 64
_BENT_COST, _EXTRA_COST = (
    0.1,
    {"unknown": 5.0, "stop": 0.05, "asking": 0.05, "willing": 0.05},
)  # a listed phrase costs 1


@dataclass(frozen=True)
class Language:
    """The tables of ``name``.txt, and ``bases``, which gives the forms that an inflected word may be listed under."""

    name: str
    bases: Callable[[str], Iterable[str]] = lambda word: ()

    def entries(self) -> Iterator[tuple[str, str]]:
        """Meaning and phrase, one after the other. Raises ValueError, with the line, for what is not in the format."""
        source = resources.files(__package__) / f"{self.name}.txt"
        macros: dict[str, list[str]] = {}
        meaning = ""
        for number, line in enumerate(source.read_text(encoding="utf-8").splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            head = _ENTRY.match(line)
            if head is None and not (meaning and line.startswith(" ")):
                raise ValueError(f"{source}, line {number}: expected `meaning: phrase, phrase`, got {line!r}")
            meaning = head[1] if head else meaning
            phrases = [phrase.strip() for phrase in line[head.end() if head else 0 :].split(",") if phrase.strip()]
            if meaning.startswith("$"):
                macros.setdefault(meaning, []).extend(phrases)
            else:
                yield from ((meaning, full) for phrase in phrases for full in _expanded(phrase, macros))


def _expanded(phrase: str, macros: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Every combination of what the macros in ``phrase`` stand for."""
    parts = [macros.get(word, [word]) for word in phrase.split()]
    return (" ".join(words) for words in itertools.product(*parts))


@dataclass(frozen=True)
class Piece:
    """A run of text, and the kind and value of what it means. ``near``: not what was said but the nearest to it."""

    kind: str
    value: Any
    start: int
    end: int
    near: bool = False
    said: str = ""  # the listed word, where a misspelt one was read as that

    def of(self, kind: str, value: Any = None) -> Piece:
        """The same run of text with another meaning."""
        return Piece(kind, value, self.start, self.end, self.near, self.said)


Token = tuple[str, int, int]  # word, start, end
Meaning = tuple[str, str, bool]  # kind, value, whether it only comes near


@dataclass
class _Node:
    """A place in the tree of phrases."""

    following: dict[str, _Node] = field(default_factory=dict)
    meaning: Meaning | None = None


class Lexicon:
    """The phrases of some languages, found in text."""

    def __init__(self, languages: Iterable[Language]) -> None:
        self.languages = tuple(languages)
        self._root = _Node()
        self._skip: set[str] = set()
        self._vocabulary: set[str] = set()
        for language in self.languages:
            for meaning, phrase in language.entries():
                if meaning == "skip":
                    self._skip.add(phrase)
                else:
                    self._add(language, phrase, meaning)
        for word in self._skip:
            node = self._root.following.setdefault(word, _Node())
            node.meaning = node.meaning or _STOP

    def _add(self, language: Language, phrase: str, meaning: str) -> None:
        kind, sign, value = re.fullmatch(r"([a-z_]+)(?:([=~])(.+))?", meaning).groups()  # type: ignore[union-attr]
        node = self._root
        for word, _, _ in tokens(phrase):
            node = node.following.setdefault(word, _Node())
            self._vocabulary.add(word)
        found = (kind, value or "", sign == "~")
        if node.meaning not in (None, found):
            raise ValueError(
                f"{language.name}.txt: {phrase!r} is listed under {meaning!r} and under "
                f"{'='.join(node.meaning[:2])!r}: expected one meaning for a phrase"  # type: ignore[index]
            )
        node.meaning = found

    def read(self, text: str) -> list[Piece]:
        """Every token of ``text`` in exactly one piece, in order; ``kind`` is "unknown" where nothing is listed.

        Of all ways to cut the text, the one of fewest pieces and unknown words, and then of the longer first piece:
        后面包车 is 后 and 面包车, although 后面 is listed too.
        """
        found, tries = tokens(text), itertools.count()
        costs = [0.0] * (len(found) + 1)  # from here to the end
        chosen: list[tuple[int, Meaning, str]] = [(0, _UNKNOWN, "")] * len(found)
        for at in range(len(found) - 1, -1, -1):
            ways, said = self._phrases(found, at), ""
            if not ways and (near := self._respelt(found[at][0], tries)):
                ways, said = self._phrases([*found[:at], (near, 0, 0), *found[at + 1 : at + _LONGEST]], at), near
            ways = ways or {at + 1: (0, _single(found[at][0]))}
            for end, (bent, meaning) in ways.items():
                cost = costs[end] + 1.0 + _BENT_COST * bent + _EXTRA_COST.get(meaning[0], 0.0)
                if chosen[at][0] == 0 or (cost, -end) < (costs[at], -chosen[at][0]):
                    costs[at], chosen[at] = cost, (end, meaning, said)
        pieces, at = [], 0
        while at < len(found):
            end, (kind, value, is_near), said = chosen[at]
            pieces.append(Piece(kind, _meant(kind, value), found[at][1], found[end - 1][2], is_near, said))
            at = end
        return pieces

    def _phrases(self, found: list[Token], at: int) -> dict[int, tuple[int, Meaning]]:
        """Where each listed phrase that begins at ``at`` ends, how many of its words were bent to fit, its meaning."""
        ends: dict[int, tuple[int, Meaning]] = {}
        branches = [(self._root, at, 0, False)]
        while branches:
            node, place, bent, skipped = branches.pop()
            if node.meaning is not None and not skipped and (place not in ends or bent < ends[place][0]):
                ends[place] = bent, node.meaning
            if place == len(found):
                continue
            word = found[place][0]
            if word in node.following:
                branches.append((node.following[word], place + 1, bent, False))
            for base in self._bases(word):
                if base in node.following:
                    branches.append((node.following[base], place + 1, bent + 1, False))
            if node is not self._root and word in self._skip and place - at < _LONGEST:
                branches.append((node, place + 1, bent + 1, True))
        return ends

    @functools.lru_cache(maxsize=4096)  # noqa: B019 - one lexicon lives as long as the process
    def _bases(self, word: str) -> tuple[str, ...]:
        return tuple(base for language in self.languages for base in language.bases(word) if base in self._vocabulary)

    def _respelt(self, word: str, tries: Iterator[int]) -> str | None:
        """A listed word that ``word`` is likely a misspelling of; a bounded number of words are tried in a text.

        It begins with the same letter, and has the same letters in another order, or nearly all of them.
        """
        if len(word) < 4 or not word.isascii() or not word.isalpha() or word in self._vocabulary or self._bases(word):
            return None
        if next(tries) >= _TYPO_TRIES:
            return None
        words = (known for known, node in self._root.following.items() if node.meaning is not None)
        alike = [known for known in words if known[0] == word[0] and abs(len(known) - len(word)) <= 2]
        swapped = [known for known in alike if sorted(known) == sorted(word)]
        longer = sorted(known for known in alike if len(word) > 4 or len(known) > len(word))
        return next(iter((*swapped, *difflib.get_close_matches(word, longer, n=1, cutoff=_TYPO_LIKENESS))), None)


def _meant(kind: str, value: str) -> Any:
    """The value of a piece: a number, one of several that a "|" parts, or a word."""
    if kind in ("number", "scale", "share"):
        return float(value.replace(",", ""))
    return tuple(value.split("|")) if "|" in value else value


_UNKNOWN: Meaning = ("unknown", "", False)
_STOP: Meaning = ("stop", "", False)
_LONGEST = 8  # tokens in which a phrase may skip words


def _single(word: str) -> Meaning:
    """What a word means that begins no phrase: a number, a sign, or nothing that is known."""
    if word[0].isdigit():
        return "number", word, False
    if word in _SIGNS or not any(character.isalnum() for character in word):
        return _SIGNS.get(word, "stop"), "", False
    return _UNKNOWN


def tokens(text: str) -> list[Token]:
    """The tokens of ``text`` in lower case with their spans; a hyphen inside a word parts it and is no token."""
    flat = "".join(_plain(character) for character in text).lower()
    if len(flat) != len(text):  # a few capitals grow when they become small
        flat = "".join(small if len(small := _plain(character).lower()) == 1 else character for character in text)
    found = []
    for match in _TOKEN.finditer(flat):
        start, end = match.span()
        joins = match[0] in "-‐‑_" and flat[start - 1 : start].isalpha() and flat[end : end + 1].isalpha()
        if not joins and not (match[0] == "-" and flat[end : end + 1].isalpha()):
            found.append((match[0].replace("’", "'"), start, end))
    return found


def _plain(character: str) -> str:
    """Full-width forms as plain ones, control characters as blanks, one character for one."""
    if unicodedata.category(character)[0] == "C" and character != "\n":
        return " "
    if _ENUMERATORS.match(character):
        return "•"
    plain = unicodedata.normalize("NFKC", character)
    return plain if len(plain) == 1 and not unicodedata.category(plain).startswith("P") else character
