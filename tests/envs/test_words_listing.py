"""Words in: sets to draw from, titles of several events, states that end, and whose route it is."""

from __future__ import annotations

from typing import Any

import pytest

from envs.choices import possible

from .readings import PARSER, told


@pytest.mark.parametrize(
    ("text", "key", "values"),
    [
        ("weather in {rain, snow}, highway", "weather", ("rain", "snow")),
        ("road in (curves, two-way), dusk", "road", ("curves", "two_way")),
        ("lanes in {2, 3}, highway", "lanes", (2, 3)),
        ("天气只采雨和雪，弯道", "weather", ("rain", "snow")),
        ("车道支持3或4，高速", "lanes", (3, 4)),
        ('{"road": "highway", "lanes": 3}', "lanes", (3,)),
    ],
)
def test_a_set_asks_for_one_of_its_values(text: str, key: str, values: tuple[Any, ...]) -> None:
    assert tuple(possible(PARSER.parse(text).asked[key])) == values


def test_square_brackets_are_from_to() -> None:
    assert told("cut-in at t = [5, 9] s, highway", "at_s") == [({"min": 5.0, "max": 9.0},)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("切入后急刹：面包车第7秒从左切入，2秒后该车急刹，高速", [("cut_in", 7.0), ("lead_brakes", 9.0)]),
        ("VRU pair: at 5 s cyclist from right, at 9 s pedestrian from left. Two-way road.",
         [("cyclist", 5.0), ("pedestrian", 9.0)]),
        ("the initial fog ends at 15 s, highway", [("weather", 15.0)]),
        ("it's foggy at first, after 20 s not any more, highway", [("weather", 20.0)]),
        ("Rain only begins after 200 s, until then it is dry, highway", [("weather", 200.0)]),
        ("堵得纹丝不动，四车道", []),
        ("A police car comes up behind us on the highway", []),
        ("4秒右侧走出一个人，双向路", [("pedestrian", 4.0)]),
        ("我一个人开在高速上", []),
        ("0到10秒雨，10到20秒雾，20秒以后晴", [("weather", 10.0), ("weather", 20.0)]),
        ("rain stops at 12 s; then, at 30 s, dusk, highway", [("weather", 12.0), ("time_of_day", 30.0)]),
    ],
)  # fmt: skip
def test_events_are_told_once_and_states_are_none(text: str, expected: list[tuple[Any, ...]]) -> None:
    assert told(text, "kind", "at_s") == expected


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("I'd like the car to go right at the intersection", "right"),
        ("could the car turn left at the junction", "left"),
        ("环岛，右转出来", "right"),
        ("保持直行不下高速，出口", "straight"),
        ("I take the roundabout to the left", "left"),
        ("在环岛我们要去左边", "left"),
    ],
)
def test_the_route_is_that_of_the_ego(text: str, command: str) -> None:
    wish = PARSER.parse(text)
    assert wish.command == command and wish.events == ()


def test_a_count_of_speed_bumps_counts_no_lanes() -> None:
    assert "lanes" not in PARSER.parse("连续设三道减速带，出口").asked


def test_who_comes_from_a_ramp_says_where() -> None:
    wish = PARSER.parse("A van joins from the slip road at 6 s")
    assert wish.asked == {"road": "merge"} and [each.kind for each in wish.events] == ["merging_vehicle"]


def test_who_would_be_cut_off_is_not_who_cuts_in() -> None:
    assert told("I want to be cut off by a truck, highway", "kind", "vehicle") == [("cut_in", "truck")]
