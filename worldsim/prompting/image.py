"""A user's image as a frame that a world can go on from. Whoever sends it is not trusted.

Axis legend: h w image rows and columns.
"""

from __future__ import annotations

import io
import struct
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from worldsim.types import FrameArray

FORMATS = ("PNG", "JPEG", "WEBP")
EXPECTED = "image: expected a PNG, JPEG or WebP picture"
SMALLEST = 16  # pixels of a side
MOST_PIXELS, MOST_BYTES = 100_000_000, 200_000_000


def open_image(path: Path, height: int, width: int) -> FrameArray:
    """The middle of a picture on disk at the shape of a frame, (h, w, 3). ValueError, naming the file, as below."""
    if not path.is_file():
        raise ValueError(f"image: expected a PNG, JPEG or WebP picture at {path}, but there is no such file")
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(
            f"image: {path}: expected at most {MOST_BYTES / 1e6:g} MB, got {path.stat().st_size / 1e6:.0f}"
        )
    try:
        return read_image(path.read_bytes(), height, width, MOST_PIXELS)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def read_image(content: bytes, height: int, width: int, most_pixels: int) -> FrameArray:
    """The middle of the picture at the shape of a frame, (h, w, 3).

    The header is read before anything is unpacked. Raises ValueError for what is no such picture, is damaged, or has
    more than ``most_pixels``.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the bound below is the stricter one
            picture = Image.open(io.BytesIO(content), formats=FORMATS)
        if picture.width * picture.height > most_pixels:
            raise ValueError(
                f"image: expected at most {most_pixels / 1e6:g} megapixels, got {picture.width} x {picture.height}"
            )
        if min(picture.size) < SMALLEST:
            raise ValueError(
                f"image: expected at least {SMALLEST} pixels a side, got {picture.width} x {picture.height}"
            )
        picture.draft("RGB", (4 * width, 4 * height))  # a JPEG is unpacked no larger than needed
        upright = ImageOps.exif_transpose(picture).convert("RGB")
    except UnidentifiedImageError as error:
        raise ValueError(f"{EXPECTED}, got something else") from error
    except (OSError, SyntaxError, Image.DecompressionBombError, struct.error) as error:
        raise ValueError(f"{EXPECTED}, got one that is damaged ({error})") from error
    fitted = ImageOps.fit(upright, (width, height), Image.Resampling.LANCZOS)
    return np.asarray(fitted, np.uint8).copy()
