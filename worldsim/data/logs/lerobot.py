"""Data sets in the LeRobot v3 layout that somebody else recorded, as episodes.

Axis legend: t frames of an episode, n rows of a parquet file.

What they are   meta/info.json names version, rate and features; meta/episodes/*/*.parquet says for each episode
                which rows of which data file and which seconds of which video are its own. Source:
                github.com/huggingface/lerobot, LeRobotDataset v3.0. (This project's own data sets have the same
                layout; they need no preparing.)
Ego             Which columns hold speed, yaw rate, acceleration and steering is found by their names, or told:

                    lerobot.columns='{speed_mps: observation.state.vehicle.speed / 3.6, steering: -action.steering}'

                A column is a feature, or a feature and the name of one of its elements, with an optional sign and an
                optional factor; the result is in the units of the key: m/s, rad/s, m/s^2, and steering in [-1, 1],
                each positive to the left. Poses may come as x_m, y_m and yaw_rad. Nothing is guessed of units: a name
                that does not say its unit must be told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from worldsim.data.layout import VIDEO_PATH, read_info
from worldsim.data.logs.ego_motion import Array, Signal, pose_signal
from worldsim.data.logs.faults import Faults
from worldsim.data.logs.film import Film
from worldsim.data.logs.log import Log, Part
from worldsim.data.logs.picture import crop_resize
from worldsim.data.logs.recording import Cut, Pictures, Recording, episodes
from worldsim.errors import choose, nearest
from worldsim.schema import option
from worldsim.types import EGO_FIELDS, Episode, FrameArray

POSE_FIELDS = ("x_m", "y_m", "yaw_rad")
KEYS = (*EGO_FIELDS, *POSE_FIELDS)
KNOWN_NAMES = {
    "speed_mps": ("speed_mps", "velocity_mps"),
    "yaw_rate_radps": ("yaw_rate_radps",),
    "acceleration_mps2": ("acceleration_mps2",),
    "steering": (),
    **{name: (name,) for name in POSE_FIELDS},
}
"""Names of elements that say what they are, unit included."""


@dataclass
class LeRobotOptions:
    """Which features of the data set to take."""

    cameras: list[str] = option(
        factory=list, help="video features to keep, the first is the main view; none: the first"
    )
    columns: dict[str, str] = option(
        factory=dict, help=f"{'|'.join(EGO_FIELDS)}: feature.element, with a sign or a factor; none: by their names"
    )
    held_out: float = option(0.15, "share of the episodes, the last ones, that is held out")


@dataclass(frozen=True)
class Column:
    """``factor`` times one element of a feature."""

    feature: str
    element: int
    factor: float

    def values(self, table: pa.Table) -> Array:
        """The values (n,)."""
        column = table.column(self.feature).combine_chunks()
        flat = column.flatten() if isinstance(column, pa.FixedSizeListArray | pa.ListArray) else column
        found = flat.to_numpy(zero_copy_only=False).astype(np.float64).reshape(len(column), -1)
        return np.asarray(self.factor * found[:, self.element])


def open_lerobot(root: Path, options: LeRobotOptions, cut: Cut, faults: Faults) -> Log:
    """The episodes of a data set, a part each. Raises ValueError, naming file, field, expected and got."""
    info = read_info(root)
    features: dict[str, Any] = info["features"]
    videos = [name for name, feature in features.items() if feature.get("dtype") == "video"]
    if not videos:
        raise ValueError(f"{root}: expected a feature of dtype video, got none of {sorted(features)}")
    cameras = [choose(name, videos, "camera of this data set") for name in options.cameras] or videos[:1]
    columns = {
        key: parse_column(text, features) for key, text in options.columns.items() if choose(key, KEYS, "column")
    }
    columns = known_columns(features) | columns
    if not set(columns) & set(EGO_FIELDS):
        faults.note(
            "without_ego", f"{root}: no column says how the vehicle moved; pass lerobot.columns= ({sorted(features)})"
        )
    tables = [pq.read_table(path) for path in sorted(root.glob("meta/episodes/*/*.parquet"))]
    if not tables:
        raise ValueError(f"{root}: expected meta/episodes/*/*.parquet, got none")
    rows = pa.concat_tables([table.select(_needed(table, cameras)) for table in tables]).to_pylist()
    trained = max(1, round((1 - options.held_out) * len(rows))) if options.held_out else len(rows)
    layout = _Layout(root, float(info["fps"]), info.get("data_path", ""), info.get("video_path", VIDEO_PATH))
    return Log(
        [
            Part(
                f"episode {row['episode_index']}",
                partial(_read, layout, row, cameras, columns, "train" if number < trained else "val", cut),
            )
            for number, row in enumerate(rows)
        ],
        faults,
    )


@dataclass(frozen=True)
class _Layout:
    root: Path
    fps: float
    data_path: str
    video_path: str


def _needed(table: pa.Table, cameras: list[str]) -> list[str]:
    wanted = ["episode_index", "length", "data/chunk_index", "data/file_index"]
    wanted += [f"videos/{c}/{n}" for c in cameras for n in ("chunk_index", "file_index", "from_timestamp")]
    missing = [name for name in wanted if name not in table.column_names]
    if missing:
        raise ValueError(f"meta/episodes: field `{missing[0]}`: expected a column, got none of {table.column_names}")
    return wanted + [name for name in ("tasks",) if name in table.column_names]


def _read(
    layout: _Layout, row: dict[str, Any], cameras: list[str], columns: dict[str, Column], split: str, cut: Cut,
    faults: Faults,
) -> Iterator[Episode]:  # fmt: skip
    name, films = f"episode {row['episode_index']}", []
    path = layout.root / layout.data_path.format(chunk_index=row["data/chunk_index"], file_index=row["data/file_index"])
    try:
        table = pq.read_table(path, filters=[("episode_index", "=", row["episode_index"])])
        if table.num_rows != row["length"]:
            raise ValueError(f"{path}: expected {row['length']} rows of {name}, got {table.num_rows}")
        times = table.column("timestamp").to_numpy().astype(np.float64)
        if not (np.diff(times) > 0).all():
            raise ValueError(f"{path}: {name}: field `timestamp`: expected rising times, got some that are not")
        signals = {key: Signal(times, column.values(table)) for key, column in columns.items()}
        films = [_film(layout, row, camera) for camera in cameras]
    except (OSError, pa.ArrowInvalid, KeyError, ValueError) as error:
        faults("broken_episodes", f"{path}: {name}: {error}", error)
        return
    views = {
        camera.removeprefix("observation.images.").replace("/", "_"): _pictures(film, start, times, cut, faults)
        for camera, (film, start) in zip(cameras, films, strict=True)
    }
    pose = [signals.pop(key) for key in POSE_FIELDS if key in signals]
    recording = Recording(
        name=name,
        views=views,
        poses=pose_signal(times, np.stack([p.values for p in pose[:2]], -1), pose[2].values)
        if len(pose) == 3
        else None,
        signals=signals,
        caption=(row.get("tasks") or [""])[0],
        scenario="lerobot",
        split=split,
        source=f"LeRobot data set {layout.root.name}, {name}",
    )
    yield from episodes(recording, cut, faults)
    for film, _ in films:
        film.close()


def _film(layout: _Layout, row: dict[str, Any], camera: str) -> tuple[Film, float]:
    """The file that holds a camera's pictures of an episode, and the second at which they begin."""
    at = f"videos/{camera}"
    place = {"chunk_index": row[f"{at}/chunk_index"], "file_index": row[f"{at}/file_index"]}
    return Film(layout.root / layout.video_path.format(video_key=camera, **place)), float(row[f"{at}/from_timestamp"])


def _pictures(film: Film, start: float, times: Array, cut: Cut, faults: Faults) -> Pictures:
    places = np.searchsorted(film.times, start + times - 1e-3)

    def read(index: int) -> FrameArray | None:
        picture = film.picture(int(places[index])) if places[index] < len(film.times) else None
        if picture is None:
            words = f"expected the picture of {times[index]:.3f} s, got none; was it cut short?"
            faults("broken_pictures", f"{film.path}: {words}")
            return None
        return crop_resize(picture, cut.size)

    return Pictures(times, read)


def known_columns(features: dict[str, Any]) -> dict[str, Column]:
    """Columns whose names say what they hold, unit included."""
    found: dict[str, Column] = {}
    for feature, described in features.items():
        names = described.get("names")
        for element, name in enumerate(names if isinstance(names, list) else [feature.rpartition(".")[2]]):
            for key, known in KNOWN_NAMES.items():
                if name in known and described.get("dtype", "").startswith("float"):
                    found.setdefault(key, Column(feature, element, 1.0))
    return found


def parse_column(text: str, features: dict[str, Any]) -> Column:
    """``-feature.element * 2`` or ``feature / 3.6``. ValueError, naming the nearest, where there is no such thing."""
    match = re.fullmatch(r"\s*(-?)\s*([^\s*/]+)\s*(?:([*/])\s*([0-9.eE+-]+))?\s*", text)
    if match is None:
        raise ValueError(f"lerobot.columns: expected [-]feature[.element] [* or / a number], got {text!r}")
    sign, name, operation, number = match.groups()
    factor = float(number) if operation else 1.0
    factor = (-1 if sign else 1) * (1 / factor if operation == "/" else factor)
    elements = {
        f"{feature}.{element}" if isinstance(described.get("names"), list) else feature: (feature, place)
        for feature, described in features.items()
        if described.get("dtype") not in ("video", "image")
        for place, element in enumerate(described["names"] if isinstance(described.get("names"), list) else [""])
    }
    if name not in elements:
        raise ValueError(f"lerobot.columns: expected one of {sorted(elements)}, got {name!r}{nearest(name, elements)}")
    return Column(*elements[name], factor)
