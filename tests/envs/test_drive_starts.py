"""Making start contexts, and bringing the reference world to where they end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch

import envs  # noqa: F401 (registers)
from agents.starts import MakeStartsConfig, make_starts, sit
from envs.learned.collect_starts import FIRST_SEED, bring, drive_contexts, log_contexts, make_bank
from envs.learned.plan import known_scenarios
from envs.scenario import list_scenarios
from tests.worldsim.data_episodes import make_episode
from worldsim.checkpoint import ModelCard, save_world
from worldsim.data.store import EpisodeStore
from worldsim.data.writer import EpisodeWriter
from worldsim.engine.starts import StartBank

from .learned_worlds import WORLD, drive

FRAMES = 4


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world on disk with starts that a good driver drove."""
    folder = tmp_path_factory.mktemp("world")
    save_world(folder, WORLD, ModelCard("tiny", "tiny", "none"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORLDSIM_CACHE", str(folder / "cache"))
        make_starts(MakeStartsConfig(str(folder), ["highway", "roundabout"], per_scenario=2, frames=FRAMES))
    return folder


def test_the_command_writes_a_bank_beside_the_world(made: Path) -> None:
    bank = StartBank.load(made, WORLD)
    assert bank.scenarios == ["highway", "roundabout"] and len(bank) == 4 and bank.context_frames == FRAMES
    assert all(record.seed is not None and record.seed >= FIRST_SEED for record in bank.records)
    assert bank.arrays.action[:, :-1].isfinite().all() and bank.arrays.action[:, -1].isnan().all()
    assert bank.arrays.motion[:, :-1].isfinite().all() and bank.arrays.motion[:, -1].isnan().all()
    speed = bank.arrays.ego[:, 1:, 0]
    assert torch.allclose(bank.arrays.motion[:, :-1, 3], speed)  # motion[t] ends at frame t + 1
    for row, record in enumerate(bank.records):
        assert bank.fields(row).road == record.scenario and record.target_speed_mps > 1


def test_both_worlds_begin_at_the_same_start(made: Path) -> None:
    """The recorded seed and actions bring the reference world to the start; the twin sees it through its tokenizer."""
    bank = StartBank.load(made, WORLD)
    reference, learned = gym.make("worldsim/RoadCam-v0"), drive(world=made, starts=None)
    for start in range(len(bank)):
        seen, info = bring(reference, bank, start)
        assert np.array_equal(seen["ego"], bank.arrays.ego[start, -1].numpy())
        latents = WORLD.encode(torch.from_numpy(seen["camera"])).half()
        assert torch.allclose(latents, bank.arrays.latents[start, -1], atol=2e-2)
        twin, told = learned.reset(seed=0, options={"start": start})
        assert np.array_equal(twin["ego"], seen["ego"]) and told["fields"] == info["fields"]
        assert told["scenario"] == info["scenario"] and told["command"] == info["command"]
        assert learned.save_state().target_speed[0] == reference.unwrapped.scenario.target_speed_mps  # type: ignore[attr-defined]


def test_starts_from_a_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Held-out episodes alone; what a log does not know is not known to the drive either."""
    monkeypatch.setenv("WORLDSIM_CACHE", str(tmp_path / "cache"))
    writer = EpisodeWriter(tmp_path / "log", fps=10.0)
    for index in range(4):
        writer.write(replace(make_episode(t=60, seed=index), scenario="tub"), index)
    contexts = list(log_contexts(EpisodeStore(tmp_path / "log"), FRAMES))
    assert [each.record.frame for each in contexts] == [0, 50] and all(each.record.seed is None for each in contexts)
    bank = make_bank(WORLD, (replace(each, record=replace(each.record, caption="")) for each in contexts))
    assert not bank.arrays.text_known.any()
    env = drive(starts=bank, scenario="tub")
    seen, _ = env.reset(seed=0)
    assert env.start is not None and np.isfinite(seen["ego"]).all()
    with pytest.raises(ValueError, match="cut from a recorded log"):
        bring(gym.make("worldsim/RoadCam-v0"), bank, 0)


def test_a_world_of_logs_is_asked_for_its_own_scenarios(made: Path) -> None:
    bank = StartBank.load(made, WORLD)
    logged = [replace(record, scenario=name, seed=None) for name, record in zip("abab", bank.records, strict=True)]
    logs = StartBank(bank.arrays, logged, bank.latents_hash, bank.frame_rate_hz)
    assert known_scenarios(logs) == ["a", "b"] and logs.recorded and not bank.recorded
    assert known_scenarios(bank) == known_scenarios(None) == list_scenarios()
    with pytest.raises(ValueError, match=r"unknown scenario of this world 'highway': expected one of \['a', 'b'\]"):
        drive(starts=logs, scenario="highway")
    env = drive(starts=logs, scenario="a")
    with pytest.raises(ValueError, match="'highway'"):
        env.reset(options={"scenario": "highway"})
    assert env.reset(seed=0)[1]["scenario"] == "a"
    assert drive(starts=logs, scenario="highway", start="imagine").reset(seed=0)[1]["scenario"] == "highway"


def test_a_drive_goes_on_as_its_log_did(made: Path) -> None:
    """At the speed the log tells, or at the record's where it tells none; with the log's own wheelbase."""
    bank = StartBank.load(made, WORLD)
    ego, turns = bank.arrays.ego.clone(), []
    ego[:, :, 0] = torch.tensor([2.0, 2.0, torch.nan, torch.nan])[:, None]
    for wheelbase in (None, 0.28):
        records = [replace(each, scenario="log", seed=None, wheelbase_m=wheelbase) for each in bank.records]
        logs = StartBank(replace(bank.arrays, ego=ego), records, bank.latents_hash, bank.frame_rate_hz)
        env = drive(starts=logs, scenario="log")
        assert env.reset(seed=0, options={"start": 3})[0]["ego"][0] == np.float32(records[3].target_speed_mps)
        assert env.reset(seed=0, options={"start": 0})[0]["ego"][0] == 2.0
        turns.append([env.step(np.array([1.0, 0.0]))[4]["motion"][2] for _ in range(4)][-1])
    assert turns[1] > 5 * turns[0] > 0


def test_starts_of_several_logs_every_few_frames(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLDSIM_CACHE", str(tmp_path / "cache"))
    save_world(tmp_path / "world", WORLD, ModelCard("tiny", "tiny", "none"))
    for name, seed in (("one", 3), ("two", 7)):  # seeds that are held out
        episode = replace(make_episode(t=24, seed=seed), scenario=name)
        EpisodeWriter(tmp_path / name, fps=10.0).write(episode, 0)
    make_starts(
        MakeStartsConfig(
            str(tmp_path / "world"), frames=FRAMES, data=tmp_path / "one", also=[tmp_path / "two"], every=10
        )
    )
    bank = StartBank.load(tmp_path / "world", WORLD)
    assert [(record.scenario, record.frame) for record in bank.records] == [
        (name, frame) for name in ("one", "two") for frame in (0, 10, 20)
    ]


def test_bad_requests_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="per_scenario: expected"):
        MakeStartsConfig(per_scenario=0)
    with pytest.raises(ValueError, match="did you mean 'highway'"):
        MakeStartsConfig(scenarios=["higway"])
    with pytest.raises(ValueError, match="at least one context"):
        make_bank(WORLD, [])
    with pytest.raises(ValueError, match="did you mean 'roundabout'"):
        next(drive_contexts(sit, WORLD, ["roundabuot"], 1))
