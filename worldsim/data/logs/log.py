"""What a kind of log must offer to be prepared: parts that can each be read alone and always give the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from worldsim.data.logs.faults import Faults
from worldsim.types import Episode


@dataclass(frozen=True)
class Part:
    """A piece of a log: a scene, a segment, a stretch of a video. Parts may be read at the same time.

    ``read`` yields the part's episodes, which depend on the log alone, and tells its faults to what it is given.
    """

    name: str
    read: Callable[[Faults], Iterable[Episode]]


@dataclass
class Log:
    """A log that was opened: its parts in a fixed order, and what was wrong with it before any was read."""

    parts: list[Part]
    faults: Faults = field(default_factory=Faults)
