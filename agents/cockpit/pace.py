"""Holding the frame rate: how many sampling passes a frame may take on this machine, now.

A step is timed as a whole, with all that is drawn beside it. Too slow for the rate: half the passes. Room to spare for
a while: twice as many, as far as was asked for. When one pass is too slow, the drive is slower than life and says so.
"""

from __future__ import annotations

from worldsim.types import FRAME_RATE_HZ

PERIOD_S = 1.0 / FRAME_RATE_HZ
FULL, ROOMY = 0.95, 0.75  # shares of the period: above one is too slow, below the other there is room for more
SMOOTHING = 0.2
PATIENCE = 15  # steps between two changes at least: a step that was slow once proves nothing
TRYING_AGAIN = 100  # steps before passes are tried again that were too slow before


class Pace:
    """Chooses ``passes`` from the seconds that steps took."""

    def __init__(self, most: int) -> None:
        self.most = self.passes = most
        self.step_s = 0.0  # smoothed; 0: not known yet
        self.interval_s = PERIOD_S  # between frames, smoothed
        self._since = 0
        self._wait = PATIENCE

    def took(self, seconds: float) -> None:
        """A step of ``passes`` took so long."""
        self.step_s = seconds if not self.step_s else self.step_s + SMOOTHING * (seconds - self.step_s)
        self._since += 1
        if self._since < PATIENCE:
            return
        if self.step_s > FULL * PERIOD_S and self.passes > 1:
            self._change(self.passes // 2)
            self._wait = TRYING_AGAIN
        elif self._since >= self._wait and self.passes < self.most and self._dearer() < ROOMY * PERIOD_S:
            self._change(2 * self.passes)

    def shown(self, interval_s: float) -> None:
        """So long after the frame before, another was sent."""
        self.interval_s += SMOOTHING * (min(interval_s, 2.0) - self.interval_s)

    def anew(self) -> None:
        """What a step costs has changed: another drive, or one more beside it."""
        self.step_s, self._since, self._wait = 0.0, 0, PATIENCE

    @property
    def frames_per_s(self) -> float:
        """Frames a second as they were sent."""
        return 1.0 / max(self.interval_s, 1e-3)

    @property
    def holds(self) -> float:
        """Frames a second that this machine could draw now, at most FRAME_RATE_HZ."""
        return min(FRAME_RATE_HZ, 1.0 / self.step_s) if self.step_s else FRAME_RATE_HZ

    @property
    def notice(self) -> str:
        """What the page should say of it; nothing where all is well."""
        if self.passes == 1 and self._since >= PATIENCE and self.holds < 0.9 * FRAME_RATE_HZ:
            return (
                f"This machine holds {self.holds:.1f} frames a second, not {FRAME_RATE_HZ:g}: "
                f"the drive runs at {self.holds / FRAME_RATE_HZ:.0%} of its speed."
            )
        return ""

    def _dearer(self) -> float:
        """Seconds of a step with twice the passes: one more pass a frame reads the state, whatever their number."""
        return self.step_s * (2 * self.passes + 1) / (self.passes + 1)

    def _change(self, passes: int) -> None:
        self.passes, self._since, self.step_s, self._wait = passes, 0, 0.0, PATIENCE
