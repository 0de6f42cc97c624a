"""Judging: what a drive is measured to be, that it depends on nothing else, intervals that cover, and the command."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from agents.judging import scores
from agents.judging.evaluate import EvalAgentConfig, run
from agents.judging.judge import Judge, Venue
from agents.judging.play import FAR_S, LearnedArena, Outcome, ReferenceArena, play
from agents.judging.suite import FIRST_SEED, TOGETHER, Case, Suite
from envs.kinematics import MAX_BRAKING_MPS2, STEP_S
from envs.reference.roadcam import RoadCamEnv
from envs.rewards import WEIGHTS
from tests.agents.plays import SMALL
from tests.envs.learned_worlds import BANK, CALM, LIVELY, WORLD
from worldsim.checkpoint import ModelCard, save_world
from worldsim.types import ROADS, FloatArray

SHORT = Suite(("highway", "roundabout"), max_steps=6)


class Pressing:
    """Holds wheel and pedal, and counts how often it is asked."""

    name = "pressing"

    def __init__(self, steering: float, pedal: float) -> None:
        self.action, self.asked = (steering, pedal), 0

    def begin(self, env: gym.vector.VectorEnv, rng: np.random.Generator) -> None:
        self.count = env.num_envs

    def act(self, observation: Mapping[str, Any], info: Mapping[str, Any]) -> FloatArray:
        self.asked += 1
        return np.tile(np.float32(self.action), (self.count, 1))


def reference() -> ReferenceArena:
    arena = ReferenceArena(WORLD)
    arena.cameras = SMALL
    return arena


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny world on disk, as other processes need it."""
    folder = tmp_path_factory.mktemp("world")
    save_world(folder, WORLD, ModelCard("tiny", "tiny", "none"))
    BANK.save(folder)
    return str(folder)


# --- the suite ------------------------------------------------------------------------------------------------------


def test_the_suite_is_fixed_and_holds_every_road() -> None:
    first = Suite().round(0)
    assert tuple(case.scenario for case in first) == ROADS
    assert [case.seed for case in first] == [FIRST_SEED + k for k in range(TOGETHER)]
    assert Suite().round(12)[3] == Suite().case(12 * TOGETHER + 3) == Case(99, ROADS[3], FIRST_SEED + 99, 200)
    with pytest.raises(ValueError, match="did you mean 'highway'"):
        Suite(("higway",))
    with pytest.raises(ValueError, match="max_steps"):
        Suite(max_steps=0)


# --- playing --------------------------------------------------------------------------------------------------------


def test_outcomes_are_what_a_drive_alone_comes_to() -> None:
    cases = [Case(k, "highway", 50 + k, 25) for k in range(2)]
    for case, outcome in zip(cases, play(Pressing(0.9, 0.3), reference(), cases), strict=True):
        env = RoadCamEnv("highway", cameras=SMALL, max_steps=25)
        _, info = env.reset(seed=case.seed)
        earned, speeds, over = [], [], False
        while not over:
            _, reward, terminated, truncated, info = env.step(np.float32([0.9, 0.3]))
            earned.append(reward)
            speeds.append(info["ego"][0])
            over = terminated or truncated
        assert outcome.steps == len(earned) and outcome.earned == pytest.approx(sum(earned))
        assert sum(outcome.terms.values()) == pytest.approx(outcome.earned) and set(outcome.terms) == set(WEIGHTS)
        assert outcome.speed_ratio == pytest.approx(np.mean(speeds) / env.scenario.target_speed_mps)
        assert outcome.offroad == (info["labels"]["offroad"] > 0.5)
        assert outcome.crash == (info["labels"]["collision"] > 0.5)
        assert outcome.success == (not terminated and outcome.speed_ratio >= 0.5)
    # full lock leaves the road: this test is about drives of unequal length
    assert outcome.offroad and outcome.steps < 25


def test_braking_is_no_success_and_measured_as_it_is() -> None:
    (outcome,) = play(Pressing(0.0, -1.0), reference(), [Case(0, "highway", 7, 40)])
    assert not outcome.success and not outcome.crash and not outcome.offroad and outcome.steps == 40
    assert outcome.speed_ratio < 0.5 and 0.2 < outcome.hard_braking < 0.9
    # from 0 to -8 m/s^2 in the first step and back to 0 at standstill, by one or two steps
    assert outcome.jerk_mps3 == pytest.approx(2 * MAX_BRAKING_MPS2 / STEP_S / 40, rel=1e-3)
    assert outcome.lateral_mps2 == pytest.approx(0.0, abs=1e-9) and outcome.trust == 1.0


def test_time_to_collision_falls_when_closing_in() -> None:
    cases = [Case(k, "highway_dense", 60 + k, 60) for k in range(2)]
    racing = play(Pressing(0.0, 1.0), reference(), cases)
    assert any(outcome.crash and outcome.least_ttc_s < 1.0 for outcome in racing)
    assert all(0.0 <= outcome.least_ttc_s <= FAR_S for outcome in racing)


def test_who_has_ended_is_not_driven_on_in_the_reference_world() -> None:
    cases = [Case(k, "roundabout", k, 80) for k in range(2)]
    agent, before = Pressing(1.0, 0.5), RoadCamEnv.steps_taken
    outcomes = play(agent, reference(), cases)
    assert RoadCamEnv.steps_taken - before == sum(outcome.steps for outcome in outcomes)
    assert agent.asked == max(outcome.steps for outcome in outcomes)


def test_the_learned_world_is_measured_alike_and_ends_do_not_touch_the_others() -> None:
    cases = [Case(k, name, k, 12) for k, name in enumerate(("highway", "fog_highway", "roundabout", "highway"))]
    outcomes = play(Pressing(0.1, 0.2), LearnedArena(LIVELY, BANK, passes=1), cases)
    ended = [outcome for outcome in outcomes if outcome.offroad]
    assert ended and len(ended) < len(cases) and max(outcome.steps for outcome in outcomes) == 12
    assert all(outcome.steps < 12 and not outcome.success for outcome in ended)
    assert all(outcome.trust < 1 for outcome in outcomes)
    calm = play(Pressing(0.1, 0.2), LearnedArena(CALM, BANK, passes=1), cases)
    assert all(outcome.steps == 12 and not outcome.offroad for outcome in calm)
    for case, outcome in zip(cases, outcomes, strict=True):  # each alone
        (alone,) = play(Pressing(0.1, 0.2), LearnedArena(LIVELY, BANK, passes=1), [case])
        assert alone.steps == outcome.steps and alone.earned == pytest.approx(outcome.earned, abs=1e-4)


def test_nothing_depends_on_how_many_are_played_by_how_many_processes(world: str, tmp_path: Path) -> None:
    venue = Venue("Drive-v0", world, passes=1)
    one = Judge(venue, tmp_path / "one", SHORT, workers=1).outcomes(["random", "noisy"], TOGETHER + 3)
    two = Judge(venue, tmp_path / "two", SHORT, workers=2).outcomes(["noisy", "random"], 2 * TOGETHER)
    for name in ("random", "noisy"):
        assert len(one[name]) == TOGETHER + 3 and one[name] == two[name][: TOGETHER + 3]
    assert one["random"] != one["noisy"]


def test_finished_rounds_are_kept_and_belong_to_what_they_were_played_with(world: str, tmp_path: Path) -> None:
    venue = Venue("Drive-v0", world, passes=1)
    judge = Judge(venue, tmp_path, SHORT, workers=1)
    judge.outcomes(["random"], 3)
    file = judge.file("random", 0)
    kept = json.loads(file.read_text())
    kept[0]["earned"] = 123.0  # if it is read again, this is what comes
    file.write_text(json.dumps(kept))
    again = judge.outcomes(["random"], TOGETHER + 1)["random"]
    assert again[0].earned == 123.0 and len(again) == TOGETHER + 1
    other = Judge(venue, tmp_path, replace(SHORT, max_steps=5), workers=1)
    assert other.file("random", 0) != file and other.outcomes(["random"], 1)["random"][0].earned != 123.0
    files = {
        Judge(Venue(*args), tmp_path, SHORT).file("random", 0)
        for args in (("Drive-v0", world, 1), ("Drive-v0", world, 2), ("RoadCam-v0", world, 1), ("Drive-v0", "road", 1))
    }
    assert len(files) == 4 and file in files


# --- scores ---------------------------------------------------------------------------------------------------------


def test_intervals_of_the_mean_cover_it_19_times_in_20() -> None:
    rng = np.random.default_rng(0)
    flat = [scores.mean(rng.exponential(3.0, 60)) for _ in range(80)]
    assert 0.88 < np.mean([each.low < 3.0 < each.high for each in flat]) < 1.0
    crossed = []
    for _ in range(80):  # policies and drives both vary: an interval over drives alone would be far too narrow
        table = 5.0 + rng.normal(0, 2, (6, 1)) + rng.normal(0, 2, (1, 40)) + rng.normal(0, 1, (6, 40))
        crossed.append(scores.mean(table))
    assert 0.82 < np.mean([each.low < 5.0 < each.high for each in crossed]) < 1.0


def test_rates_have_sensible_intervals_at_the_ends() -> None:
    never, always = scores.rate(np.zeros(40)), scores.rate(np.ones(40))
    assert never.value == never.low == 0.0 and never.high == pytest.approx(0.0876, abs=1e-3)  # Wilson's, by his formula
    assert always.high == 1.0 and always.low == pytest.approx(1 - 0.0876, abs=1e-3)
    half = scores.rate(np.arange(100) % 2)
    assert (half.low, half.high) == (pytest.approx(0.404, abs=0.01), pytest.approx(0.596, abs=0.01))
    lucky = np.zeros((4, 25))
    lucky[0] = 1.0  # one policy of four crashes always: that is not 25 of 100 independent crashes
    assert scores.rate(lucky).high > 0.6 > 0.35 > scores.rate(lucky.ravel()).high
    with pytest.raises(ValueError, match="expected 0 or 1"):
        scores.rate([0.0, 0.5])


def test_a_ratio_of_matched_drives_is_narrower_than_of_others() -> None:
    rng = np.random.default_rng(1)
    hard = rng.uniform(20, 180, 80)
    same = scores.ratio(0.9 * hard, hard)
    assert same.value == pytest.approx(0.9) and same.high - same.low < 1e-9
    other = scores.ratio(0.9 * rng.permutation(hard), hard)
    assert other.low < 0.9 < other.high and other.high - other.low > 0.1
    nothing = scores.ratio([1.0, 2.0], [-1.0, 0.5])
    assert np.isnan([nothing.value, nothing.low, nothing.high]).all()
    unsure = scores.ratio(np.ones(20), np.r_[np.full(10, -9.0), np.full(10, 10.0)])
    assert unsure.value == pytest.approx(2.0) and np.isnan(unsure.low)
    with pytest.raises(ValueError, match="the same drives"):
        scores.ratio([1.0], [1.0, 2.0])


def test_scores_need_matched_drives() -> None:
    def outcome(index: int, earned: float) -> Outcome:
        return Outcome(index, "highway", index, 5, earned, {}, True, False, False, 1.0, 0.0, 0.0, 0.0, 10.0, 1.0)

    rows = [[outcome(0, 1.0), outcome(1, 2.0)], [outcome(0, 3.0), outcome(1, 4.0)]]
    assert scores.table_of(rows, "return").tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert scores.scores(rows)["success"].value == 1.0 and set(scores.scores(rows)) == set(scores.FIGURES)
    with pytest.raises(ValueError, match="the same drives"):
        scores.table_of([rows[0], rows[1][::-1]], "return")


# --- the command ----------------------------------------------------------------------------------------------------


def test_the_command_prints_a_table_and_writes_it(world: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    config = EvalAgentConfig(
        ["random", "expert"], "RoadCam-v0", world, episodes=3, out=tmp_path, scenarios=["empty_road"], max_steps=15,
        workers=1,
    )  # fmt: skip
    path = run(config)
    printed = capsys.readouterr().out
    assert "random" in printed and "return" in printed and "3 drives" in printed
    written = json.loads(path.read_text())
    expert, random = (written["scores"][name]["return"] for name in ("expert", "random"))
    assert expert["low"] <= expert["value"] <= expert["high"] and expert["value"] > random["value"]
    assert len(written["drives"]["random"]) == 3
    assert run(config) == path  # again, from what was kept


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"agents": ["expart"]}, "did you mean 'expert'"),
        ({"agents": []}, "at least one"),
        ({"world": "RoadCam"}, "did you mean 'RoadCam-v0'"),
        ({"model": "no such world"}, "no such world"),
        ({"episodes": 0}, "episodes"),
        ({"workers": -1}, "workers"),
        ({"world": "Drive-v0", "agents": ["scripted"]}, "in the learned world use 'expert'"),
    ],
)
def test_bad_input_is_refused(world: str, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"agents": ["random"], "model": world, "out": tmp_path, "episodes": 1, "workers": 1}
    with pytest.raises(ValueError, match=message):
        run(EvalAgentConfig(**given | change))
    assert not list(tmp_path.rglob("*.json"))
