"""Timelines of events in scenarios: what may be written, what chance makes of it, and what is refused, with reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from envs.choices import Odds, Range
from envs.events import EVENTS, KEYS_OF, MAY_STAY, ROADS_OF, Event
from envs.scenario import Scenario, load_scenario

BUSY = """
road: [highway, merge]
lanes: {min: 2, max: 4}
weather: {clear: 3, rain: 1}
target_speed_mps: {min: 18, max: 24}
drivers: {normal: 1, aggressive: 2}
events:
  - {kind: cut_in, at_s: {min: 4, max: 7}, side: [left, right], vehicle: truck}
  - {kind: weather, at_s: 10, to: [fog, clear, rain]}
  - {kind: [slow_vehicle, stopped_vehicle], at_m: 300}
"""


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture()
def busy(tmp_path: Path) -> Scenario:
    path = tmp_path / "busy.yaml"
    path.write_text(BUSY)
    return load_scenario(path)


def test_a_timeline_is_read_from_yaml(busy: Scenario) -> None:
    cut_in, turn, obstacle = busy.events
    assert cut_in == Event("cut_in", at_s=Range(4, 7), side=("left", "right"), vehicle="truck")
    assert turn.to == ("fog", "clear", "rain") and obstacle.at_m == 300 and obstacle.clock == "at_m"
    assert busy.lanes == (2, 3, 4) and busy.weather == Odds(("clear", "rain"), (3, 1))
    assert not busy.is_concrete and not cut_in.is_concrete


def test_a_seed_makes_all_of_it_concrete(busy: Scenario) -> None:
    drawn = [busy.concretise(rng(seed)) for seed in range(150)]
    assert drawn[3] == busy.concretise(rng(3)) and all(one.is_concrete for one in drawn)
    cut_ins, turns, obstacles = zip(*(one.events for one in drawn), strict=True)
    assert all(4 <= event.at_s <= 7 for event in cut_ins) and {event.side for event in cut_ins} == {"left", "right"}
    assert len({event.at_s for event in cut_ins}) > 100
    assert {event.kind for event in obstacles} == {"slow_vehicle", "stopped_vehicle"}
    assert all(turn.to != one.weather for turn, one in zip(turns, drawn, strict=True)), "it turns to something else"
    assert {turn.to for turn in turns} == {"fog", "clear", "rain"}
    rainy = np.mean([one.weather == "rain" for one in drawn])
    assert 0.1 < rainy < 0.4 and all(18 <= one.target_speed_mps <= 24 for one in drawn)
    assert drawn[0].concretise(rng(9)).events == drawn[0].events, "what is concrete stays"


def test_events_change_nothing_else_that_a_seed_decides(busy: Scenario) -> None:
    for seed in range(20):
        first, second = rng(seed), rng(seed)
        eventful, plain = busy.concretise(first), replace(busy, events=()).concretise(second)
        assert replace(eventful, events=(), caption="") == replace(plain, caption="")
        assert first.random() == second.random()


def test_captions_tell_what_happens_in_order() -> None:
    scene = Scenario(
        events=(Event("cut_in", at_s=5, side="left", vehicle="truck"), Event("weather", at_m=200, to="fog"))
    )
    caption = scene.concretise(rng()).caption
    assert "after 5 s a truck cuts in from the left; after 200 m fog comes up" in caption


@pytest.mark.parametrize("kind", EVENTS)
def test_every_kind_is_filled_in_by_chance(kind: str) -> None:
    to = {"weather": "fog", "time_of_day": "night"}.get(kind)
    event = Event(kind, at_s=3, to=to).concretise(rng())
    assert event.is_concrete and event.at_s == 3.0
    assert all(getattr(event, key) is not None for key in KEYS_OF[kind] if key not in MAY_STAY[kind])
    assert event.words().startswith("after 3 s ")
    for road in ROADS_OF[kind]:
        concrete = Scenario(road=road, events=(Event(kind, at_s=3, to=to),)).concretise(rng())
        assert concrete.is_concrete and (kind != "cut_in" or concrete.lanes >= 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("events: {kind: cut_in}", r"`events`: expected a list of events"),
        ("events: [cut_in]", r"event 1: expected keys and values"),
        ("events: [{at_s: 3}]", r"event 1: key `kind`: expected one of"),
        ("events: [{kind: cutin, at_s: 3}]", r"event 1: key `kind`.*got 'cutin'; did you mean 'cut_in'"),
        ("events: [{kind: cut_in, at_s: 3, sied: left}]", r"event 1: unknown key `sied`.*did you mean 'side'"),
        ("events: [{kind: cut_in, at_s: 3, side: lft}]", r"event 1: key `side`.*got 'lft'; did you mean 'left'"),
        ("events: [{kind: cut_in, at_s: 3, vehicle: [car, lorry]}]", r"event 1: key `vehicle`.*got 'lorry'"),
        ("events: [{kind: cut_in}]", r"event 1: expected one of `at_s` .* and `at_m` .*, got neither"),
        ("events: [{kind: cut_in, at_s: 3, at_m: 20}]", r"event 1: expected one of .* got both at_s: 3 and at_m: 20"),
        ("events: [{kind: cut_in, at_s: -1}]", r"event 1: key `at_s`: expected a number of at least 0, got -1"),
        ("events: [{kind: cut_in, at_s: soon}]", r"event 1: key `at_s`: expected a number.*'soon'"),
        ("events: [{kind: cut_in, at_s: []}]", r"event 1: key `at_s`"),
        ("events: [{kind: cut_in, at_s: {min: 7, max: 4}}]", r"event 1: key `at_s`.*min is not above its max"),
        (
            "events: [{kind: cut_in, at_s: {min: 7}}]",
            r"event 1: key `at_s`: expected a range with the keys min and max",
        ),
        ("horizon_s: 20\nevents: [{kind: cut_in, at_s: 20}]", r"event 1: key `at_s`: expected less than 20"),
        ("horizon_s: 10\nevents: [{kind: cut_in, at_m: 400}]", r"event 1: key `at_m`: expected less than 260"),
        ("events: [{kind: pedestrian, at_s: 3}]", r"event 1.*'pedestrian' can happen on \[.*\], but .* be 'highway'"),
        (
            "road: two_way\nlanes: 1\nevents: [{kind: cut_in, at_s: 3}]",
            r"`lanes`: road 'two_way' can have \[2\], got 1",
        ),
        ("events: [{kind: weather, at_s: 3}]", r"event 1: key `to`: expected one of .*got None"),
        ("events: [{kind: weather, at_s: 3, to: foggy}]", r"event 1: key `to`.*did you mean 'fog'"),
        ("events: [{kind: weather, at_s: 3, to: clear}]", r"event 1: key `to`: weather may be 'clear' already"),
        ("weather: [rain, fog]\nevents: [{kind: weather, at_s: 3, to: rain}]", r"event 1: key `to`.*'rain' already"),
        ("events: [{kind: cut_in, at_s: 3, to: fog}]", r"event 1: key `to`: 'cut_in' takes \['side', 'vehicle'"),
        (
            "events: [{kind: cut_in, at_s: 3}, {kind: cut_in, at_s: 3, side: left}]",
            r"event 2: key `at_s`: expected another moment than event 1",
        ),
        (
            "events: [{kind: weather, at_s: {min: 3, max: 9}, to: rain}, {kind: weather, at_s: 6, to: fog}]",
            r"event 2: key `at_s`: expected a moment certainly after that of event 1",
        ),
        ("lanes: {min: 2.2, max: 2.8}", r"`lanes`: expected a range with a whole number"),
        ("target_speed_mps: {min: 10, max: 90}", r"`target_speed_mps`: expected a number in \[1, 40\], got 90"),
        ("weather: {rain: -1}", r"`weather`: expected a weight of at least 0 for 'rain'"),
        ("drivers: {agressive: 1}", r"`drivers`.*got 'agressive'; did you mean 'aggressive'"),
    ],
)
def test_contradictions_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as raised:
        load_scenario(path)
    assert "mine.yaml" in str(raised.value)
