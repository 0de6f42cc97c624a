"""A user's image: the right part of it, and nothing that is no image."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from worldsim.prompting.image import read_image


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    """The file's bytes."""
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_the_middle_of_the_picture_is_taken(kind: str) -> None:
    pixels = np.zeros((300, 200, 3), np.uint8)
    pixels[100:200] = (200, 40, 40)  # what is left of it at twice as wide as high
    frame = read_image(saved(Image.fromarray(pixels), kind), 64, 128, 10**6)
    assert frame.shape == (64, 128, 3) and frame.dtype == np.uint8
    assert np.abs(frame[8:-8].astype(int) - (200, 40, 40)).max() < 16


def test_a_photograph_is_turned_upright() -> None:
    picture = Image.new("RGB", (64, 128), (10, 10, 10))
    picture.paste((250, 250, 250), (0, 0, 32, 128))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    frame = read_image(saved(picture, "JPEG", exif=exif), 64, 128, 10**6)
    assert frame[:24].mean() > 200 and frame[-24:].mean() < 60


def bomb() -> bytes:
    """A small PNG that says it has 900 megapixels."""
    header = struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(100_000))), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "expected a PNG, JPEG or WebP"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "expected a PNG, JPEG or WebP"),
        (saved(Image.new("RGB", (64, 64)), "GIF"), "expected a PNG, JPEG or WebP"),
        (saved(Image.new("RGB", (64, 64)), "PNG")[:60], "damaged"),
        (saved(Image.effect_noise((640, 640), 90), "JPEG")[:4000], "damaged"),
        (saved(Image.new("RGB", (8, 64)), "PNG"), "at least 16 pixels"),
        (saved(Image.new("RGB", (1200, 1200)), "PNG"), "at most 1 megapixels"),
        (bomb(), "megapixels|damaged"),
    ],
)
def test_anything_else_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_image(content, 64, 128, 10**6)
