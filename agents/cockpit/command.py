"""``worldsim cockpit``: drive the learned world in the browser."""

from __future__ import annotations

import contextlib
import importlib.util
import socket
import threading
import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from worldsim.checkpoint import DEFAULT_WORLD
from worldsim.diffusion.sampler import check_steps
from worldsim.say import say
from worldsim.schema import option

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

    from .limits import Limits

NEEDED = ("fastapi", "uvicorn", "websockets", "PIL")
QUEUED_MESSAGES = 8


@dataclass
class CockpitConfig:
    """Where to drive, and who may."""

    world: str = option(DEFAULT_WORLD, "world to begin in: a name that ships, or a folder")
    places: list[Path] = option(
        factory=lambda: [Path("runs")], help="folders in which further worlds and policies are looked for"
    )
    out: Path = option(Path("drives"), "folder of what is recorded")
    host: str = option("127.0.0.1", "address to listen at; 0.0.0.0 lets others in, who then need the token")
    port: int = option(8765, "port to listen at; 0: any that is free")
    token: str | None = option(None, "secret that a page must know; made up where others are let in and none is given")
    sessions: int = option(4, "drives that may be open at a time")
    steps: int = option(4, "sampling passes a frame at most: 1, 2, 4, ...; fewer are drawn where time is short")
    device: str = option("cpu", "where the world is computed: cpu, cuda, cuda:1, ...")
    seed: int | None = option(None, "chooses the starts and what is left to chance; none: another drive each time")
    open_browser: bool = option(True, "open the page, where there is a browser")

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port: expected a number from 0 to 65535, got {self.port}")
        if not 1 <= self.sessions <= 64:
            raise ValueError(f"sessions: expected a number from 1 to 64, got {self.sessions}")
        if self.token is not None and len(self.token) < 8:
            raise ValueError(f"token: expected at least 8 characters, got {len(self.token)}")


def cockpit(config: CockpitConfig) -> None:
    """Serve the page until Ctrl-C. Raises ValueError for an unknown world, OSError for a port that is taken."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(f"the cockpit needs {', '.join(missing)}: pip install -e '.[cockpit]'")
    import uvicorn

    from .catalogue import Catalogue
    from .guard import QUERY, Guard, is_loopback, new_token
    from .limits import Limits
    from .server import Cockpit, make_app

    catalogue = Catalogue(config.world, config.places, config.device)
    world = catalogue.open(catalogue.first)  # before anything is promised
    check_steps(config.steps, world.model.config.dynamics.finest_steps)
    token = config.token or (None if is_loopback(config.host) else new_token())
    limits = Limits(sessions=config.sessions)
    served = Cockpit(catalogue, config.out, Guard(token), limits, config.steps, config.seed)
    listener = listen(config.host, config.port)
    port = listener.getsockname()[1]
    shown = "localhost" if is_loopback(config.host) else socket.gethostname()
    address = f"http://{shown}:{port}/" + (f"?{QUERY}={token}" if token else "")
    say(f"the cockpit is at {address}\nCtrl-C ends it")
    if config.open_browser:
        threading.Timer(0.5, lambda: webbrowser.open(address)).start()
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(server_config(make_app(served), limits)).run(sockets=[listener])


def server_config(app: FastAPI, limits: Limits) -> uvicorn.Config:
    """How uvicorn serves: bounded messages, and pings that find out who vanished."""
    import uvicorn

    return uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, proxy_headers=False, limit_concurrency=64,
        timeout_graceful_shutdown=2, ws_max_size=limits.image_bytes + limits.text_bytes, ws_max_queue=QUEUED_MESSAGES,
        ws_ping_interval=limits.ping_s, ws_ping_timeout=limits.ping_s, ws_per_message_deflate=False,
    )  # fmt: skip


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises OSError that says what to do."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()  # whoever comes before the server is up waits
    except OSError as error:
        listener.close()
        raise OSError(f"port {port} at {host} cannot be had ({error.strerror}); give another: port=0") from error
    return listener
