"""What every test stands on."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """Tests of Ctrl-C need it to be heard: a shell that starts pytest in the background has children ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
