"""Writing episodes so that a kill, a full disk or a second process cannot damage the data set.

An episode's parquet and mp4 are each renamed into place; the episode exists from the moment its commit
record (meta/records/episode-NNNNNN.json) is renamed into place, which is last. A process that dies
before that leaves files that nobody reads and that the next writer of the same index replaces.
Processes share a root: each holds the lock of the index it writes, and the kernel drops the lock of a
process that dies.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from worldsim.data.columns import check_features, episode_features, episode_table, table_bytes
from worldsim.data.layout import (
    INFO_PATH,
    create_info,
    data_file,
    lock,
    read_info,
    record_file,
    recorded_indices,
    video_file,
)
from worldsim.data.record import EpisodeRecord, VideoFile, make_record, record_to_json
from worldsim.data.statistics import episode_statistics
from worldsim.data.video import encode_video
from worldsim.storage import atomic_path, write_json
from worldsim.types import FRAME_RATE_HZ, Episode

log = logging.getLogger(__name__)

RATE_TOLERANCE = 0.1
"""Largest relative difference between an episode's mean frame interval and the data set's."""


class EpisodeWriter:
    """Adds episodes to the data set at ``root``, which is created by the first, or resumed.

    ``fps`` is the rate of a new data set; None takes it from the first episode's timestamps.
    """

    def __init__(self, root: Path | str, fps: float | None = None) -> None:
        self.root = Path(root)
        self._asked_fps = fps
        self._next = 0
        self.fps: float | None = self._read_fps() if (self.root / INFO_PATH).exists() else None

    def done(self) -> set[int]:
        """Indices of the episodes that are committed."""
        return recorded_indices(self.root) or set()

    def write(self, episode: Episode, index: int | None = None) -> EpisodeRecord:
        """Write one episode, as ``index`` or as the lowest free one, and return its record.

        Raises ValueError for an episode that breaks its contract or does not fit the data set's
        rate, an index that is taken, or one that another process is writing; OSError for a full disk.
        """
        episode.validate()
        _check_writable(episode)
        fps = self._settle_rate(episode)
        with self._claim(index) as number:
            table = episode_table(episode, fps, episode_index=number, first=number * len(episode), task_index=0)
            _write(data_file(self.root, number), table_bytes(table))
            videos = []
            for camera, frames in episode.views.items():
                content = encode_video(frames, fps)
                _write(video_file(self.root, number, camera), content)
                videos.append(VideoFile(camera, frames.shape[1], frames.shape[2], len(content), zlib.crc32(content)))
            record = make_record(episode, number, fps, tuple(videos))
            write_json(
                record_file(self.root, number), record_to_json(record) | {"stats": episode_statistics(episode, table)}
            )
        return record

    def _read_fps(self) -> float:
        info = read_info(self.root)
        check_features(info["features"], str(self.root / INFO_PATH))
        if self._asked_fps is not None and abs(info["fps"] - self._asked_fps) > 1e-6:
            raise ValueError(
                f"{self.root}: field `fps`: the data set there has {info['fps']}, got {self._asked_fps}; "
                "write to another folder, or ask for the same rate"
            )
        return info["fps"]

    def _settle_rate(self, episode: Episode) -> float:
        interval = float(np.mean(np.diff(episode.timestamps))) if len(episode) > 1 else None
        if self.fps is None:
            fps = self._asked_fps or (FRAME_RATE_HZ if interval is None else _nominal_rate(interval))
            create_info(self.root, fps, episode_features(episode, fps))
            self.fps = self._read_fps()
        if interval is not None and abs(interval * self.fps - 1) > RATE_TOLERANCE:
            raise ValueError(
                f"{self.root}: field `timestamps`: expected {self.fps} frames/s as in the rest of the data set, "
                f"got {1 / interval:.3g}; resample the episode, or write it to another folder"
            )
        return self.fps

    @contextmanager
    def _claim(self, index: int | None) -> Iterator[int]:
        """Hold the lock of ``index`` or of the lowest index that is neither committed nor held."""
        candidates = iter([index]) if index is not None else iter(range(self._next, 1_000_000_000))
        for number in candidates:
            if record_file(self.root, number).exists():
                continue
            path = self.root / "meta" / "claims" / f"{number:06d}.lock"
            with lock(path, wait=False) as held:
                if not held or record_file(self.root, number).exists():
                    continue
                remove_leftovers(self.root, number)
                yield number
                if index is None:
                    self._next = number + 1
                path.unlink(missing_ok=True)
                return
        raise ValueError(f"{self.root}: episode {index} is already written, or another process is writing it")


def write_episode(root: Path | str, episode: Episode) -> EpisodeRecord:
    """Append one episode to the data set at ``root``. See EpisodeWriter.write for what it raises."""
    return EpisodeWriter(root).write(episode)


def remove_leftovers(root: Path, index: int) -> None:
    """Remove what a killed writer left of episode ``index``. The caller holds its lock and it has no record."""
    data, record = data_file(root, index), record_file(root, index)
    found = list(record.parent.glob(f".{record.stem}.*.tmp.*"))
    for folder in (data.parent, *(root / "videos").glob(f"*/{data.parent.name}")):
        found += [*folder.glob(f"{data.stem}.*"), *folder.glob(f".{data.stem}.*.tmp.*")]
    for path in found:
        log.info("removing %s, left by a writer that was stopped", path)
        path.unlink(missing_ok=True)


def _check_writable(episode: Episode) -> None:
    if len(episode) == 0:
        raise ValueError("episode: expected at least one frame, got none")
    for camera in episode.views:
        if not camera or "/" in camera or camera.startswith("."):
            raise ValueError(f"episode: field `views`: expected camera names usable as folder names, got {camera!r}")
    for group in ("rewards", "signals"):
        for name, values in getattr(episode, group).items():
            if np.shape(values) != (len(episode),):
                raise ValueError(
                    f"episode: field `{group}[{name}]`: expected ({len(episode)},), got {np.shape(values)}"
                )
    for frame, boxes in enumerate(episode.boxes):
        if np.ndim(boxes) != 2 or np.shape(boxes)[1] != 5:
            raise ValueError(f"episode: field `boxes[{frame}]`: expected shape (k, 5), got {np.shape(boxes)}")
    if episode.seed is not None and not -(2**63) <= episode.seed < 2**63:
        raise ValueError(f"episode: field `seed`: expected a 64-bit integer, got {episode.seed}")


def _nominal_rate(interval: float) -> float:
    """Frames per second of a median interval: a whole number where it is within 1 % of one, as clocks jitter."""
    rate = 1 / interval
    return float(round(rate)) if abs(rate / max(round(rate), 1) - 1) < 0.01 else float(f"{rate:.3g}")


def _write(target: Path, content: bytes) -> None:
    with atomic_path(target) as temporary:
        temporary.write_bytes(content)
