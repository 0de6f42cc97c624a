"""Probes do what they say, and none of them earns in the reference world what keeping the lane earns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from agents.judging.drivers import make_agent
from agents.judging.probes import PROBES, DoubtSeeking
from envs.kinematics import STEP_S
from envs.scenario import Scenario
from tests.agents.plays import Side, reference, returns
from worldsim.types import EGO_FIELDS, ROADS, FloatArray

SPEED, YAW_RATE = EGO_FIELDS.index("speed_mps"), EGO_FIELDS.index("yaw_rate_radps")
SHARE = 0.9
"""A probe must stay below this share of what lane keeping earns."""
CALM = Scenario(road="curves", lanes=2, traffic="none", target_speed_mps=16.0, ego_speed_mps=14.0)
BUSY = Scenario(road="two_way", lanes=1, traffic="heavy")


def side_by_side(scenario: str | Scenario, steps: int, seed: int) -> dict[str, float]:
    """What the expert and each probe earn on the same drive in the reference world."""
    names = ("expert", *PROBES)
    env = reference([scenario] * len(names), steps)
    earned = returns(Side([make_agent(name) for name in names]), env, [seed] * len(names))
    return dict(zip(names, earned, strict=True))


@pytest.fixture(scope="module")
def ten_seconds() -> dict[str, float]:
    """What each earns in 10 s behind somebody slow."""
    return side_by_side(BUSY, 100, seed=1)


@pytest.fixture(scope="module")
def every_road() -> dict[str, float]:
    """What each earns in 15 s, averaged over every road."""
    drives = [side_by_side(road, 150, seed=2) for road in ROADS]
    return {name: float(np.mean([earned[name] for earned in drives])) for name in drives[0]}


@pytest.mark.parametrize("name", PROBES)
def test_no_probe_earns_what_lane_keeping_earns(name: str, ten_seconds: dict[str, float]) -> None:
    assert ten_seconds["expert"] > 55
    assert ten_seconds[name] < SHARE * ten_seconds["expert"], ten_seconds


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", PROBES)
def test_no_probe_earns_what_lane_keeping_earns_on_every_road(name: str, every_road: dict[str, float]) -> None:
    share = 0.99 if name == "tailgating" else SHARE  # who has nobody ahead cannot tailgate
    assert every_road["expert"] > 110
    assert every_road[name] < share * every_road["expert"], every_road


def test_ending_it_earns_less_than_standing_still(ten_seconds: dict[str, float]) -> None:
    """Or a policy that fears the future would learn to crash."""
    for name in ("crashing", "quitting"):
        assert ten_seconds[name] < ten_seconds["parking"] - 10


# --- what they do -------------------------------------------------------------------------------------------------


def ride(name: str, steps: int = 60) -> tuple[list[dict[str, Any]], FloatArray]:
    """``info`` of each moment (t) and the actions (t, 2) of a probe alone on an empty road, for as long as it lasts."""
    env, agent = reference([CALM], 200), make_agent(name)
    observation, info = env.reset(seed=1)
    agent.begin(env, np.random.default_rng(0))
    seen, actions = [info], []
    for _ in range(steps):
        actions.append(agent.act(observation, info)[0])
        observation, _, terminated, _, info = env.step(actions[-1][None])
        seen.append(info)
        if terminated[0]:
            break
    return seen, np.array(actions)


def ego(seen: list[dict[str, Any]], field: int) -> FloatArray:
    return np.array([info["ego"][0, field] for info in seen])


def offsets(seen: list[dict[str, Any]]) -> FloatArray:
    return np.array([info["labels"]["lane_offset_m"][0] for info in seen])


@pytest.mark.parametrize(("name", "speed_mps"), [("parking", 0.0), ("creeping", 1.0)])
def test_some_hardly_move(name: str, speed_mps: float) -> None:
    assert ego(ride(name)[0], SPEED)[-1] == pytest.approx(speed_mps, abs=0.1)


@pytest.mark.parametrize(("name", "turns_rad"), [("spinning", 4.0), ("reversing", 2.8)])
def test_some_turn_round(name: str, turns_rad: float) -> None:
    agent, env = make_agent(name), reference([Scenario(road="highway", lanes=5, traffic="none")], 400)
    observation, info = env.reset(seed=4)
    env.envs[0].unwrapped.grace_steps = None  # type: ignore[attr-defined]
    agent.begin(env, np.random.default_rng(0))
    turned = 0.0
    for _ in range(110):
        observation, *_, info = env.step(agent.act(observation, info))
        turned += float(info["ego"][0, YAW_RATE]) * STEP_S
    assert turned > turns_rad and (name == "spinning" or turned < np.pi + 0.3)


def test_some_drive_beside_the_middle_of_the_lane() -> None:
    assert offsets(ride("shoulder_hugging")[0])[-20:].mean() == pytest.approx(-1.575, abs=0.4)
    assert np.abs(offsets(ride("straddling")[0])[-20:]).mean() > 1.2
    assert np.abs(offsets(ride("expert")[0])[-20:]).mean() < 0.4


def test_some_use_the_pedals_and_the_wheel_for_their_own_sake() -> None:
    pedals = ride("stop_and_go")[1][:, 1]
    assert {*pedals} == {1.0, -1.0} and 1 <= (np.diff(pedals) != 0).sum() <= 3
    swaying, calm = (np.abs(ride(name, 30)[1][:, 0]).mean() for name in ("swaying", "expert"))
    assert swaying > calm + 0.3
    assert (ride("coasting", 30)[1][:, 0] == 0.0).all()


def test_some_end_it_at_once_or_after_a_while() -> None:
    lasted = {name: len(ride(name, 150)[1]) * STEP_S for name in ("crashing", "quitting")}
    assert lasted["crashing"] < 4.0 and 5.0 < lasted["quitting"] < 9.0


def test_doubt_is_sought_where_trust_falls() -> None:
    env, probe = reference([CALM], 200), DoubtSeeking()
    _, info = env.reset(seed=0)
    probe.begin(env, np.random.default_rng(0))

    def goes_on(trust: float) -> bool:
        before = probe.held.copy()
        for _ in range(5):
            probe.act({}, info | {"trust": np.array([trust])})
        return bool((probe.held == before).all())

    assert [goes_on(trust) for trust in (0.9, 0.5, 0.7, 0.6, 0.6)] == [True, True, False, True, False]
