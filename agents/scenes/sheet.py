"""A contact sheet: a row of frames for each run, so that a hundred scenes are seen at a glance.

Axis legend: h w image rows and columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from worldsim.data.store import EpisodeStore
from worldsim.serving.picture import BAD, FONT, FONT_SCALE, PAPER, filmstrip, png
from worldsim.storage import atomic_path
from worldsim.types import FrameArray

from .summary import Row

SHEET = "contact_sheet.png"
MOST_ROWS = 25
MOMENTS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # shares of a run


def write_sheet(rows: Sequence[Row], folder: Path, episodes: Path) -> Path:
    """``contact_sheet.png``: up to MOST_ROWS runs, evenly chosen, from first frame to last."""
    store = EpisodeStore(episodes)
    places = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MOST_ROWS)).round().astype(int))
    strips = [_strip(store, rows[place]) for place in places]
    path = folder / SHEET
    with atomic_path(path) as temporary:
        temporary.write_bytes(png(filmstrip(strips, factor=1)))
    return path


def _strip(store: EpisodeStore, row: Row) -> list[FrameArray]:
    frames = store.read_frames(row.run)
    shown = [frames[round(share * (len(frames) - 1))].copy() for share in MOMENTS]
    verdict = row.verdict
    end = " crash" if verdict.crash else " off road" if verdict.offroad else ""
    _label(shown[0], f"{row.run}", end)
    return shown


def _label(frame: FrameArray, number: str, end: str) -> None:
    """Write the run's number, and what ended it, into the corner of a frame (h, w, 3)."""
    at = (3, 12)
    for colour, width in (((0, 0, 0), 3), (BAD if end else PAPER, 1)):
        cv2.putText(frame, number + end, at, FONT, FONT_SCALE * 0.8, colour, width, cv2.LINE_AA)
