"""Latents of every episode, as a tokenizer encoded them, in shards that are mapped rather than read.

Axis legend: t frames, n tokens of a frame, d channels of a token.

    ROOT/latents/HASH/shard-000012-1f2e3d4c.npy     float16 (frames of several episodes, n, d)
    ROOT/latents/HASH/shard-000012-1f2e3d4c.json    commit record: which episode lies where
    ROOT/latents/HASH@left/...                      the same of a camera that was named; HASH alone is the main view

HASH names the tokenizer's weights and picture size, so latents of another are never mistaken for these. A shard
exists from the moment its JSON is renamed into place; a kill loses at most the shard being filled.
Several processes may write; each writes its own shards.
"""

from __future__ import annotations

import io
import re
import uuid
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from worldsim.storage import atomic_path, read_json, write_json

LatentArray = npt.NDArray[np.float16]

SHARD_BYTES = 32 * 2**20


def latents_folder(root: Path | str, tokenizer_hash: str, camera: str = "") -> Path:
    """Where the latents of a camera (none: the main view) under one tokenizer lie; ValueError for no plain name."""
    if not re.fullmatch(r"[\w.-]{4,128}", tokenizer_hash) or tokenizer_hash.startswith("."):
        raise ValueError(f"tokenizer hash: expected 4 to 128 letters, digits, - _ ., got {tokenizer_hash!r}")
    if not re.fullmatch(r"[\w.-]{0,128}", camera):
        raise ValueError(f"camera: expected a name of letters, digits, - _ ., got {camera!r}")
    return Path(root) / "latents" / (f"{tokenizer_hash}@{camera}" if camera else tokenizer_hash)


class LatentWriter:
    """Adds the latents of episodes, (t, n_tokens, dim) each. Use as a context manager, or call ``flush`` at the end.

    ``done`` holds the indices that are on disk, so that an interrupted run goes on where it was.
    """

    def __init__(self, root: Path | str, tokenizer_hash: str, n_tokens: int, dim: int, camera: str = "") -> None:
        self.folder = latents_folder(root, tokenizer_hash, camera)
        self.shape = (n_tokens, dim)
        self.done: set[int] = set()
        self._pending: dict[int, LatentArray] = {}
        for shard in _shards(self.folder):
            if shard["shape"] != list(self.shape):
                raise ValueError(
                    f"{self.folder}: expected shards of (n, d) = {self.shape}, found {tuple(shard['shape'])}; "
                    "another tokenizer carries the same hash: remove the folder and encode again"
                )
            self.done.update(shard["episodes"])

    def add(self, episode_index: int, latents: npt.NDArray[Any]) -> None:
        """Queue one episode; the shard is written once it is full. ValueError for a bad shape, NaN, or a repeat."""
        if latents.ndim != 3 or latents.shape[1:] != self.shape or not len(latents):
            raise ValueError(
                f"latents of episode {episode_index}: expected (t, {self.shape[0]}, {self.shape[1]}) with t >= 1, "
                f"got {latents.shape}"
            )
        if episode_index in self.done or episode_index in self._pending:
            raise ValueError(f"latents of episode {episode_index}: already written to {self.folder}")
        with np.errstate(over="ignore"):
            stored = latents.astype(np.float16)
        if not np.isfinite(stored).all():
            raise ValueError(
                f"latents of episode {episode_index}: expected finite values that fit float16, got "
                f"{int((~np.isfinite(stored)).sum())} that do not"
            )
        self._pending[episode_index] = stored
        if sum(part.nbytes for part in self._pending.values()) >= SHARD_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what is queued as one shard."""
        if not self._pending:
            return
        name = f"shard-{min(self._pending):06d}-{uuid.uuid4().hex[:8]}"
        ends = np.cumsum([len(part) for part in self._pending.values()]).tolist()
        shard = io.BytesIO()  # numpy itself, on a full disk, does not say that it is full
        np.save(shard, np.concatenate(list(self._pending.values())))
        with atomic_path(self.folder / f"{name}.npy") as temporary:
            temporary.write_bytes(shard.getvalue())
        write_json(
            self.folder / f"{name}.json",
            {"shape": list(self.shape), "episodes": list(self._pending), "starts": [0, *ends[:-1]], "ends": ends},
        )
        self.done.update(self._pending)
        self._pending.clear()

    def __enter__(self) -> LatentWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.flush()  # also after Ctrl-C: what was encoded is kept


class LatentStore:
    """Latents by episode index, mapped from disk: nothing is read before it is used."""

    def __init__(self, folder: Path, shards: list[dict[str, Any]]) -> None:
        self.folder = folder
        self.shape: tuple[int, int] = (shards[0]["shape"][0], shards[0]["shape"][1])
        self._arrays: dict[str, LatentArray] = {}
        self._where: dict[int, tuple[str, int, int]] = {}
        for shard in shards:
            if tuple(shard["shape"]) != self.shape:
                raise ValueError(f"{folder}: field `shape`: expected {self.shape} in every shard, got {shard['shape']}")
            for index, start, end in zip(shard["episodes"], shard["starts"], shard["ends"], strict=True):
                self._where[index] = (shard["file"], start, end)

    @classmethod
    def open(cls, root: Path | str, tokenizer_hash: str, camera: str = "") -> LatentStore:
        """The latents of a camera (none: the main view) of the data set at ``root`` under this tokenizer.

        Raises ValueError where there are none, naming what is there.
        """
        folder = latents_folder(root, tokenizer_hash, camera)
        shards = _shards(folder)
        if not shards:
            others = sorted(path.name for path in folder.parent.glob("*") if path.is_dir()) or "none"
            raise ValueError(
                f"{folder}: expected latents of tokenizer {tokenizer_hash!r}, found none (encoded there: {others}); "
                "encode the data set with this tokenizer, at this size and with these cameras first"
            )
        return cls(folder, shards)

    @property
    def indices(self) -> list[int]:
        """Indices of the encoded episodes."""
        return sorted(self._where)

    def __len__(self) -> int:
        return len(self._where)

    def __contains__(self, episode_index: int) -> bool:
        return episode_index in self._where

    def __getitem__(self, episode_index: int) -> LatentArray:
        """(t, n, d) float16, read-only. ValueError for an episode that is not encoded or a damaged shard."""
        if episode_index not in self._where:
            raise ValueError(f"{self.folder}: expected the latents of episode {episode_index}, but it is not encoded")
        name, start, end = self._where[episode_index]
        if name not in self._arrays:
            self._arrays[name] = self._map(self.folder / name, end)
        return self._arrays[name][start:end]

    def _map(self, path: Path, end: int) -> LatentArray:
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise ValueError(
                f"{path}: expected a float16 .npy of latents, got {error}; remove it and encode again"
            ) from error
        if array.dtype != np.float16 or array.shape[1:] != self.shape or len(array) < end:
            raise ValueError(f"{path}: expected (>= {end}, {self.shape}) float16, got {array.shape} {array.dtype}")
        return array


class LatentViews:
    """Latents of several cameras of one data set, side by side: those of an episode are (t, views n, d)."""

    def __init__(self, stores: Sequence[LatentStore]) -> None:
        self.stores = stores
        self.folder = stores[0].folder
        self.shape = (sum(store.shape[0] for store in stores), stores[0].shape[1])

    @classmethod
    def open(cls, root: Path | str, tokenizer_hash: str, cameras: Sequence[str]) -> LatentViews:
        """Those of ``cameras``, in their order; none: the main view alone. Raises as ``LatentStore.open``."""
        return cls([LatentStore.open(root, tokenizer_hash, camera) for camera in cameras or [""]])

    def __getitem__(self, episode_index: int) -> LatentArray:
        """(t, views n, d) float16. ValueError as ``LatentStore`` raises it, and for views of different length."""
        parts = [store[episode_index] for store in self.stores]
        if len({len(part) for part in parts}) > 1:
            raise ValueError(
                f"latents of episode {episode_index}: expected as many frames in every view, "
                f"got {[len(part) for part in parts]}; remove {self.folder.parent} and encode again"
            )
        return np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]


def _shards(folder: Path) -> list[dict[str, Any]]:
    """Commit records of the folder's shards. ValueError, naming file and key, for one that is damaged."""
    shards = []
    for path in sorted(folder.glob("shard-*.json")):
        shard = read_json(path, "record of a latent shard")
        for key in ("shape", "episodes", "starts", "ends"):
            if not isinstance(shard, dict) or not isinstance(shard.get(key), list):
                raise ValueError(f"{path}: field `{key}`: expected a list, got none; remove the shard and encode again")
        shards.append(shard | {"file": f"{path.stem}.npy"})
    return shards
