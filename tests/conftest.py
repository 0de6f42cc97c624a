"""What every test stands on."""

from __future__ import annotations

import signal

import pytest
import torch


def pytest_configure() -> None:
    """Tests of Ctrl-C need it to be heard: a shell that starts pytest in the background has children ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """``pytest -m gpu`` runs the tests that need a GPU where torch has one, and says so where it has none."""
    if not torch.cuda.is_available():
        for item in items:
            if "gpu" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="torch finds no CUDA GPU"))
