"""comma2k19: a generated segment against the reference world's truth, the real excerpt's signals, and damage."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.worldsim.nuscenes_scenes import quaternion
from tests.worldsim.real_data import REAL, needs
from tests.worldsim.reference_drives import reference_drive
from tests.worldsim.test_data_video import write_video
from worldsim.data.logs.comma2k19 import MOST_WHEEL_DEG, can_signals, frame_times, open_segments, pose_track
from worldsim.data.logs.ego_motion import Signal, dead_reckoned, drive
from worldsim.data.logs.faults import Faults
from worldsim.data.logs.prepare import prepare
from worldsim.data.logs.recording import Cut
from worldsim.data.store import EpisodeStore
from worldsim.types import Episode

FRAMES = 60
CUT = Cut(10.0, (64, 128), 200)
BOOT_S = 46_408.5


def truth() -> Episode:
    return reference_drive("curves", FRAMES, 120, 160)


def save(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as handle:
        np.save(handle, values)


def write_segment(folder: Path) -> Path:
    """A segment of FRAMES frames at 10 Hz somewhere on the globe, driving as the reference did."""
    episode = truth()
    folder.mkdir(parents=True)
    write_video(folder / "video.hevc", episode.frames, codec="libx265")
    times = BOOT_S + np.arange(FRAMES) / 10
    up = np.array([-0.43, -0.67, 0.61]) / np.linalg.norm([-0.43, -0.67, 0.61])
    east = np.cross([0, 0, 1.0], up) / np.linalg.norm(np.cross([0, 0, 1.0], up))
    plane = np.stack([east, np.cross(up, east)])
    pose = episode.pose.astype(np.float64)
    turned = []
    for yaw in pose[:, 2]:
        forward = np.array([np.cos(yaw), np.sin(yaw)]) @ plane
        turned.append(quaternion(np.stack([forward, np.cross(-up, forward), -up], -1)))
    save(folder / "global_pose/frame_times", times)
    save(folder / "global_pose/frame_positions", 6.37e6 * up + (pose[:, :2] - pose[0, :2]) @ plane)
    save(folder / "global_pose/frame_orientations", np.array(turned))
    moments = BOOT_S + np.arange(-0.2, FRAMES / 10 + 0.2, 0.012)
    for message, column, factor in (("speed", 0, 1.0), ("steering_angle", 3, MOST_WHEEL_DEG)):
        values = factor * np.interp(moments, times, episode.ego[:, column])
        save(folder / f"processed_log/CAN/{message}/t", moments)
        save(folder / f"processed_log/CAN/{message}/value", values[:, None] if message == "speed" else values)
    return folder


@pytest.fixture(scope="module")
def segment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_segment(tmp_path_factory.mktemp("comma") / "b0c9|2018-08-02--08-34-47" / "40")


def test_a_generated_segment_is_the_drive_that_it_was_made_from(segment: Path, tmp_path: Path) -> None:
    report = prepare("comma2k19", segment.parents[1], tmp_path / "out")
    store = EpisodeStore(tmp_path / "out")
    train, true = store.read(0), truth()
    assert [record.split for record in store.records] == ["train", "val"] and report["log"] == {}
    t = len(train)
    assert t == 48 and "2018-08-02--08-34-47/40" in train.source and train.licence.startswith("MIT")
    np.testing.assert_allclose(train.motion[: t - 1, :3], true.motion[: t - 1, :3], atol=2e-3)
    np.testing.assert_allclose(train.motion[: t - 1, 3], true.motion[: t - 1, 3], atol=0.02)
    np.testing.assert_allclose(train.ego[1:, (0, 3)], true.ego[1:t, (0, 3)], atol=0.02)
    np.testing.assert_allclose(train.ego[1:, 1], true.ego[1:t, 1], atol=0.03)
    assert np.abs(true.ego[:, 1]).max() > 0.1
    assert np.abs(train.frames[10].astype(float).mean() - true.frames[10].mean()) < 25
    assert train.cameras["front"].fx == pytest.approx(910 * 128 / 1164)


@needs("comma2k19_example_signals")
def test_real_signals_agree(capsys: pytest.CaptureFixture[str]) -> None:
    (folder,) = (found.parent for found in (REAL / "comma2k19_example_signals").rglob("global_pose"))
    poses, signals, times = pose_track(folder), can_signals(folder, Faults()), frame_times(folder)[::2]
    posed = drive(times, poses, {})
    told = {"speed_mps": signals["speed_mps"], "yaw_rate_radps": Signal(times, posed.ego[:, 1].astype(float))}
    inner = times[2:-2]
    true = poses.at(inner)
    reckoned = dead_reckoned(drive(inner, None, told).motion[:-1], true[0])
    travelled = np.hypot(*np.diff(true[:, :2], axis=0).T).sum()
    error = np.hypot(*(reckoned[-1] - true[-1])[:2])
    with capsys.disabled():
        print(f"\ncomma2k19: end-point error {error:.1f} m of {travelled:.0f} m")
    assert error < 0.02 * travelled
    speed = signals["speed_mps"].at(times)[2:-2]
    assert np.abs(speed - posed.ego[2:-2, 0]).max() < 0.6  # metres per second, forwards
    turning = signals["steering"].at(times) * signals["speed_mps"].at(times)
    lags = {
        lag: np.corrcoef(np.roll(turning, lag)[10:-10], posed.ego[10:-10, 1])[0, 1] for lag in range(-5, 6)
    }  # a nearly straight road: the wheel moves between -4.6 and 2.5 degrees
    assert lags[0] > 0.7 and max(lags, key=lambda lag: lags[lag]) in (0, 1), lags


@needs("comma2k19_example_signals")
def test_the_real_segment_without_its_video_is_refused_or_counted() -> None:
    path = REAL / "comma2k19_example_signals"
    faults = Faults("skip")
    (part,) = open_segments(path, CUT, faults).parts
    assert list(part.read(faults)) == [] and faults.counts == {"broken_segments": 1}
    assert "video.hevc" in faults.words["broken_segments"]
    with pytest.raises(ValueError, match="on_error=skip"):
        list(part.read(Faults("raise")))


def read(path: Path, on_error: str = "skip") -> tuple[list[Episode], Faults]:
    faults = Faults(on_error)
    return [episode for part in open_segments(path, CUT, faults).parts for episode in part.read(faults)], faults


def test_damage(segment: Path, tmp_path: Path) -> None:
    folder = tmp_path / "route" / "7"
    shutil.copytree(segment, folder)
    value = folder / "processed_log/CAN/speed/value"
    content = value.read_bytes()
    value.write_bytes(content[: len(content) // 2])
    episodes, faults = read(tmp_path)
    assert len(episodes) == 2 and faults.counts == {"broken_can": 1} and "cut short" in faults.words["broken_can"]
    assert not np.isnan(episodes[0].ego[:, 0]).any()  # from the poses
    with pytest.raises(ValueError, match=r"speed/value: expected a \.npy array"):
        read(tmp_path, "raise")
    times = np.load(folder / "global_pose/frame_times")
    times[30] = times[20]
    save(folder / "global_pose/frame_times", times)
    assert read(tmp_path)[1].counts["broken_segments"] == 1
    with pytest.raises(ValueError, match="expected times that rise, got one that does not at 30"):
        read(tmp_path, "raise")
    shutil.copy(segment / "global_pose/frame_times", folder / "global_pose/frame_times")
    positions = np.load(folder / "global_pose/frame_positions")
    positions[20:] += 300
    save(folder / "global_pose/frame_positions", positions)
    value.write_bytes(content)
    episodes, faults = read(tmp_path)
    assert faults.counts["absurd_motion"] >= 1 and len(episodes) == 3
    assert max(np.nanmax(np.hypot(*e.motion[:, :2].T)) for e in episodes) < 4
    with pytest.raises(ValueError, match="expected segments"):
        read(tmp_path / "route" / "7" / "processed_log")
