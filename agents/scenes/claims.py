"""A folder of results belongs to one command at a time, and to one set of settings for good."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from worldsim.data.layout import lock
from worldsim.storage import read_json, write_json

LOCK = ".lock"


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Work in ``folder`` alone; what a killed process left half-written is removed. ValueError where it is taken."""
    with lock(folder / LOCK, wait=False) as held:
        if not held:
            raise ValueError(
                f"{folder}: expected a folder that nobody writes to, but another process does; wait for it"
            )
        for left in folder.glob("*/.*.tmp.*"):
            left.unlink(missing_ok=True)
        yield


def claim(path: Path, wanted: Mapping[str, Any]) -> None:
    """Note in ``path`` what its folder holds. Raises ValueError, with the key, where it holds something else."""
    if path.is_file():
        found = read_json(path, "settings of this folder")
        for key, value in wanted.items():
            if found.get(key) != value:
                raise ValueError(
                    f"{path.parent}: expected a folder of {key} = {value!r}, got one of {found.get(key)!r}; choose "
                    "another `out`, or the same settings"
                )
        return
    write_json(path, wanted)
