"""A picture in a terminal, and the keys that are pressed there."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from envs.commands import terminal


def test_half_blocks_show_every_pixel() -> None:
    frame = np.random.default_rng(0).integers(0, 255, (6, 5, 3), dtype=np.uint8)
    frame[:2, 1:3] = frame[0, 0]  # a run of one colour
    lines = terminal.half_blocks(frame)
    assert np.array_equal(painted(lines), frame)
    assert lines[0].count("38;") < 5
    few = terminal.half_blocks(np.array([[[0, 0, 0]], [[255, 255, 255]]], np.uint8), true_colour=False)
    assert few == [f"\x1b[38;5;16m\x1b[48;5;231m{terminal.HALF}\x1b[0m"]


def painted(lines: list[str]) -> Any:
    """The pixels that a terminal would show."""
    rows = []
    for line in lines:
        colours: dict[str, list[int]] = {}
        cells = []
        for which, code, block in re.findall(r"\x1b\[([34]8);2;([\d;]*)m|(▀)", line):
            if block:
                cells.append((colours["38"], colours["48"]))
            else:
                colours[which] = [int(value) for value in code.split(";")]
        rows += [[upper for upper, _ in cells], [lower for _, lower in cells]]
    return np.array(rows, np.uint8)


@pytest.mark.parametrize(("columns", "rows"), [(128, 32), (80, 21), (300, 90), (20, 50), (1, 1)])
def test_a_frame_fits_its_terminal(columns: int, rows: int) -> None:
    h, w = terminal.fitted(np.zeros((64, 128, 3), np.uint8), columns, rows).shape[:2]
    assert h % 2 == 0 and w <= max(columns, 2) and h // 2 <= rows and (w < 8 or abs(w / h - 2) < 0.3)


def test_keys_are_read_even_where_a_sequence_is_cut() -> None:
    assert terminal.decode_keys("aW\x1b[A\x1bOD q") == (["a", "w", "up", "left", " ", "q"], "")
    assert terminal.decode_keys("\x1b[1;5C\x1b[3~x") == (["right", "x"], "")
    for whole in ("\x1b[B", "\x1b[1;2B"):
        for cut in range(1, len(whole)):
            keys, rest = terminal.decode_keys(whole[:cut])
            assert keys == [] and terminal.decode_keys(rest + whole[cut:]) == (["down"], "")
    assert terminal.decode_keys("\x1bq") == (["q"], "")
