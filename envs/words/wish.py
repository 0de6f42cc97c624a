"""What became of a text: the scene that it asks for, and an account of every word."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from worldsim.types import SCENE_VOCABULARY, SceneFields

from ..choices import Range, possible
from ..events import Event
from ..scenario import Scenario

SETTABLE = (*SCENE_VOCABULARY, "command", "drivers", "target_speed_mps", "horizon_s")
"""Keys of a Scenario that words can set, beside ``events``."""


@dataclass(frozen=True)
class Understood:
    """``text[start:end]`` of the prompt, and what it set: "weather: rain", "event 1: side left"."""

    text: str
    start: int
    end: int
    means: str


@dataclass(frozen=True)
class Assumed:
    """What the text left open: ``key`` (of the scenario, or "event 1: at_s"), the value taken, and why."""

    key: str
    value: Any
    why: str


@dataclass(frozen=True)
class Unsupported:
    """``text[start:end]`` of the prompt, why it is not honoured as said, and the nearest wish that would be."""

    text: str
    start: int
    end: int
    why: str
    nearest: str


@dataclass(frozen=True)
class SceneWish:
    """A scene asked for in words. ``asked`` holds keys of a Scenario, each with a value or a tuple "one of these".

    ``excluded`` holds what the text rules out ("no rain"), ``caption`` says the whole in plain English.
    """

    text: str
    asked: Mapping[str, Any] = field(default_factory=dict)
    excluded: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    caption: str = ""
    understood: tuple[Understood, ...] = ()
    assumed: tuple[Assumed, ...] = ()
    unsupported: tuple[Unsupported, ...] = ()

    @property
    def fields(self) -> SceneFields:
        """The scene's fields as far as the text decides them; None elsewhere."""
        single = {key: value for key, value in self.asked.items() if len(possible(value)) == 1}
        return SceneFields(**{key: possible(single[key])[0] for key in SCENE_VOCABULARY if key in single})

    @property
    def command(self) -> str | None:
        """The route that the ego is to take, where one is asked for."""
        options = possible(self.asked.get("command"))
        return options[0] if len(options) == 1 else None

    def values(self) -> dict[str, Any]:
        """What was asked for and assumed, with its purpose, as plain values of a scenario file."""
        assumed = {each.key: each.value for each in self.assumed if each.key in SETTABLE}
        values = {key: _plain(value) for key, value in (assumed | dict(self.asked)).items()}
        return {
            "purpose": " ".join(self.text.split())[:120],
            **values,
            "events": [_event(each) for each in self.events],
        }

    def scenario(self, name: str = "words", **others: Any) -> Scenario:
        """A scenario with all that was asked for and assumed; ``others`` are further keys, and win."""
        return Scenario.from_dict({"name": name, **self.values(), **others}, "words")

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "text": self.text,
            "caption": self.caption,
            "asked": {key: _plain(value) for key, value in self.asked.items()},
            "excluded": {key: list(values) for key, values in self.excluded.items()},
            "events": [_event(event) for event in self.events],
            "understood": [dataclasses.asdict(each) for each in self.understood],
            "assumed": [{**dataclasses.asdict(each), "value": _plain(each.value)} for each in self.assumed],
            "unsupported": [dataclasses.asdict(each) for each in self.unsupported],
        }

    def account(self) -> str:
        """The wish as a few readable lines."""
        lines = [f"caption:     {self.caption}"]
        lines += [f"understood:  {_quoted(each.text)} -> {each.means}" for each in self.understood]
        lines += [f"assumed:     {each.key} = {_plain(each.value)}, {each.why}" for each in self.assumed]
        lines += [
            f"unsupported: {_quoted(each.text)}: {each.why}" + (f"; nearest: {each.nearest}" if each.nearest else "")
            for each in self.unsupported
        ]
        return "\n".join(lines)


def _quoted(text: str, longest: int = 60) -> str:
    shown = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return repr(shown if len(shown) <= longest else shown[: longest - 3] + "...")


def _plain(value: Any) -> Any:
    if isinstance(value, Range):
        return {"min": value.min, "max": value.max}
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def _event(event: Event) -> dict[str, Any]:
    return {
        item.name: _plain(value)
        for item in dataclasses.fields(event)
        if (value := getattr(event, item.name)) is not None
    }
