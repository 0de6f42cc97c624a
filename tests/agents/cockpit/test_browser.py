"""The cockpit's page in Chromium, with tiny worlds: everything on it does what it says."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from agents.cockpit.catalogue import Catalogue
from agents.cockpit.guard import Guard
from agents.cockpit.limits import Limits
from agents.cockpit.server import Cockpit
from worldsim.data.store import EpisodeStore

from .browsing import Tab, needs_chromium
from .conftest import Served, wait_until

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def make(catalogue: Catalogue, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Cockpit]:
    """A cockpit of tiny worlds."""
    out = tmp_path_factory.mktemp("drives")
    return lambda: Cockpit(catalogue, out, Guard(), Limits(), passes=1, seed=0)


@pytest.fixture(scope="module")
def served(make: Callable[[], Cockpit]) -> Iterator[Served]:
    running = Served(make)
    yield running
    running.stop()


@pytest.fixture
def tab(browser: Any, served: Served) -> Iterator[Tab]:
    opened = Tab(browser, served.url)
    yield opened
    opened.close()


def test_load_and_drive_with_keys(tab: Tab) -> None:
    page = tab.page
    page.locator("#go").wait_for()
    assert page.locator("#waiting").is_hidden()
    assert page.locator("canvas").first.evaluate("(canvas) => canvas.width") == 128
    first = tab.frame()
    page.keyboard.down("ArrowLeft")  # sets off, too
    tab.wait("state.header.drives[0].steering > 0.3")
    assert not np.array_equal(tab.frame(), first) and "←" in page.locator("#steering").inner_text()
    page.keyboard.up("ArrowLeft")
    tab.wait("Math.abs(state.header.drives[0].steering) < 0.05")  # the wheel comes back
    page.keyboard.down("d")
    tab.wait("state.header.drives[0].steering < -0.3")
    page.keyboard.up("d")
    assert tab.see("state.latency") > 0
    page.keyboard.press("Space")
    tab.wait("!state.driving")
    assert page.locator("#drive").inner_text() == "Drive"


def test_the_page_has_its_readings_and_its_pictures_are_crisp(tab: Tab) -> None:
    page = tab.page
    page.keyboard.down("ArrowUp")
    tab.wait("state.header.step >= 3 && state.header.drives[0].speed_mps > 0")
    shown = {id: page.locator(f"#{id}").inner_text() for id in ("speed", "lane", "hazard", "trust", "rate", "passes")}
    for id in ("speed", "lane", "hazard", "trust", "rate"):
        assert np.isfinite(float(shown[id].replace("−", "-"))), shown
    assert shown["passes"] == "1 pass" and "in 1 s" in page.locator("#hazard-name").text_content()
    tab.wait("document.getElementById('latency').textContent.endsWith(' ms')")
    page.keyboard.up("ArrowUp")
    assert page.locator("canvas").first.evaluate("(canvas) => getComputedStyle(canvas).imageRendering") == "pixelated"
    for select, names in (("#world", {"worlds/tiny", "worlds/bare"}), ("#scenario", {"highway", "night_rain"})):
        assert names <= set(page.locator(f"{select} option").evaluate_all("(all) => all.map((each) => each.value)"))


def test_a_machine_that_is_too_slow_is_said_to_be(tab: Tab, served: Served) -> None:
    (session,) = served.cockpit.sessions
    quick = session.step

    def slow(wheel: Any) -> None:
        time.sleep(0.25)
        quick(wheel)

    session.step = slow
    tab.see("cockpit.drive(true)")
    tab.page.locator("#notice >> text=frames a second, not 10").wait_for()
    assert "of its speed" in tab.page.locator("#notice").inner_text()


def test_the_whole_address_lets_in_and_the_bare_one_does_not(
    browser: Any, catalogue: Catalogue, tmp_path: Path
) -> None:
    served = Served(lambda: Cockpit(catalogue, tmp_path, Guard("secret-token"), Limits(), passes=1, seed=0))
    with browser.new_context() as context:
        answer = context.new_page().goto(served.url)
        assert answer.status == 403 and "token" in answer.text()
    tab = Tab(browser, f"{served.url}?token=secret-token")
    assert tab.page.url == served.url  # the token stands in no address bar
    tab.drive_to(1)
    tab.close()
    served.stop()


def test_let_it_drive_and_take_the_wheel_back(tab: Tab) -> None:
    tab.page.select_option("#pilot", "lane keeper")
    tab.wait("state.header.drives[0].pilot === 'lane keeper'")
    tab.drive_to(3)
    tab.page.keyboard.press("ArrowUp")
    tab.wait("state.header.drives[0].pilot === 'you'")
    assert tab.page.locator("#pilot").input_value() == "you"


def test_a_gamepad_steers(tab: Tab) -> None:
    tab.page.evaluate(
        """() => {
            const buttons = Array.from({ length: 16 }, () => ({ value: 0 }));
            const pad = { connected: true, axes: [0.9, 0], buttons };
            navigator.getGamepads = () => [null, pad];
        }"""
    )
    tab.wait("state.header.drives[0].steering < -0.5")
    speed = tab.see("state.header.drives[0].speed_mps")
    tab.page.evaluate(
        "() => { const [, pad] = navigator.getGamepads(); pad.axes[0] = 0.05; pad.buttons[7].value = 1; }"
    )
    tab.wait("Math.abs(state.header.drives[0].steering) < 0.05")  # a stick that is let go is nearly in the middle
    tab.wait(f"state.header.drives[0].speed_mps > {speed} + 0.2")
    tab.page.evaluate("() => { navigator.getGamepads = () => []; }")
    tab.wait("Math.abs(state.header.drives[0].steering) < 0.05")


def test_save_return_look_back_and_branch(tab: Tab) -> None:
    page = tab.page
    tab.drive_to(12)
    page.click("#save")
    page.locator(".moment").wait_for()
    saved = tab.see("state.header.step")
    frame = tab.frame()
    tab.drive_to(saved + 6)
    page.click(".moment >> text=Return")
    tab.wait(f"state.header.step === {saved}")
    assert np.array_equal(tab.frame(), frame)
    page.locator("#scrub").evaluate("(range) => { range.value = 5; range.dispatchEvent(new Event('input')); }")
    assert tab.see("strip.at") == 5 and page.locator("#from-here").is_visible()
    page.click("#branch-here")
    tab.wait("state.header.drives.length === 2 && state.header.step >= 7")
    assert page.locator(".second").is_visible() and tab.see("state.header.drives[1].pilot") == "as before"
    page.click("#keep-second")
    tab.wait("state.header.drives.length === 1")
    assert page.locator(".second").is_hidden()


def test_look_back_and_drive_on_or_save_there(tab: Tab) -> None:
    page = tab.page
    tab.drive_to(14)

    def look_at(step: int) -> None:
        page.locator("#scrub").evaluate(
            "(range, step) => { range.value = step; range.dispatchEvent(new Event('input')); }", step
        )

    look_at(9)
    assert " s ago" in page.locator("#ago").inner_text() and page.locator("#go").is_hidden()
    page.click("#save-here")
    page.locator(".moment >> text=0.5 s").wait_for()  # the last that was kept up to there
    page.click("#back-now")
    assert page.locator("#from-here").is_hidden() and tab.see("state.header.step") >= 14
    look_at(11)
    page.click("#from-here")
    tab.wait("state.header.step < 14")
    tab.wait("state.header.step >= 13 && state.driving")


def test_from_one_world_to_another_and_back(tab: Tab) -> None:
    """Whatever scenario is still chosen, and the pickers show what is driven."""
    page = tab.page
    page.select_option("#scenario", "two_way")
    page.select_option("#world", "worlds/bare")
    page.click("#begin")
    page.locator("#where >> text=imagined").wait_for()
    assert page.locator("#world").input_value() == "worlds/bare"
    assert page.locator("#scenario").input_value() == "two_way"
    page.select_option("#world", "worlds/tiny")
    page.click("#begin")
    page.locator("#where >> text=Two way").wait_for()
    assert page.locator("#problem").is_hidden() and page.locator("#world").input_value() == "worlds/tiny"


def test_words_the_truth_and_a_recording(tab: Tab, served: Served) -> None:
    page = tab.page
    page.fill("#text", "rainy night, pink elephants")
    page.click("#there")
    page.locator("#understood li").first.wait_for()
    assert page.locator("#understood").inner_text().split("\n") == ["rainy weather: rain", "night time of day: night"]
    assert "elephants" in page.locator("#unsupported").inner_text()
    assert page.locator("mark.unsupported").first.inner_text() == "pink"
    page.click("#truth")
    tab.wait("state.header.truth")
    assert page.locator(".truth").is_visible() and page.locator(".difference").is_visible()
    assert not np.array_equal(tab.frame("truth"), tab.frame())
    page.click("#record")
    tab.wait("state.recording")
    tab.drive_to(8)
    page.click("#record")
    with page.expect_download() as download:
        page.locator("#recordings a").click()
    with av.open(str(download.value.path())) as video:
        frames = sum(1 for _ in video.decode(video=0))
    (store,) = (EpisodeStore(each) for each in served.cockpit.out.iterdir() if each.is_dir())
    assert len(store.read(store.records[-1].index)) == frames >= 8


def test_words_change_the_drive_under_way(tab: Tab) -> None:
    page = tab.page
    tab.drive_to(4)
    tab.see("cockpit.drive(true)")
    page.fill("#text", "night, heavy rain, a roundabout")
    page.keyboard.press("Enter")
    page.locator("#where >> text=at night in rain").wait_for()
    page.locator("#understood >> text=weather: rain").wait_for()  # the account may come after the picture
    page.locator("#waiting").wait_for(state="hidden")
    assert "begin a new one" in page.locator("#unsupported").inner_text()
    step = tab.see("state.header.step")
    tab.wait(f"state.header.step >= {max(step, 4)} + 3 && state.driving")  # it goes on by itself
    page.fill("#text", "a roundabout")
    page.keyboard.press("Enter")
    page.locator("#problem >> text=begin a new one").wait_for()
    page.click("#there")
    page.locator("#where >> text=roundabout").wait_for()
    assert page.locator("#problem").is_hidden()


def test_a_wish_that_cannot_be_had_is_said_in_the_page(tab: Tab, tmp_path: Path) -> None:
    tab.page.select_option("#world", "worlds/damaged")
    tab.page.click("#begin")
    tab.page.locator("#problem").wait_for()
    assert "damaged" in tab.page.locator("#problem").inner_text()
    (tmp_path / "no.png").write_text("no picture")
    tab.page.select_option("#world", "worlds/bare")
    tab.page.set_input_files("#image", tmp_path / "no.png")
    tab.page.locator("#problem >> text=expected a PNG").wait_for()
    picture = np.zeros((200, 400, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "yes.png"), picture)
    tab.page.set_input_files("#image", tmp_path / "yes.png")
    tab.page.locator("#where >> text=your image").wait_for()


def test_two_tabs_a_killed_one_and_a_reload(browser: Any, served: Served) -> None:
    one, other = Tab(browser, served.url), Tab(browser, served.url)
    one.see("cockpit.drive(true)")
    other.drive_to(3)
    one.wait("state.header.step >= 3")
    assert len(served.cockpit.sessions) == 2
    one.page.reload()  # while it drives
    one.wait("state.opened && state.header && state.header.step === 0")
    with contextlib.suppress(Exception):  # the page cannot answer any more
        other.page.goto("chrome://crash", timeout=10_000)
    wait_until(lambda: len(served.cockpit.sessions) == 1)
    other.context.close()
    one.drive_to(2)
    one.close()
    wait_until(lambda: not served.cockpit.sessions)


def test_the_page_comes_back_when_the_server_does(browser: Any, make: Callable[[], Cockpit]) -> None:
    running = Served(make)
    tab = Tab(browser, running.url)
    tab.see("cockpit.drive(true)")
    running.stop()
    tab.page.locator("#waiting >> text=Trying again").wait_for()
    again = Served(make, running.port)
    tab.wait("state.opened && state.header.step >= 2")  # and it drives on by itself
    tab.errors.clear()  # the browser notes each try that failed
    tab.close()
    again.stop()


def test_a_finger_steers_on_a_phone(browser: Any, served: Served) -> None:
    options = {
        "viewport": {"width": 390, "height": 844},
        "has_touch": True,
        "is_mobile": True,
        "device_scale_factor": 2,
    }
    tab = Tab(browser, served.url, color_scheme="dark", **options)
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= 390
    box = tab.page.locator("#pad").bounding_box()
    finger = tab.context.new_cdp_session(tab.page)

    def touch(kind: str, share: float | None = None) -> None:
        points = [] if share is None else [{"x": box["x"] + share * box["width"], "y": box["y"] + 20}]
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 0.5)
    touch("touchMove", 0.9)
    tab.wait("state.header.drives[0].steering < -0.5")
    touch("touchMove", 0.1)
    tab.wait("state.header.drives[0].steering > 0.5")
    touch("touchEnd")
    tab.wait("Math.abs(state.header.drives[0].steering) < 0.05")
    speed = tab.see("state.header.drives[0].speed_mps")
    box = tab.page.locator("#brake").bounding_box()
    touch("touchStart", 0.5)
    tab.wait(f"state.header.drives[0].speed_mps < {speed} - 0.5")
    touch("touchEnd")
    ground = tab.page.evaluate("getComputedStyle(document.body).backgroundColor")
    tab.page.tap("#theme")
    assert tab.page.evaluate("getComputedStyle(document.body).backgroundColor") != ground
    tab.close()
