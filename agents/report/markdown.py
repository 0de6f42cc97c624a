"""The report as Markdown tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from worldsim.storage import atomic_path

from .headlines import Judged
from .tables import TABLES, Rows, intro, summary


def write_markdown(path: Path, judged: Sequence[Judged], said: Mapping[str, Any]) -> Path:
    """Write headlines of all worlds, then every section's tables of the first."""
    parts = [f"# How far {judged[0].name} can be trusted", intro(judged, said), _table(summary(judged))]
    for name, tables in TABLES.items():
        if name in judged[0].report:
            for title, rows in tables(judged[0].report[name]).items():
                parts += [f"## {title}", _table(rows)]
    with atomic_path(path) as temporary:
        temporary.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return path


def _table(rows: Rows) -> str:
    head, *body = rows
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *body]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
