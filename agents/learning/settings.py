"""The settings of a run, kept beside it, so that it goes on with those it began with or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from worldsim.schema import plain
from worldsim.storage import read_json, write_json
from worldsim.training.state import LATEST

if TYPE_CHECKING:
    from .train import TrainAgentConfig

FILE_NAME = "config.json"
METHODS = ("imagination", "ppo", "imitation")
FREE = ("out", "minutes", "steps", "checkpoint_every_s", "film_s", "parallel", "threads", "progress")
"""What may change from one start of a run to the next."""


def check_settings(out: Path, config: TrainAgentConfig) -> None:
    """Raise ValueError, with every difference, where ``out`` holds a run that began with other settings."""
    if not (out / LATEST).exists():
        return
    if not (out / FILE_NAME).exists():
        raise ValueError(f"out: {out} holds another kind of run, or a part of one: it has no {FILE_NAME}; name another")
    began, now = _deciding(read_json(out / FILE_NAME, "settings of a run"), config), _deciding(plain(config), config)
    changed = [f"{key} was {began.get(key)}, is {now.get(key)}" for key in now if began.get(key) != now[key]]
    if changed:
        raise ValueError(
            f"out: {out} holds a run with other settings: {'; '.join(changed)}. Give it those to go on, or "
            "name another folder to start anew"
        )


def write_settings(out: Path, config: TrainAgentConfig) -> None:
    """Keep the settings beside the run."""
    write_json(out / FILE_NAME, plain(config))


def _deciding(settings: Mapping[str, Any], config: TrainAgentConfig) -> dict[str, Any]:
    """Settings that decide how the run goes, by dotted key: not those of other methods."""
    others = [name for name in METHODS if name != config.method]
    return dict(_flat({key: value for key, value in settings.items() if key not in (*FREE, *others)}))


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
