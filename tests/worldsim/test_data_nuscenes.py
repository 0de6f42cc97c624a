"""nuScenes: a generated data set against the reference world's truth, and damage to it.

The data set has all 13 tables and is read through the real devkit; see tests/worldsim/nuscenes_scenes.py. Real
excerpts: tests/worldsim/test_data_nuscenes_real.py.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs import kinematics
from envs.reference.camera.projection import rotation
from tests.worldsim.nuscenes_scenes import CAMERAS, FRAMES, LATE_US, Truth, quaternion, write_nuscenes
from worldsim.data.logs import recording
from worldsim.data.logs import rotation as quaternions
from worldsim.data.logs.faults import Faults
from worldsim.data.logs.nuscenes.loader import NuScenesOptions, open_nuscenes
from worldsim.data.logs.nuscenes.scenes import local_time
from worldsim.data.logs.nuscenes.traffic import LENGTH_M
from worldsim.data.logs.prepare import prepare
from worldsim.data.logs.recording import Cut
from worldsim.data.store import EpisodeStore
from worldsim.types import LABEL_FIELDS, CameraSpec, Episode

pytest.importorskip("nuscenes", reason="reading nuScenes needs the extra `nuscenes`")
BOTH = tuple(CAMERAS)
CUT = Cut(10.0, (64, 128), 200)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Truth]]:
    root = tmp_path_factory.mktemp("nuscenes")
    return root, write_nuscenes(root)


@pytest.fixture(scope="module")
def prepared(written: tuple[Path, dict[str, Truth]], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The report, and the episodes by the name of their scene."""
    out = tmp_path_factory.mktemp("prepared") / "out"
    report = prepare("nuscenes", written[0], out, nuscenes=NuScenesOptions(cameras=list(BOTH)), workers=2)
    store = EpisodeStore(out)
    scenes = {record.source.split()[2].strip(","): store.read(record.index) for record in store.records}
    return {"report": report, **scenes}


def test_motion_ego_and_pose_are_those_of_the_reference(written: Any, prepared: dict[str, Any]) -> None:
    for name, truth in written[1].items():
        episode, true = prepared[name], truth.episode
        assert len(episode) == FRAMES and np.allclose(episode.timestamps, true.timestamps, atol=1e-6)
        np.testing.assert_allclose(episode.pose, true.pose, atol=1e-3)
        np.testing.assert_allclose(episode.motion[:-1, :3], true.motion[:-1, :3], atol=2e-3)
        inner = slice(1, -2)  # CAN messages begin after the first picture and end before the last
        np.testing.assert_allclose(episode.motion[inner, 3], true.motion[inner, 3], atol=0.05)
        np.testing.assert_allclose(episode.ego[inner, :2], true.ego[inner, :2], atol=0.05)
        has_can = name != "scene-0161"
        if has_can:
            np.testing.assert_allclose(episode.ego[inner, 3], true.ego[inner, 3], atol=0.02)
            np.testing.assert_allclose(episode.ego[inner, 2], true.ego[inner, 2], atol=0.1)
        assert np.isnan(episode.ego[:, 3]).all() != has_can and np.isnan(episode.action[:, 0]).all() != has_can
        assert np.abs(true.motion[:-1, 2]).max() > (0.01 if name != "scene-0103" else 0)  # there was something to turn


def test_full_acceleration_is_that_of_the_envs() -> None:
    assert recording.FULL_ACCELERATION_MPS2 == kinematics.MAX_ACCELERATION_MPS2
    assert recording.FULL_BRAKING_MPS2 == kinematics.MAX_BRAKING_MPS2


def test_pictures_and_cameras_are_those_of_the_reference(written: Any, prepared: dict[str, Any]) -> None:
    for name, truth in written[1].items():
        episode = prepared[name]
        assert list(episode.views) == ["front", "front_left"]
        for channel, spec in CAMERAS.items():
            view = channel[4:].lower()
            expected = np.stack([recording_size(frame) for frame in truth.episode.views[view]])
            difference = np.abs(expected.astype(float) - episode.views[view]).mean()
            assert difference < 6, (name, view, difference)
            camera = episode.cameras[view]
            np.testing.assert_allclose(camera.position_m, spec.position_m, atol=1e-6)
            np.testing.assert_allclose(
                [camera.pitch_rad, camera.yaw_rad, camera.roll_rad], [spec.pitch_rad, spec.yaw_rad, 0], atol=1e-6
            )
            assert (camera.width, camera.height) == (128, 64) and camera.fx == pytest.approx(spec.fx * 128 / 192)
            assert camera.cy == pytest.approx(32)


def recording_size(frame: np.ndarray) -> np.ndarray:
    from worldsim.data.logs.picture import crop_resize

    return crop_resize(frame, (64, 128))


def test_roll_has_the_sign_of_the_reference_camera() -> None:
    for pitch, yaw, roll in ((0.1, -2.0, 0.3), (-0.2, 0.5, -0.1)):
        forward, left, up = rotation(CameraSpec(pitch_rad=pitch, yaw_rad=yaw, roll_rad=roll)).T
        turned = quaternion(np.stack([-left, -up, forward], -1))
        assert quaternions.mounting(turned) == pytest.approx((pitch, yaw, roll))


def label(episode: Episode, name: str) -> np.ndarray:
    return episode.labels[:, LABEL_FIELDS.index(name)]


def test_labels_are_true_where_they_can_be_known(written: Any, prepared: dict[str, Any]) -> None:
    episode, true = prepared["scene-0103"], written[1]["scene-0103"].episode
    for name in ("lane_offset_m", "heading_error_rad", "offroad", "collision", "lane_left", "lane_right"):
        np.testing.assert_allclose(label(episode, name), label(true, name), atol=0.02, err_msg=name)
    assert label(true, "lane_left").any() or label(true, "lane_right").any()
    near = label(true, "lead_distance_m") < 80
    longer = (4.8 - LENGTH_M) / 2  # the reference's ego is longer than a Zoe
    assert near.sum() > 10
    np.testing.assert_allclose(
        label(episode, "lead_distance_m")[near], label(true, "lead_distance_m")[near] + longer, atol=0.3
    )
    inner = near & (np.arange(FRAMES) > 2) & (np.arange(FRAMES) < FRAMES - 3)
    np.testing.assert_allclose(
        label(episode, "closing_speed_mps")[inner], label(true, "closing_speed_mps")[inner], atol=0.6
    )
    margin = episode.signals["margin_m"]
    assert (margin <= label(episode, "lead_distance_m") + 1e-3).all() and (margin > 0).all()


def test_what_is_not_there_is_masked_and_said(prepared: dict[str, Any]) -> None:
    for name in ("scene-0061", "scene-0161"):  # no map
        for unknown in ("lane_offset_m", "heading_error_rad", "offroad", "lane_left", "lane_right"):
            assert np.isnan(label(prepared[name], unknown)).all()
        assert not np.isnan(label(prepared[name], "lead_distance_m")).any()
    assert prepared["report"]["log"] == {"scenes_without_map": 2, "scenes_without_can": 1}
    assert "scene-0161" in prepared["report"]["first_of_each"]["scenes_without_can"]


def test_words_fields_and_splits(prepared: dict[str, Any]) -> None:
    night, day, dried = (prepared[name] for name in ("scene-0061", "scene-0103", "scene-0161"))
    assert night.caption == "Night, rain, many curves" and "CC BY-NC-SA" in night.licence
    assert (night.fields.weather, night.fields.time_of_day) == ("rain", "night")
    assert (day.fields.weather, day.fields.time_of_day) == (None, "day")
    assert dried.fields.weather is None
    assert [night.split, day.split, dried.split] == ["train", "val", "train"]
    assert str(local_time("n008-2018-08-01-15-26-43-0400")) == "2018-08-01 15:26:43" and local_time("x") is None


def test_keyframes_and_one_camera(written: Any) -> None:
    options = NuScenesOptions(frames="keyframes", scenes=["scene-0103"], cameras=["CAM_FRONT_LEFT"])
    with pytest.raises(ValueError, match="rate_hz up to 2"):
        open_nuscenes(written[0], options, CUT, Faults())
    (part,) = open_nuscenes(written[0], options, Cut(2.0, (64, 128), 200), Faults()).parts
    (episode,) = part.read(Faults())
    assert list(episode.views) == ["front_left"] and len(episode) == 10
    true = written[1]["scene-0103"].episode
    late = LATE_US["CAM_FRONT_LEFT"] * 1e-6
    travelled = np.hypot(*np.diff(true.pose[::5, :2], axis=0).T)
    assert np.hypot(*episode.motion[:-1, :2].T)[1:] == pytest.approx(travelled[1:], abs=2 * late * 10)


def read_all(root: Path, on_error: str = "skip", cameras: tuple[str, ...] = BOTH) -> tuple[list[Episode], Faults]:
    faults = Faults(on_error)
    options = NuScenesOptions(cameras=list(cameras), scenes=["scene-0061"])
    log = open_nuscenes(root, options, CUT, faults)
    return [episode for part in log.parts for episode in part.read(faults)], faults


@pytest.fixture
def damaged(written: Any, tmp_path: Path) -> Callable[..., Path]:
    """A copy of the data set (its pictures linked) with one table changed by a function."""

    def change(table: str = "", how: Callable[[Any], None] = lambda rows: None) -> Path:
        root = tmp_path / "nuscenes"
        shutil.copytree(written[0], root, symlinks=True)
        if table:
            path = root / "v1.0-mini" / f"{table}.json"
            rows = json.loads(path.read_text())
            how(rows)
            path.write_text(json.dumps(rows))
        return root

    return change


def rows_of(rows: list[dict[str, Any]], channel: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["token"].startswith(f"scene-0061-{channel}-")]


def test_missing_and_broken_images(damaged: Callable[..., Path]) -> None:
    root = damaged()
    pictures = sorted(root.glob("*/CAM_FRONT/scene-0061*"), key=lambda path: path.name)
    pictures[20].unlink()
    pictures[40].write_bytes(b"\xff\xd8 cut")
    episodes, faults = read_all(root)
    assert [len(each) for each in episodes] == [20, 19, 5]
    assert faults.counts["missing_images"] == faults.counts["broken_images"] == 1
    with pytest.raises(ValueError, match=r"samples/CAM_FRONT.*does not exist; pass on_error=skip"):
        read_all(root, "raise")


def test_reversed_timestamps(damaged: Callable[..., Path]) -> None:
    def swap(rows: list[dict[str, Any]]) -> None:
        front = rows_of(rows, "CAM_FRONT")
        front[30]["timestamp"] = front[27]["timestamp"]

    root = damaged("sample_data", swap)
    episodes, faults = read_all(root)
    assert faults.counts["reversed_timestamps"] == 1 and "CAM_FRONT-30" in faults.words["reversed_timestamps"]
    assert sum(map(len, episodes)) == FRAMES - 1
    with pytest.raises(ValueError, match="expected a timestamp after"):
        read_all(root, "raise")


def test_unsynchronised_cameras(damaged: Callable[..., Path]) -> None:
    def late(rows: list[dict[str, Any]]) -> None:
        for row in rows_of(rows, "CAM_FRONT_LEFT")[30:]:
            row["timestamp"] += 300_000

    root = damaged("sample_data", late)
    episodes, faults = read_all(root)
    assert faults.counts["unsynchronised_pictures"] == 3 and sum(map(len, episodes)) == FRAMES - 3
    with pytest.raises(ValueError, match=r"camera front_left: expected a picture within 0\.05 s"):
        read_all(root, "raise")


def test_absurd_speeds(damaged: Callable[..., Path]) -> None:
    def jump(rows: list[dict[str, Any]]) -> None:
        for row in rows_of(rows, "CAM_FRONT")[30:] + rows_of(rows, "CAM_FRONT_LEFT")[30:]:
            row["translation"][0] += 500

    episodes, faults = read_all(damaged("ego_pose", jump))
    assert faults.counts["absurd_motion"] > 0 and len(episodes) > 1
    assert max(np.nanmax(np.abs(episode.motion[:, :2])) for episode in episodes) < 7


def test_broken_can_bus(damaged: Callable[..., Path]) -> None:
    root = damaged()
    pose, wheel = (root / "can_bus" / f"scene-0061_{name}.json" for name in ("pose", "steeranglefeedback"))
    pose.write_text(pose.read_text()[:1000])
    rows = json.loads(wheel.read_text())
    rows[7]["value"] = 900.0
    wheel.write_text(json.dumps(rows))
    (episode,), faults = read_all(root)
    assert faults.counts["broken_can"] == 3 and faults.counts["absurd_can"] == 1
    assert "scene-0061_pose.json" in faults.words["broken_can"]
    assert not np.isnan(episode.ego[:, :2]).any()  # from the vehicle monitor and the poses
    with pytest.raises(ValueError, match="cut short"):
        read_all(root, "raise")


def test_tables_that_are_missing_or_cut(damaged: Callable[..., Path], tmp_path: Path) -> None:
    root = damaged()
    table = root / "v1.0-mini" / "ego_pose.json"
    content = table.read_text()
    table.write_text(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"ego_pose\.json: expected JSON.*cut short"):
        read_all(root)
    table.unlink()
    with pytest.raises(ValueError, match=r"expected the tables ego_pose\.json"):
        read_all(root)
    with pytest.raises(ValueError, match=f"pass path={root}"):
        read_all(root / "v1.0-mini")
    with pytest.raises(ValueError, match="does not exist"):
        read_all(tmp_path / "nothing")
    table.write_text("[]")
    with pytest.raises(ValueError, match=r"refers to|in none of the tables"):
        read_all(root, "raise")


def test_rows_that_refer_to_nothing(damaged: Callable[..., Path]) -> None:
    def forget(rows: list[dict[str, Any]]) -> None:
        rows.remove(rows_of(rows, "CAM_FRONT")[30])

    root = damaged("ego_pose", forget)
    episodes, faults = read_all(root)
    assert episodes == [] and faults.counts["broken_scenes"] == 1


def test_words_for_wrong_names(written: Any) -> None:
    def opened(**options: Any) -> None:
        open_nuscenes(written[0], NuScenesOptions(**options), CUT, Faults())

    with pytest.raises(ValueError, match="did you mean 'CAM_FRONT'"):
        opened(cameras=["CAM_FRNT"])
    with pytest.raises(ValueError, match="did you mean 'scene-0103'"):
        opened(scenes=["scene-103"])
    with pytest.raises(ValueError, match="unknown version"):
        opened(version="v1.0-trainval")
    with pytest.raises(ValueError, match="each once"):
        opened(cameras=["CAM_FRONT", "CAM_FRONT"])


def test_a_stopped_run_goes_on(written: Any, tmp_path: Path) -> None:
    options, out = NuScenesOptions(cameras=["CAM_FRONT"]), tmp_path / "out"
    prepare("nuscenes", written[0], out, nuscenes=options)
    progress = json.loads((out / "meta/prepared.json").read_text())
    assert list(progress["parts"]) == ["scene-0061", "scene-0103", "scene-0161"]
    del progress["parts"]["scene-0161"]
    (out / "meta/prepared.json").write_text(json.dumps(progress))
    (out / "meta/records/episode-000002.json").unlink()
    before = {path: path.stat().st_mtime_ns for path in out.glob("videos/*/*/*.mp4")}
    report = prepare("nuscenes", written[0], out, nuscenes=options)
    assert [path.name for path in before if path.stat().st_mtime_ns != before[path]] == ["file-002.mp4"]
    assert report["log"] == {"scenes_without_map": 2, "scenes_without_can": 1}
    with pytest.raises(ValueError, match="write to another folder"):
        prepare("nuscenes", written[0], out, nuscenes=NuScenesOptions(cameras=["CAM_FRONT_LEFT"]))
