"""What the command line prints: ``worldsim --help``, ``worldsim COMMAND --help`` and a command's result."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import MISSING
from pathlib import Path
from typing import Any

from worldsim.cli.command import Broken, Command
from worldsim.config import PRESET_GROUP, opened_groups, options
from worldsim.schema import Key, describe, plain

INDENT = "  "


def general_help(known: Mapping[str, Command], broken: Iterable[Broken]) -> str:
    """What ``worldsim`` is, and every command with one line, in the order of the data path."""
    widest = max((len(name) for name in known), default=0)
    lines = ["worldsim: a learned driving world, from logs to a Gymnasium environment.", ""]
    lines += ["Usage: worldsim COMMAND key=value ...", "       worldsim COMMAND --help"]
    lines += ["       worldsim COMMAND --multirun key=value,value ...   once for every combination", "", "Commands:"]
    for command in known.values():
        lines += _hanging(f"{command.name:<{widest}}  ", _one_line(command.summary))
    if not known:
        lines.append(f"{INDENT}none found: the package is not installed; in a clone run: pip install -e .")
    for each in broken:
        lines.append(f"{INDENT}{each.name}: not available ({each.reason})")
    return "\n".join(lines)


def command_help(command: Command, schema: type, values: Mapping[str, Any]) -> str:
    """What one command does, an example, and every key with type, value and meaning under ``values``."""
    lines = _hanging("", f"worldsim {command.name}: {command.summary}.", indent="")
    lines += ["", "Example:", f"{INDENT}worldsim {command.name} {command.example}".rstrip()]
    groups = opened_groups(command.config_name)
    if groups:
        lines += ["", "Choices:"]
    for group in groups:
        meaning = "size of the whole system; fills the keys below" if group == PRESET_GROUP else f"configs/{group}"
        lines.append(f"{INDENT}{group}={'|'.join(options(group))}  {meaning}")
    lines += ["", "Keys, each with its type and the value it has if you say nothing:"]
    keys = [key for key in describe(schema, values) if key.path not in groups]
    for key in sorted(keys, key=lambda key: "." in key.path):  # the command's own keys before those of its parts
        lines += _key_lines(key)
    return "\n".join(lines)


def result_lines(result: object) -> list[str]:
    """What a command returned: a path, or one line for each entry of a dict or field of a dataclass."""
    if isinstance(result, Path):
        return [f"wrote {result}"]
    values = plain(result)
    return [f"{name}: {_shown(value)}" for name, value in values.items()] if isinstance(values, dict) else []


def _key_lines(key: Key) -> list[str]:
    value = "required" if key.default is MISSING else f"= {_shown(key.default)}"
    return [*_hanging(f"{key.path}  ", f"({key.type}) {value}"), *(_hanging("    ", key.help) if key.help else [])]


def _shown(value: Any) -> str:
    """A value as it would be typed after ``key=``."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}:{_shown(item)}" for key, item in value.items()) + "}"
    return repr(value) if value == "" else str(value)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _hanging(label: str, text: str, indent: str = INDENT) -> list[str]:
    """``label`` and ``text``, wrapped to the terminal so that the text stays in its own column."""
    width = min(shutil.get_terminal_size((100, 24)).columns, 120)
    return textwrap.wrap(
        f"{indent}{label}{_one_line(text)}",
        width=max(width, 40),
        subsequent_indent=indent + " " * len(label),
        break_on_hyphens=False,
        break_long_words=False,
    )
