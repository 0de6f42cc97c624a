"""What the tests of the cockpit share: a catalogue of tiny worlds, sessions, and a server on a thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.cockpit.catalogue import Catalogue
from agents.cockpit.limits import Limits
from agents.cockpit.session import Session
from agents.starts import sit
from envs.learned.collect_starts import drive_contexts, make_bank
from tests.worldsim.worlds import tiny_world
from worldsim.checkpoint import ModelCard, save_world

from .browsing import CHROMIUM, FLAGS, PATIENCE_S


@pytest.fixture(scope="package")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place with a tiny world that has starts, one that has none, and a damaged one."""
    place = tmp_path_factory.mktemp("place") / "worlds"
    for name in ("tiny", "bare"):
        save_world(place / name, tiny_world(), ModelCard(name, "It knows nothing.", "none"))
    contexts = drive_contexts(sit, tiny_world(), ["highway", "night_rain", "two_way"], per_scenario=1, frames=6)
    make_bank(tiny_world(), contexts).save(place / "tiny")
    (place / "damaged").mkdir()
    (place / "damaged" / "world.safetensors").write_bytes(b"not a world")
    return place


@pytest.fixture(scope="package")
def catalogue(worlds: Path) -> Catalogue:
    """Worlds "worlds/tiny", "worlds/bare" and "worlds/damaged", by the name of their place."""
    return Catalogue(worlds / "tiny", [worlds])


@pytest.fixture
def session(catalogue: Catalogue, tmp_path: Path) -> Iterator[Session]:
    """One that has not begun."""
    made = Session(catalogue, Limits(), tmp_path / "drives", passes=1, seed=0)
    yield made
    made.close()


class Served:
    """A cockpit on a port of its own, in a thread."""

    def __init__(self, make: Callable[[], Any], port: int = 0) -> None:
        import uvicorn

        from agents.cockpit.command import listen, server_config
        from agents.cockpit.server import make_app

        self.cockpit = make()
        listener = listen("127.0.0.1", port)
        self.port = listener.getsockname()[1]
        self.server = uvicorn.Server(server_config(make_app(self.cockpit), self.cockpit.limits))
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [listener]}, daemon=True)
        self.thread.start()
        wait_until(lambda: self.server.started)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}/"

    def stop(self) -> None:
        """End it, and all its connections."""
        self.server.should_exit = True
        self.thread.join(60)
        assert not self.thread.is_alive()


def wait_until(true: Callable[[], object], seconds: float = 60.0) -> None:
    """Look again and again until ``true`` is."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"waited {seconds:g} s in vain"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=1000 * PATIENCE_S)
        yield launched
        launched.close()
