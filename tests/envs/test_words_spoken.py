"""Words in: how people speak and jot down: shorthand, corrections, asides, echoes, and states that last."""

from __future__ import annotations

from typing import Any

import pytest

from .readings import PARSER, asked, events, told

# --- corrections --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("lots of traffic scratch that light traffic roundabout sunny", "traffic", "light"),
        ("three lanes, make that four, on the highway", "lanes", 4),
        ("it's night, correction, dusk", "time_of_day", "dusk"),
        ("turn left at the junction, no sorry, turn right", "command", "right"),
        ("highway in the rain, no, strike that, country road in the rain", "road", "two_way"),
        ("三车道，改成四车道", "lanes", 4),
        ("下雨，算了，改成下雪", "weather", "snow"),
        ("车很多，不，车少一点，高速", "traffic", "light"),
        ("晚上，说错了，是黄昏", "time_of_day", "dusk"),
    ],
)
def test_a_value_put_right(text: str, key: str, value: Any) -> None:
    wish = PARSER.parse(text)
    assert wish.asked[key] == value and not wish.events and not wish.unsupported


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a truck cuts in from the left, no wait, from the right", (5.0, "right", "truck")),
        ("a truck, sorry, a van cuts in from the left after 6 seconds", (6.0, "left", "van")),
        ("a van cuts in from the left after ten, no, twelve seconds", (12.0, "left", "van")),
        ("a van cuts in from the left at 6 seconds, hang on, make it 8 seconds", (8.0, "left", "van")),
        ("two vans no one van cuts in from the right at 3 s", (3.0, "right", "van")),
        ("卡车从左边，不对，从右边切入", (5.0, "right", "truck")),
        ("第五秒面包车从左边切入，等等，改成第八秒", (8.0, "left", "van")),
        ("十秒后，不对，十二秒后货车从左边切入", (12.0, "left", "truck")),
    ],
)
def test_an_event_put_right(text: str, expected: tuple[Any, ...]) -> None:
    assert told(text, "at_s", "side", "vehicle") == [expected]


def test_not_is_no_correction_where_it_denies() -> None:
    wish = PARSER.parse("three lanes, not four, from the right, not the left, a car cuts in")
    assert wish.asked["lanes"] == 3 and wish.excluded["lanes"] == (4,)


# --- asides and echoes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "The pupil has never driven on a motorway, so let's stay on a country road in daylight",
            {"road": "two_way", "time_of_day": "day"},
        ),
        ("She hates rain. Give her a quiet roundabout.", {"traffic": "light", "road": "roundabout"}),
        ("We normally do this at night. This time do it at noon.", {"time_of_day": "day"}),
        ("I usually drive in heavy traffic but today give me an empty highway", {"traffic": "none", "road": "highway"}),
        ("学员从没上过高速，今天走乡村公路，白天", {"road": "two_way", "time_of_day": "day"}),
        ("平时我都在堵车里开，今天要一条空荡荡的高速", {"traffic": "none", "road": "highway"}),
        ("她怕下雨，来个安静的环岛", {"traffic": "light", "road": "roundabout"}),
    ],
)  # fmt: skip
def test_background_is_no_wish(text: str, expected: dict[str, Any]) -> None:
    wish = PARSER.parse(text)
    assert (dict(wish.asked), dict(wish.excluded), wish.events) == (expected, {}, ())


def test_what_somebody_fears_may_be_what_is_asked_for() -> None:
    assert told("最怕大卡车在高速上从右边挤过来。", "kind", "side") == [("cut_in", "right")]


@pytest.mark.parametrize(
    ("text", "sides"),
    [
        ("a van cuts in from the right and then a car from the same side", ["right", "right"]),
        ("a pedestrian crosses from the left, then a cyclist from the other side", ["left", "right"]),
        ("a lorry crosses from the left at the junction; a pedestrian crosses the other way", ["left", "right"]),
        ("two cars cut in, one from each side", ["left", "right"]),
        ("a truck and a van cut in, left then right", ["left", "right"]),
        ("three pedestrians, one after the other, from the left", ["left", "left", "left"]),
        ("a lorry cuts in from the left; a van does likewise from the right", ["left", "right"]),
        ("行人从左边过马路，接着骑车人从另一侧过来", ["left", "right"]),
        ("货车从右侧横穿，四秒后一辆轿车从对面一侧横穿", ["right", "left"]),
        ("卡车和面包车先后切入，先右后左", ["right", "left"]),
        ("一左一右各一个行人", ["left", "right"]),
    ],
)
def test_the_same_side_and_the_other(text: str, sides: list[str]) -> None:
    assert [each["side"] for each in events(text)] == sides


def test_doing_the_same() -> None:
    for text in ("a van merges, then a truck does the same", "面包车汇入，随后货车也一样"):
        assert told(text, "kind", "vehicle") == [("merging_vehicle", "van"), ("merging_vehicle", "truck")]


# --- states and times ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key", "first", "turns"),
    [
        ("day until 15 s, dusk until 30 s, night after that", "time_of_day", "day", [("dusk", 15.0), ("night", 30.0)]),
        ("clear until t=12 s, rain from there on", "weather", "clear", [("rain", 12.0)]),
        ("白天到15秒，黄昏到30秒，之后是夜晚", "time_of_day", "day", [("dusk", 15.0), ("night", 30.0)]),
        ("rain for 10 s, fog for 10 s, snow for the rest", "weather", "rain", [("fog", 10.0), ("snow", 20.0)]),
        ("10 seconds of rain, then 10 seconds of fog, then snow", "weather", "rain", [("fog", 10.0), ("snow", 20.0)]),
        ("下10秒雨，再起10秒雾，最后下雪", "weather", "rain", [("fog", 10.0), ("snow", 20.0)]),
        ("starts foggy; fog gone by 20 s", "weather", "fog", [("clear", 20.0)]),
        ("it rains but stops after 12 s", "weather", "rain", [("clear", 12.0)]),
        ("卡车第19秒从左侧切入，雨在此前4秒停", "weather", "rain", [("clear", 15.0), (None, 19.0)]),
        ("t=0 clear; t=10 rain", "weather", "clear", [("rain", 10.0)]),
        ("heavy rain until halfway, then it clears", "weather", "rain", [("clear", 30.0)]),
    ],
)
def test_states_that_last(text: str, key: str, first: str, turns: list[tuple[Any, float]]) -> None:
    wish = PARSER.parse(text)
    assert wish.asked[key] == first and told(text, "to", "at_s") == turns and "horizon_s" not in wish.asked


def test_a_state_until_a_time_and_nothing_after_it_is_reported() -> None:
    wish = PARSER.parse("sunny until 10 s")
    assert wish.asked == {"weather": "clear"} and not wish.events and wish.unsupported


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("halfway through the one-minute clip a truck cuts in", [30.0]),
        ("in the middle of a 40 s drive the truck ahead brakes", [20.0]),
        ("一分钟视频的中间一辆卡车切入", [30.0]),
        ("after a quarter of a minute it gets dark", [15.0]),
        ("A truck cuts in. Two seconds later rain sets in. Three seconds after that, night falls.", [5.0, 7.0, 10.0]),
        ("a lorry crosses from the left at the junction, and ten seconds after it a pedestrian crosses", [5.0, 15.0]),
        ("Turn on the fog after fifteen seconds and turn it off again after thirty", [15.0, 30.0]),
        ("触发：第9秒；动作：大货车切入", [9.0]),
        ("头五秒没事，第六秒前车急刹", [6.0]),
        ("前10秒没事，然后右边切入", [10.0]),
        ("十来秒以后下雨", [10.0]),
        ("as soon as it gets dark a van cuts in", [5.0, 10.0]),
        ("左边行人和右边骑车的同时过", [5.0, 5.0]),
    ],
)
def test_when_it_happens(text: str, times: list[float]) -> None:
    assert [each["at_s"] for each in events(text)] == times


def test_one_of_two_times_and_a_time_between() -> None:
    assert events("五秒或十秒前车刹车")[0]["at_s"] == [5.0, 10.0]
    assert events("请在四秒和六秒的中间，面包车从左边进到我的车道。")[0]["at_s"] == {"min": 4.0, "max": 6.0}


# --- who, and what is ruled out -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("a van comes flying through the crossing from the left", ["crossing_vehicle"]),
        ("without slowing a truck drives across the intersection", ["crossing_vehicle"]),
        ("一辆面包车不减速横穿路口", ["crossing_vehicle"]),
        ("离我80米的时候，左边小路开出来一辆卡车", ["crossing_vehicle"]),
        ("bloke in a van cuts in from the left", ["cut_in"]),
        ("the lorry two cars ahead brakes", ["lead_brakes"]),
        ("vehicle ahead slows then stops", ["lead_brakes"]),
        ("前车先减速后停下", ["lead_brakes"]),
        ("stuck behind a tractor", ["slow_vehicle"]),
        ("one truck, two cars and a van cut in", ["cut_in"] * 4),
        ("两辆面包车、一辆货车，依次从右边切入", ["cut_in"] * 3),
        ("前面那个车莫名其妙就刹停了", ["lead_brakes"]),
        ("据居民反映，夜里很吵", []),
    ],
)
def test_who_does_what(text: str, kinds: list[str]) -> None:
    assert [each["kind"] for each in events(text)] == kinds


@pytest.mark.parametrize(
    ("text", "excluded"),
    [
        ("avoid night and heavy traffic", {"time_of_day": ("night",), "traffic": ("heavy",)}),
        ("Exclude precipitation of any kind.", {"weather": ("rain", "snow")}),
        ("nothing on the motorway and nothing after dark", {"road": ("highway",), "time_of_day": ("night",)}),
        ("高速不去，天黑以后也不练", {"road": ("highway",), "time_of_day": ("night",)}),
        ("别走高速", {"road": ("highway",)}),
        ("流量不得为高", {"traffic": ("heavy",)}),
        ("三车道不是四车道", {"lanes": (4,)}),
    ],
)
def test_more_of_what_is_ruled_out(text: str, excluded: dict[str, Any]) -> None:
    assert PARSER.parse(text).excluded == excluded


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("traffic's moving at a snail's pace on the highway", "heavy"),
        ("it's 3am and the freeway is dead", "none"),
        ("not too much traffic and not too little", "medium"),
        ("高速的车灯连成长河", "heavy"),
        ("乡间小路上几乎见不着车", "light"),
        ("满街都是大货车", "heavy"),
    ],
)
def test_more_of_how_much_traffic(text: str, level: str) -> None:
    assert asked(text)["traffic"] == level and not events(text)


def test_how_dense_the_fog_is_says_nothing_of_traffic() -> None:
    assert "traffic" not in asked("fog(dense), night") and "traffic" not in asked("雾（浓），夜")


# --- bounds, repetitions and lists of times -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "lanes"),
    [
        ("at least three lanes", (3, 4, 5)),
        ("no more than two lanes", (1, 2)),
        ("fewer than three lanes", (1, 2)),
        ("more than 2 lanes", (3, 4, 5)),
        ("3 lanes max", (1, 2, 3)),
        ("至少三车道", (3, 4, 5)),
        ("双向最多四车道", (1, 2)),
    ],
)
def test_bounds_of_lanes(text: str, lanes: tuple[int, ...]) -> None:
    assert asked(text)["lanes"] == lanes


@pytest.mark.parametrize(
    ("text", "key", "values"),
    [
        ("rain or snow, day or night, I don't care", "weather", ("rain", "snow")),
        ("下雨下雪都行，白天晚上无所谓", "time_of_day", ("day", "night")),
        ("either at dusk or at night", "time_of_day", ("dusk", "night")),
        ("时段在白天与黄昏中取其一", "time_of_day", ("day", "dusk")),
    ],
)
def test_either_will_do(text: str, key: str, values: tuple[str, ...]) -> None:
    assert asked(text)[key] == values


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A cyclist crosses from left to right, then 5 s later from right to left", [(5.0, "left"), (10.0, "right")]),
        ("a pedestrian on the left crosses at 5 s and one on the right at 8 s", [(5.0, "left"), (8.0, "right")]),
        ("a cut-in from the left, then one from the right", [(5.0, "left"), (10.0, "right")]),
        ("左边的行人第5秒开始过马路，右边的第8秒", [(5.0, "left"), (8.0, "right")]),
        ("a cyclist from the left no from the right after six seconds", [(6.0, "right")]),
        ("Somebody crosses from the right in front of us after six seconds", [(6.0, "right")]),
        ("骑车人第10秒从左边来，行人比他早4秒从右边过。", [(6.0, "right"), (10.0, "left")]),
    ],
)
def test_one_more_from_elsewhere(text: str, expected: list[tuple[Any, ...]]) -> None:
    assert told(text, "at_s", "side") == expected


@pytest.mark.parametrize("text", ["weather: clear -> rain (10 s) -> fog (25 s)", "天气：晴→雨（10秒）→雾（25秒）"])
def test_arrows_with_times(text: str) -> None:
    assert asked(text) == {"weather": "clear"} and told(text, "to", "at_s") == [("rain", 10.0), ("fog", 25.0)]


@pytest.mark.parametrize(
    ("text", "at_s"),
    [("10 s before the end it starts snowing", 50.0), ("结束前10秒开始下雪", 50.0), ("第5秒或第8秒切入", [5.0, 8.0])],
)
def test_times_before_the_end_and_either_of_two(text: str, at_s: Any) -> None:
    assert [each["at_s"] for each in events(text)] == [at_s]


def test_weather_has_one_strength_and_says_so() -> None:
    for text in ("the rain gets heavier after 10 s", "10秒后雨变大"):
        wish = PARSER.parse(text)
        assert wish.asked == {"weather": "rain"} and not wish.events and wish.unsupported


@pytest.mark.parametrize(
    ("text", "vehicle"),
    [
        ("after five secs someone barges in from the left in a van", "van"),
        ("五秒后有人开着面包车从左边硬挤进来", "van"),
        ("the third-party lorry moved from the left lane into the insured's lane", "truck"),
        ("a taxi dives across from the left lane into ours", "car"),
    ],
)
def test_who_sits_in_it_and_whose_lane_it_is(text: str, vehicle: str) -> None:
    assert told(text, "kind", "side", "vehicle") == [("cut_in", "left", vehicle)]


def test_items_are_numbered_and_not_told_again() -> None:
    text = "First: fog. Second: a slow truck at 100 m. Third: the fog lifts at 25 s."
    assert told(text, "kind") == [("slow_vehicle",), ("weather",)]


def test_yards_are_no_feet() -> None:
    assert events("300 yards on there's a stationary van")[0]["at_m"] == 274.32


@pytest.mark.parametrize(
    ("text", "key", "times"),
    [
        ("practice emergency stops: lead car brakes at 5, 10 and 15 seconds", "at_s", [5.0, 10.0, 15.0]),
        ("cyclists at 4 and 9 seconds, both from the right", "at_s", [4.0, 9.0]),
        ("前车在5、10、15秒各刹一次", "at_s", [5.0, 10.0, 15.0]),
        ("骑车人第4秒和第9秒，都从右边", "at_s", [4.0, 9.0]),
        ("two stopped cars, 100 m and 250 m", "at_m", [100.0, 250.0]),
        ("两辆停着的车，100米和250米", "at_m", [100.0, 250.0]),
        ("A pedestrian is waiting on the left and crosses at 6 s", "at_s", [6.0]),
        ("TC_014_cutin_right_van_fog_3lanes_7s", "at_s", [7.0]),
    ],
)
def test_one_event_at_several_times(text: str, key: str, times: list[float]) -> None:
    assert [each[key] for each in events(text)] == times
