"""The arrays of an episode as the columns of a parquet file, and back.

Axis legend: t frames, k boxes in a frame.

Vectors are fixed-size lists of float32 with the field names in meta/info.json; NaN stays NaN.
``boxes`` is one flat list per frame, five numbers a box (x0 y0 x1 y1 px, distance m); the column is
absent where boxes were not recorded. ``timestamp`` is frame_index / fps, as LeRobot needs it to find a
video frame; ``time_s`` is the exact time of the episode.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from worldsim.data.layout import video_key
from worldsim.data.video import PIXEL_FORMAT
from worldsim.types import EGO_FIELDS, LABEL_FIELDS, MOTION_FIELDS, Episode, FloatArray

VECTORS: dict[str, tuple[str, tuple[str, ...]]] = {
    "observation.state": ("ego", EGO_FIELDS),
    "action": ("action", ("steering", "acceleration")),
    "motion": ("motion", MOTION_FIELDS),
    "labels": ("labels", LABEL_FIELDS),
    "pose": ("pose", ("x_m", "y_m", "yaw_rad")),
}
"""Parquet column -> (attribute of Episode, names of its elements)."""

REWARD_PREFIX, SIGNAL_PREFIX = "reward.", "signal."
COUNTERS = ("frame_index", "episode_index", "index", "task_index")


def episode_table(episode: Episode, fps: float, episode_index: int, first: int, task_index: int) -> pa.Table:
    """The parquet table of an episode, t rows. ``first`` is the global index of its first frame."""
    t = len(episode)
    columns: dict[str, pa.Array] = {}
    for column, (attribute, names) in VECTORS.items():
        flat = pa.array(np.ascontiguousarray(getattr(episode, attribute), np.float32).ravel())
        columns[column] = pa.FixedSizeListArray.from_arrays(flat, len(names))
    columns["command"] = pa.array(np.asarray(episode.command, np.int64))
    for name, values in _scalars(episode).items():
        columns[name] = pa.array(np.asarray(values, np.float32))
    if episode.boxes:
        flat_boxes = [np.asarray(boxes, np.float32).ravel() for boxes in episode.boxes]
        columns["boxes"] = pa.array(flat_boxes, pa.list_(pa.float32()))
    columns["time_s"] = pa.array(np.asarray(episode.timestamps, np.float64))
    columns["timestamp"] = pa.array((np.arange(t) / fps).astype(np.float32))
    return pa.table(columns | counter_columns(t, episode_index, first, task_index))


def _scalars(episode: Episode) -> dict[str, FloatArray]:
    """Reward terms and further signals by the name of their column."""
    rewards = {REWARD_PREFIX + term: values for term, values in episode.rewards.items()}
    return rewards | {SIGNAL_PREFIX + name: values for name, values in episode.signals.items()}


def counter_columns(t: int, episode_index: int, first: int, task_index: int) -> dict[str, pa.Array]:
    """The bookkeeping columns that LeRobot reads; finalize() rewrites them when episodes were added out of order."""
    return {
        "frame_index": pa.array(np.arange(t)),
        "episode_index": pa.array(np.full(t, episode_index)),
        "index": pa.array(np.arange(first, first + t)),
        "task_index": pa.array(np.full(t, task_index)),
    }


def table_bytes(table: pa.Table) -> bytes:
    """The table as the bytes of a parquet file with page checksums, so that flipped bits are found on reading."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return sink.getvalue().to_pybytes()


def episode_arrays(table: pa.Table, origin: str) -> dict[str, Any]:
    """Arguments of ``Episode`` that the table holds.

    Raises ValueError, naming ``origin`` (the file), field, expected and got, for a missing column or
    another width or type.
    """
    arrays: dict[str, Any] = {}
    for column, (attribute, names) in VECTORS.items():
        values = _column(table, column, pa.list_(pa.float32(), len(names)), origin)
        arrays[attribute] = values.flatten().to_numpy(zero_copy_only=False).reshape(-1, len(names)).copy()
    arrays["command"] = _column(table, "command", pa.int64(), origin).to_numpy().copy()
    arrays["timestamps"] = _column(table, "time_s", pa.float64(), origin).to_numpy().copy()
    for attribute, prefix in (("rewards", REWARD_PREFIX), ("signals", SIGNAL_PREFIX)):
        arrays[attribute] = {
            name.removeprefix(prefix): _column(table, name, pa.float32(), origin).to_numpy().copy()
            for name in table.column_names
            if name.startswith(prefix)
        }
    if "boxes" in table.column_names:
        boxes = _column(table, "boxes", pa.list_(pa.float32()), origin)
        flat, offsets = boxes.flatten().to_numpy(zero_copy_only=False), np.cumsum(boxes.value_lengths().to_numpy())
        arrays["boxes"] = [part.reshape(-1, 5).copy() for part in np.split(flat, offsets[:-1])]
    return arrays


def _column(table: pa.Table, name: str, expected: pa.DataType, origin: str) -> pa.Array:
    if name not in table.column_names:
        raise ValueError(f"{origin}: field `{name}`: expected a column {expected}, got none ({table.column_names})")
    column = table.column(name).combine_chunks()
    if not _same_type(column.type, expected):
        raise ValueError(f"{origin}: field `{name}`: expected {expected}, got {column.type}")
    return column


def _same_type(got: pa.DataType, expected: pa.DataType) -> bool:
    """Equality that does not mind how the writer named the items of a list."""
    if pa.types.is_fixed_size_list(expected):
        alike = pa.types.is_fixed_size_list(got) and got.list_size == expected.list_size
        return alike and got.value_type == expected.value_type
    if pa.types.is_list(expected):
        return pa.types.is_list(got) and got.value_type == expected.value_type
    return got == expected


def episode_features(episode: Episode, fps: float) -> dict[str, Any]:
    """The ``features`` of meta/info.json for the columns and videos of this episode."""
    features: dict[str, Any] = {
        column: {"dtype": "float32", "shape": [len(names)], "names": list(names)}
        for column, (_, names) in VECTORS.items()
    }
    scalars = {"command": "int64", **dict.fromkeys(_scalars(episode), "float32"), "time_s": "float64"}
    scalars |= {"timestamp": "float32", **dict.fromkeys(COUNTERS, "int64")}
    features |= {name: {"dtype": dtype, "shape": [1], "names": None} for name, dtype in scalars.items()}
    if episode.boxes:
        features["boxes"] = {"dtype": "float32", "shape": [0], "names": None}  # LeRobot: 0 is a list of any length
    for camera, frames in episode.views.items():
        features[video_key(camera)] = video_feature(frames.shape[1], frames.shape[2], fps)
    return features


def video_feature(height: int, width: int, fps: float) -> dict[str, Any]:
    """The feature of one camera."""
    return {
        "dtype": "video",
        "shape": [height, width, 3],
        "names": ["height", "width", "channels"],
        "info": {
            "video.height": height,
            "video.width": width,
            "video.codec": "h264",
            "video.pix_fmt": PIXEL_FORMAT,
            "video.is_depth_map": False,
            "video.fps": fps,
            "video.channels": 3,
            "has_audio": False,
        },
    }


def check_features(features: Any, origin: str) -> None:
    """Raise ValueError where the vectors of a data set carry other fields than this version's."""
    for column, (_, names) in VECTORS.items():
        stored = features.get(column, {}).get("names") if isinstance(features, dict) else None
        if stored != list(names):
            raise ValueError(f"{origin}: field `features.{column}.names`: expected {list(names)}, got {stored}")
