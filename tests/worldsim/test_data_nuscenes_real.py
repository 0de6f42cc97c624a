"""nuScenes: units, signs and geometry on real excerpts (CC BY-NC-SA 4.0, read where they lie)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.worldsim.real_data import REAL, needs
from worldsim.data.logs.ego_motion import dead_reckoned, drive, pose_signal, relative
from worldsim.data.logs.faults import Faults
from worldsim.data.logs.nuscenes.canbus import can_signals
from worldsim.data.logs.nuscenes.loader import NuScenesOptions, open_nuscenes
from worldsim.data.logs.nuscenes.scenes import CAMERAS, SceneReader
from worldsim.data.logs.nuscenes.tables import open_tables
from worldsim.data.logs.recording import Cut
from worldsim.data.logs.rotation import yaw

pytest.importorskip("nuscenes", reason="reading nuScenes needs the extra `nuscenes`")
CAN, SAMPLE = REAL / "nuscenes_scene0103_canbus", REAL / "nuscenes_one_sample"


@needs("nuscenes_scene0103_canbus")
def test_can_motion_integrates_to_the_poses(capsys: pytest.CaptureFixture[str]) -> None:
    faults = Faults()
    signals = can_signals(CAN, "scene-0103", faults)
    assert set(signals) == {"speed_mps", "yaw_rate_radps", "acceleration_mps2", "steering"} and not faults.counts
    rows = json.loads((CAN / "can_bus" / "scene-0103_pose.json").read_text())
    found = pose_signal(
        [row["utime"] * 1e-6 for row in rows],
        [row["pos"][:2] for row in rows],
        [float(yaw(row["orientation"])) for row in rows],
    )
    times = np.arange(found.times[0] + 0.1, found.times[-1] - 0.1, 0.1)
    told, true = drive(times, None, signals), found.at(times)
    reckoned = dead_reckoned(told.motion[:-1], true[0])
    travelled = np.hypot(*np.diff(true[:, :2], axis=0).T).sum()
    error, turn = np.hypot(*(reckoned[-1] - true[-1])[:2]), abs(reckoned[-1] - true[-1])[2]
    with capsys.disabled():
        print(f"\nscene-0103: end-point error {error:.2f} m of {travelled:.1f} m, {np.degrees(turn):.2f} degrees")
    assert error < 0.02 * travelled and turn < 0.03
    measured = relative(true[:-1], true[1:])[:, 2]
    # both positive to the left; the vehicle answers to the steering wheel within 0.2 s
    for name, expected in (("yaw_rate_radps", (0,)), ("steering", (0, 1, 2))):
        values = signals[name].at((times[:-1] + times[1:]) / 2)
        lags = {lag: np.corrcoef(np.roll(values, lag)[3:-3], measured[3:-3])[0, 1] for lag in range(-3, 4)}
        assert lags[0] > 0.9 and max(lags, key=lambda lag: lags[lag]) in expected, (name, lags)
    monitor = json.loads((CAN / "can_bus/scene-0103_vehicle_monitor.json").read_text())
    kmh = np.array([row["vehicle_speed"] for row in monitor])
    at = signals["speed_mps"].at(np.array([row["utime"] * 1e-6 for row in monitor]))
    assert np.nanmax(np.abs(at * 3.6 - kmh)) < 2


@pytest.fixture
def one_sample(tmp_path: Path) -> Path:
    """The real keyframe's tables, completed as shared/data/README.md says, its pictures linked."""
    root, version = tmp_path / "nuscenes", tmp_path / "nuscenes" / "v1.0-test"
    version.mkdir(parents=True)
    (root / "samples").symlink_to(SAMPLE / "samples")
    (root / "maps").symlink_to(CAN / "v1.0-mini" / "maps")
    tables = {path.stem: json.loads(path.read_text()) for path in (SAMPLE / "v1.0-test").glob("*.json")}
    tables |= {"instance": [], "sample_annotation": []}
    tables |= {name: json.loads((CAN / "v1.0-mini" / f"{name}.json").read_text()) for name in ("log", "map")}
    token = tables["sample"][0]["token"]
    for row in tables["scene"]:
        row.update(first_sample_token=token, last_sample_token=token)
    for row in (*tables["sample"], *tables["sample_data"]):
        row.update(prev="", next="")
    for name, rows in tables.items():
        (version / f"{name}.json").write_text(json.dumps(rows))
    return root


@needs("nuscenes_one_sample", "nuscenes_scene0103_canbus")
def test_a_real_keyframe_of_six_cameras(one_sample: Path) -> None:
    faults, tables = Faults("skip"), open_tables(one_sample, None)
    reader = SceneReader(one_sample, tables, CAMERAS, False, (64, 128), lambda *_: None)
    found = reader.recording(tables.scene[0], "train", faults)
    headings = {name: np.degrees(view.camera.yaw_rad) for name, view in found.views.items() if view.camera}
    expected = {"front": 0, "front_left": 55, "front_right": -55, "back_left": 110, "back_right": -110, "back": 180}
    for name, degrees in expected.items():
        assert abs((headings[name] - degrees + 180) % 360 - 180) < 3, headings
    front = found.views["front"].camera
    assert front is not None and 1.4 < front.position_m[2] < 1.6 and abs(front.pitch_rad) < 0.03
    assert 100 < front.fx < 103 and 60 < front.cx < 68  # 1266 px of 1600, at 128
    for view in found.views.values():
        picture = view.read(0)
        assert picture is not None and picture.shape == (64, 128, 3) and picture.std() > 20
    assert found.caption.startswith("Parked truck") and found.fields.time_of_day == "day"
    assert {"scenes_without_can", "scenes_without_annotations", "scenes_without_map"} <= set(faults.counts)
    times = [view.times[0] for view in found.views.values()]
    assert max(times) - min(times) < 0.05
    assert found.poses is not None and len(found.poses.times) == 6


@needs("nuscenes_one_sample", "nuscenes_scene0103_canbus")
def test_a_scene_of_one_frame_gives_no_episode(one_sample: Path) -> None:
    faults = Faults("skip")
    log = open_nuscenes(one_sample, NuScenesOptions(cameras=list(CAMERAS)), Cut(2.0, (64, 128), 40), faults)
    assert [episode for part in log.parts for episode in part.read(faults)] == []
    assert faults.counts["frames_alone_between_gaps"] == 1
