"""A stop that is asked for politely: the step at hand is finished and saved."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any


@contextlib.contextmanager
def stop_signals() -> Iterator[list[str]]:
    """The first SIGINT or SIGTERM is noted, so that the step can finish; a second one acts as it always does."""
    noted: list[str] = []
    if threading.current_thread() is not threading.main_thread():
        yield noted  # Python allows handlers in the main thread only
        return
    before: dict[int, Any] = {}

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(signal.Signals(number).name)
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    for asked in (signal.SIGINT, signal.SIGTERM):
        before[asked] = signal.signal(asked, note)
    try:
        yield noted
    finally:
        restore()
