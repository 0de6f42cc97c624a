"""Words in: what the ego would do itself, what is on its own glass, and what else there is nothing of."""

from __future__ import annotations

import pytest

from envs.words import SceneWish

from .readings import PARSER


def refused(wish: SceneWish) -> str:
    return " ".join(each.text for each in wish.unsupported)


# --- its own deeds --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("I want to change lanes to the left after 5 s, highway", "change lanes"),
        ("Let me cut in on a van, highway", "cut in"),
        ("I want to stop at the intersection", "stop"),
        ("have the ego cut in front of a truck, highway", "cut in front"),
        ("we need to emergency brake at 6 s, two lanes", "emergency brake"),
        ("我想主动变道超车，高速，晴", "变道超车"),
        ("我想五秒后变道到左边，高速", "变道"),
        ("我要急刹，高速", "急刹"),
        ("让自车切入到卡车前面，高速", "切入"),
        ("我想在路口停下", "停下"),
    ],
)
def test_what_the_ego_would_do_itself_is_reported_and_nobody_else_does_it(text: str, part: str) -> None:
    wish = PARSER.parse(text)
    assert wish.events == () and part in refused(wish)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("I want to see a truck cut in from the left, highway", "cut_in"),
        ("I want a hard brake by the car in front, highway", "lead_brakes"),
        ("a van is going to cut in from the right, highway", "cut_in"),
        ("I was cut up by a van on the motorway", "cut_in"),
        ("Had to brake for a woman who walked out from the left, two-way road", "pedestrian"),
        ("we brake at 5 s for a cyclist from the left, two-way road", "cyclist"),
        ("we are stuck behind a slow truck on the highway", "slow_vehicle"),
        ("我想看前车急刹，高速", "lead_brakes"),
        ("我想体验一下堵车时被加塞，高速", "cut_in"),
        ("前面的卡车准备变道切入，高速", "cut_in"),
    ],
)
def test_what_others_are_wished_to_do_they_do(text: str, kind: str) -> None:
    assert [each.kind for each in PARSER.parse(text).events] == [kind]


def test_somebody_for_whom_the_ego_brakes_comes_at_that_time() -> None:
    (event,) = PARSER.parse("we brake at 6 s for a cyclist from the left, two-way road").events
    assert (event.kind, event.side, event.at_s) == ("cyclist", "left", 6.0)


def test_when_the_ego_would_do_it_is_not_how_long_the_drive_is() -> None:
    wish = PARSER.parse("自车12秒时急刹，高速")
    assert wish.asked == {"road": "highway"} and "12秒" in refused(wish)


# --- its own glass, and what is not there -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "Windscreen fogged up from the inside on the country road",
        "fog on the inside of the windows, two-way road",
        "side mirrors iced over, roundabout",
        "Frost on my windscreen, country road",
        "挡风玻璃起雾了，国道",
        "车里闷得起雾，国道",
        "后视镜结冰了，环岛",
        "镜头起雾，高速",
    ],
)
def test_mist_and_ice_on_the_ego_are_no_weather(text: str) -> None:
    wish = PARSER.parse(text)
    assert "weather" not in wish.asked and wish.unsupported


@pytest.mark.parametrize(
    ("text", "weather"),
    [
        ("seen through the windscreen in fog, highway", "fog"),
        ("rain on the windscreen, highway", "rain"),
        ("ESP kicks in on the racetrack in the rain", "rain"),
        ("从车里看出去全是雾，高速", "fog"),
        ("大雨天雨刮坏了，两车道", "rain"),
    ],
)
def test_weather_outside_is_weather(text: str, weather: str) -> None:
    wish = PARSER.parse(text)
    assert wish.asked["weather"] == weather and wish.events == ()


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("the wipers are broken, highway", "wipers"),
        ("dead pixels on the front camera, roundabout", "front camera"),
        ("adaptive cruise control on, highway", "adaptive cruise control"),
        ("engine noise, highway", "engine noise"),
        ("a one-way street in the rain", "one-way street"),
        ("spectators on the grandstand, racetrack", "grandstand"),
        ("get past the bus, two-way road", "get past"),
        ("mud on the camera housing, highway", "camera"),
        ("轮胎没气了，高速", "没气"),
        ("空调开到最大，高速", "空调"),
        ("摄像头进水了，环岛", "摄像头"),
        ("定速巡航，高速", "定速巡航"),
        ("听见喇叭声，高速", "喇叭声"),
        ("公交站上下客，路口", "上下客"),
        ("单行道，下雨", "单行道"),
        ("看台上坐满人，赛道", "看台上"),
    ],
)
def test_parts_faults_sounds_and_deeds_that_are_not_there_are_reported(text: str, part: str) -> None:
    assert part in refused(PARSER.parse(text))
