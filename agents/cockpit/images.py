"""A user's image as a frame that a world can go on from. Whoever sends it is not trusted.

Axis legend: h w image rows and columns.
"""

from __future__ import annotations

import io
import struct
import warnings

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from worldsim.types import FrameArray

FORMATS = ("PNG", "JPEG", "WEBP")
EXPECTED = "image: expected a PNG, JPEG or WebP picture"
SMALLEST = 16  # pixels of a side


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
