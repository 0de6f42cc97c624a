"""The pace: fewer passes where time is short, more where there is room, and words where even one is too slow."""

from __future__ import annotations

import pytest

from agents.cockpit.pace import PATIENCE, TRYING_AGAIN, Pace


def test_it_keeps_what_fits() -> None:
    pace = Pace(4)
    for _ in range(300):
        pace.took(0.06)
    assert pace.passes == 4 and pace.notice == ""


def test_it_halves_until_the_rate_is_held() -> None:
    pace = Pace(4)
    for _ in range(3 * PATIENCE):
        pace.took({4: 0.16, 2: 0.11, 1: 0.08}[pace.passes])
    assert pace.passes == 1 and pace.notice == ""


def test_one_slow_step_changes_nothing() -> None:
    pace = Pace(4)
    for step in range(200):
        pace.took(1.0 if step == 100 else 0.03)
        if step > 100 + PATIENCE:
            break
    assert pace.passes in (2, 4)
    for _ in range(2 * TRYING_AGAIN):
        pace.took(0.03)
    assert pace.passes == 4


def test_it_tries_again_later_and_not_all_the_time() -> None:
    pace, tried = Pace(2), 0
    pace.passes = 1
    for _ in range(600):
        before = pace.passes
        pace.took({1: 0.04, 2: 0.12}[pace.passes])
        tried += pace.passes > before
    assert 2 <= tried <= 1 + 600 / TRYING_AGAIN


def test_too_slow_is_said_with_what_can_be_held() -> None:
    pace = Pace(1)
    for _ in range(2 * PATIENCE):
        pace.took(0.2)
        pace.shown(0.2)
    assert pace.holds == pytest.approx(5.0) and pace.frames_per_s < 7
    assert "holds 5.0 frames a second, not 10" in pace.notice and "50%" in pace.notice
    pace.anew()
    assert pace.notice == ""
