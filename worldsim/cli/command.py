"""What a command is, and how ``worldsim`` finds the commands of every installed package.

A package adds a command with one entry point and one value:

    # pyproject.toml
    [project.entry-points."worldsim.commands"]
    collect = "agents.commands:COLLECT"

    # agents/commands.py
    COLLECT = Command("collect", summary="...", example="out=data/highway", config="agents.collect:CollectConfig",
                      run="agents.collect:collect")

``config`` and ``run`` may be written as ``"module:attribute"``, so that ``worldsim --help`` imports
nothing heavy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

GROUP = "worldsim.commands"


@dataclass(frozen=True)
class Command:
    """One subcommand of ``worldsim``.

    ``summary`` is one sentence in the imperative, without a full stop: "train the tokenizer on ...".
    ``example`` is what follows ``worldsim NAME`` in the example. ``config_name`` is the file
    ``configs/NAME.yaml`` that fills the config, or None for the dataclass defaults alone. ``place``
    orders ``worldsim --help``: the data path from top to bottom.
    """

    name: str
    summary: str
    example: str
    config: type | str
    run: Callable[[Any], object] | str
    config_name: str | None = None
    place: int = 100

    def schema(self) -> type:
        """The dataclass that holds the command's keys."""
        return _resolved(self.config)

    def runner(self) -> Callable[[Any], object]:
        """The function that takes the filled config; an int that it returns is the exit code."""
        return _resolved(self.run)


@dataclass(frozen=True)
class Broken:
    """An entry point that could not be loaded, and why."""

    name: str
    reason: str


def commands() -> tuple[dict[str, Command], list[Broken]]:
    """Commands of all installed packages in help order, and entry points that failed to load."""
    found: list[Command] = []
    broken: list[Broken] = []
    for entry in entry_points(group=GROUP):
        try:
            command = entry.load()
        except Exception as error:  # one broken plug-in must not take the other commands with it
            broken.append(Broken(entry.name, f"{entry.value}: {type(error).__name__}: {error}"))
            continue
        if isinstance(command, Command):
            found.append(command)
        else:
            broken.append(Broken(entry.name, f"{entry.value}: expected a Command, got {type(command).__name__}"))
    found.sort(key=lambda command: (command.place, command.name))
    return {command.name: command for command in found}, broken


def _resolved(target: Any) -> Any:
    if not isinstance(target, str):
        return target
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)
