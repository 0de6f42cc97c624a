"""Chance that is handed in: what draws from torch's global generator does so from one of the caller's instead."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def drawn_from(generator: torch.Generator) -> Iterator[None]:
    """Networks made within the block draw their first weights from ``generator``, a CPU one, which moves on by that.

    torch's layers draw them from the global generator alone. It is lent the state of ``generator`` here, and has its
    own again after the block.
    """
    with torch.random.fork_rng(devices=[]):
        torch.random.set_rng_state(generator.get_state())
        yield
        generator.set_state(torch.random.get_rng_state())
