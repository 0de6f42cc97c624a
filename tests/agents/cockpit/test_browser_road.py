"""The cockpit's page in Chromium, with the world that ships: the picture moves the right way, and words change it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest

from agents.cockpit.catalogue import Catalogue
from agents.cockpit.guard import Guard
from agents.cockpit.limits import Limits
from agents.cockpit.server import Cockpit

from .browsing import Tab, needs_chromium
from .conftest import Served

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    out = tmp_path_factory.mktemp("road")
    running = Served(lambda: Cockpit(Catalogue("road", []), out, Guard(), Limits(), passes=1, seed=0))
    yield running
    running.stop()


def sideways_px(before: np.ndarray, after: np.ndarray) -> float:
    """How far what is in the upper half of the picture moved to the right."""
    one, other = (cv2.cvtColor(frame[8:40], cv2.COLOR_RGB2GRAY).astype(np.float32) for frame in (before, after))
    return float(cv2.phaseCorrelate(one, other, cv2.createHanningWindow(one.shape[::-1], cv2.CV_32F))[0][0])


def test_the_picture_moves_the_right_way_and_words_change_it(browser: Any, road: Served) -> None:
    tab = Tab(browser, road.url)
    day = tab.frame().mean()
    moved = {}
    tab.page.click("#save")
    tab.page.locator(".moment").wait_for()
    for key in ("ArrowLeft", "ArrowRight"):
        tab.page.click(".moment >> text=Return")
        tab.wait("state.header.step === 0")
        tab.page.keyboard.down(key)
        tab.wait("state.header.step >= 10")
        tab.see("cockpit.drive(false)")
        tab.page.keyboard.up(key)
        frames = [tab.frame(step=step) for step in range(5, 11)]
        moved[key] = sum(sideways_px(*pair) for pair in itertools.pairwise(frames))
    assert moved["ArrowLeft"] > 1 and moved["ArrowRight"] < -1
    tab.page.click(".moment >> text=Return")
    tab.wait("state.header.step === 0")
    tab.drive_to(10)
    assert tab.frame().mean() > 0.7 * day
    tab.page.fill("#text", "night, heavy rain")
    tab.page.keyboard.press("Enter")
    tab.page.locator("#where >> text=at night in rain").wait_for()
    assert 10 <= tab.see("state.header.step") <= 12  # the same drive, where it was
    for step in (12, 20, 40):
        tab.drive_to(step)
        assert tab.frame().mean() < 0.6 * day, step
    tab.page.fill("#text", "clear, day")
    tab.page.keyboard.press("Enter")
    tab.page.locator("#where >> text=by day in clear weather").wait_for()
    tab.drive_to(tab.see("state.header.step") + 5)
    assert tab.frame().mean() > 0.7 * day
    tab.page.fill("#text", "night, heavy rain")
    tab.page.click("#there")
    tab.page.locator("#where >> text=your words").wait_for()
    tab.drive_to(5)
    assert tab.frame().mean() < 0.6 * day
    tab.close()
