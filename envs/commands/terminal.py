"""Pictures and keys in a terminal: frames as coloured half blocks, keys without waiting for Enter.

Axis legend: h w image rows and columns, r rows of characters.

A character cell is about twice as high as it is wide, so its upper and its lower half are square pixels: "▀" shows one
in the text colour and one in the ground colour.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Iterator, Mapping

import cv2
import numpy as np
import numpy.typing as npt

from worldsim.types import FrameArray

HALF = "▀"
HOME, CLEAR_BELOW, CLEAR_RIGHT, PLAIN = "\x1b[H", "\x1b[J", "\x1b[K", "\x1b[0m"
ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", f"{PLAIN}\x1b[?25h\x1b[?1049l"  # other screen, no cursor; and back
BEGIN_FRAME, END_FRAME = "\x1b[?2026h", "\x1b[?2026l"  # terminals that know it show the frame whole
ARROWS = {"A": "up", "B": "down", "C": "right", "D": "left"}
WIDEST = 192  # columns; more is slow to draw and shows no more


def true_colour(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the terminal says that it shows 24-bit colours."""
    return environment.get("COLORTERM", "") in ("truecolor", "24bit")


def fitted(frame: FrameArray, columns: int, rows: int) -> FrameArray:
    """The frame at the largest size that ``columns`` x ``rows`` characters hold, of even height."""
    h, w = frame.shape[:2]
    width = max(min(columns, WIDEST, 2 * rows * w // h), 2)
    height = max(width * h // w // 2 * 2, 2)
    if (height, width) == (h, w):
        return frame
    how = cv2.INTER_AREA if width < w else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(frame, (width, height), interpolation=how), np.uint8)


def half_blocks(frame: FrameArray, true_colour: bool = True) -> list[str]:
    """Lines of text (h / 2) that show a frame of even height; a colour is named only where it changes."""
    codes = _codes(frame, true_colour)
    lines = []
    for upper, lower in zip(codes[0::2], codes[1::2], strict=True):
        line, last = [], ("", "")
        for pair in zip(upper, lower, strict=True):
            if pair[0] != last[0]:
                line.append(f"\x1b[38;{pair[0]}m")
            if pair[1] != last[1]:
                line.append(f"\x1b[48;{pair[1]}m")
            line.append(HALF)
            last = pair
        lines.append("".join(line) + PLAIN)
    return lines


def decode_keys(text: str) -> tuple[list[str], str]:
    """Keys in what was typed, and the rest that may be the beginning of one more.

    Arrows are "up", "down", "left", "right"; letters are lower case; other escape sequences are dropped.
    """
    keys, i = [], 0
    while i < len(text):
        if text[i] != "\x1b":
            keys.append(text[i].lower())
            i += 1
        elif i + 1 == len(text):
            return keys, text[i:]
        elif text[i + 1] not in "[O":
            i += 1  # Escape itself
        else:
            end = i + 2
            while end < len(text) and not "@" <= text[end] <= "~":
                end += 1
            if end == len(text):
                return keys, text[i:]
            if text[end] in ARROWS:
                keys.append(ARROWS[text[end]])
            i = end + 1
    return keys, ""


class Keyboard:
    """Keys as they are typed; made by ``taken_over``."""

    def __init__(self, handle: int) -> None:
        self._handle, self._rest, self._interrupted = handle, "", False

    def interrupt(self, *_: object) -> None:
        """Ctrl-C, as a signal handler: it is the key q; pressed once more, an interrupt as ever.

        An interrupt that is raised wherever the program happens to be can be lost: Python drops what is raised while
        an object is being destroyed.
        """
        if self._interrupted:
            raise KeyboardInterrupt
        self._interrupted = True

    def until(self, moment: float) -> list[str]:
        """Keys typed until ``time.monotonic()`` is ``moment``; those that wait already, in any case."""
        keys: list[str] = []
        while True:
            left = max(moment - time.monotonic(), 0.0)
            ready = select.select([self._handle], [], [], left)[0]
            if self._interrupted:
                return [*keys, "q"]
            if not ready:
                return keys
            typed = os.read(self._handle, 1024)
            if not typed:
                return [*keys, "q"]  # the terminal was closed
            found, self._rest = decode_keys(self._rest + typed.decode("utf-8", "ignore"))
            keys += found


@contextlib.contextmanager
def taken_over() -> Iterator[Keyboard]:
    """Keys come one by one and the screen is ours until the block ends, however it ends; then all is as it was."""
    import termios  # not on Windows
    import tty

    handle = sys.stdin.fileno()
    before, keyboard = termios.tcgetattr(handle), Keyboard(handle)
    heard = signal.signal(signal.SIGINT, keyboard.interrupt)
    try:
        tty.setcbreak(handle)
        sys.stdout.write(ENTER)
        sys.stdout.flush()
        yield keyboard
    finally:
        signal.signal(signal.SIGINT, heard)
        termios.tcsetattr(handle, termios.TCSADRAIN, before)
        sys.stdout.write(LEAVE)
        sys.stdout.flush()


def show(lines: list[str]) -> None:
    """Replace what is on the screen by ``lines``."""
    text = f"{CLEAR_RIGHT}\r\n".join(lines)
    sys.stdout.write(f"{BEGIN_FRAME}{HOME}{text}{CLEAR_RIGHT}{CLEAR_BELOW}{END_FRAME}")
    sys.stdout.flush()


def _codes(frame: npt.NDArray[np.uint8], true_colour: bool) -> list[list[str]]:
    """The colour of each pixel as a terminal is told it, (h, w)."""
    if true_colour:
        return [[f"2;{r};{g};{b}" for r, g, b in row] for row in frame.tolist()]
    cube = (frame.astype(np.int64) * 5 + 127) // 255
    numbers = 16 + 36 * cube[..., 0] + 6 * cube[..., 1] + cube[..., 2]
    return [[f"5;{number}" for number in row] for row in numbers.tolist()]
