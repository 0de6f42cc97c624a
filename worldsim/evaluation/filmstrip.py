"""Pictures of frames side by side, with what they are written beside them.

Axis legend: h w c of a frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from worldsim.storage import atomic_path
from worldsim.types import FrameArray

SCALE, GAP, HEAD, SIDE = 2, 4, 18, 96
PAPER, INK, ABSENT = 255, (40, 40, 40), 225


def sheet(rows: Sequence[Sequence[FrameArray | None]], columns: Sequence[str], names: Sequence[str]) -> FrameArray:
    """Frames (h, w, 3) in rows and columns, enlarged, under their column's title and beside their row's name.

    None, or a row that is shorter, leaves a grey place: there is no such frame.
    """
    if len(rows) != len(names) or any(len(row) > len(columns) for row in rows):
        raise ValueError(f"sheet: expected {len(names)} rows of at most {len(columns)} frames, got {[*map(len, rows)]}")
    first = next((frame for row in rows for frame in row if frame is not None), None)
    if first is None:
        raise ValueError("sheet: expected at least one frame, got none")
    h, w = first.shape[0] * SCALE, first.shape[1] * SCALE
    page = np.full((HEAD + len(rows) * (h + GAP), SIDE + len(columns) * (w + GAP), 3), PAPER, np.uint8)
    for j, title in enumerate(columns):
        _write(page, title, SIDE + j * (w + GAP) + 2, HEAD - 5)
    for i, (row, name) in enumerate(zip(rows, names, strict=True)):
        top = HEAD + i * (h + GAP)
        for line, words in enumerate(name.split("\n")):
            _write(page, words, 3, top + 14 + 14 * line)
        for j in range(len(columns)):
            left = SIDE + j * (w + GAP)
            frame = row[j] if j < len(row) else None
            page[top : top + h, left : left + w] = (
                ABSENT if frame is None else cv2.resize(frame, (w, h), interpolation=cv2.INTER_NEAREST)
            )
    return page


def save_png(path: Path, page: FrameArray) -> Path:
    """Write an RGB picture, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(cv2.imencode(".png", cv2.cvtColor(page, cv2.COLOR_RGB2BGR))[1].tobytes())
    return path


def _write(page: FrameArray, words: str, x: int, y: int) -> None:
    cv2.putText(page, words, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.38, INK, 1, cv2.LINE_AA)
