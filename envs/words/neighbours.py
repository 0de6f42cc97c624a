"""The supported wish nearest to words that the grammar does not know.

Axis legend: w wishes, e = TEXT_DIM numbers of an embedding.
"""

from __future__ import annotations

import difflib
from typing import Protocol

import numpy as np

from worldsim.text import TextEncoder, TextEncoderMissing

WISHES = (
    "a highway", "a winding road", "a racetrack", "a highway with a merging ramp", "a roundabout", "an intersection",
    "a two-way country road", "a highway exit", "clear weather", "rain", "fog", "snow", "by day", "at dusk", "at night",
    "no traffic", "light traffic", "moderate traffic", "heavy traffic", "two lanes", "three lanes", "a car cuts in",
    "the vehicle ahead brakes hard", "a stopped vehicle ahead", "a slow truck ahead", "a vehicle merges from the ramp",
    "a vehicle crosses the intersection", "a pedestrian crosses", "a cyclist crosses", "it begins to rain",
    "fog comes up", "the sky clears", "dusk falls", "night falls", "turn left at the intersection",
    "turn right at the intersection", "drive at 50 km/h", "a drive of 30 seconds",
)  # fmt: skip
"""One example of everything that can be asked for."""

MOST_ENCODED = 32
"""So many unknown words of a text are compared by meaning; the rest by their letters, which takes no time."""


class Neighbours(Protocol):
    """Whatever finds the nearest of ``WISHES``."""

    def nearest(self, text: str) -> str:
        """The wish nearest to ``text``, or "" where none is near."""
        ...


class ByLetters:
    """Nearest by the letters they share (difflib): needs nothing, and knows nothing of meaning."""

    note = "the nearest wishes are found by spelling; pip install 'worldsim[text]' finds them by meaning"

    def nearest(self, text: str) -> str:
        """The wish with the most alike word."""
        words: dict[str, str] = {}
        for wish in WISHES:
            for word in wish.split():
                words.setdefault(word, wish)
        found = difflib.get_close_matches(text.lower()[:40], words, n=1, cutoff=0.5)
        return words[found[0]] if found else ""


class ByMeaning:
    """Nearest by the sentence encoder, with a cut below which nothing is called near. It reads English."""

    note = ""

    def __init__(self, encoder: TextEncoder | None = None, least_likeness: float = 0.25) -> None:
        self.encoder = encoder or TextEncoder()
        self.least_likeness = least_likeness
        self._wishes = self.encoder.encode(WISHES)  # (w, e)

    def nearest(self, text: str) -> str:
        """The wish whose embedding is most alike."""
        if not text.isascii():
            return ""
        likeness = self._wishes @ self.encoder.encode([text[:200]])[0]  # (w,)
        best = int(np.argmax(likeness))
        return WISHES[best] if likeness[best] >= self.least_likeness else ""


def neighbours() -> ByLetters | ByMeaning:
    """By meaning where the extra ``text`` is installed, else by letters."""
    try:
        return ByMeaning()
    except TextEncoderMissing:
        return ByLetters()
