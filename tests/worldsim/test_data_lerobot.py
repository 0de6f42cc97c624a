"""LeRobot v3 data sets of others: several episodes in one file, columns by name and as told, and damage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.worldsim.reference_drives import reference_drive
from tests.worldsim.test_data_video import write_video
from worldsim.data.logs.faults import Faults
from worldsim.data.logs.lerobot import LeRobotOptions, known_columns, open_lerobot, parse_column
from worldsim.data.logs.prepare import prepare
from worldsim.data.logs.recording import Cut
from worldsim.data.store import EpisodeStore
from worldsim.types import Episode

CUT = Cut(10.0, (64, 128), 200)
LENGTHS = (30, 20)
CAMERA = "observation.images.front_left"
TOLD = {
    "speed_mps": "observation.state.vehicle.speed / 3.6",
    "yaw_rate_radps": "-observation.state.vehicle.yaw_rate_right",
    "steering": "-action * 0.5",
}


def truth() -> Episode:
    return reference_drive("curves", sum(LENGTHS), 120, 160)


def write_dataset(root: Path, named: bool = False) -> Path:
    """Two episodes in one parquet and one mp4, with units and signs unlike ours unless they are ``named`` as ours."""
    true, fps = truth(), 10
    rows = np.concatenate([np.arange(length) for length in LENGTHS])
    ego = true.ego.astype(np.float32)
    vehicle = np.stack([3.6 * ego[:, 0], -ego[:, 1]], -1) if not named else ego[:, :2]
    names = ["speed", "yaw_rate_right"] if not named else ["speed_mps", "yaw_rate_radps"]
    state = pa.FixedSizeListArray.from_arrays(pa.array(vehicle.ravel().astype(np.float32)), 2)
    table = {
        "observation.state.vehicle": state,
        "action": pa.array(-2 * ego[:, 3]),
        "timestamp": pa.array((rows / fps).astype(np.float32)),
        "frame_index": pa.array(rows),
        "episode_index": pa.array(np.repeat([0, 1], LENGTHS)),
    }
    features: dict[str, Any] = {
        "observation.state.vehicle": {"dtype": "float32", "shape": [2], "names": names},
        "action": {"dtype": "float32", "shape": [1], "names": None},
        "timestamp": {"dtype": "float32", "shape": [1], "names": None},
        CAMERA: {"dtype": "video", "shape": [120, 160, 3], "names": ["height", "width", "channels"]},
    }
    starts = np.cumsum([0, *LENGTHS[:-1]])
    episodes = {
        "episode_index": [0, 1], "tasks": [["follow the road"], ["turn"]], "length": list(LENGTHS),
        "data/chunk_index": [0, 0], "data/file_index": [0, 0], f"videos/{CAMERA}/chunk_index": [0, 0],
        f"videos/{CAMERA}/file_index": [0, 0], f"videos/{CAMERA}/from_timestamp": [float(s / fps) for s in starts],
    }  # fmt: skip
    info = {
        "codebase_version": "v3.0", "fps": fps, "features": features,
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
    }  # fmt: skip
    for folder in ("data/chunk-000", "meta/episodes/chunk-000", f"videos/{CAMERA}/chunk-000"):
        (root / folder).mkdir(parents=True)
    pq.write_table(pa.table(table), root / "data/chunk-000/file-000.parquet")
    pq.write_table(pa.table(episodes), root / "meta/episodes/chunk-000/file-000.parquet")
    (root / "meta/info.json").write_text(json.dumps(info))
    write_video(root / f"videos/{CAMERA}/chunk-000/file-000.mp4", true.frames, fps)
    return root


def read(root: Path, on_error: str = "raise", **options: Any) -> tuple[list[Episode], Faults]:
    faults = Faults(on_error)
    log = open_lerobot(root, LeRobotOptions(**options), CUT, faults)
    return [episode for part in log.parts for episode in part.read(faults)], faults


def test_columns_as_told_give_the_drive_in_our_units(tmp_path: Path) -> None:
    root, true = write_dataset(tmp_path / "set"), truth()
    prepare("lerobot", root, tmp_path / "out", lerobot=LeRobotOptions(columns=TOLD, held_out=0.5))
    store = EpisodeStore(tmp_path / "out")
    assert [(r.split, r.length, r.caption) for r in store.records] == [
        ("train", 30, "follow the road"),
        ("val", 20, "turn"),
    ]
    for record, first in zip(store.records, (0, 30), strict=True):
        episode, part = store.read(record.index), slice(first, first + record.length)
        assert list(episode.views) == ["front_left"]
        np.testing.assert_allclose(episode.ego[:, (0, 1, 3)], true.ego[part][:, (0, 1, 3)], atol=1e-4)
        np.testing.assert_allclose(episode.motion[:-1, 2], true.motion[part][:-1, 2], atol=4e-3)
        np.testing.assert_allclose(episode.motion[:-1, (0, 3)], true.motion[part][:-1, (0, 3)], atol=0.03)
        difference = np.abs(episode.frames.mean((1, 2)) - true.frames[part][:, 20:100].mean((1, 2))).max()
        assert difference < 4  # these pictures, and not those of the other episode
    assert np.abs(true.motion[:-1, 2]).max() > 0.01


def test_names_with_units_are_found(tmp_path: Path) -> None:
    episodes, faults = read(write_dataset(tmp_path / "set", named=True))
    np.testing.assert_allclose(episodes[0].ego[:, :2], truth().ego[:30, :2], atol=1e-4)
    assert np.isnan(episodes[0].ego[:, 3]).all() and not faults.counts


def test_a_data_set_without_ego_is_masked_and_said(tmp_path: Path) -> None:
    episodes, faults = read(write_dataset(tmp_path / "set"))
    assert np.isnan(episodes[0].motion).all() and "lerobot.columns" in faults.words["without_ego"]


def test_columns_in_words() -> None:
    features = {"a.b": {"dtype": "float32", "names": ["x", "y"]}, "c": {"dtype": "float32", "names": None}}
    column = parse_column("- a.b.y * 2.5", features)
    assert (column.feature, column.element, column.factor) == ("a.b", 1, -2.5)
    assert parse_column("c / 4", features).factor == 0.25
    with pytest.raises(ValueError, match=r"did you mean 'a\.b\.x'"):
        parse_column("a.b.xx", features)
    with pytest.raises(ValueError, match="expected \\[-\\]feature"):
        parse_column("c + 1", features)
    assert known_columns({"x_m": {"dtype": "float64", "names": None}})["x_m"].feature == "x_m"


def test_damage(tmp_path: Path) -> None:
    root = write_dataset(tmp_path / "set")
    with pytest.raises(ValueError, match=r"did you mean 'observation\.images\.front_left'"):
        read(root, cameras=["observation.images.front_lft"])
    with pytest.raises(ValueError, match="unknown column 'sped_mps'"):
        read(root, columns={"sped_mps": "action"})
    data = root / "data/chunk-000/file-000.parquet"
    table = pq.read_table(data)
    times = table.column("timestamp").to_numpy().copy()
    times[35] = 0.1
    pq.write_table(table.set_column(table.column_names.index("timestamp"), "timestamp", pa.array(times)), data)
    episodes, faults = read(root, "skip", columns=TOLD)
    assert len(episodes) == 1 and faults.counts["broken_episodes"] == 1
    assert "expected rising times" in faults.words["broken_episodes"]
    data.write_bytes(data.read_bytes()[:500])
    assert read(root, "skip", columns=TOLD)[1].counts["broken_episodes"] == 2
    (root / "meta/info.json").write_text("{")
    with pytest.raises(ValueError, match=r"info\.json is not valid JSON"):
        read(root)
