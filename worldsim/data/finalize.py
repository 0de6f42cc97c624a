"""Compacting the commit records into LeRobot's metadata, after which an index opens in milliseconds."""

from __future__ import annotations

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from worldsim.data.columns import counter_columns, table_bytes, video_feature
from worldsim.data.layout import (
    CHUNK_SIZE,
    EPISODES_PATH,
    INFO_PATH,
    STATS_PATH,
    TASKS_PATH,
    data_file,
    describe,
    lock,
    read_info,
    record_file,
    recorded_indices,
    video_key,
)
from worldsim.data.record import EpisodeRecord, episodes_table, record_from_json
from worldsim.data.statistics import Statistics, merge_statistics
from worldsim.data.writer import remove_leftovers
from worldsim.storage import atomic_path, read_json, write_json

THREADS = 8
log = logging.getLogger(__name__)


def finalize(root: Path | str) -> int:
    """Write meta/episodes, tasks, stats and info of the data set at ``root``; return its number of episodes.

    Safe to call again, at any time, while others write: their episodes are read from their records
    until the next call. Raises ValueError for a folder that is no data set or holds no episode.
    """
    root = Path(root)
    info = read_info(root)
    with lock(root / "meta" / ".finalize.lock"):
        indices = sorted(recorded_indices(root) or ())
        if not indices:
            raise ValueError(f"{root}: expected at least one committed episode in meta/records, got none")
        records, statistics = _read_records(root, indices)
        starts = [0]
        for record in records:
            starts.append(starts[-1] + record.length)
        tasks = {caption: number for number, caption in enumerate(dict.fromkeys(r.caption for r in records))}
        numbers = [tasks[record.caption] for record in records]
        with ThreadPoolExecutor(THREADS) as pool:  # mostly waiting for the disk
            list(pool.map(partial(_renumber, root), records, range(len(records)), starts, numbers))
        _sweep(root, set(indices))
        _write_table(root / EPISODES_PATH, episodes_table(records, starts[:-1]))
        _write_table(root / TASKS_PATH, _tasks_table(tasks))
        write_json(root / STATS_PATH, merge_statistics(statistics))
        features = _all_features(info["features"], records, info["fps"])
        splits = {"train": f"0:{len(records)}"}
        write_json(root / INFO_PATH, describe(info["fps"], features, len(records), starts[-1], len(tasks), splits))
    return len(records)


def _read_records(root: Path, indices: list[int]) -> tuple[list[EpisodeRecord], list[Statistics]]:
    records, statistics = [], []
    for index in indices:
        path = record_file(root, index)
        value = read_json(path, "record of an episode")
        records.append(record_from_json(value, str(path)))
        statistics.append(value.get("stats", {}))
    return records, statistics


def _renumber(root: Path, record: EpisodeRecord, episode_index: int, first: int, task_index: int) -> None:
    """Rewrite the bookkeeping columns of an episode's parquet where they are not what its place asks for."""
    path = data_file(root, record.index)
    expected = {"episode_index": episode_index, "index": first, "task_index": task_index}
    try:
        group = pq.read_metadata(path).row_group(0)
        found = {group.column(n).path_in_schema: group.column(n).statistics for n in range(group.num_columns)}
        if all(found[name] is not None and found[name].min == value for name, value in expected.items()):
            return
        table = pq.ParquetFile(path, page_checksum_verification=True).read()
    except (OSError, pa.ArrowInvalid, KeyError) as error:
        log.warning("%s: cannot be read (%s); it stays in the index and reading it will fail", path, error)
        return
    counters = counter_columns(table.num_rows, episode_index, first, task_index)
    for name, values in counters.items():
        table = table.set_column(table.column_names.index(name), name, values)
    _write(path, table_bytes(table))


def _sweep(root: Path, committed: set[int]) -> None:
    """Remove the files of uncommitted episodes that no living process is writing: LeRobot reads all of data/."""
    for target in (
        EPISODES_PATH,
        TASKS_PATH,
        STATS_PATH,
    ):  # of a finalize() that was killed: this process holds its lock
        for path in (root / target).parent.glob(f".{Path(target).stem}.*.tmp.*"):
            path.unlink(missing_ok=True)
    for path in root.glob("data/chunk-*/*.parquet"):
        digits = path.name.lstrip(".").removeprefix("file-").split(".")[0]
        index = int(path.parent.name[6:]) * CHUNK_SIZE + int(digits) if digits.isdigit() else -1
        if index < 0 or index in committed:
            continue
        with lock(root / "meta" / "claims" / f"{index:06d}.lock", wait=False) as held:
            if held and not record_file(root, index).exists():
                remove_leftovers(root, index)


def _tasks_table(tasks: dict[str, int]) -> pa.Table:
    """tasks.parquet as pandas writes a frame indexed by the task's words, which is how LeRobot reads it."""
    table = pa.table({"task_index": pa.array(list(tasks.values())), "task": pa.array(list(tasks))})
    kinds = {"task_index": ("int64", "int64"), "task": ("unicode", "object")}
    described = [
        {"name": name, "field_name": name, "pandas_type": kind, "numpy_type": numpy_kind, "metadata": None}
        for name, (kind, numpy_kind) in kinds.items()
    ]
    metadata = {"index_columns": ["task"], "column_indexes": [], "columns": described, "pandas_version": "2"}
    return table.replace_schema_metadata({b"pandas": json.dumps(metadata).encode()})


def _all_features(features: dict[str, Any], records: list[EpisodeRecord], fps: float) -> dict[str, Any]:
    """The first episode's features, and the cameras and reward terms that later ones added."""
    features = dict(features)
    for record in records:
        for video in record.videos:
            features.setdefault(video_key(video.camera), video_feature(video.height, video.width, fps))
        for term in record.rewards:
            features.setdefault(f"reward.{term}", {"dtype": "float32", "shape": [1], "names": None})
        if record.boxes:
            features.setdefault("boxes", {"dtype": "float32", "shape": [0], "names": None})
    return features


def _write_table(target: Path, table: pa.Table) -> None:
    _write(target, table_bytes(table))


def _write(target: Path, content: bytes) -> None:
    with atomic_path(target) as temporary:
        temporary.write_bytes(content)
