"""The page in a real browser: Debian's Chromium without a window, driven by Playwright.

Waits are for what is to be seen, never for a time, so that a slow machine is only slower.
"""

from __future__ import annotations

import shutil
import time
from typing import Any

import numpy as np
import pytest

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
]  # fmt: skip
PATIENCE_S = 120.0

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium: apt-get install chromium")


class Tab:
    """A page with the cockpit in it; what goes wrong in it fails the test."""

    def __init__(self, browser: Any, url: str, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.context.set_default_timeout(1000 * PATIENCE_S)
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda line: self.errors.append(line.text) if line.type == "error" else None)
        self.asked: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(url)
        self.wait("state.opened && state.header")
        assert all(each.startswith((url.partition("?")[0], "blob:", "data:")) for each in self.asked), self.asked

    def see(self, what: str) -> Any:
        """A value of ``window.cockpit``."""
        return self.page.evaluate(f"(() => {{ const {{ state, strip }} = window.cockpit ?? {{}}; return {what}; }})()")

    def wait(self, what: str) -> None:
        """Until ``what`` is true in the page."""
        end = time.monotonic() + PATIENCE_S
        while not self.see(f"Boolean({what})"):
            assert time.monotonic() < end, f"waited for {what}; errors: {self.errors}"
            time.sleep(0.03)

    def drive_to(self, step: int) -> None:
        """Let time pass up to a step, and stand still there."""
        self.see("cockpit.drive(true)")
        self.wait(f"state.header.step >= {step}")
        self.see("cockpit.drive(false)")
        self.wait("!state.header.driving || !state.driving")

    def frame(self, name: str = "first", step: int | None = None) -> np.ndarray:
        """The newest picture (h, w, 3), or that of a step."""
        which = "strip.newest" if step is None else f"strip.frame({step})"
        pixels = self.see(f"Array.from({which}.pictures.{name}.data)")
        width = self.see(f"{which}.pictures.{name}.width")
        return np.array(pixels, np.uint8).reshape(-1, width, 4)[..., :3]

    def close(self) -> None:
        self.context.close()
        assert not self.errors
