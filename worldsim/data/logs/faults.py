"""What is wrong with a log: refused at the first fault, or counted and left out, as the user asked."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from worldsim.data.layout import check_on_error

log = logging.getLogger(__name__)


@dataclass
class Faults:
    """Counts of faults by kind, and the words of the first of each kind.

    ``on_error`` "raise" makes the first fault a ValueError; "skip" counts it. Raises ValueError for another word.
    """

    on_error: str = "raise"
    counts: Counter[str] = field(default_factory=Counter)
    words: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_on_error(self.on_error)

    def __call__(self, kind: str, message: str, cause: Exception | None = None) -> None:
        """A fault of a ``kind`` ("missing_images"): ``message`` names file, expected and got."""
        if self.on_error == "raise":
            raise ValueError(f"{message}; pass on_error=skip to leave such records out") from cause
        self.note(kind, message)

    def note(self, kind: str, message: str, count: int = 1) -> None:
        """Count what is left out without being wrong, such as a scene whose CAN bus was never recorded."""
        self.counts[kind] += count
        self.words.setdefault(kind, message)
        log.debug("%s", message)

    def add(self, summary: dict[str, Any]) -> None:
        """Take over the ``summary()`` of another part of the log."""
        self.counts.update(summary["counts"])
        self.words = summary["words"] | self.words

    def summary(self) -> dict[str, Any]:
        """``{"counts": ..., "words": ...}``, ready for JSON."""
        return {"counts": dict(self.counts), "words": dict(self.words)}
