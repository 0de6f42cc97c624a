"""Wording of errors that a user reads: name what was expected, what came, and the nearest valid name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


def nearest(got: Any, valid: Iterable[Any]) -> str:
    """``"; did you mean 'x'?"`` for the valid name closest to ``got``, or an empty string."""
    names = [str(name) for name in valid]
    found = difflib.get_close_matches(str(got).lower(), [name.lower() for name in names], n=1, cutoff=0.5)
    if not found:
        return ""
    match = next(name for name in names if name.lower() == found[0])
    return f"; did you mean {match!r}?"


def choose(got: str, valid: Iterable[str], what: str) -> str:
    """Return ``got`` if it is valid; else raise ValueError that lists what is and suggests the nearest."""
    names = list(valid)
    if got not in names:
        raise ValueError(f"unknown {what} {got!r}: expected one of {names}{nearest(got, names)}")
    return got
