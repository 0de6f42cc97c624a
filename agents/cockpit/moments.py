"""Moments that one may come back to: the last seconds, and those that were saved."""

from __future__ import annotations

from collections import deque

from worldsim.types import FRAME_RATE_HZ

from .futures import Futures, Moment
from .limits import Limits

EVERY_STEPS = 5  # of the last seconds, so many steps apart


class Moments:
    """The moments of one session."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.recent: deque[Moment] = deque(maxlen=round(limits.recent_s * FRAME_RATE_HZ / EVERY_STEPS) + 1)
        self.saved: dict[int, Moment] = {}
        self._next = 1

    def pass_by(self, futures: Futures) -> None:
        """The first drive has come to another step, or just begun."""
        if futures.step_count % EVERY_STEPS == 0:
            self.recent.append(futures.moment())

    def turn(self, futures: Futures) -> None:
        """The first drive has changed where it stands: whoever comes back to this step finds it so."""
        self.recent.append(futures.moment())

    def rewind(self, moment: Moment | None = None) -> bool:
        """Of the recent past keep what led to ``moment``; whether anything did."""
        kept = [each for each in self.recent if moment is not None and each.leads_to(moment)]
        self.recent.clear()
        self.recent.extend(kept)
        return bool(kept)

    def save(self, moment: Moment) -> int:
        """The number under which it is kept. Raises ValueError where all places are taken."""
        if len(self.saved) >= self.limits.moments:
            raise ValueError(f"{self.limits.moments} moments are saved, which is all there is room for; let one go")
        self.saved[self._next] = moment
        self._next += 1
        return self._next - 1

    def forget(self, number: int) -> None:
        """Let go of a saved moment."""
        self.saved.pop(number, None)

    def find(self, number: int | None, step: int | None) -> Moment | None:
        """A saved moment, or the last recent one up to ``step``; None for neither. Raises ValueError for an unknown."""
        if number is not None:
            if number not in self.saved:
                raise ValueError(f"moment {number} is not saved, or was let go")
            return self.saved[number]
        if step is None:
            return None
        before = [moment for moment in self.recent if moment.step <= step]
        if not before:
            raise ValueError(f"the drive goes back {self.limits.recent_s:g} s, and no further")
        return before[-1]
