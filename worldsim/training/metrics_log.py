"""The figures of a run: one JSON object a line in ``metrics.jsonl``, and TensorBoard where it is installed."""

from __future__ import annotations

import contextlib
import json
import logging
from pathlib import Path
from typing import Any

from worldsim.storage import atomic_path, full_disk_named

logger = logging.getLogger(__name__)

FILE_NAME = "metrics.jsonl"


class MetricsLog:
    """Takes figures by step. What an interrupted run wrote after step ``since``, where it goes on, is taken back."""

    def __init__(self, out: Path, since: int) -> None:
        self._path = out / FILE_NAME
        self._board: Any = None
        with self._full_disk_named():
            _forget(self._path, since)
            try:
                from torch.utils.tensorboard import SummaryWriter

                self._board = SummaryWriter(str(out), purge_step=since + 1 if since else None)
            except ImportError:
                logger.info(
                    "TensorBoard is not installed (pip install 'worldsim[train]'): only %s is written", FILE_NAME
                )

    def write(self, values: dict[str, float]) -> None:
        """Write figures; ``values["step"]`` says when."""
        with self._full_disk_named():
            with open(self._path, "a", encoding="utf-8") as log:
                log.write(json.dumps(values) + "\n")
            if self._board is not None:
                for name, value in values.items():
                    if name != "step":
                        self._board.add_scalar(name, value, int(values["step"]))

    def __enter__(self) -> MetricsLog:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._board is not None:
            with self._full_disk_named():
                self._board.close()

    def _full_disk_named(self) -> contextlib.AbstractContextManager[None]:
        return full_disk_named(self._path, "; the last checkpoint is kept")


def _forget(path: Path, since: int) -> None:
    """Drop the lines after step ``since``, and one that was cut short."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= since]
    if len(kept) < len(lines):
        with atomic_path(path) as temporary:
            temporary.write_text("".join(kept), encoding="utf-8")
