"""Reading a data set of episodes: an index that opens in milliseconds, and a reader that names broken files."""

from __future__ import annotations

import logging
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from worldsim.data.columns import check_features, episode_arrays
from worldsim.data.layout import (
    EPISODES_PATH,
    INFO_PATH,
    check_on_error,
    data_file,
    read_info,
    record_file,
    recorded_indices,
    video_file,
)
from worldsim.data.record import EpisodeRecord, VideoFile, record_from_json, records_from_table
from worldsim.data.video import decode_video
from worldsim.errors import choose
from worldsim.storage import read_json
from worldsim.types import Episode, FrameArray

log = logging.getLogger(__name__)


class EpisodeStore:
    """The committed episodes of the data set at ``root``, finalized or still being written.

    ``records`` lists them by ``index``. ``on_error`` says what a broken commit record does: "raise"
    stops, "skip" logs it, notes it in ``broken`` (file -> reason) and goes on.
    Raises ValueError, naming file, field, expected and got, for a folder that is no data set.
    """

    def __init__(self, root: Path | str, on_error: str = "raise") -> None:
        check_on_error(on_error)
        self.root = Path(root)
        info = read_info(self.root)
        check_features(info["features"], str(self.root / INFO_PATH))
        self.fps: float = info["fps"]
        self.broken: dict[str, str] = {}
        self.records = self._open(on_error)
        self._by_index = {record.index: record for record in self.records}

    def __len__(self) -> int:
        return len(self.records)

    def read(self, index: int, frames: bool = True) -> Episode:
        """The episode ``index`` (its record's), whole. ``frames=False`` leaves ``views`` empty and skips the video.

        Raises ValueError, naming file, field, expected and got, for an index that is not there and
        for a file that is missing, cut short, or damaged.
        """
        record = self.record(index)
        path = data_file(self.root, index)
        arrays = episode_arrays(_read_parquet(path, record.length), str(path))
        views = {video.camera: self._read_video(index, video, record.length) for video in record.videos if frames}
        episode = Episode(
            views=views,
            **arrays,
            cameras=dict(record.cameras),
            fields=record.fields,
            happenings=record.happenings,
            caption=record.caption,
            scenario=record.scenario,
            driver=record.driver,
            seed=record.seed,
            split=record.split,
            source=record.source,
            licence=record.licence,
        )
        return episode.validate(str(path)) if frames else episode

    def read_frames(self, index: int, start: int = 0, stop: int | None = None, camera: str | None = None) -> FrameArray:
        """Frames ``start`` to ``stop`` of one camera (None: the main view), (t, h, w, 3), without decoding the rest."""
        record = self.record(index)
        cameras = [video.camera for video in record.videos]
        name = cameras[0] if camera is None else choose(camera, cameras, "camera")
        stop = record.length if stop is None else stop
        if not 0 <= start <= stop <= record.length:
            raise ValueError(f"episode {index}: expected 0 <= start <= stop <= {record.length}, got {start}, {stop}")
        path = video_file(self.root, index, name)
        _check_exists(path)
        frames = decode_video(path, start, stop)
        if len(frames) != stop - start:
            raise ValueError(f"{path}: expected frames {start} to {stop}, got {len(frames)} of them; it was cut short")
        return frames

    def record(self, index: int) -> EpisodeRecord:
        """The record of episode ``index``; ValueError where there is none."""
        if index not in self._by_index:
            known = f"{min(self._by_index)} to {max(self._by_index)}" if self._by_index else "none"
            raise ValueError(f"{self.root}: expected the index of an episode ({known}), got {index}")
        return self._by_index[index]

    def select(self, split: str | None = None, scenario: str | None = None) -> list[EpisodeRecord]:
        """The records of a split and scenario; None takes all. ValueError for a name the data set lacks."""
        if split is not None:
            choose(split, ("train", "val"), "split")
        if scenario is not None:
            choose(scenario, sorted({record.scenario for record in self.records}), "scenario of this data set")
        return [r for r in self.records if split in (None, r.split) and scenario in (None, r.scenario)]

    def iterate(
        self, records: Iterable[EpisodeRecord] | None = None, frames: bool = True, on_error: str = "raise"
    ) -> Iterator[tuple[EpisodeRecord, Episode]]:
        """Read the given records (None: all) one by one.

        A broken episode raises ValueError with ``on_error="raise"``; with "skip" it is logged, noted
        in ``broken`` and left out.
        """
        check_on_error(on_error)
        for record in self.records if records is None else records:
            try:
                episode = self.read(record.index, frames)
            except ValueError as error:
                if on_error == "raise":
                    raise
                self._note(data_file(self.root, record.index), error)
                continue
            yield record, episode

    def summary(self) -> dict[str, Any]:
        """Counts of episodes by split, scenario, driver, source and licence; frames, seconds and video bytes."""
        counted = {
            name: dict(Counter(getattr(record, name) for record in self.records).most_common())
            for name in ("split", "scenario", "driver", "source", "licence")
        }
        return {
            "episodes": len(self.records),
            "frames": sum(record.length for record in self.records),
            "seconds": sum(record.seconds for record in self.records),
            "video_bytes": sum(video.bytes for record in self.records for video in record.videos),
            "fps": self.fps,
            **counted,
            "broken": dict(self.broken),
        }

    def _open(self, on_error: str) -> list[EpisodeRecord]:
        committed, path = recorded_indices(self.root), self.root / EPISODES_PATH
        found: dict[int, EpisodeRecord] = {}
        if path.exists():
            try:
                table = pq.ParquetFile(path).read(use_threads=False)
                found = {r.index: r for r in records_from_table(table, str(path))}
            except (OSError, pa.ArrowInvalid, ValueError) as error:
                if not committed:
                    raise ValueError(f"{path}: expected the index of a data set, got {error}") from error
                log.warning("%s cannot be read (%s): reading the commit records instead; run finalize()", path, error)
        if committed is None:
            return list(found.values())
        for index in sorted(committed - set(found)):
            record_path = record_file(self.root, index)
            try:
                value = read_json(record_path, "record of an episode")
                found[index] = record_from_json(value, str(record_path))
            except ValueError as error:
                if on_error == "raise":
                    raise
                self._note(record_path, error)
        return [found[index] for index in sorted(committed & set(found))]

    def _read_video(self, index: int, video: VideoFile, length: int) -> FrameArray:
        path = video_file(self.root, index, video.camera)
        _check_exists(path)
        content = path.read_bytes()
        if len(content) != video.bytes:
            raise ValueError(f"{path}: expected {video.bytes} bytes, got {len(content)}; it was cut short or replaced")
        if zlib.crc32(content) != video.crc32:
            raise ValueError(f"{path}: expected CRC-32 {video.crc32:08x}, got {zlib.crc32(content):08x}; it is damaged")
        try:
            frames = decode_video(content)
        except ValueError as error:
            raise ValueError(f"{path}: expected an mp4 that decodes, got {error}") from error
        if frames.shape != (length, video.height, video.width, 3):
            raise ValueError(f"{path}: expected {(length, video.height, video.width, 3)} frames, got {frames.shape}")
        return frames

    def _note(self, path: Path, error: ValueError) -> None:
        log.warning("skipping: %s", error)
        self.broken[str(path)] = str(error)


def _check_exists(path: Path) -> None:
    if not path.is_file():
        raise ValueError(f"{path}: expected the file, but it does not exist; remove the episode's record to drop it")


def _read_parquet(path: Path, length: int) -> pa.Table:
    _check_exists(path)
    try:
        table = pq.ParquetFile(path, page_checksum_verification=True).read(use_threads=False)
    except (OSError, pa.ArrowInvalid) as error:
        raise ValueError(
            f"{path}: expected a readable parquet file, got {error}; it was cut short or damaged"
        ) from error
    if table.num_rows != length:
        raise ValueError(f"{path}: expected {length} rows, as its record says, got {table.num_rows}")
    return table
