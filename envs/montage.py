"""A film of several cameras: all of them at once, or cut from one to the next.

Axis legend: h w image rows and columns.

Cameras that look ahead or aside make the upper row, those that look back the lower one, each as a driver would turn
the head: what is further left is further left. Every frame of a film has one size, so a single camera fills it.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from worldsim.serving.picture import FONT, FONT_SCALE, INK, PAPER, enlarge, factor_for
from worldsim.types import CameraSpec, FrameArray

from .cameras import ALL, Shot
from .spaces import camera_keys

WIDTH_PX = 512  # about, of a film that shows one camera at a time
WIDE_PX = 1024  # about, of one that shows several at once
_ABEAM_RAD = math.radians(95)


class Montage:
    """Makes the frames of a film of ``seconds`` from observations of an env with ``cameras``, by concrete ``shots``.

    Without shots all cameras are shown. A shot of a camera that is not there is left out; the one before it goes on.
    """

    def __init__(self, cameras: Mapping[str, CameraSpec], shots: Sequence[Shot], seconds: float) -> None:
        self.cameras = dict(cameras)
        self._keys = dict(zip(cameras, camera_keys(cameras), strict=True))
        self._main = next(iter(cameras))
        there = [shot for shot in shots if shot.camera in (*cameras, ALL)]
        every = [seconds * k / len(there) for k in range(len(there))]
        self._cuts = [
            (part if s.at_s is None else float(s.at_s), s.camera) for s, part in zip(there, every, strict=True)
        ]
        if not shots:
            self._cuts = [(0.0, ALL)]
        if not self._cuts or self._cuts[0][0] > 0.0:
            self._cuts.insert(0, (0.0, self._main))
        self._rows = _rows(cameras) if any(camera == ALL for _, camera in self._cuts) else [[self._main]]
        across, main = max(map(len, self._rows)), cameras[self._main]
        factor = factor_for(main.width * across, WIDTH_PX if across == 1 else WIDE_PX)
        self._cell = (main.height * factor, main.width * factor)
        self.size = (self._cell[0] * len(self._rows), self._cell[1] * across)

    @property
    def cuts(self) -> list[tuple[float, str]]:
        """When each shot begins, in seconds, and what it shows."""
        return list(self._cuts)

    def shown(self, time_s: float) -> str:
        """The camera that is shown at a time, or ALL."""
        return self._cuts[max(bisect_right([at for at, _ in self._cuts], time_s + 1e-6) - 1, 0)][1]

    def frame(self, observation: Mapping[str, Any], time_s: float) -> FrameArray:
        """The frame (h, w, 3) of the film at a time, of ``size``."""
        views = {name: observation[key] for name, key in self._keys.items()}
        camera = self.shown(time_s)
        if camera != ALL:
            return self._placed(views[camera], self.size, camera)
        canvas = np.full((*self.size, 3), INK, np.uint8)
        height, width = self._cell
        for y, row in enumerate(self._rows):
            left = (self.size[1] - width * len(row)) // 2
            for x, name in enumerate(row):
                cell = self._placed(views[name], self._cell, name)
                canvas[y * height : (y + 1) * height, left + x * width : left + (x + 1) * width] = cell
        return canvas

    def _placed(self, picture: FrameArray, size: tuple[int, int], name: str) -> FrameArray:
        """A picture in the middle of ``size`` (h, w), as large as goes in; with its name where there are others."""
        large = _fitted(picture, size)
        if len(self.cameras) > 1:
            for colour, thick in ((INK, 3), (PAPER, 1)):
                cv2.putText(large, name, (6, 16), FONT, FONT_SCALE, colour, thick, cv2.LINE_AA)
        if large.shape[:2] == size:
            return large
        canvas = np.full((*size, 3), INK, np.uint8)
        top, left = (size[0] - large.shape[0]) // 2, (size[1] - large.shape[1]) // 2
        canvas[top : top + large.shape[0], left : left + large.shape[1]] = large
        return canvas


def _rows(cameras: Mapping[str, CameraSpec]) -> list[list[str]]:
    """Names row by row: those that look ahead or aside, then those that look back."""
    yaws = {name: spec.yaw_rad % (2 * math.pi) for name, spec in cameras.items()}
    ahead = [name for name, yaw in yaws.items() if math.cos(yaw) >= math.cos(_ABEAM_RAD)]
    ahead.sort(key=lambda name: -math.remainder(yaws[name], 2 * math.pi))
    back = sorted((name for name in yaws if name not in ahead), key=yaws.__getitem__)
    return [row for row in (ahead, back) if row]


def _fitted(picture: FrameArray, size: tuple[int, int]) -> FrameArray:
    """A copy of a picture (h, w, 3), as large as goes into ``size`` (h, w)."""
    factor = min(size[0] / picture.shape[0], size[1] / picture.shape[1])
    if factor >= 1 and factor.is_integer():
        return enlarge(picture, int(factor)).copy()
    width, height = (max(round(side * factor), 1) for side in (picture.shape[1], picture.shape[0]))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (width, height), interpolation=how), np.uint8)
