"""``worldsim train-agent``: a run is repeatable, goes on where it stopped, and says what stands behind its policy."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import av
import pytest
import torch

pytest.importorskip("stable_baselines3", reason="needs the extra `rl`: pip install 'worldsim[rl]'")

from agents.learning.apprentice import ApprenticeConfig
from agents.learning.imagination import ImaginationConfig
from agents.learning.imitation import ImitationConfig
from agents.learning.ppo import PPO, PPOConfig
from agents.learning.settings import TrainAgentConfig
from agents.learning.train import TrainAgentResult, train_agent
from agents.policy.checkpoint import load_policy, save_policy
from agents.policy.network import Policy, PolicyConfig
from envs.reference.roadcam import RoadCamEnv
from tests.agents.test_imitation import data as demonstrations  # noqa: F401 (a fixture)
from tests.worldsim.banks import tiny_bank
from tests.worldsim.worlds import tiny_world
from worldsim.checkpoint import ModelCard, save_world
from worldsim.training.state import LATEST, PREVIOUS
from worldsim.world_model import WorldModel

CHILD = """
import sys
from tests.agents.test_train_agent import settings
from agents.learning.train import train_agent
from agents.learning.ppo import PPO
import time
print("ready", flush=True)
iterate = PPO.iterate
def slowly(self):
    time.sleep(0.2)
    return iterate(self)
PPO.iterate = slowly
result = train_agent(settings(sys.argv[1], sys.argv[2], steps=int(sys.argv[3]), film_s=0.0))
print(result.reason, result.steps, flush=True)
"""
TIMES = ("elapsed_s", "steps_per_s")


def write_world(folder: Path, seed: int = 0) -> WorldModel:
    world = tiny_world(seed=seed, warp_width=0)
    save_world(folder, world, ModelCard("tiny", "A test.", "none"))
    tiny_bank(world).save(folder)
    return world


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny world and starts."""
    folder = tmp_path_factory.mktemp("world")
    write_world(folder)
    return folder


def settings(model: Path | str, out: Path | str, steps: int = 48, **changes: Any) -> TrainAgentConfig:
    """Two drives of 8 steps an iteration."""
    ppo = PPOConfig(drives=2, rollout_steps=8, batch=8, epochs=1, min_trust=0.0)
    fixed = {"method": "ppo", "scenarios": ["highway", "roundabout"], "history": 2, "width": 32, "threads": 1}
    return TrainAgentConfig(
        **{"model": str(model), "out": str(out), "steps": steps, "minutes": 0.0, "film_s": 0.3, "ppo": ppo}  # type: ignore[arg-type]
        | {**fixed, "progress": False, **changes}
    )


def figures(out: Path) -> list[dict[str, float]]:
    """What was logged, without what the clock says."""
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if name not in TIMES} for row in rows]


def same_policy(one: Path, other: Path) -> bool:
    first, second = load_policy(one)[0].state_dict(), load_policy(other)[0].state_dict()
    return all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module")
def whole(model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainAgentResult, int]:
    """A run inside the learned world, how it ended, and how many steps the reference world was taken meanwhile."""
    out, before = tmp_path_factory.mktemp("runs") / "whole", RoadCamEnv.steps_taken
    result = train_agent(settings(model, out))
    return out, result, RoadCamEnv.steps_taken - before


def test_a_run_in_the_learned_world_takes_no_reference_step_and_says_so(
    whole: tuple[Path, TrainAgentResult, int],
) -> None:
    out, result, reference = whole
    assert (result.reason, result.steps, result.interrupted) == ("steps", 48, False)
    _, card = load_policy(out)
    assert reference == result.reference_steps == card.reference_steps == 0
    assert (card.method, card.trained_in, card.model_steps, card.name) == ("ppo", "Drive-v0", 48, "whole")
    assert card.scenarios == ["highway", "roundabout"] and card.seconds > 0
    assert [row["step"] for row in figures(out)] == [16, 32, 48]
    assert {"return", "episodes", "speed_mps", "trust", "crash_rate"} <= figures(out)[0].keys()


def test_films_at_start_middle_and_end_open(whole: tuple[Path, TrainAgentResult, int]) -> None:
    pictures = []
    for moment in ("start", "middle", "end"):
        with av.open(str(whole[0] / "films" / f"{moment}.mp4")) as video:
            frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
        assert len(frames) == 3 and frames[0].shape == (4 * 64 + 28, 2 * 4 * 128, 3)
        pictures.append(frames[0])
    assert (pictures[0] == pictures[2]).mean() > 0.99  # the same drives, from the same seeds


def test_figures_reach_tensorboard(whole: tuple[Path, TrainAgentResult, int]) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    board = accumulator.EventAccumulator(str(whole[0]))
    board.Reload()
    assert [event.step for event in board.Scalars("return")] == [16, 32, 48]


def test_the_same_seed_gives_the_same_curve(
    whole: tuple[Path, TrainAgentResult, int], model: Path, tmp_path: Path
) -> None:
    train_agent(settings(model, tmp_path / "again", film_s=0.0))
    assert figures(tmp_path / "again") == figures(whole[0]) and same_policy(tmp_path / "again", whole[0])
    train_agent(settings(model, tmp_path / "other", film_s=0.0, seed=1))
    assert figures(tmp_path / "other") != figures(whole[0])


def test_a_stopped_run_goes_on_as_if_it_had_not_been(
    whole: tuple[Path, TrainAgentResult, int], model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "cut"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.getcwd()}
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(model), str(out), "48"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    assert child.stdout is not None and child.stdout.readline() == "ready\n"
    while not ((out / "metrics.jsonl").exists() and (out / "metrics.jsonl").read_text()):
        assert child.poll() is None
        time.sleep(0.02)
    child.send_signal(signal.SIGTERM)
    said, complained = child.communicate(timeout=120)
    reason, step = said.split()
    assert child.returncode == 0 and reason == "SIGTERM" and int(step) in (16, 32)
    assert "run the same command again to go on" in complained
    assert load_policy(out)[1].model_steps == int(step)  # what there is can be driven already

    result = train_agent(settings(model, out, film_s=0.0))
    assert result.steps == 48 and same_policy(out, whole[0]) and figures(out) == figures(whole[0])


def test_a_killed_run_loses_no_more_than_the_last_interval(
    whole: tuple[Path, TrainAgentResult, int], model: Path, tmp_path: Path
) -> None:
    """The second iteration was logged, then the power went: the run goes on after the first."""
    out = tmp_path / "killed"
    train_agent(settings(model, out, steps=16, film_s=0.0))
    with open(out / "metrics.jsonl", "a", encoding="utf-8") as log:
        log.write(json.dumps({"step": 32, "return": -1.0}) + "\n")
    train_agent(settings(model, out, film_s=0.0))
    assert figures(out) == figures(whole[0]) and same_policy(out, whole[0])


def test_damage_is_survived_once_and_named_when_there_is_no_way_round(
    whole: tuple[Path, TrainAgentResult, int], model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = settings(model, tmp_path / "run", film_s=0.0)
    for steps in (16, 32):
        train_agent(dataclasses.replace(config, steps=steps))

    def damage(name: str) -> None:
        content = bytearray((tmp_path / "run" / name).read_bytes())
        content[-3] ^= 0xFF
        (tmp_path / "run" / name).write_bytes(content)

    damage(LATEST)
    with caplog.at_level(logging.INFO):
        train_agent(config)
    assert "cannot be read" in caplog.text and "at step 16" in caplog.text
    assert same_policy(tmp_path / "run", whole[0])
    damage(LATEST)
    damage(PREVIOUS)
    with pytest.raises(ValueError, match=f"expected a readable {LATEST}"):
        train_agent(config)


def test_other_settings_are_refused_with_what_differs(model: Path, tmp_path: Path) -> None:
    config = settings(model, tmp_path, steps=16, film_s=0.0)
    train_agent(config)
    changed = dataclasses.replace(config, seed=3, ppo=dataclasses.replace(config.ppo, clip=0.5))
    with pytest.raises(ValueError, match=r"seed was 0, is 3; ppo.clip was 0.2, is 0.5\. Give it those"):
        train_agent(changed)
    other = dataclasses.replace(config.imitation, updates=7)
    assert train_agent(dataclasses.replace(config, steps=32, imitation=other)).steps == 32  # nothing of this run's
    (tmp_path / "config.json").unlink()
    with pytest.raises(ValueError, match="holds another kind of run"):
        train_agent(config)


def test_imitation_counts_what_was_shown_and_no_steps(
    model: Path,
    tmp_path: Path,
    demonstrations: Path,  # noqa: F811
) -> None:
    how = ImitationConfig(str(demonstrations), ["good"], updates=2, batch=16)
    changes = {"method": "imitation", "imitation": how, "film_s": 0.3}
    for steps in (32, 64):
        train_agent(settings(model, tmp_path / "cut", steps=steps, **changes))
    train_agent(settings(model, tmp_path / "at_once", steps=64, **changes))
    assert same_policy(tmp_path / "cut", tmp_path / "at_once") and (tmp_path / "cut" / "films" / "end.mp4").exists()
    _, card = load_policy(tmp_path / "cut")
    assert (card.trained_in, card.model_steps, card.reference_steps) == ("episodes", 0, 0)
    assert card.demonstration_frames > 0
    start = {"start_from": str(tmp_path / "cut"), "film_s": 0.0}
    train_agent(settings(model, tmp_path / "on", steps=16, **start))
    assert load_policy(tmp_path / "on")[1].demonstration_frames == card.demonstration_frames


@pytest.mark.parametrize("world", ["Drive-v0", "RoadCam-v0"])
def test_imagination_goes_on_in_either_stage_and_either_world(model: Path, tmp_path: Path, world: str) -> None:
    """Its first stage learns from a teacher and remembers all that it heard; both are cut and gone on with here."""
    stage = ApprenticeConfig(steps=48, updates=2, batch=8)
    how = ImaginationConfig(drives=2, rollout_steps=12, min_trust=0.0, apprentice=stage, epochs=1, batch=12)
    changes = {"method": "imagination", "imagination": how, "film_s": 0.0, "world": world}
    before = RoadCamEnv.steps_taken
    for steps in (24, 72, 96):
        train_agent(settings(model, tmp_path / "cut", steps=steps, **changes))
    result = train_agent(settings(model, tmp_path / "at_once", steps=96, **changes))
    assert figures(tmp_path / "cut") == figures(tmp_path / "at_once") and len(figures(tmp_path / "cut")) == 4
    assert same_policy(tmp_path / "cut", tmp_path / "at_once")
    expected = 0 if world == "Drive-v0" else 96
    assert result.reference_steps == expected and RoadCamEnv.steps_taken - before == 2 * expected


def test_one_value_changes_the_world_and_what_went_before_counts(model: Path, tmp_path: Path) -> None:
    train_agent(settings(model, tmp_path / "model", steps=16, film_s=0.0))
    start = {"start_from": str(tmp_path / "model"), "film_s": 0.0}
    result = train_agent(settings(model, tmp_path / "both", steps=16, world="RoadCam-v0", **start))
    _, card = load_policy(tmp_path / "both")
    assert (card.trained_in, card.model_steps, card.reference_steps) == ("RoadCam-v0", 16, 16)
    assert result.reference_steps == 16
    (row,) = figures(tmp_path / "both")
    assert row["trust"] == 1.0
    assert not same_policy(tmp_path / "model", tmp_path / "both")


def test_weights_that_are_no_numbers_stop_the_run_and_leave_the_last_good_ones(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_agent(settings(model, tmp_path, steps=16, film_s=0.0))
    iterate = PPO.iterate

    def diverge(self: PPO) -> dict[str, float]:
        result = iterate(self)
        with torch.no_grad():
            self.policy.mean.bias[0] = float("nan")
        return result

    monkeypatch.setattr(PPO, "iterate", diverge)
    with pytest.raises(FloatingPointError, match="stopped at step 32"):
        train_agent(settings(model, tmp_path, film_s=0.0))
    assert all(bool(value.isfinite().all()) for value in load_policy(tmp_path)[0].parameters())


def test_what_does_not_fit_is_said_before_anything_is_written(model: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a budget"):
        TrainAgentConfig(minutes=0)
    with pytest.raises(ValueError, match="did you mean 'roundabout'"):
        train_agent(settings(model, tmp_path / "run", scenarios=["roundabut"]))
    with pytest.raises(ValueError, match="parallel: expected world=RoadCam-v0"):
        train_agent(settings(model, tmp_path / "run", parallel=True))
    write_world(tmp_path / "another", seed=1)
    foreign = Policy(PolicyConfig.of(tiny_world()))
    train_agent(settings(model, tmp_path / "here", steps=16, film_s=0.0))
    card = load_policy(tmp_path / "here")[1]
    save_policy(tmp_path / "foreign", foreign, card)
    with pytest.raises(ValueError, match="expected the tokenizer"):
        train_agent(settings(tmp_path / "another", tmp_path / "run", start_from=str(tmp_path / "foreign")))
    assert not (tmp_path / "run").exists()


def test_without_tensorboard_training_goes_on_and_says_what_to_install(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with caplog.at_level(logging.INFO):
        assert train_agent(settings(model, tmp_path, steps=16, film_s=0.0)).steps == 16
    assert "pip install 'worldsim[train]'" in caplog.text
    assert not list(tmp_path.glob("events.*")) and len(figures(tmp_path)) == 1
