"""Clocks, signals and motion that all loaders share, on made-up recordings whose truth is a formula."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from worldsim.data.logs.ego_motion import Drive, Signal, absurd, dead_reckoned, drive, pose_signal
from worldsim.data.logs.faults import Faults
from worldsim.data.logs.log import Log, Part
from worldsim.data.logs.prepare import SOURCES, PrepareConfig, prepare
from worldsim.data.logs.recording import Cut, Pictures, Recording, episodes, pick
from worldsim.data.store import EpisodeStore
from worldsim.types import Episode, FrameArray

CUT = Cut(10.0, (16, 32), 50)
SPEED, RATE = 8.0, 0.25  # a circle to the left


def circle(times: np.ndarray) -> Signal:
    yaw = RATE * times
    return pose_signal(times, SPEED / RATE * np.stack([np.sin(yaw), 1 - np.cos(yaw)], -1), yaw)


def numbered(index: int, missing: tuple[int, ...] = ()) -> FrameArray | None:
    return None if index in missing else np.full((16, 32, 3), index % 256, np.uint8)


def made(times: np.ndarray, missing: tuple[int, ...] = ()) -> Recording:
    pictures = Pictures(times, partial(numbered, missing=missing))
    return Recording("made", {"front": pictures}, circle(np.arange(-1, times[-1] + 1, 0.02)))


@pytest.mark.parametrize(("rate", "interval"), [(10, 0.1), (12, 0.1), (20, 0.1), (25, 0.1), (29.97, 0.1)])
def test_any_clock_becomes_ten_a_second(rate: float, interval: float) -> None:
    times = 5.0 + np.arange(round(4 * rate)) / rate + np.random.default_rng(0).uniform(-2e-3, 2e-3, round(4 * rate))
    chosen = times[pick(times, 10.0, "made")]
    steps = np.diff(chosen)
    assert steps.mean() == pytest.approx(interval, rel=0.01) and len(chosen) in (39, 40, 41)
    assert np.abs(steps - interval).max() < 1 / rate  # nearer to its tick than the next picture
    assert steps.min() > 0.07


def test_a_camera_that_is_too_slow_is_refused() -> None:
    with pytest.raises(ValueError, match="made: expected at least 10 pictures a second, got 2; ask for less"):
        pick(np.arange(20) / 2, 10.0, "made")


def test_a_gap_starts_a_new_episode_and_is_noted() -> None:
    times = np.concatenate([np.arange(20), 25 + np.arange(15)]) / 10
    faults = Faults("raise")
    found = list(episodes(made(times, missing=(7,)), CUT, faults))
    assert [len(each) for each in found] == [7, 12, 15] and faults.counts == {"gaps": 1}
    assert [each.frames[0, 0, 0, 0] for each in found] == [0, 8, 20]
    assert "none for 0.60 s" in faults.words["gaps"]


def test_motion_is_between_the_times_of_the_pictures() -> None:
    """At 25 pictures a second the steps are 0.08 and 0.12 s, and the motion is longer over the longer ones."""
    (episode,) = episodes(made(np.arange(100) / 25), CUT, Faults())
    seconds = np.diff(episode.timestamps)
    assert set(np.round(seconds, 3)) == {0.08, 0.12}
    np.testing.assert_allclose(episode.motion[:-1, 2], RATE * seconds, atol=1e-5)
    np.testing.assert_allclose(np.hypot(*episode.motion[:-1, :2].T), SPEED * seconds, rtol=1e-3)
    assert (episode.motion[:-1, 1] > 0).all()  # to the left
    np.testing.assert_allclose(episode.ego[:, :2], np.broadcast_to((SPEED, RATE), (len(episode), 2)), rtol=2e-3)
    reckoned = dead_reckoned(episode.motion[:-1], episode.pose[0])
    np.testing.assert_allclose(reckoned[:, :2], episode.pose[:, :2], atol=1e-3)


def test_motion_from_speed_and_yaw_rate_is_that_of_the_poses() -> None:
    times = np.arange(0, 5, 0.1)
    fine = np.arange(-0.1, 5.1, 0.01)
    signals = {
        "speed_mps": Signal(fine, np.full(len(fine), SPEED)),
        "yaw_rate_radps": Signal(fine, np.full(len(fine), RATE)),
    }
    told, posed = drive(times, None, signals), drive(times, circle(fine), {})
    np.testing.assert_allclose(told.motion[:-1], posed.motion[:-1], atol=2e-3)
    assert np.isnan(told.pose).all() and np.isnan(drive(times, None, {}).motion).all()


def test_signals_are_not_filled_in() -> None:
    signal = Signal(np.array([0.0, 0.1, 0.2, 2.0, 2.1]), np.array([0.0, 1.0, 2.0, 20.0, 21.0]))
    found = signal.at(np.array([-0.1, 0.05, 0.2, 1.0, 2.0, 2.05, 2.2]))
    np.testing.assert_allclose(found, [np.nan, 0.5, 2.0, np.nan, 20.0, 20.5, np.nan])


def test_absurd_motion_is_found() -> None:
    times = np.arange(6) / 10
    nothing = np.zeros((6, 4), np.float32)
    moved = nothing.copy()
    moved[2, 0], moved[4, 2] = 9.0, 0.5  # 90 m/s, 5 rad/s
    assert absurd(times, Drive(moved, nothing, nothing[:, :3])).tolist() == [False, False, True, False, True]


def test_cuts_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="rate_hz above 0"):
        Cut(0, (64, 128), 200)


def test_faults_raise_or_count() -> None:
    with pytest.raises(ValueError, match="unknown on_error 'ignore'"):
        Faults("ignore")
    with pytest.raises(ValueError, match="x is wrong; pass on_error=skip"):
        Faults("raise")("kind", "x is wrong")
    faults = Faults("skip")
    for word in ("first", "second"):
        faults("kind", word)
    assert faults.summary() == {"counts": {"kind": 2}, "words": {"kind": "first"}}


def test_the_order_of_episodes_does_not_depend_on_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts that take unequal time, read by one and by four; the second part fails once, and the run goes on there."""
    failing = {"on": False}

    def read(number: int, faults: Faults) -> Iterator[Episode]:
        if failing["on"] and number == 2:
            raise ValueError("part 2 cannot be read")
        recording = made(np.arange(20 + 5 * number) / 10)
        recording.source = f"part {number}"
        yield from episodes(recording, CUT, faults)

    log = Log([Part(f"part {number}", partial(read, number)) for number in range(6)])
    monkeypatch.setitem(SOURCES, "video", lambda config: log)

    def lengths(name: str) -> list[tuple[int, str]]:
        return [(record.length, record.source) for record in EpisodeStore(tmp_path / name).records]

    for name, workers in (("one", 1), ("four", 4)):
        prepare("video", tmp_path, tmp_path / name, workers=workers, height=16, width=32)
    assert lengths("one") == lengths("four") == [(20 + 5 * n, f"part {n}") for n in range(6)]
    failing["on"] = True
    with pytest.raises(ValueError, match="part 2"):
        prepare("video", tmp_path, tmp_path / "stopped", workers=2, height=16, width=32)
    assert lengths("stopped") == lengths("one")[:2]
    failing["on"] = False
    prepare("video", tmp_path, tmp_path / "stopped", workers=2, height=16, width=32)
    assert lengths("stopped") == lengths("one")
    assert PrepareConfig(path=tmp_path, out=tmp_path).workers == 0
