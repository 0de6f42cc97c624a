"""``worldsim parse-scene``: what a description in words asks for, and a scenario file of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml

from worldsim.say import say
from worldsim.schema import option
from worldsim.storage import atomic_path

from ..words import EndpointConfig, EndpointParser, GrammarParser, SceneWish

PARSERS = ("grammar", "endpoint")


@dataclass
class ParseSceneConfig:
    """What to read, and with what."""

    text: str = option(help="a scene in words, in English or Chinese")
    out: Path | None = option(None, "scenario file (.yaml) to write; it drives like any other: scenario=FILE")
    parser: Literal["grammar", "endpoint"] = option("grammar", "who reads: the grammar, or a language model")
    endpoint: EndpointConfig = option(factory=EndpointConfig, help="where the language model is")
    as_json: bool = option(False, "print the whole answer as JSON")

    def __post_init__(self) -> None:
        if self.out is not None and self.out.suffix not in (".yaml", ".yml"):
            raise ValueError(f"out: expected the name of a yaml file, got {str(self.out)!r}")


def parse_scene_command(config: ParseSceneConfig) -> None:
    """Print what was understood, assumed and cannot be had. Raises ValueError for a text that is none."""
    parser = EndpointParser(config.endpoint) if config.parser == "endpoint" else GrammarParser()
    wish = parser.parse(config.text)
    say(json.dumps(wish.plain(), ensure_ascii=False, indent=2) if config.as_json else wish.account())
    if config.out is not None:
        write_scenario(wish, config.out)
        say(f"written:     {config.out}; drive it: worldsim rollout scenario={config.out} out=drive.mp4")


def write_scenario(wish: SceneWish, path: Path) -> None:
    """Write the wish as a scenario file, which ``load_scenario`` reads. Raises ValueError where none can be made."""
    wish.scenario()
    with atomic_path(path) as temporary:
        text = yaml.safe_dump(wish.values(), sort_keys=False, allow_unicode=True, width=110)
        temporary.write_text(text, encoding="utf-8")
