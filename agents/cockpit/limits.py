"""How much a page may ask for. All bounds of the cockpit are here."""

from __future__ import annotations

from dataclasses import dataclass

from worldsim.types import FRAME_RATE_HZ


@dataclass(frozen=True)
class Limits:
    """Bounds of one server; the defaults suit a laptop."""

    sessions: int = 4  # drives that are open at a time
    text_bytes: int = 4096  # of one message in words
    image_bytes: int = 4_000_000  # of one picture that is sent
    image_pixels: int = 24_000_000  # that it may unpack to
    messages_per_s: float = 100.0  # on average; twice as many may come at once
    waiting: int = 16  # requests that wait until the present step is done
    unseen_frames: int = 2  # frames on their way before the drive waits for the page
    silence_s: float = 600.0  # a page that says nothing for so long is forgotten; one that vanished is found by pings
    ping_s: float = 5.0  # between two pings, and until one must be answered
    moments: int = 8  # saved in one session
    recent_s: float = 8.0  # how far back one may return
    recording_s: float = 120.0  # of one recording

    @property
    def recording_frames(self) -> int:
        """Frames of the longest recording."""
        return round(self.recording_s * FRAME_RATE_HZ)
