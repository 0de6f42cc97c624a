"""The one way in which commands speak on stdout. What is no command never does: it logs, or returns a value."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tqdm import tqdm

if TYPE_CHECKING:
    from rich.table import Table

WIDTH = 120  # of a table that is not shown in a terminal


def say(what: str | Table) -> None:
    """Print lines of text as they are, or a table as wide as the terminal, at once and clear of progress bars."""
    with tqdm.external_write_mode():
        if isinstance(what, str):
            print(what, flush=True)
        else:
            from rich.console import Console

            Console(width=None if sys.stdout.isatty() else WIDTH).print(what)
