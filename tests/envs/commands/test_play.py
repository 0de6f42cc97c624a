"""Driving at the keyboard: the wheel, the seat in either world, and a terminal that is given back."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from envs.commands import terminal
from envs.commands.play import PlayConfig, Seat, Wheel, gauge, play, readings
from envs.commands.twins import bring_reference


def test_the_wheel_turns_while_a_key_holds_and_comes_back() -> None:
    wheel = Wheel()
    wheel.press("a")
    turned = [wheel.turn()[0] for _ in range(12)]
    assert 0 < turned[0] < turned[3] <= 1.0 and turned[-1] < 0.05
    wheel.press("left")
    wheel.press("right")
    assert wheel.turn()[0] < 0
    wheel.press("up")
    assert wheel.turn()[1] > 0
    wheel.press("s")
    assert wheel.turn()[1] < 0
    wheel.press("x")
    for _ in range(40):
        wheel.press("d")
        action = wheel.turn()
    assert action[0] == -1.0 and action.dtype == np.float32


def test_the_seat_shows_either_world_at_the_same_moment(folder: Path) -> None:
    seat = Seat(PlayConfig(world=str(folder), steps=1))
    for _ in range(3):
        seat.step(np.array([0.2, 0.1], np.float32))
    learned = seat.frame
    seat.change_world()
    start = seat.learned.start
    assert start is not None
    env, _, _ = bring_reference(seat.model, seat.bank, start)  # type: ignore[arg-type]
    expected = [env.step(np.array([0.2, 0.1], np.float32))[0]["camera"] for _ in range(3)][-1]
    assert (seat.frame == expected).all() and not (learned == expected).all()
    text = readings(seat, 9.9)
    assert text[0].startswith("reference") and "trust 1.00" in text[0] and "9.9 frames/s" in text[0]
    seat.change_world()
    assert (seat.frame == learned).all() and readings(seat, 9.9)[0].startswith("learned")
    seat.begin()
    assert seat.actions == [] and seat.info["step"] == 0
    assert (gauge(1.0)[0], gauge(0.0)[10], gauge(-1.0)[-1]) == ("●", "●", "●")


def test_play_needs_a_terminal(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"expected a terminal.*worldsim rollout"):
        play(PlayConfig(world=str(folder)))


@pytest.fixture
def screen() -> Iterator[tuple[int, int]]:
    """Both ends of a terminal."""
    ours, theirs = pty.openpty()
    yield ours, theirs
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize("leave", ["q", "\x03"])
def test_play_in_a_terminal_gives_it_back(folder: Path, screen: tuple[int, int], leave: str) -> None:
    ours, theirs = screen
    before = termios.tcgetattr(theirs)
    code = "import sys; from envs.commands.play import *; play(PlayConfig(world=sys.argv[1], steps=1))"
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdin=theirs, stdout=theirs, stderr=subprocess.PIPE,
        start_new_session=True, preexec_fn=lambda: terminal_of(0), env={**os.environ, "COLORTERM": "truecolor"},
    )  # fmt: skip
    try:
        seen = read_until(ours, "0.2 s", 60.0)
        assert seen.startswith(terminal.ENTER) and "▀" in seen
        os.write(ours, b"ap")
        read_until(ours, "reference", 30.0)
        os.write(ours, leave.encode())
        rest = read_until(ours, terminal.LEAVE, 30.0)
        assert child.wait(30) == 0, child.stderr and child.stderr.read().decode()
        assert rest.endswith(terminal.LEAVE) and termios.tcgetattr(theirs) == before
    finally:
        child.kill()
        child.communicate()


def terminal_of(handle: int) -> None:
    """Make the terminal at ``handle`` the one that Ctrl-C in it interrupts this process."""
    import fcntl

    fcntl.ioctl(handle, termios.TIOCSCTTY, 0)


def read_until(handle: int, text: str, seconds: float) -> str:
    """What the terminal shows, up to and with ``text``."""
    seen, end = "", time.monotonic() + seconds
    while text not in seen:
        assert time.monotonic() < end, f"waited {seconds} s for {text!r}, saw {seen[-300:]!r}"
        if select.select([handle], [], [], 1.0)[0]:
            seen += os.read(handle, 65536).decode("utf-8", "replace")
    return seen
