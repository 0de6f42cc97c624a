"""Progress bars of the report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm


@contextmanager
def bar(name: str, total: int) -> Iterator[Callable[[], object]]:
    """A progress bar of ``total`` ticks: ``with bar(name, total) as tick``."""
    with tqdm(total=total, desc=name, leave=False, mininterval=0.5) as shown:
        yield shown.update
