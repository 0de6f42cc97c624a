"""Words in: who is named with a place and a time and no verb, ramps, timelines, forms to fill in, and tales."""

from __future__ import annotations

from typing import Any

import pytest

from .readings import PARSER, told

# --- no verb, or one for all ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("van left 5s, truck right 9s, both cutting in, motorway", [("left", "van", 5.0), ("right", "truck", 9.0)]),
        (
            "truck from the right at 3 s and van from the left at 8 s cut in",
            [("right", "truck", 3), ("left", "van", 8)],
        ),
        ("Two intruders: sedan left at 5 s, lorry right at 11 s", [("left", "car", 5.0), ("right", "truck", 11.0)]),
        ("highway at night, truck from the left after 7 s", [("left", "truck", 7.0)]),
        ("3 lane highway. Truck, left, 15 s.", [("left", "truck", 15.0)]),
        ("Cut-in vehicle: van. Side: left. Time: 7 s.", [("left", "van", 7.0)]),
        (
            "a van from the left at 5 s and 3 s later a truck from the right",
            [("left", "van", 5.0), ("right", "truck", 8)],
        ),
        ("左侧货车第6秒、右侧轿车第12秒依次并入我的车道", [("left", "truck", 6.0), ("right", "car", 12.0)]),
        ("货车从左、轿车从右，分别在5秒和10秒切入", [("left", "truck", 5.0), ("right", "car", 10.0)]),
        ("高速上5秒左边一辆大货", [("left", "truck", 5.0)]),
    ],
)
def test_a_place_and_a_time_are_enough_to_cut_in(text: str, expected: list[tuple[Any, ...]]) -> None:
    assert told(text, "kind", "side", "vehicle", "at_s") == [("cut_in", *each) for each in expected]


@pytest.mark.parametrize(
    "text",
    [
        "a truck beside us on the left",
        "there is a van on the right at the exit",
        "truck on the left, car on the right, highway, heavy traffic",
        "a car overtakes us from the left at 5 s",
        "卡车在右边，轿车在左边，高速拥堵",
        "左边有辆车超过去，第5秒",
    ],
)
def test_who_is_only_there_or_does_something_else_does_not_cut_in(text: str) -> None:
    assert not told(text, "kind")


def test_at_a_junction_it_crosses() -> None:
    text = "At the junction: car from the left at 4 s, van from the right at 9 s"
    assert told(text, "kind", "side", "at_s") == [("crossing_vehicle", "left", 4.0), ("crossing_vehicle", "right", 9.0)]


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("one walker crosses from the right, another from the left 4 seconds later", "pedestrian", ["right", "left"]),
        ("先从右边骑过来一辆单车，六秒后左边又骑过来一辆", "cyclist", ["right", "left"]),
        ("一个行人从右边横穿，4秒后另一个从左边横穿", "pedestrian", ["right", "left"]),
    ],
)
def test_another_from_the_other_side(text: str, kind: str, expected: list[str]) -> None:
    assert told(text, "kind", "side") == [(kind, side) for side in expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("van enters from the acceleration lane @ 6.5 s", [("van", 6.5)]),
        ("on-ramp area: a truck enters at 7 s", [("truck", 7.0)]),
        ("Merge scenario. Box truck slots in at t=4 s.", [("truck", 4.0)]),
        ("a lorry comes down the slip road and squeezes in after 6 s", [("truck", 6.0)]),
        ("入口匝道那里，第9秒大卡车并进来", [("truck", 9.0)]),
        ("汇入场景，第5秒轿车并进来，第12秒货车并进来", [("car", 5.0), ("truck", 12.0)]),
        ("一辆面包车从匝道走进大路，时间是十秒", [("van", 10.0)]),
        ("truck at 5 s, van at 10 s: both merge from the ramp", [("truck", 5.0), ("van", 10.0)]),
    ],
)
def test_at_a_ramp_to_come_in_is_to_merge(text: str, expected: list[tuple[Any, ...]]) -> None:
    assert told(text, "kind", "vehicle", "at_s") == [("merging_vehicle", *each) for each in expected]


def test_elsewhere_and_from_the_left_it_is_a_cut_in() -> None:
    assert told("高速，第9秒卡车并进来", "kind") == [("cut_in",)]
    assert told("merge zone, a truck squeezes in from the left at 6 s", "kind") == [("cut_in",)]


# --- timelines ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key", "first", "turns"),
    [
        ("雾→10秒雨→20秒晴", "weather", "fog", [("rain", 10.0), ("clear", 20.0)]),
        ("clear -> 12 s rain -> 24 s fog", "weather", "clear", [("rain", 12.0), ("fog", 24.0)]),
        ("天气时序：0秒雪，14秒雨，31秒晴", "weather", "snow", [("rain", 14.0), ("clear", 31.0)]),
        ("rain (0 s), snow (15 s)", "weather", "rain", [("snow", 15.0)]),
        ("rain (0-15 s), fog (15-30 s), clear", "weather", "rain", [("fog", 15.0), ("clear", 30.0)]),
        ("weather: 0-10 s rain, 10-20 s fog, then clear", "weather", "rain", [("fog", 10.0), ("clear", 20.0)]),
        ("Illumination: dusk at the start, night from 22 s.", "time_of_day", "dusk", [("night", 22.0)]),
        ("Light: day at the start, dusk from 20 s", "time_of_day", "day", [("dusk", 20.0)]),
        ("光照：起始黄昏，22秒起夜间", "time_of_day", "dusk", [("night", 22.0)]),
        ("night from 20 s onwards, dusk before that", "time_of_day", "dusk", [("night", 20.0)]),
        ("20秒由白天变黄昏，40秒再变夜晚", "time_of_day", "day", [("dusk", 20.0), ("night", 40.0)]),
        ("先是雨，第9秒没有雨了，第19秒我要有雾", "weather", "rain", [("clear", 9.0), ("fog", 19.0)]),
        ("前十秒下雨，后面都是晴天", "weather", "rain", [("clear", 10.0)]),
        ("rain for the first 10 s, clear for the rest", "weather", "rain", [("clear", 10.0)]),
    ],
)
def test_timelines(text: str, key: str, first: str, turns: list[tuple[Any, float]]) -> None:
    wish = PARSER.parse(text)
    assert wish.asked == {key: first} and told(text, "to", "at_s") == turns


def test_weather_between_two_times() -> None:
    assert told("it rains only between 10 and 20 seconds", "to", "at_s") == [("rain", 10.0), ("clear", 20.0)]


def test_a_time_after_again_counts_from_the_start() -> None:
    assert told("开120米变雨，开400米再变雾", "to", "at_m") == [("rain", 120.0), ("fog", 400.0)]


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("8秒大货车由匝道驶入主路，其后5秒开始下雨", [8.0, 13.0]),
        ("第4秒起雾，十秒之后骑车人从左侧横穿，再过六秒前车刹车", [4.0, 14.0, 20.0]),
        ("骑车人15秒从右侧横穿，行人比他晚4秒从左侧横穿", [15.0, 19.0]),
        ("truck cuts in at 6 s from the right, rain 5 s after", [6.0, 11.0]),
        ("a truck merges at 6 s, a van 4 s behind it", [6.0, 10.0]),
        ("面包车16秒汇入，在它前面，卡车7秒先汇入；最后28秒下雪", [7.0, 16.0, 28.0]),
        ("Once 5 s have gone by, a lorry crosses from the right; at 11 s a person walks over", [5.0, 11.0]),
        ("2秒慢车/8秒右切入/15秒天黑", [2.0, 8.0, 15.0]),
        ("前车9秒急停，货车随后4秒从左插入", [9.0, 13.0]),
    ],
)
def test_since_the_start_and_since_what_was_told_last(text: str, times: list[float]) -> None:
    assert [at for (at,) in told(text, "at_s")] == times


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("highway, intruder from the left somewhere between 4 s and 9 s", 4.0, 9.0),
        ("intruder from the right, 5-8 s, highway", 5.0, 8.0),
        ("面包车在第6到第9秒之间从右边切进来", 6.0, 9.0),
        ("切入时间在5秒到9秒之间，右侧，面包车", 5.0, 9.0),
    ],
)
def test_a_time_within_bounds(text: str, low: float, high: float) -> None:
    assert told(text, "kind", "at_s") == [("cut_in", {"min": low, "max": high})]


# --- forms to fill in -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("合流区，天晴，密度中，车道数2", {"road": "merge", "weather": "clear", "traffic": "medium", "lanes": 2}),
        ("指令=右转，背景车流=无，时段=黄昏", {"command": "right", "traffic": "none", "time_of_day": "dusk"}),
        ("traffic=0, road=two-way", {"traffic": "none", "road": "two_way"}),
        ("traffic - light; weather - snow", {"traffic": "light", "weather": "snow"}),
        ("流量取低或中", {"traffic": ("light", "medium")}),
        ("Any of 2, 3 or 4 lanes on the freeway", {"lanes": (2, 3, 4), "road": "highway"}),
        ("Neither empty nor jammed: medium. Highway.", {"traffic": "medium", "road": "highway"}),
        ("既不空也不堵，高速", {"traffic": "medium", "road": "highway"}),
        ("not too full, not too empty: highway", {"traffic": "medium", "road": "highway"}),
        ("morning rush, motorway", {"time_of_day": "day", "traffic": "heavy", "road": "highway"}),
        ("next to nothing on the road, fog", {"traffic": "light", "weather": "fog"}),
        ("急弯里压到三十公里每小时", {"road": "curves", "target_speed_mps": 8.333}),
        ("能在海底开车吗？不行就赛道，雾", {"road": "racetrack", "weather": "fog"}),
        ("GPS jamming on the highway", {"road": "highway"}),
        ("Brake fade on the racetrack by day", {"road": "racetrack", "time_of_day": "day"}),
    ],
)
def test_forms(text: str, expected: dict[str, Any]) -> None:
    wish = PARSER.parse(text)
    assert (wish.asked, wish.excluded, wish.events) == (expected, {}, ())


@pytest.mark.parametrize(
    ("text", "wished", "excluded"),
    [
        ("keep me out of traffic jams and out of snow", {}, {"traffic": ("heavy",), "weather": ("snow",)}),
        ("除了赛道都可以，赛道上学期做过了", {}, {"road": ("racetrack",)}),
        ("比起雨更想要雪", {"weather": "snow"}, {"weather": ("rain",)}),
        ("与其下雨不如下雪", {"weather": "snow"}, {"weather": ("rain",)}),
        ("雨：有；雾：无；雪：无", {"weather": "rain"}, {"weather": ("fog", "snow")}),
    ],
)
def test_what_is_ruled_out(text: str, wished: dict[str, Any], excluded: dict[str, Any]) -> None:
    wish = PARSER.parse(text)
    assert (wish.asked, wish.excluded) == (wished, excluded)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("challenger = van, side = left, time = 6 s, maneuver = cut-in", ("cut_in", "left", "van", 6.0)),
        ("cut-in: side=right, vehicle=truck, t=9 s", ("cut_in", "right", "truck", 9.0)),
        ("切入车不限车型，方向右，时间第9秒", ("cut_in", "right", None, 9.0)),
        ("事件=切入，方向=左，时间=7秒，车型=货车", ("cut_in", "left", "truck", 7.0)),
        ("Plain VRU case, nothing fancy: pedestrian from the left, 6 s", ("pedestrian", "left", None, 6.0)),
        ("ALKS cut-in: three lanes, target vehicle from the left at t = 6 s", ("cut_in", "left", None, 6.0)),
    ],
)
def test_forms_of_events(text: str, expected: tuple[Any, ...]) -> None:
    assert told(text, "kind", "side", "vehicle", "at_s") == [expected]


# --- tales ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Someone had dumped a lorry in my lane round 240 metres in", ("stopped_vehicle", None, "truck")),
        ("some idiot left a van in the middle of my lane, 180 m in", ("stopped_vehicle", None, "van")),
        ("the truck ahead braked down to nothing", ("lead_brakes", None, "truck")),
        ("an old man on foot came over from the left at 80 m", ("pedestrian", "left", None)),
        ("a tractor doing 15 in front of us", ("slow_vehicle", None, "truck")),
        ("一辆货车瘫在我的车道上", ("stopped_vehicle", None, "truck")),
        ("左边一辆货车硬塞到我前面", ("cut_in", "left", "truck")),
        ("转盘右边蹿出个骑车的老头", ("cyclist", "right", None)),
        ("老被前面的面包车慢慢拖着走", ("slow_vehicle", None, "van")),
        ("看看网络认不认得出大雪里145米外停着的面包车", ("stopped_vehicle", None, "van")),
    ],
)
def test_tales(text: str, expected: tuple[Any, ...]) -> None:
    assert told(text, "kind", "side", "vehicle") == [expected]
    assert not PARSER.parse(text).excluded
