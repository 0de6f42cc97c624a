"""Pictures for people: frames enlarged, set beside each other, with a strip of readings above.

Axis legend: h w image rows and columns, k frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from worldsim.types import FrameArray

RgbaArray = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]

STRIP_PX = 28
INK: Colour = (15, 18, 24)
PAPER: Colour = (226, 229, 234)
FAINT: Colour = (92, 99, 112)
GOOD: Colour = (96, 190, 140)
FAIR: Colour = (232, 176, 76)
BAD: Colour = (226, 96, 88)
FONT, FONT_SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.45


@dataclass(frozen=True)
class Readings:
    """What the strip above a picture shows."""

    time_s: float
    speed_mps: float
    steering: float  # -1 right to 1 left
    trust: float  # 0 to 1


def enlarge(frame: FrameArray, factor: int) -> FrameArray:
    """A frame (h, w, 3) at ``factor`` times its size, smoothly."""
    if factor == 1:
        return frame
    size = (frame.shape[1] * factor, frame.shape[0] * factor)
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def factor_for(width: int, wanted: int = 512) -> int:
    """The whole factor that brings ``width`` closest to ``wanted`` px, at least 1; even sizes stay even."""
    return max(round(wanted / width), 1)


def beside(left: FrameArray, right: FrameArray, gap: int = 8, colour: Colour = INK) -> FrameArray:
    """Two frames of one height next to each other, ``gap`` px apart."""
    bar = np.full((left.shape[0], gap, 3), colour, np.uint8)
    return np.concatenate([left, bar, right], axis=1)


def with_strip(frame: FrameArray, readings: Readings) -> FrameArray:
    """The frame with a strip of STRIP_PX rows above: time, speed, a steering gauge and a bar of trust."""
    width = frame.shape[1]
    strip = np.full((STRIP_PX, width, 3), INK, np.uint8)
    _write(strip, f"{readings.time_s:5.1f} s", 8)
    _write(strip, f"{readings.speed_mps:4.1f} m/s", round(0.17 * width))
    _gauge(strip, round(0.40 * width), round(0.62 * width), readings.steering)
    _write(strip, "trust", round(0.68 * width), FAINT)
    _bar(strip, round(0.79 * width), width - 10, readings.trust)
    return np.concatenate([strip, frame])


def filmstrip(rows: Sequence[Sequence[FrameArray]], factor: int = 2, gap: int = 4) -> RgbaArray:
    """Rows of k frames each as one picture (h, w, 4) with transparent gaps, so that it lies well on any ground."""
    if not rows or not rows[0] or any(len(row) != len(rows[0]) for row in rows):
        raise ValueError(f"filmstrip: expected rows of one length, got {[len(row) for row in rows]}")
    h, w = (side * factor for side in rows[0][0].shape[:2])
    sheet = np.zeros((len(rows) * (h + gap) - gap, len(rows[0]) * (w + gap) - gap, 4), np.uint8)
    for y, row in enumerate(rows):
        for x, frame in enumerate(row):
            cell = sheet[y * (h + gap) : y * (h + gap) + h, x * (w + gap) : x * (w + gap) + w]
            cell[..., :3], cell[..., 3] = enlarge(frame, factor), 255
    return sheet


def png(picture: npt.NDArray[np.uint8]) -> bytes:
    """An RGB or RGBA picture (h, w, 3 or 4) as the bytes of a PNG."""
    order = cv2.COLOR_RGBA2BGRA if picture.shape[-1] == 4 else cv2.COLOR_RGB2BGR
    done, data = cv2.imencode(".png", cv2.cvtColor(picture, order))
    assert done
    return data.tobytes()


def trust_colour(trust: float) -> Colour:
    """Green where the model is sure, red where it is not to be believed."""
    return GOOD if trust >= 0.7 else FAIR if trust >= 0.4 else BAD


def _write(strip: FrameArray, text: str, x: int, colour: Colour = PAPER) -> None:
    cv2.putText(strip, text, (x, STRIP_PX - 9), FONT, FONT_SCALE, colour, 1, cv2.LINE_AA)


def _gauge(strip: FrameArray, left: int, right: int, steering: float) -> None:
    """A line with a mark: in the middle straight on, left of it steering to the left."""
    y, middle, reach = STRIP_PX // 2, (left + right) // 2, (right - left) // 2
    cv2.line(strip, (left, y), (right, y), FAINT, 1, cv2.LINE_AA)
    cv2.line(strip, (middle, y - 4), (middle, y + 4), FAINT, 1, cv2.LINE_AA)
    at = middle - round(reach * max(min(steering, 1.0), -1.0))
    cv2.line(strip, (middle, y), (at, y), PAPER, 2, cv2.LINE_AA)
    cv2.circle(strip, (at, y), 4, PAPER, -1, cv2.LINE_AA)


def _bar(strip: FrameArray, left: int, right: int, trust: float) -> None:
    y, full = STRIP_PX // 2, right - left
    cv2.rectangle(strip, (left, y - 3), (right, y + 3), FAINT, 1)
    filled = round(full * max(min(trust, 1.0), 0.0))
    cv2.rectangle(strip, (left, y - 3), (left + filled, y + 3), trust_colour(trust), -1)
