"""``worldsim COMMAND --multirun``: the command once for every combination of values, in Hydra's grammar of sweeps.

    worldsim generate --multirun scenario=cut_in,pile_up change.weather=clear,rain 'seed=range(0,30,10)' out=runs/sweep

is twelve jobs. Each has a folder of its own in ``out``, named by what was swept, so that the same sweep goes on where
it was stopped and a wider one keeps what is there. ``KEY=glob(*rain*)`` is every file of ``configs/KEY`` that fits.
"""

from __future__ import annotations

import csv
import hashlib
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worldsim.cli.command import Command
from worldsim.cli.help import result_lines
from worldsim.config import compose, load, options, stacked
from worldsim.say import say
from worldsim.schema import describe, holds_text, plain
from worldsim.storage import atomic_path

TABLE = "sweep.csv"
LONGEST_NAME = 120
_OUTS = ("out", "loop.out")


@dataclass(frozen=True)
class Job:
    """One run of the command: what was swept, and all its overrides."""

    swept: dict[str, str]
    overrides: tuple[str, ...]

    @property
    def label(self) -> str:
        """The swept keys with their values."""
        return " ".join(f"{key}={value}" for key, value in self.swept.items())


def sweep(command: Command, arguments: Sequence[str]) -> int:
    """Run every job in turn; the exit code is 2 where the input of one was refused, and the others run all the same.

    Raises ValueError, before anything runs, for values that Hydra cannot read or that no config can hold.
    """
    schema, (planned, folder) = command.schema(), plan(command, arguments)
    configs: list[Any] = [load(schema, command.config_name, job.overrides) for job in planned]
    rows: list[dict[str, Any]] = []
    for number, (job, config) in enumerate(zip(planned, configs, strict=True), 1):
        say(f"[{number}/{len(planned)}] {job.label}")
        try:
            result = command.runner()(config)
        except ValueError as error:
            say(f"refused: {error}")
            rows.append({**job.swept, "refused": str(error)})
            result = None
        else:
            for line in result_lines(result):
                say(line)
            rows.append({**job.swept, **_figures(result)})
        if folder is not None:
            _write(rows, folder)
        if getattr(result, "interrupted", False):
            raise KeyboardInterrupt
    _show(rows)
    return 2 if any("refused" in row for row in rows) else 0


def plan(command: Command, arguments: Sequence[str]) -> tuple[list[Job], Path | None]:
    """The jobs of a sweep, the last key that is swept changing first, and the folder that holds theirs, if one does.

    ValueError where nothing is swept.
    """
    schema = command.schema()
    fixed, swept = [], {}
    for text in arguments:
        key, values = _swept(text, schema)
        if values is None:
            fixed.append(text)
        else:
            swept[key] = values
    if not swept:
        raise ValueError(
            "--multirun: expected a key with several values, such as seed=0,1,2 or 'seed=range(0,3)', got none; "
            "without --multirun the command runs once"
        )
    out_key, base = _out(command, schema, fixed) if not set(swept) & set(_OUTS) else ("", None)
    jobs = []
    for combination in itertools.product(*swept.values()):
        said = dict(zip(swept, combination, strict=True))
        overrides = [*fixed, *(f"{key}={value}" for key, value in said.items())]
        out = None if base is None else _place(base, said)
        jobs.append(Job(said, tuple(overrides if out is None else [*overrides, f"{out_key}={out}"])))
    return jobs, None if base is None or _is_file(base) else base


def _swept(text: str, schema: type) -> tuple[str, list[str] | None]:
    """A key and the values it is to have, each as it would be typed; None where it has one."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import Glob
    from hydra.errors import HydraException

    key, _, raw = text.partition("=")
    try:
        override = OverridesParser.create().parse_override(text)
    except HydraException as error:
        if holds_text(schema, key) or not raw:
            return key, None
        raise ValueError(
            f"{text!r}: {raw!r} is neither a value nor several ({' '.join(str(error).split())})"
        ) from error
    if not override.is_sweep_override():
        return key, None
    value = override.value()
    if isinstance(value, Glob):
        found = value.filter(options(key))
        if not found:
            raise ValueError(f"{text!r}: expected a pattern that fits some of {options(key)}, got none that does")
        return key, found
    if not override.is_discrete_sweep():
        raise ValueError(f"{text!r}: expected values that can be counted, as in choice, range or glob, got {raw!r}")
    return key, list(override.sweep_string_iterator())


def _out(command: Command, schema: type, fixed: Sequence[str]) -> tuple[str, Path | None]:
    """The key that says where the command writes, and what it says; None where the command has none."""
    values = stacked(compose(schema, command.config_name, fixed))
    keys = {key.path: key.default for key in describe(schema, values)}
    for path in _OUTS:
        if path in keys:
            if not isinstance(keys[path], str):
                raise ValueError(f"{path!r} is required: pass {path}=..., the folder that is to hold the sweep")
            return path, Path(keys[path])
    return "", None


def _place(base: Path, said: Mapping[str, str]) -> Path:
    """Where the job of these values writes: in a folder ``base``, or beside a file of that name."""
    name = re.sub(r"[^\w=.,+-]", "_", ",".join(f"{key}={value}" for key, value in said.items()))
    exact = all(re.fullmatch(r"[\w.+-]+", value) for value in said.values())
    if not exact or len(name) > LONGEST_NAME:  # two values must not share a folder
        digest = hashlib.sha256(repr(sorted(said.items())).encode()).hexdigest()[:8]
        name = f"{name[: LONGEST_NAME - 9]}-{digest}"
    return base.with_name(f"{base.stem}-{name}{base.suffix}") if _is_file(base) else base / name


def _is_file(out: Path) -> bool:
    """Whether a name is that of a file: it ends like film.mp4, not like v1.2."""
    return re.fullmatch(r"\.[a-z]\w*", out.suffix) is not None


def _figures(result: object) -> dict[str, Any]:
    """What a command returned that fits into a cell."""
    values = plain(result)
    if not isinstance(values, dict):
        return {} if values is None else {"result": values}
    return {key: value for key, value in values.items() if isinstance(value, str | int | float)}


def _write(rows: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """``sweep.csv`` in the folder of the sweep: a line for each job that is done."""
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / TABLE) as temporary, temporary.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(_columns(rows)), restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _show(rows: Sequence[Mapping[str, Any]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    columns = [name for name in _columns(rows) if not any("/" in str(row.get(name, "")) for row in rows)]
    table = Table(*columns, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for row in rows:
        table.add_row(*(str(row.get(name, "")) for name in columns))
    say(table)


def _columns(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    return iter(dict.fromkeys(name for row in rows for name in row))
