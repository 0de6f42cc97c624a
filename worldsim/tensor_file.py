"""Tensors on disk, with what they mean in the header as JSON: safetensors, no pickle.

What each kind of file holds stands beside what it is made from; here is what all of them share: they are written
atomically, and whatever is wrong with one is said in words.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from worldsim.storage import atomic_path


@dataclass(frozen=True)
class TensorFile:
    """A kind of file."""

    what: str  # what errors call it
    key: str  # of the header in the metadata
    version: int  # of the format; a file of another one is refused
    again: str = "train it again"  # what to do where a file is of no use

    def write(self, path: Path, tensors: Mapping[str, torch.Tensor], header: Mapping[str, Any]) -> None:
        """Write ``tensors`` and ``header`` to ``path``, atomically."""
        stored = {"format_version": self.version, **header}
        with atomic_path(path) as temporary:
            save_file(dict(tensors), temporary, metadata={self.key: json.dumps(stored)})

    def header(self, path: Path) -> dict[str, Any]:
        """The header alone. ValueError for a damaged file or another format version."""
        try:
            with safe_open(path, framework="pt") as handle:
                header = json.loads((handle.metadata() or {}).get(self.key, "{}"))
        except (SafetensorError, OSError, json.JSONDecodeError) as error:
            raise ValueError(f"{self.what}: {path} is damaged ({error}); copy it anew, or {self.again}") from error
        if header.get("format_version") != self.version:
            raise ValueError(
                f"{self.what}: expected format version {self.version} in {path}, got {header.get('format_version')}; "
                f"use the release that wrote it, or {self.again}"
            )
        return header

    def read(self, path: Path, device: torch.device | str = "cpu") -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Tensors, on ``device``, and header. Raises as ``header`` does."""
        header = self.header(path)
        with safe_open(path, framework="pt", device=str(device)) as handle:
            return {name: handle.get_tensor(name) for name in handle.keys()}, header  # noqa: SIM118
