"""What the page and the server say to each other.

The page sends JSON objects, one a message, whose ``kind`` is a key of KINDS; an image is a packet. The server sends
packets for frames and JSON objects for everything else. A packet is binary: the length of its header as four bytes,
little end first; the header as JSON; then bytes, which are frames (h, w, 3) one after the other, or an image file.

Who breaks the protocol gets a ``Violation``, which ends that session and says why. A wish that cannot be had (a world
that does not load, words that mean nothing) breaks nothing: it is answered by a ``problem``.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from worldsim.errors import nearest
from worldsim.schema import build
from worldsim.types import FrameArray

from .limits import Limits

INVALID, POLICY, TOO_BIG, BUSY = 1007, 1008, 1009, 1013  # RFC 6455, section 7.4.1, and IANA's registry
GONE = 4408
REASON_BYTES = 123  # of a close frame at most

HEADER = struct.Struct("<I")


class Violation(Exception):
    """The page broke the protocol: its session ends with ``code`` and these words."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason.encode()[:REASON_BYTES].decode(errors="ignore")


@dataclass(frozen=True)
class Begin:
    """Begin a drive in a world and a scenario."""

    world: str
    scenario: str
    start: Literal["auto", "bank", "imagine"] = "auto"
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.seed is not None and not 0 <= self.seed < 2**31:
            raise ValueError(f"seed: expected a whole number from 0 to 2147483647, got {self.seed}")


@dataclass(frozen=True)
class Words:
    """Begin a drive in the scene that a text asks for."""

    world: str
    text: str


@dataclass(frozen=True)
class Change:
    """Change the drive under way as a text asks for."""

    text: str


@dataclass(frozen=True)
class PictureHeader:
    """What comes before an image."""

    world: str
    speed_mps: float = 10.0

    def __post_init__(self) -> None:
        _check_range("speed_mps", self.speed_mps, 0.0, 40.0)


@dataclass(frozen=True)
class Picture(PictureHeader):
    """Begin a drive from an image; ``content`` is a PNG, JPEG or WebP file."""

    content: bytes = b""


@dataclass(frozen=True)
class Wheel:
    """What hands and feet do now. ``number`` rises; ``stamp`` comes back with the first frame that it moved."""

    number: int
    steering: float  # -1 right to 1 left
    pedal: float  # -1 braking to 1 accelerating
    stamp: float = 0.0

    def __post_init__(self) -> None:
        _check_range("steering", self.steering, -1.0, 1.0)
        _check_range("pedal", self.pedal, -1.0, 1.0)


@dataclass(frozen=True)
class Shown:
    """The page has drawn frame ``frame``."""

    frame: int


@dataclass(frozen=True)
class Drive:
    """Let time pass, or stand still."""

    on: bool


@dataclass(frozen=True)
class Pilot:
    """Give the wheel to a pilot by name; "you" is the page."""

    name: str


@dataclass(frozen=True)
class Save:
    """Keep the present moment, or the last one up to ``step``."""

    step: int | None = None


@dataclass(frozen=True)
class Return:
    """Go back to a saved moment, or to the last one up to ``step``."""

    moment: int | None = None
    step: int | None = None


@dataclass(frozen=True)
class Forget:
    """Let go of a saved moment."""

    moment: int


@dataclass(frozen=True)
class Branch:
    """Two futures from a saved moment, from the last up to ``step``, or from now; ``pilot`` drives the second."""

    pilot: str
    moment: int | None = None
    step: int | None = None


@dataclass(frozen=True)
class Join:
    """Go on with one of the two futures."""

    keep: Literal["first", "second"] = "first"


@dataclass(frozen=True)
class Truth:
    """Show the reference world beside, or no longer."""

    on: bool


@dataclass(frozen=True)
class Record:
    """Begin a recording, or end it and write it."""

    on: bool


@dataclass(frozen=True)
class Here:
    """The page is still there."""


Message = (
    Begin | Words | Change | Picture | Wheel | Shown | Drive | Pilot | Save | Return | Forget | Branch | Join | Truth
    | Record | Here
)  # fmt: skip

KINDS: dict[str, Any] = {
    "begin": Begin, "words": Words, "change": Change, "wheel": Wheel, "shown": Shown, "drive": Drive, "pilot": Pilot,
    "save": Save, "return": Return, "forget": Forget, "branch": Branch, "join": Join, "truth": Truth, "record": Record,
    "here": Here,
}  # fmt: skip
BEGINNINGS = (Begin, Words, Picture)


def read_text(text: str, limits: Limits) -> Message:
    """One message of the page. Raises Violation for what is none."""
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > limits.text_bytes:
        raise Violation(TOO_BIG, f"message of {size} bytes; expected at most {limits.text_bytes}")
    return _built(_object(text), KINDS)


def read_packet(packet: bytes, limits: Limits) -> Picture:
    """An image with its header. Raises Violation for what is none."""
    if len(packet) > limits.image_bytes + limits.text_bytes:
        raise Violation(TOO_BIG, f"image of {len(packet)} bytes; expected at most {limits.image_bytes}")
    if len(packet) < HEADER.size:
        raise Violation(INVALID, "binary message: expected a header, got too few bytes")
    (length,) = HEADER.unpack_from(packet)
    if length > min(limits.text_bytes, len(packet) - HEADER.size):
        raise Violation(INVALID, f"binary message: expected a header within it, got one of {length} bytes")
    try:
        header = packet[HEADER.size : HEADER.size + length].decode()
    except UnicodeDecodeError as error:
        raise Violation(INVALID, "binary message: expected a header in UTF-8") from error
    said = _built(_object(header), {"picture": PictureHeader})
    return Picture(said.world, said.speed_mps, packet[HEADER.size + length :])


def packet(header: Mapping[str, Any], frames: Mapping[str, FrameArray]) -> bytes:
    """Named frames (h, w, 3) behind ``header``, which then tells their names and sizes."""
    shapes = [[name, frame.shape[1], frame.shape[0]] for name, frame in frames.items()]
    text = json.dumps({**header, "pictures": shapes}, allow_nan=False).encode()
    return b"".join((HEADER.pack(len(text)), text, *(np.ascontiguousarray(f).tobytes() for f in frames.values())))


def finite(value: float) -> float | None:
    """A number as JSON holds it: NaN and infinity are None."""
    return round(float(value), 4) if math.isfinite(value) else None


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (json.JSONDecodeError, RecursionError) as error:
        raise Violation(INVALID, f"expected a JSON object, got text that is no JSON: {type(error).__name__}") from error
    if not isinstance(value, dict):
        raise Violation(INVALID, f"expected a JSON object, got {type(value).__name__}")
    return value


def _no_constant(name: str) -> float:
    raise Violation(INVALID, f"expected numbers that are finite, got {name}")


def _built(value: dict[str, Any], kinds: Mapping[str, Any]) -> Any:
    kind = value.pop("kind", None)
    if not isinstance(kind, str) or kind not in kinds:
        raise Violation(POLICY, f"unknown kind {str(kind)[:30]!r}{nearest(kind, kinds)}")
    try:
        return build(kinds[kind], value, kind)
    except ValueError as error:
        raise Violation(POLICY, str(error)) from error


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name}: expected a number from {low:g} to {high:g}, got {value:g}")
