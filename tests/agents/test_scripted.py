"""Drivers: the good one gets there, the bad ones do what they are for, all of them from a seed."""

import functools
from collections import Counter

import numpy as np
import pytest

from agents.mixture import DRIVERS, make_driver, mixture
from envs.reference.roadcam import RoadCamEnv
from envs.scenario import Scenario
from worldsim.types import ROADS, CameraSpec

SMALL = {"front": CameraSpec.from_fov(16, 8)}


def drive(name: str, scenario: Scenario | str, seed: int, steps: int) -> tuple[np.ndarray, dict]:
    env = RoadCamEnv(scenario, cameras=SMALL, grace_steps=8)
    env.reset(seed=seed)
    driver = make_driver(name)
    driver.reset(env, np.random.default_rng(seed))
    track = []
    for _ in range(steps):
        action = driver.act()
        assert action.shape == (2,) and action.dtype == np.float32 and (np.abs(action) <= 1).all()
        *_, terminated, truncated, info = env.step(action)
        track.append([*action, *info["ego"], *info["labels"].values()])
        if terminated or truncated:
            break
    return np.array(track), info


@pytest.mark.parametrize("road", ROADS)
def test_the_good_driver_keeps_its_lane_and_out_of_trouble(road: str) -> None:
    track, info = drive("good", road, seed=11, steps=120)
    assert len(track) == 120, info["labels"]
    assert track[:, 2].mean() > 4.0, "and it gets somewhere"
    assert np.median(np.abs(track[:, 6])) < 0.3


@pytest.mark.parametrize("name", DRIVERS)
def test_drivers_repeat_from_a_seed(name: str) -> None:
    first, _ = drive(name, "two_way", seed=2, steps=30)
    second, _ = drive(name, "two_way", seed=2, steps=30)
    np.testing.assert_array_equal(first, second)


def test_the_offroad_driver_leaves_the_road_and_the_crasher_crashes() -> None:
    roads = Scenario(road="two_way", lanes=1, traffic="heavy", horizon_s=30)
    assert any(drive("offroad", roads, seed, 200)[0][-1, 8] for seed in range(3))
    assert any(drive("crasher", roads, seed, 200)[0][-1, 9] for seed in range(3))


def test_the_stopper_stops_and_starts_again() -> None:
    track, _ = drive("stopper", Scenario(road="curves", traffic="none", ego_speed_mps=10), 1, 300)
    assert track[:, 2].min() < 2.0 and track[-100:, 2].max() > 5.0


def test_the_noisy_and_wild_drivers_steer_more_than_the_good_one() -> None:
    road = Scenario(road="highway", lanes=3, traffic="none")
    spread = {name: drive(name, road, 3, 100)[0][:, 0].std() for name in ("good", "noisy", "wild")}
    assert spread["noisy"] > 2 * spread["good"] and spread["wild"] > 2 * spread["good"]


@functools.cache
def askew(name: str) -> float:
    """Share of steps at which the heading is far from the lane's."""
    road = Scenario(road="curves", lanes=3, traffic="none")
    headings = np.concatenate([drive(name, road, seed, 120)[0][:, 7] for seed in range(4)])
    return float((np.abs(headings) > 0.1).mean())


@pytest.mark.parametrize("name", ["swerver", "stray"])
def test_some_turn_as_the_road_does_not(name: str) -> None:
    """Where the good driver's heading is the lane's, theirs often is not."""
    assert askew("good") < 0.05 and askew(name) > 0.2


def test_the_surger_nears_and_leaves_whoever_is_ahead() -> None:
    """Where the good driver holds its distance, the surger's comes and goes."""
    road = Scenario(road="highway", lanes=3, traffic="heavy")
    spread = {}
    for who in ("good", "surger"):
        tracks = [drive(who, road, seed, 120)[0] for seed in range(4)]
        closing = np.concatenate([track[track[:, 10] < 60, 11] for track in tracks])
        spread[who] = closing.std()
    assert spread["surger"] > 1.5 * spread["good"]


def test_the_mixture_follows_its_shares() -> None:
    rng = np.random.default_rng(0)
    drawn = Counter(mixture(rng).name for _ in range(3000))
    for name, (share, _) in DRIVERS.items():
        assert drawn[name] / 3000 == pytest.approx(share, abs=0.03)
    with pytest.raises(ValueError, match="did you mean 'crasher'"):
        make_driver("crashr")
