"""Writes that a kill, a full disk or a second process cannot leave half-done."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FULL = (errno.ENOSPC, errno.EDQUOT)


@contextlib.contextmanager
def atomic_path(target: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside ``target``; on success it is flushed and renamed onto ``target``.

    On any error the temporary file is removed and ``target`` stays as it was. A full disk is
    raised as OSError with the path and what to do.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.stem}.{uuid.uuid4().hex[:8]}.tmp{target.suffix}")
    try:
        with full_disk_named(target, "; nothing was half-written"):
            yield temporary
            with open(temporary, "rb") as handle:
                os.fsync(handle.fileno())
            os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def full_disk_named(target: Path | str, kept: str = "") -> Iterator[None]:
    """Turn a full disk while writing ``target`` into an OSError that says so, and ``kept``: what is not lost."""
    try:
        yield
    except Exception as error:
        # safetensors raises an error of its own, with the number in its words alone
        if getattr(error, "errno", None) not in FULL and not any(f"(os error {n})" in str(error) for n in FULL):
            raise
        raise OSError(errno.ENOSPC, f"the disk is full while writing {target}{kept}. Free space and rerun") from error


def write_json(target: Path | str, value: Any) -> None:
    """Write ``value`` as indented JSON, atomically."""
    with atomic_path(target) as temporary:
        temporary.write_text(json.dumps(value, indent=2, sort_keys=False) + "\n", encoding="utf-8")


def read_json(path: Path | str, what: str) -> Any:
    """Read JSON, or raise ValueError that names the file, ``what`` it should be, and the place of the fault."""
    path = Path(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(f"{what}: expected the file {path}, but it does not exist") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{what}: {path} is not valid JSON ({error}); it may have been cut short") from error
