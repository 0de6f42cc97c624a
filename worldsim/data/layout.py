"""Where the files of a data set lie, and what they are called: the LeRobot v3.0 layout.

    meta/info.json                                   version, rate, features, totals
    meta/stats.json, meta/tasks.parquet              written by finalize()
    meta/episodes/chunk-000/file-000.parquet         one row per episode, written by finalize()
    meta/records/episode-000000.json                 commit record: the episode exists if this does
    data/chunk-000/file-000.parquet                  one file per episode: file number = index % 1000
    videos/observation.images.front/chunk-000/file-000.mp4

Source: LeRobotDataset v3.0 (github.com/huggingface/lerobot, `datasets/utils.py`). The records and
the ``worldsim/`` columns are ours; LeRobot ignores them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from worldsim.errors import choose
from worldsim.storage import read_json, write_json

CODEBASE_VERSION = "v3.0"
CHUNK_SIZE = 1000
DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
EPISODES_PATH = "meta/episodes/chunk-000/file-000.parquet"
TASKS_PATH, STATS_PATH, INFO_PATH = "meta/tasks.parquet", "meta/stats.json", "meta/info.json"
RECORDS_FOLDER = "meta/records"
ON_ERROR = ("raise", "skip")


def place(index: int) -> dict[str, int]:
    """Chunk and file number of episode ``index``."""
    return {"chunk_index": index // CHUNK_SIZE, "file_index": index % CHUNK_SIZE}


def video_key(camera: str) -> str:
    """The LeRobot feature name of a camera."""
    return f"observation.images.{camera}"


def data_file(root: Path, index: int) -> Path:
    """The parquet file of episode ``index``."""
    return root / DATA_PATH.format(**place(index))


def video_file(root: Path, index: int, camera: str) -> Path:
    """The mp4 of one camera of episode ``index``."""
    return root / VIDEO_PATH.format(video_key=video_key(camera), **place(index))


def record_file(root: Path, index: int) -> Path:
    """The commit record of episode ``index``."""
    return root / RECORDS_FOLDER / f"episode-{index:06d}.json"


def recorded_indices(root: Path) -> set[int] | None:
    """Indices of the committed episodes, or None where the data set carries no records."""
    folder = root / RECORDS_FOLDER
    if not folder.is_dir():
        return None
    names = (name for name in os.listdir(folder) if name.startswith("episode-") and name.endswith(".json"))
    return {int(name[8:-5]) for name in names if name[8:-5].isdigit()}


def check_on_error(on_error: str) -> str:
    """Return ``on_error`` if it is "raise" or "skip"; else raise ValueError."""
    return choose(on_error, ON_ERROR, "on_error")


@contextlib.contextmanager
def lock(path: Path, wait: bool = True) -> Iterator[bool]:
    """Hold an advisory lock that the kernel drops when the process dies; yield whether it was got.

    ``wait=False`` yields False at once when another process holds it. The file is left in place.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True


def read_info(root: Path) -> dict[str, Any]:
    """meta/info.json of the data set at ``root``.

    Raises ValueError, naming file, field, expected and got, for a missing folder, another
    codebase_version, or missing keys.
    """
    if not root.is_dir():
        raise ValueError(f"data set {root}: expected a folder, but it does not exist; collect or prepare one first")
    path = root / INFO_PATH
    info = read_json(path, "data set")
    if not isinstance(info, dict):
        raise ValueError(f"{path}: expected a JSON object, got {type(info).__name__}")
    for key in ("codebase_version", "fps", "features"):
        if key not in info:
            raise ValueError(f"{path}: field `{key}`: expected a value, got none (keys: {sorted(info)})")
    if info["codebase_version"] != CODEBASE_VERSION:
        raise ValueError(
            f"{path}: field `codebase_version`: expected {CODEBASE_VERSION!r}, got {info['codebase_version']!r}; "
            "convert the data set with the lerobot package, or collect it again"
        )
    fps = info["fps"]
    if not isinstance(fps, (int, float)) or isinstance(fps, bool) or fps <= 0:
        raise ValueError(f"{path}: field `fps`: expected a positive number, got {fps!r}")
    return info


def create_info(root: Path, fps: float, features: dict[str, Any]) -> None:
    """Write meta/info.json if it is not there: by one process, even where many ask."""
    with lock(root / "meta" / ".info.lock"):
        if not (root / INFO_PATH).exists():
            write_json(root / INFO_PATH, describe(fps, features, 0, 0, 0, {}))


def describe(
    fps: float, features: dict[str, Any], episodes: int, frames: int, tasks: int, splits: dict[str, str]
) -> dict[str, Any]:
    """The content of meta/info.json. ``fps`` is written as an int where it is one, as LeRobot expects."""
    return {
        "codebase_version": CODEBASE_VERSION,
        "robot_type": "vehicle",
        "total_episodes": episodes,
        "total_frames": frames,
        "total_tasks": tasks,
        "chunks_size": CHUNK_SIZE,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": int(fps) if float(fps).is_integer() else fps,
        "splits": splits,
        "data_path": DATA_PATH,
        "video_path": VIDEO_PATH,
        "features": features,
    }
