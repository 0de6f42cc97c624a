"""The graded family: each fault shows in what it does, and costs what its grade says."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from agents.judging.family import FAMILY, Skill, SkilledDriver
from envs.commands.drivers import LaneKeeper
from envs.lane_keeping import Manner
from envs.reference.roadcam import RoadCamEnv
from envs.scenario import TARGET_SPEED_MPS, Scenario
from envs.spaces import action_space
from tests.agents.plays import SMALL, reference, returns
from tests.envs.learned_worlds import drives
from worldsim.types import LEAD_RANGE_M, ROADS, SceneFields

COUNT = 3
QUIET = (Scenario(road="curves", lanes=2, traffic="none"), Scenario(road="two_way", lanes=1, traffic="light"))


def seen(speed: float = 10.0, offset: float = 0.0, lead: float = LEAD_RANGE_M) -> dict[str, Any]:
    """``info`` of COUNT like drives on a straight lane."""
    labels = {"lane_offset_m": offset, "heading_error_rad": 0.0, "lead_distance_m": lead, "closing_speed_mps": 0.0}
    fields = np.empty(COUNT, dtype=object)
    fields[:] = [SceneFields(road="two_way")] * COUNT
    return {
        "labels": {name: np.full(COUNT, value) for name, value in labels.items()},
        "ego": np.tile(np.array([speed, 0.0, 0.0, 0.0], np.float32), (COUNT, 1)),
        "motion": np.tile(np.array([0.1 * speed, 0.0, 0.0, speed], np.float32), (COUNT, 1)),
        "fields": fields,
    }


def seated(skill: Skill, seed: int = 0) -> SkilledDriver:
    driver = SkilledDriver("someone", skill)
    driver.begin(drives(COUNT), np.random.default_rng(seed))
    return driver


def spearman(values: list[float]) -> float:
    """Rank correlation of ``values`` with their order, best first."""
    ranks = np.argsort(np.argsort(-np.asarray(values)))
    return float(np.corrcoef(ranks, np.arange(len(values)))[0, 1])


@pytest.mark.parametrize("name", FAMILY)
def test_everyone_drives_in_either_world(name: str) -> None:
    for env in (drives(2, max_steps=4), reference(["highway", "intersection"], steps=4)):
        observation, info = env.reset(seed=0)
        driver = SkilledDriver(name, FAMILY[name])
        driver.begin(env, np.random.default_rng(0))
        for _ in range(3):
            actions = driver.act(observation, info)
            assert actions.dtype == np.float32 and all(action_space().contains(action) for action in actions)
            observation, *_, info = env.step(actions)


def test_without_faults_it_is_the_lane_keeper_many_at_a_time() -> None:
    env = gym.vector.SyncVectorEnv([lambda s=s: RoadCamEnv(s, cameras=SMALL) for s in ("curves", "two_way")])
    observation, info = env.reset(seed=1)
    expert = SkilledDriver("plain", Skill(manner=Manner()))
    expert.begin(env, np.random.default_rng(0))
    single = [LaneKeeper(TARGET_SPEED_MPS[road]) for road in ("curves", "two_way")]
    for _ in range(10):
        actions = expert.act(observation, info)
        for i, keeper in enumerate(single):
            labels = {name: values[i] for name, values in info["labels"].items()}
            alone = keeper.act({"labels": labels, "ego": info["ego"][i], "motion": info["motion"][i]})
            np.testing.assert_allclose(actions[i], alone, atol=1e-6)
        observation, *_, info = env.step(actions)


def test_a_slow_driver_does_late_what_a_quick_one_does_at_once() -> None:
    quick, slow = seated(Skill()), seated(Skill(reaction_s=0.2))
    moments = [seen(offset=offset) for offset in (1.0, -0.5, 0.3, 0.0)]
    at_once, late = ([driver.act({}, moment) for moment in moments] for driver in (quick, slow))
    assert (late[0] == 0).all() and (late[1] == 0).all()
    np.testing.assert_array_equal(late[2:], at_once[:2])
    assert abs(at_once[0][0, 0]) > 0.01


def test_a_sleepy_driver_holds_what_it_decided_and_a_blind_one_for_ever() -> None:
    sleepy, blind = seated(Skill(hold_s=0.3)), seated(Skill(hold_s=float("inf")))
    moments = [seen(offset=0.1 * i) for i in range(7)]
    dozed = np.array([sleepy.act({}, moment)[0, 0] for moment in moments])
    assert (dozed[:3] == dozed[0]).all() and (dozed[3:6] == dozed[3]).all() and len({*dozed}) == 3
    assert len({blind.act({}, moment)[0, 0] for moment in moments}) == 1


def test_weaving_and_noise_differ_from_drive_to_drive_and_by_the_seed() -> None:
    for skill in (Skill(weave_m=1.0), Skill(noise=0.2)):
        first, again, other = (seated(skill, seed).act({}, seen()) for seed in (0, 0, 1))
        np.testing.assert_array_equal(first, again)
        assert (first[:, 0] != other[:, 0]).all() and len({*first[:, 0]}) == COUNT


def test_only_who_sees_the_vehicle_ahead_brakes_for_it() -> None:
    near = seen(lead=6.0)
    assert seated(FAMILY["expert"]).act({}, near)[0, 1] < -0.3
    assert seated(FAMILY["careless"]).act({}, near)[0, 1] > 0.0


def test_only_who_corrects_steers_back_to_the_lane() -> None:
    beside = seen(offset=1.0)
    assert seated(FAMILY["expert"]).act({}, beside)[0, 0] < -0.01
    assert seated(FAMILY["unsteered"]).act({}, beside)[0, 0] == 0.0


def test_grades_order_what_is_earned_on_quiet_roads() -> None:
    env = reference(QUIET, steps=100)
    graded = [name for name in FAMILY if name not in ("careless", "noisy", "slow")]  # these need traffic or time
    earned = [returns(SkilledDriver(name, FAMILY[name]), env, seed=11).mean() for name in graded]
    assert spearman(earned) >= 0.9, dict(zip(graded, earned, strict=True))


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_grades_order_what_is_earned_on_every_road() -> None:
    env = reference(ROADS, steps=150)
    earned = [returns(SkilledDriver(name, skill), env, seed=50).mean() for name, skill in FAMILY.items()]
    assert spearman(earned) >= 0.9, dict(zip(FAMILY, earned, strict=True))
