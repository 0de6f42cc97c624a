"""A camera's picture at the size that the world has: the middle of it, resized, and what that does to the lens.

Axis legend: h w image rows and columns.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from worldsim.types import CameraSpec, FrameArray

_REDUCED = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4, 2: cv2.IMREAD_REDUCED_COLOR_2}


def middle(height: int, width: int, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Top, left, rows and columns of the largest middle part of a picture that has the shape of ``size``."""
    rows, columns = min(height, round(width * size[0] / size[1])), min(width, round(height * size[1] / size[0]))
    return (height - rows) // 2, (width - columns) // 2, rows, columns


def crop_resize(picture: npt.NDArray[Any], size: tuple[int, int]) -> FrameArray:
    """The middle of (h, w, 3) at the shape of ``size`` (rows, columns), resized to it."""
    top, left, rows, columns = middle(picture.shape[0], picture.shape[1], size)
    part = np.ascontiguousarray(picture[top : top + rows, left : left + columns])
    way = cv2.INTER_AREA if rows >= size[0] else cv2.INTER_LINEAR
    return cv2.resize(part, size[::-1], interpolation=way).astype(np.uint8, copy=False)


def crop_camera(camera: CameraSpec, size: tuple[int, int]) -> CameraSpec:
    """The camera whose picture ``crop_resize`` makes."""
    top, left, rows, columns = middle(camera.height, camera.width, size)
    part = replace(camera, height=rows, width=columns, cx=camera.cx - left, cy=camera.cy - top)
    return part.resized(size[1], size[0])


def read_picture(content: bytes, size: tuple[int, int], full: tuple[int, int] | None = None) -> FrameArray | None:
    """An encoded image as (h, w, 3) RGB of ``size``; None where it cannot be decoded.

    ``full`` (rows, columns), where it is known, lets JPEG decode at a half, a quarter or an eighth of its size.
    """
    way = cv2.IMREAD_COLOR
    if full is not None:
        _, _, rows, columns = middle(*full, size)
        way = next((w for k, w in _REDUCED.items() if rows >= k * size[0] and columns >= k * size[1]), way)
    found = cv2.imdecode(np.frombuffer(content, np.uint8), way) if content else None
    return None if found is None else crop_resize(cv2.cvtColor(found, cv2.COLOR_BGR2RGB), size)
