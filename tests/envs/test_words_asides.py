"""Words in: habits, the past and other people are told, and not wished for, once something is asked for."""

from __future__ import annotations

from typing import Any

import pytest

from .readings import PARSER


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I usually drive on the highway, today I want rain", {"weather": "rain"}),
        ("I usually drive on the highway. Today I want rain.", {"weather": "rain"}),
        ("I mostly drive at night; show me a roundabout", {"road": "roundabout"}),
        ("My commute is on the motorway, so give me a roundabout", {"road": "roundabout"}),
        ("My brother drives on the racetrack, I want a country road", {"road": "two_way"}),
        ("Other people want night; I want three lanes", {"lanes": 3}),
        ("Last year a van cut in from the left. Give me a highway.", {"road": "highway"}),
        ("Last week it was snow, at dusk, today give me rain", {"weather": "rain"}),
        ("The highway is boring, give me curves", {"road": "curves"}),
        ("我平时都走高速，今天想要下雨", {"weather": "rain"}),
        ("我平时都走高速。今天想要下雨。", {"weather": "rain"}),
        ("我弟喜欢赛道，我想要乡间公路", {"road": "two_way"}),
        ("别人都要夜里的，我要三车道", {"lanes": 3}),
        ("去年有辆面包车从左边加塞。来个高速。", {"road": "highway"}),
        ("家里在下雨，来个环岛", {"road": "roundabout"}),
        ("雾看腻了，来个高速", {"road": "highway"}),
    ],
)
def test_other_times_and_people_are_background_where_something_is_asked_for(
    text: str, expected: dict[str, Any]
) -> None:
    wish = PARSER.parse(text)
    assert dict(wish.asked) == expected and wish.events == ()
    assert any(each.means == "background, and no wish" for each in wish.understood)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I always drive on the highway", {"road": "highway"}),
        ("I often drive in heavy traffic. Two lanes.", {"traffic": "heavy", "lanes": 2}),
        ("The exit was empty last time, today make it busy", {"road": "exit", "traffic": "heavy"}),
        ("Give me what my wife drives, a highway in the rain", {"road": "highway", "weather": "rain"}),
        ("我常在堵车时开，两车道", {"traffic": "heavy", "lanes": 2}),
        ("听说有赛道？那给我来一个下雨的", {"road": "racetrack", "weather": "rain"}),
    ],
)
def test_where_nothing_else_is_asked_for_they_are_the_scene(text: str, expected: dict[str, Any]) -> None:
    assert dict(PARSER.parse(text).asked) == expected
