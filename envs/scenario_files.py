"""Scenarios to YAML: a file that ``load_scenario`` reads back as the same scenario."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import yaml

from worldsim.storage import atomic_path

from .cameras import Camera, Shot
from .choices import Odds, Range
from .events import Event
from .scenario import Scenario


def plain_scenario(scenario: Scenario) -> dict[str, Any]:
    """What a scenario says beyond the defaults, as plain values for YAML or JSON; its name is the file's."""
    values = {
        item.name: _plain(value)
        for item in dataclasses.fields(scenario)
        if item.name != "name" and (value := getattr(scenario, item.name)) != item.default
    }
    return {"road": _plain(scenario.road)} | values if "road" not in values else values


def write_scenario(scenario: Scenario, path: Path | str) -> Path:
    """Write a scenario file, atomically. Raises ValueError for a name that is no YAML file's."""
    path = Path(path)
    if path.suffix not in (".yaml", ".yml"):
        raise ValueError(f"scenario file: expected a name that ends in .yaml, got {str(path)!r}")
    text = yaml.safe_dump(plain_scenario(scenario), sort_keys=False, allow_unicode=True, width=110)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def _plain(value: Any) -> Any:
    if isinstance(value, Range):
        return {"min": value.min, "max": value.max}
    if isinstance(value, Odds):
        return dict(zip(value.values, value.weights, strict=True))
    if isinstance(value, Shot):
        said = {"camera": _plain(value.camera)} | ({} if value.at_s is None else {"at_s": _plain(value.at_s)})
        return value.camera if said == {"camera": value.camera} else said
    if isinstance(value, tuple) and value and all(isinstance(each, Camera) for each in value):
        mounted = {each.name: {key: _plain(number) for key, number in each.said.items()} for each in value}
        return mounted if any(mounted.values()) else list(mounted)
    if isinstance(value, Event):
        kept = {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
        return {name: _plain(each) for name, each in kept.items() if each is not None}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
