"""What every test stands on."""

from __future__ import annotations

import os
import signal

import pytest
import torch


def pytest_configure() -> None:
    """One thread for torch, here and in what tests start: the networks are tiny, and tests run side by side.

    Tests of Ctrl-C need it to be heard: a shell that starts pytest in the background has children ignore it.
    """
    torch.set_num_threads(1)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """``pytest -m gpu`` runs the tests that need a GPU where torch has one, and says so where it has none."""
    if not torch.cuda.is_available():
        for item in items:
            if "gpu" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="torch finds no CUDA GPU"))
