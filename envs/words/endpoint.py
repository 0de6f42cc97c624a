"""A language model instead of the grammar: any OpenAI-compatible endpoint, held to a JSON schema and to the words.

It is asked which words ask for what, no more: contradictions, roads, times and defaults are settled here as they are
for the grammar, and words that it says nothing of are reported. What it answers is checked; nothing of it is executed.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from worldsim.schema import build, option
from worldsim.types import COMMANDS, SCENE_VOCABULARY

from ..events import EVENTS, KEYS_OF, SIDES, VEHICLES
from ..scenario import DRIVERS
from .book import Book, Mention, Told
from .clauses import Clause
from .lexicon import Lexicon, Piece
from .measures import Moment
from .neighbours import Neighbours
from .wish import SceneWish

VOCABULARY: dict[str, tuple[Any, ...] | None] = {
    **SCENE_VOCABULARY, "command": COMMANDS, "drivers": DRIVERS, "target_speed_mps": None, "horizon_s": None,
}  # fmt: skip
"""Keys that can be asked for, and what each may be; None is any number."""

LONGEST_ANSWER = 1_000_000  # bytes


class EndpointError(OSError):
    """The endpoint could not be reached, or did not answer as agreed; the text says which, and what to do."""


@dataclass(frozen=True)
class EndpointConfig:
    """Where the endpoint is."""

    url: str = option("http://localhost:8000/v1", "OpenAI-compatible API; /chat/completions is appended")
    model: str = option("default", "model to ask for")
    key_variable: str = option("OPENAI_API_KEY", "environment variable that holds the key, where one is needed")
    timeout_s: float = option(60.0, "seconds to wait for an answer")

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise ValueError(f"endpoint.url: expected http:// or https://, got {self.url!r}")
        if not 0 < self.timeout_s <= 3600:
            raise ValueError(f"endpoint.timeout_s: expected a number above 0 and up to 3600, got {self.timeout_s:g}")


# --- the form of an answer ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Named:
    """Words of the text, quoted, that ask for one of ``values`` of ``key``, or rule them all out."""

    text: str
    key: str
    values: list[Any]


@dataclass(frozen=True)
class Happening:
    """Words of the text, quoted, that ask for an event. Without ``at_s`` or ``at_m`` it follows the one before."""

    text: str
    kind: str
    at_s: float | None = None
    at_m: float | None = None
    side: str | None = None
    vehicle: str | None = None
    to: str | None = None


@dataclass(frozen=True)
class Refused:
    """Words of the text, quoted, that cannot be had, why, and the nearest wish that can."""

    text: str
    why: str
    nearest: str = ""


@dataclass(frozen=True)
class Answer:
    """What the endpoint must answer, as JSON; events in the order in which they happen."""

    asked: list[Named] = field(default_factory=list)
    excluded: list[Named] = field(default_factory=list)
    events: list[Happening] = field(default_factory=list)
    unsupported: list[Refused] = field(default_factory=list)


def answer_schema() -> dict[str, Any]:
    """The JSON schema of ``Answer``, strict as structured outputs want it: every key required, none besides."""

    def record(**properties: Any) -> dict[str, Any]:
        return {
            "type": "object", "properties": properties, "required": list(properties), "additionalProperties": False,
        }  # fmt: skip

    def one_of(*values: str) -> dict[str, Any]:
        return {"enum": [*values, None]}

    text, number = {"type": "string"}, {"type": ["number", "null"]}
    values = {"type": "array", "items": {"type": ["string", "number"]}}
    named = record(text=text, key={"enum": list(VOCABULARY)}, values=values)
    event = record(
        text=text, kind={"enum": list(EVENTS)}, at_s=number, at_m=number, side=one_of(*SIDES),
        vehicle=one_of(*VEHICLES), to=one_of(*SCENE_VOCABULARY["weather"], *SCENE_VOCABULARY["time_of_day"]),
    )  # fmt: skip
    refused = record(text=text, why=text, nearest=text)
    lists = {"asked": named, "excluded": named, "events": event, "unsupported": refused}
    return record(**{key: {"type": "array", "items": items} for key, items in lists.items()})


INSTRUCTIONS = """You turn a description of a drive into JSON. Quote in `text` the exact words that say so.
`asked`: one entry for each value that the words ask for; several `values` mean "one of these".
`excluded`: values that the words rule out. Lengths in metres, times in seconds, speeds in m/s.
`events`: in the order in which they happen; seconds or metres since the start in `at_s` or `at_m`, null if not said.
`unsupported`: everything that cannot be expressed, with the reason and the nearest wish that can.
Leave nothing out and add nothing. Allowed values: """


# --- asking -------------------------------------------------------------------------------------------------------


class EndpointParser:
    """Asks a language model what each word asks for. Raises EndpointError where it gives no usable answer."""

    def __init__(self, config: EndpointConfig | None = None, nearest: Neighbours | None = None) -> None:
        self.config = config or EndpointConfig()
        self._nearest = nearest  # as in GrammarParser, for words that the answer leaves out

    def parse(self, text: str) -> SceneWish:
        """The scene that ``text`` asks for; ValueError as in ``GrammarParser.parse``."""
        from .parser import check_text, conclude, lexicon

        check_text(text)
        return conclude(text, *book_of(self.ask(text), text, lexicon()), self._nearest)

    def ask(self, text: str) -> Answer:
        """What the model makes of ``text``."""
        allowed = {key: list(values) if values else "a number" for key, values in VOCABULARY.items()}
        return self._read(
            self._post(
                {
                    "model": self.config.model,
                    "temperature": 0,
                    "messages": [
                        {"role": "system", "content": INSTRUCTIONS + json.dumps(allowed | {"events": KEYS_OF})},
                        {"role": "user", "content": text},
                    ],
                    "response_format": {
                        "type": "json_schema",
                        "json_schema": {"name": "scene", "strict": True, "schema": answer_schema()},
                    },
                }
            )
        )

    def _post(self, body: Mapping[str, Any]) -> Any:
        address = f"{self.config.url.rstrip('/')}/chat/completions"
        headers = {"Content-Type": "application/json"}
        if key := os.environ.get(self.config.key_variable):
            headers["Authorization"] = f"Bearer {key}"
        request = urllib.request.Request(address, json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=self.config.timeout_s) as response:
                received = response.read(LONGEST_ANSWER + 1)
        except urllib.error.HTTPError as error:
            said = error.read(500).decode("utf-8", "replace").strip()
            hint = f"; set {self.config.key_variable}" if error.code in (401, 403) else ""
            raise EndpointError(f"{address}: expected an answer, got status {error.code}: {said}{hint}") from error
        except TimeoutError as error:
            raise EndpointError(
                f"{address}: no answer in {self.config.timeout_s:g} s; raise endpoint.timeout_s or use parser=grammar"
            ) from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise EndpointError(f"{address}: not reached ({reason}); start it, or use parser=grammar") from error
        if len(received) > LONGEST_ANSWER:
            raise EndpointError(f"{address}: expected an answer of at most {LONGEST_ANSWER} bytes, got more")
        return self._json(received, address)

    def _read(self, response: Any) -> Answer:
        """The answer inside a chat completion."""
        where = f"answer of {self.config.model!r}"
        try:
            message = response["choices"][0]["message"]
            content = message.get("content")
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise EndpointError(
                f"{where}: expected a chat completion with one choice, got {_short(response)}"
            ) from error
        if not isinstance(content, str):
            raise EndpointError(f"{where}: expected JSON as text, got {_short(message.get('refusal') or content)}")
        values = self._json(content.encode(), where)
        try:
            return build(Answer, values, where)
        except ValueError as error:
            raise EndpointError(f"{error}; the model does not keep to the JSON schema") from error

    @staticmethod
    def _json(received: bytes, where: str) -> Any:
        try:
            return json.loads(received)
        except ValueError as error:
            raise EndpointError(f"{where}: expected JSON, got {_short(received.decode('utf-8', 'replace'))}") from error


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 200 else shown[:197] + "..."


# --- believing ------------------------------------------------------------------------------------------------------


def book_of(answer: Answer, text: str, lexicon: Lexicon) -> tuple[Book, list[Mention]]:
    """The book and the events of an answer. Raises EndpointError for words or values that there are not."""
    book, mentions = Book(lexicon.read(text)), []
    for named in answer.asked:
        book.say(named.key, _quoted(named.text, text), _values(named))
    for named in answer.excluded:
        book.deny(named.key, _quoted(named.text, text), _values(named))
    for refused in answer.unsupported:
        book.refuse(refused.why, _quoted(refused.text, text), nearest=refused.nearest)
    for event in answer.events:
        _check("kind", event.kind, EVENTS)
        for key, allowed in (("side", SIDES), ("vehicle", VEHICLES)):
            if getattr(event, key) is not None:
                _check(key, getattr(event, key), allowed)
        if event.kind in ("weather", "time_of_day"):
            _check("to", event.to, SCENE_VOCABULARY[event.kind])
        at = next(((value, unit) for value, unit in ((event.at_s, "s"), (event.at_m, "m")) if value is not None), None)
        moment = None if at is None else Moment(at[0], at[1], "start")
        names = () if event.vehicle is None else (event.vehicle,)
        mentions.append(Mention(event.kind, [_quoted(event.text, text)], names, event.side, event.to, moment))
    book.told.append(Told(Clause(0), mentions))
    book.unread += [piece for piece in book.pieces if piece.kind == "unknown" and not _covered(piece, book, mentions)]
    return book, mentions


def _quoted(quote: str, text: str) -> Piece:
    start = text.lower().find(quote.strip().lower())
    if start < 0 or not quote.strip():
        raise EndpointError(f"answer: key 'text': expected words of the text, got {_short(quote)}")
    return Piece("quote", "", start, start + len(quote.strip()))


def _values(named: Named) -> tuple[Any, ...]:
    _check("key", named.key, VOCABULARY)
    allowed = VOCABULARY[named.key]
    for value in named.values:
        if allowed is not None:
            _check(named.key, value, allowed)
        elif isinstance(value, bool) or not isinstance(value, int | float):
            raise EndpointError(f"answer: key {named.key!r}: expected a number, got {_short(value)}")
    if not named.values:
        raise EndpointError(f"answer: key {named.key!r}: expected at least one value, got none")
    return tuple(named.values)


def _check(key: str, value: Any, allowed: Any) -> None:
    if isinstance(value, bool) or value not in allowed:
        raise EndpointError(f"answer: key {key!r}: expected one of {list(allowed)}, got {_short(value)}")


def _covered(piece: Piece, book: Book, mentions: list[Mention]) -> bool:
    quotes = [entry.piece for entries in (*book.said.values(), *book.denied.values()) for entry in entries]
    quotes += [refused for refused, _ in book.refused] + [each for mention in mentions for each in mention.pieces]
    return any(quote.start <= piece.start < quote.end for quote in quotes)
