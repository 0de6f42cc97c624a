"""Collection: alignment of rows, independence of workers, resume, Ctrl-C, the split."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from agents.collect import CollectConfig, Collector, collect, held_out, run
from envs import kinematics
from worldsim.data.store import EpisodeStore
from worldsim.types import FRAME_RATE_HZ, LABEL_FIELDS

SHORT: dict[str, Any] = {"steps": 12, "scenarios": ["highway", "curves"], "workers": 1}


def test_rows_are_aligned_with_frames(tmp_path: Path) -> None:
    episode = Collector(CollectConfig(tmp_path, **SHORT, drivers={"wild": 1.0})).drive(3)
    episode.validate()
    assert episode.scenario == "curves" and episode.driver == "wild" and episode.seed == 3
    assert episode.frames.shape == (len(episode), 64, 128, 3) and len(episode.boxes) == len(episode)
    for t in range(len(episode) - 1):  # motion[t] takes pose t to pose t + 1
        after = kinematics.compose(episode.pose[t], episode.motion[t])
        np.testing.assert_allclose(after, episode.pose[t + 1], atol=2e-3)
        assert episode.motion[t, 3] == pytest.approx(episode.ego[t + 1, 0], abs=1e-5)
        state = kinematics.EgoState.from_array(episode.ego[t])
        expected, motion = kinematics.advance(state, episode.action[t])
        if episode.labels[t, LABEL_FIELDS.index("collision")] == 0:  # action[t] made that motion
            np.testing.assert_allclose(motion, episode.motion[t], atol=1e-4)
            np.testing.assert_allclose(expected.array(), episode.ego[t + 1], atol=1e-4)
    assert np.isnan(episode.motion[-1]).all() and np.isnan(episode.action[-1]).all()
    assert not np.isnan(episode.labels).any() and not any(np.isnan(v).any() for v in episode.rewards.values())
    np.testing.assert_allclose(np.diff(episode.timestamps), 1 / FRAME_RATE_HZ)


def test_an_episode_depends_on_its_seed_alone(tmp_path: Path) -> None:
    config = CollectConfig(tmp_path, **SHORT)
    forth, back = Collector(config), Collector(config)
    first = [forth.drive(index) for index in (0, 1, 2)]
    second = [back.drive(index) for index in (2, 1, 0)][::-1]
    shifted = Collector(CollectConfig(tmp_path, **SHORT, seed=2)).drive(0)
    for a, b in [*zip(first, second, strict=True), (first[2], shifted)]:
        np.testing.assert_array_equal(a.frames, b.frames)
        np.testing.assert_array_equal(a.action, b.action)
        assert (a.driver, a.split, a.scenario) == (b.driver, b.split, b.scenario)


def test_workers_change_nothing_and_done_episodes_are_kept(tmp_path: Path) -> None:
    collect(tmp_path / "one", episodes=2, **SHORT)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "one").rglob("*.mp4")}
    collect(tmp_path / "one", episodes=4, **SHORT)
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in before.items())
    summary = collect(tmp_path / "two", episodes=4, **SHORT | {"workers": 2})
    assert summary["episodes"] == 4 and summary["scenario"] == {"highway": 2, "curves": 2}
    one, two = EpisodeStore(tmp_path / "one"), EpisodeStore(tmp_path / "two")
    assert one.records == two.records
    for record in one.records:
        np.testing.assert_array_equal(one.read(record.index).frames, two.read(record.index).frames)
    with pytest.raises(ValueError, match="holds another collection"):
        collect(tmp_path / "one", episodes=4, seed=5, **SHORT)


def test_interruption_keeps_finished_episodes(tmp_path: Path) -> None:
    program = (
        "from agents.collect import collect\nimport sys\n"
        "if __name__ == '__main__':\n"
        "    collect(sys.argv[1], episodes=500, steps=15, scenarios=['highway'], workers=2)\n"
    )
    script = tmp_path / "program.py"
    script.write_text(program)
    out = tmp_path / "out"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    process = subprocess.Popen(
        [sys.executable, str(script), str(out)], stderr=subprocess.PIPE, env=environment, start_new_session=True
    )
    deadline = time.monotonic() + 100
    while len(list(out.glob("meta/records/*.json"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers too
    _, errors = process.communicate(timeout=60)
    assert b"KeyboardInterrupt" in errors.splitlines()[-1]
    assert b"ForkProcess" not in errors and b"SpawnProcess" not in errors  # the workers were not cut short
    store = EpisodeStore(out)
    assert 3 <= len(store) < 500 and (out / "meta/episodes/chunk-000/file-000.parquet").exists()
    for record, episode in store.iterate():
        assert len(episode) == record.length
    assert not list(out.rglob("*.tmp*"))


def test_the_split_is_a_hash_of_scenario_and_seed(tmp_path: Path) -> None:
    draws = [held_out(scenario, seed, 0.08) for scenario in ("highway", "merge") for seed in range(5000)]
    assert 0.07 < np.mean(draws) < 0.09
    assert [held_out("merge", seed, 0.08) for seed in range(500)] != [
        held_out("highway", seed, 0.08) for seed in range(500)
    ]
    assert not held_out("highway", 1, 0.0)
    collector = Collector(CollectConfig(tmp_path, **SHORT, held_out=["curves"], val_share=0.0))
    assert [collector.drive(index).split for index in (0, 1)] == ["train", "val"]


class Plain(gym.Env[dict[str, Any], np.ndarray]):
    """An env with the observation and nothing in ``info``."""

    action_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)

    def __init__(self) -> None:
        self.observation_space = gym.spaces.Dict({"camera": gym.spaces.Box(0, 255, (16, 32, 3), np.uint8)})

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        super().reset(seed=seed)
        return {"camera": np.zeros((16, 32, 3), np.uint8)}, {}

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        return {"camera": np.full((16, 32, 3), 100, np.uint8)}, 0.0, False, False, {}


@pytest.fixture
def plain_env() -> Any:
    gym.register("Plain-v0", entry_point=Plain)
    yield "Plain-v0"
    del gym.registry["Plain-v0"]


def test_any_env_with_a_camera_can_be_collected_from(tmp_path: Path, plain_env: str) -> None:
    collect(tmp_path, env=plain_env, episodes=1, drivers={"random": 1.0}, **SHORT)
    episode = EpisodeStore(tmp_path).read(0)
    assert len(episode) == 13 and episode.driver == "random" and episode.scenario == "highway"
    assert all(np.isnan(values).all() for values in (episode.motion, episode.labels, episode.pose, episode.ego))
    assert episode.boxes == [] and episode.rewards == {} and not np.isnan(episode.action[:-1]).any()
    with pytest.raises(ValueError, match=r"drivers=\{random: 1\}"):
        collect(tmp_path / "scripted", env=plain_env, episodes=1, drivers={"good": 1.0}, **SHORT)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scenarios": ["higway"]}, "did you mean 'highway'"),
        ({"drivers": {"god": 1.0}}, "did you mean 'good'"),
        ({"drivers": {"good": 0.0}}, "share above 0"),
        ({"episodes": 0}, "episodes: expected a whole number of at least 1, got 0"),
        ({"val_share": 1.5}, "val_share"),
        ({"env": "envs:worldsim/RoadCam-v9"}, "expected a Gymnasium id"),
    ],
)
def test_bad_configs_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(CollectConfig(tmp_path, **SHORT | change))
    assert not (tmp_path / "meta/info.json").exists()
