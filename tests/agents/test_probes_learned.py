"""No probe earns in the learned world that ships what keeping the lane earns there; one that does is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from agents.judging.drivers import make_agent
from agents.judging.probes import PROBES
from envs.learned.vector import DriveVectorEnv
from tests.agents.plays import Side, returns
from worldsim.types import ROADS

SHARE = 0.9
BENDS = 6
"""So many starts on the racetrack, the first of the bank: a single one may be straight for all of ten seconds."""
NAMES = ("expert", *PROBES)
UNPUNISHED = {
    "tailgating": "vehicles ahead in the world that ships hardly come nearer when driven up to",
}
"""Faults of the model, not of the reward: no reading says that anything is wrong. Who does this earns about what the
expert does (0.97 of it over ten starts), so on another machine it may fall to either side of the line."""


def judged() -> list[Any]:
    marks = {name: pytest.mark.xfail(reason=reason, strict=False) for name, reason in UNPUNISHED.items()}
    return [pytest.param(name, marks=marks.get(name, ())) for name in PROBES]


def side_by_side(starts: list[int], steps: int) -> dict[str, float]:
    """What the expert and each probe earn, averaged over ``starts`` of the bank, each on the same drives."""
    env = DriveVectorEnv(len(NAMES), world="road", pixels=False, steps=1, max_steps=steps)
    agents = Side([make_agent(name) for name in NAMES])
    earned = [returns(agents, env, [7] * len(NAMES), {"start": start}) for start in starts]
    return dict(zip(NAMES, np.mean(earned, axis=0).tolist(), strict=True))


def roads_of_the_bank() -> list[str | None]:
    """The road of each start of the world that ships."""
    bank = DriveVectorEnv(1, world="road")._core.bank
    assert bank is not None
    return [bank.fields(row).road for row in range(len(bank))]


@pytest.fixture(scope="module")
def ten_seconds() -> dict[str, float]:
    roads = roads_of_the_bank()
    return side_by_side([row for row, road in enumerate(roads) if road == "racetrack"][:BENDS], 100)


@pytest.fixture(scope="module")
def every_road() -> dict[str, float]:
    """15 s from one start of each road."""
    roads = roads_of_the_bank()
    return side_by_side([roads.index(road) for road in ROADS], 150)


@pytest.mark.parametrize("name", judged())
def test_no_probe_earns_what_lane_keeping_earns(name: str, ten_seconds: dict[str, float]) -> None:
    assert ten_seconds["expert"] > 30
    assert ten_seconds[name] < SHARE * ten_seconds["expert"], ten_seconds


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", judged())
def test_no_probe_earns_what_lane_keeping_earns_on_every_road(name: str, every_road: dict[str, float]) -> None:
    assert every_road["expert"] > 70
    assert every_road[name] < SHARE * every_road["expert"], every_road


def test_ending_it_earns_less_than_standing_still(ten_seconds: dict[str, float]) -> None:
    for name in ("crashing", "quitting"):
        assert ten_seconds[name] < ten_seconds["parking"] - 5
