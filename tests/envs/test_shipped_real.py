"""The world of real cameras that ships: it plays, its starts are held out, and it says what it is made of."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

from worldsim.checkpoint import SHIPPED, load_world, read_card
from worldsim.engine.starts import StartBank

ID, WORLD = "envs:worldsim/Drive-v0", "real"
SCENARIOS = ["commavq_minute", "cosmos3_av", "cosmos_dashcam_clips", "donkeycar", "udacity_lanelines"]


def test_all_that_ships_is_small_and_named() -> None:
    size = sum(path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file())
    assert size < 60e6
    notice, card = (SHIPPED / WORLD / "NOTICE").read_text(encoding="utf-8"), read_card(WORLD)
    for name in SCENARIOS:
        assert name in notice
    for licence in ("MIT", "Apache-2.0", "OpenMDW-1.1"):
        assert licence in card.data or licence in card.licence
    assert card.command and card.limits and card.metrics


def test_starts_are_of_logs() -> None:
    bank = StartBank.load(SHIPPED / WORLD, load_world(WORLD))
    assert bank.recorded and bank.scenarios == SCENARIOS
    tub = [record for record in bank.records if record.scenario == "donkeycar"]
    assert all(0.1 < (record.wheelbase_m or 0) < 1.0 for record in tub)  # a car of 1/10 scale


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_it_plays(scenario: str) -> None:
    env = gym.make(ID, world=WORLD, scenario=scenario, steps=1)
    observation, info = env.reset(seed=0)
    assert info["scenario"] == scenario and observation["camera"].std() > 10 and observation["ego"][0] >= 0
    for _ in range(3):
        observation, reward, _, _, info = env.step(np.array([0.3, 0.0], np.float32))
        assert env.observation_space.contains(observation) and np.isfinite(float(reward)) and info["motion"][2] > 0
    env.close()


def test_the_track_turns_tighter_than_a_car_can() -> None:
    """At the pace of the tub, 2 m/s, full lock turns a common car by 0.05 rad a step and this one by 0.2 and more."""
    env = gym.make(ID, world=WORLD, scenario="donkeycar", steps=1)
    env.reset(seed=0)
    turned = [env.step(np.array([1.0, 0.0], np.float32))[4]["motion"][2] for _ in range(3)]
    assert turned[-1] > 0.2


def test_a_scenario_of_the_reference_world_is_an_error_that_says_what_there_is() -> None:
    with pytest.raises(ValueError, match=r"'highway': expected one of \['commavq_minute'.*'donkeycar'"):
        gym.make(ID, world=WORLD, scenario="highway")
    with pytest.raises(ValueError, match="did you mean 'donkeycar'"):
        gym.make(ID, world=WORLD, scenario="donkycar")
