"""Drive-v0: where a drive begins, what ends it, and its state as a value."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

import envs  # noqa: F401 (registers)
from envs.events import NOT_STAGED
from envs.learned.drives import READING
from envs.scenario import Scenario
from worldsim.checkpoint import ModelCard, save_world
from worldsim.types import COMMANDS

from .learned_worlds import BANK, CALM, WORLD, drive, drives, world_saying

AHEAD = np.zeros(2, np.float32)
LEFT = np.array([0.5, 0.0], np.float32)


# --- where a drive begins -------------------------------------------------------------------------------------------


def test_a_drive_begins_where_its_start_ends() -> None:
    env = drive(scenario="fog_highway")
    for seed in range(6):
        _, info = env.reset(seed=seed)
        assert env.start in (2, 3) and info["scenario"] == "fog_highway"
        assert info["caption"] == BANK.records[env.start].caption and info["fields"] == BANK.fields(env.start)
        assert np.array_equal(info["ego"], BANK.arrays.ego[env.start, -1].numpy())
        assert np.isnan(info["motion"]).all() and not info["pose"].any() and info["step"] == 0
        latents = env.save_state().latents[0]
        assert torch.equal(latents, BANK.arrays.latents[env.start, -1].float())


def test_any_start_by_index() -> None:
    env = drive(scenario="highway")
    seen, info = env.reset(seed=0, options={"start": 4})
    assert env.start == 4 and info["scenario"] == "roundabout" and info["fields"].road == "roundabout"
    assert seen["ego"][0] == 19.0
    with pytest.raises(ValueError, match="expected an index from 0 to 5, got 9"):
        env.reset(options={"start": 9})
    with pytest.raises(ValueError, match="did you mean 'start'"):
        env.reset(options={"strat": 1})


def test_starts_that_fit_the_overrides_come_first() -> None:
    """A scenario that the bank lacks takes starts whose fields fit; where none does, the start is imagined."""
    env = drive(scenario="highway", weather="fog")
    env.reset(seed=0)
    assert env.start in (2, 3)
    env = drive(scenario="highway", weather="snow")
    seen, info = env.reset(seed=0)
    assert env.start is None and info["fields"].weather == "snow" and seen["ego"][0] > 10
    assert seen["camera"].std() > 0
    with pytest.raises(ValueError, match="start='bank': expected a start that fits"):
        drive(scenario="highway", weather="snow", start="bank").reset(seed=0)
    imagined = drive(scenario="highway", start="imagine")
    imagined.reset(seed=0)
    assert imagined.start is None


def test_events_are_told_as_not_staged() -> None:
    """The reference world alone stages events; here a drive begins where the scene fits, and says what is missing."""
    scenario = Scenario(
        name="cut", road="highway", weather={"fog": 3, "snow": 1}, lanes=[3, 4],  # type: ignore[arg-type]
        events=({"kind": "cut_in", "at_s": 4, "side": "left", "vehicle": "truck"},),  # type: ignore[arg-type]
    )  # fmt: skip
    env = drive(scenario=scenario)
    _, info = env.reset(seed=0)
    assert env.start in (2, 3) and info["fields"].weather == "fog"
    _, _, _, _, info = env.step(AHEAD)
    (event,) = info["events"]
    assert event["state"] == NOT_STAGED and event["began_s"] is None
    assert event["words"] == "after 4 s a truck cuts in from the left"
    assert drives(2, scenario=scenario).reset(seed=0)[1]["events"][1][0] == event


def test_the_scenario_option_stays() -> None:
    env = drive(scenario="highway")
    assert env.reset(seed=0, options={"scenario": "roundabout"})[1]["scenario"] == "roundabout"
    assert env.reset()[1]["scenario"] == "roundabout"


def test_the_scenario_sets_target_speed_and_its_seed_decides() -> None:
    slow = Scenario(name="slow", road="roundabout", traffic="light", target_speed_mps=5.0, seed=3)
    env = drive(scenario=slow)
    starts = {(env.reset(seed=seed), env.start)[1] for seed in range(5)}
    assert len(starts) == 1 and starts <= {4, 5}
    assert env.save_state().target_speed[0] == 5.0
    env.reset(options={"scenario": "roundabout"})
    assert env.save_state().target_speed[0] == BANK.records[4].target_speed_mps


def test_words_describe_the_scene_over_its_fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sentence_transformers", reason="captions need the extra `text`")
    monkeypatch.setenv("WORLDSIM_CACHE", str(tmp_path))
    env = drive(scenario="roundabout", caption="a foggy highway")
    _, info = env.reset(seed=0)
    assert info["caption"] == "a foggy highway" and info["fields"].road == "highway"
    assert info["fields"].weather == "fog"
    known = env.save_state().rollout.scene
    assert bool(known.text_known[0]) and torch.isclose(known.text[0].norm(), torch.tensor(1.0), atol=1e-3)


def test_commands_last_for_a_junction() -> None:
    env = drive(CALM)
    seen, info = env.reset(seed=0, options={"command": "left", "start": 0})
    assert seen["command"] == info["command"] == COMMANDS.index("left")
    commands = [env.step(AHEAD)[0]["command"] for _ in range(45)]  # 1.5 m each
    assert commands[:39] == [1] * 39 and commands[-1] == 0
    env.instruct("right")
    assert env.step(AHEAD)[0]["command"] == COMMANDS.index("right")
    with pytest.raises(ValueError, match="did you mean 'right'"):
        env.instruct("rigth")


# --- what ends it ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hazard", ["offroad", "collision"])
def test_a_hazard_that_two_frames_show_terminates(hazard: str) -> None:
    env = drive(world_saying(**{"offroad": -9.0, "collision": -9.0, hazard: 9.0}))
    _, info = env.reset(seed=0)
    assert info["labels"][hazard] > 0.99 and info["reward_terms"][hazard] == 0.0
    _, reward, terminated, truncated, info = env.step(AHEAD)
    assert terminated and not truncated
    assert info["reward_terms"][hazard] < -0.99 and reward == info["reward"] < -3


def test_a_blip_of_one_frame_ends_nothing() -> None:
    env = drive(CALM)
    env.reset(seed=0)
    column = READING.index("collision")
    env._core.drives.reading[:, column] = 1.0
    _, _, terminated, _, info = env.step(AHEAD)
    assert not terminated and info["reward_terms"]["collision"] > -0.01

    env = drive(world_saying(offroad=-9.0, collision=9.0))
    env.reset(seed=0)
    env._core.drives.reading[:, column] = 0.0
    assert [env.step(AHEAD)[2] for _ in range(2)] == [False, True]


def test_lost_trust_truncates() -> None:
    world = world_saying(offroad=-9.0, collision=-9.0)
    world.trust_scale.fill_(1e-3)
    env = drive(world, min_trust=0.5)
    env.reset(seed=0)
    ends = []
    for _ in range(4):
        _, _, terminated, truncated, info = env.step(AHEAD)
        ends.append((terminated, truncated))
        assert info["trust"] < 1e-3
    assert ends == [(False, False)] * 3 + [(False, True)]  # 0.8 a step: the average is below a half after four
    trusting = drive(world)
    trusting.reset(seed=0)
    assert not any(trusting.step(AHEAD)[3] for _ in range(6))


def test_hazards_look_a_second_ahead() -> None:
    world = world_saying(offroad_soon=9.0, collision_soon=-9.0)
    env = drive(world)
    env.reset(seed=0)
    assert env.hazards["offroad_soon"] > 0.99 and env.hazards["collision_soon"] < 0.01
    many = drives(2, world)
    many.reset(seed=0)
    assert {name: values.shape for name, values in many.hazards.items()} == dict.fromkeys(env.hazards, (2,))
    assert (many.hazards["offroad_soon"] > 0.99).all() and (many.hazards["collision_soon"] < 0.01).all()


# --- state as a value -----------------------------------------------------------------------------------------------


def futures(env: Any, actions: list[np.ndarray]) -> list[tuple[np.ndarray, float]]:
    return [(step[0]["camera"], step[1]) for step in map(env.step, actions)]


def same(a: list[tuple[np.ndarray, float]], b: list[tuple[np.ndarray, float]]) -> bool:
    return all(np.array_equal(x, y) and r == s for (x, r), (y, s) in zip(a, b, strict=True))


def test_restored_state_repeats_the_future() -> None:
    env = drive(CALM)
    env.reset(seed=0)
    futures(env, [LEFT] * 3)
    saved = env.save_state()
    first = futures(env, [LEFT] * 4)
    env.restore_state(saved)
    assert same(first, futures(env, [LEFT] * 4))
    seen, info = env.reset(options={"state": saved})  # and once more: a saved state is not used up
    assert info["step"] == 3 and np.array_equal(seen["ego"], info["ego"])
    assert same(first, futures(env, [LEFT] * 4))


def test_branches_differ_by_the_action_alone() -> None:
    env = drive(CALM)
    env.reset(seed=0)
    env.step(LEFT)
    branch = env.branch()
    assert same(futures(env, [LEFT] * 3), futures(branch, [LEFT] * 3))
    branch = env.branch()
    assert not same(futures(env, [LEFT] * 3), futures(branch, [-LEFT] * 3))
    assert env.save_state().pose[0, 2] > branch.save_state().pose[0, 2]
    assert np.array_equal(env.branch().reset()[0]["camera"], env.reset()[0]["camera"])  # and the same chance to come


def test_a_state_of_another_world_is_refused() -> None:
    env = drive()
    env.reset(seed=0)
    with pytest.raises(ValueError, match="expected a value of save_state"):
        env.restore_state("somewhere")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="same `pixels`"):
        env.restore_state(_state_without_pixels())


def _state_without_pixels() -> Any:
    env = drive(pixels=False)
    env.reset(seed=0)
    return env.save_state()


# --- settings -------------------------------------------------------------------------------------------------------


def test_latents_instead_of_pixels() -> None:
    """The same drive, observed before decoding; a picture can still be asked for."""
    env, pictured = drive(CALM, pixels=False, render_mode="rgb_array"), drive(CALM, render_mode="rgb_array")
    seen, _ = env.reset(seed=0)
    pictured.reset(seed=0)
    assert set(seen) == {"latents", "ego", "command"} and seen["latents"].shape == (32, 4)
    for _ in range(3):
        seen, reward, *_ = env.step(LEFT)
        assert env.observation_space.contains(seen)
        assert reward == pictured.step(LEFT)[1]
    picture = env.render()
    assert picture is not None and picture.shape == (256, 512, 3)
    assert np.array_equal(picture, pictured.render())


def test_a_world_on_disk_with_its_bank(tmp_path: Path) -> None:
    save_world(tmp_path, WORLD, ModelCard("tiny", "tiny", "none"))
    env = gym.make("worldsim/Drive-v0", world=tmp_path, steps=1)
    env.reset(seed=0)
    assert env.unwrapped.start is None  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="make-starts"):
        drive(world=tmp_path, starts=None, start="bank")
    BANK.save(tmp_path)
    env = gym.make("worldsim/Drive-v0", world=str(tmp_path), steps=1)
    env.reset(seed=0)
    assert env.unwrapped.start in (0, 1)  # type: ignore[attr-defined]


def test_products_in_bfloat16_draw_nearly_the_same_frame() -> None:
    drawn = []
    for precision in ("float32", "bfloat16"):
        env = drive(pixels=False, precision=precision)
        env.reset(seed=0)
        drawn.append(env.step(np.zeros(2, np.float32))[0]["latents"])
    assert 0.0 < np.abs(drawn[0] - drawn[1]).mean() < 0.03 * drawn[0].std()


def test_bad_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="did you mean 'pixels'"):
        drive(pixel=False)
    with pytest.raises(ValueError, match="unknown world 'raod'"):
        drive(world="raod")
    with pytest.raises(ValueError, match="did you mean 'imagine'"):
        drive(start="imagined")
    with pytest.raises(ValueError, match=r"sampling steps: expected one of \[1, 2, 4, 8\], got 3"):
        drive(steps=3)
    with pytest.raises(ValueError, match="min_trust"):
        drive(min_trust=2.0)
    with pytest.raises(ValueError, match=r"unknown precision 'bfloat': .*did you mean 'bfloat16'"):
        drive(precision="bfloat")
    with pytest.raises(ValueError, match=r"device: .*got 'cuda:99'; say device=cpu"):
        drive(device="cuda:99")
    other = world_saying()
    other.scale.mean.add_(1.0)
    with pytest.raises(ValueError, match="made for another world"):
        drive(world=other)


def test_a_log_is_a_scenario_too() -> None:
    """Starts cut from a real log carry its name and no fields: the name alone finds them."""
    records = [replace(record, scenario="tub") for record in BANK.records]
    fields = torch.zeros_like(BANK.arrays.fields)
    bank = type(BANK)(replace(BANK.arrays, fields=fields), records, BANK.latents_hash, BANK.frame_rate_hz)
    env = drive(scenario="tub", starts=bank)
    _, info = env.reset(seed=0)
    assert env.start is not None and info["scenario"] == "tub" and info["fields"].road is None
