"""Mean, deviation and range of every column, per episode when it is written and over all in finalize().

Axis legend: t frames, d elements of a column, c colour channels.

NaN is left out; a column that is all NaN has count 0 and null elsewhere. Pictures are summed up over
at most IMAGE_SAMPLES frames, per channel in [0, 1] with shape (c, 1, 1), as LeRobot does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from worldsim.data.layout import video_key
from worldsim.types import Episode

IMAGE_SAMPLES = 16
Statistics = dict[str, dict[str, Any]]


def episode_statistics(episode: Episode, table: pa.Table) -> Statistics:
    """Count, min, max, mean and std of each numeric column, (d,) each, and of each camera, (c, 1, 1)."""
    result: Statistics = {}
    for name in table.column_names:
        column = table.column(name).combine_chunks()
        if pa.types.is_list(column.type):
            continue  # boxes: no fixed shape
        if pa.types.is_fixed_size_list(column.type):
            values = column.flatten().to_numpy(zero_copy_only=False).reshape(len(table), -1)
        else:
            values = column.to_numpy().reshape(len(table), 1)
        result[name] = _summary(values)
    for camera, frames in episode.views.items():
        chosen = np.unique(np.linspace(0, len(frames) - 1, min(IMAGE_SAMPLES, len(frames))).astype(int))
        values = frames[chosen].reshape(-1, 3) / 255.0
        summary = _summary(values)
        nested = {key: [[[value]] for value in summary[key]] for key in ("min", "max", "mean", "std")}
        result[video_key(camera)] = nested | {"count": [len(chosen)]}
    return result


def _summary(values: np.ndarray) -> dict[str, Any]:
    known = [column[~np.isnan(column)] for column in np.asarray(values, np.float64).T]
    summary: dict[str, Any] = {
        name: [float(function(column)) if len(column) else None for column in known]
        for name, function in (("min", np.min), ("max", np.max), ("mean", np.mean), ("std", np.std))
    }
    return summary | {"count": [len(column) for column in known]}


def merge_statistics(parts: list[Statistics]) -> Statistics:
    """Statistics over all episodes from those of each (Chan et al. 1979, pairwise update of variance)."""
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: _merge([part[name] for part in parts if name in part]) for name in names}


def _merge(parts: list[dict[str, Any]]) -> dict[str, Any]:
    shape = np.shape(parts[0]["mean"])
    stacked = {
        key: np.array([np.ravel(np.array(part[key], np.float64)) for part in parts])
        for key in ("min", "max", "mean", "std")
    }
    count = np.array([np.broadcast_to(part["count"], stacked["mean"].shape[1:]) for part in parts], np.float64)
    total = count.sum(0)
    known, weight = total > 0, count / np.maximum(total, 1)
    mean = np.sum(weight * np.nan_to_num(stacked["mean"]), 0)
    second = np.nan_to_num(stacked["std"]) ** 2 + (np.nan_to_num(stacked["mean"]) - mean) ** 2
    merged = {
        "min": np.min(np.where(count > 0, stacked["min"], np.inf), 0),
        "max": np.max(np.where(count > 0, stacked["max"], -np.inf), 0),
        "mean": mean,
        "std": np.sqrt(np.sum(weight * second, 0)),
    }
    result: dict[str, Any] = {}
    for key, values in merged.items():
        plain = np.array([float(v) if k else None for v, k in zip(values, known, strict=True)], object)
        result[key] = plain.reshape(shape).tolist()
    counts = total.astype(int).tolist()
    return result | {"count": [counts[0]] if len(shape) == 3 else counts}
