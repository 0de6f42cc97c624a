"""Words in: kinds of phrases that people write, in both languages, one or two of each."""

from __future__ import annotations

from typing import Any

import pytest

from .readings import PARSER, asked, events


def refused(text: str) -> list[str]:
    return [each.text for each in PARSER.parse(text).unsupported]


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("highway, medium density", "medium"),
        ("heavy flow on the motorway", "heavy"),
        ("flow: light", "light"),
        ("a moderately busy motorway", "medium"),
        ("hardly another car on the road", "light"),
        ("there must be cars, only not many", "light"),
        ("a tailback on the interstate", "heavy"),
        ("vehicles crammed on all five lanes", "heavy"),
        ("高速，中等密度", "medium"),
        ("环岛里的车排成了长龙", "heavy"),
        ("高速塞满车", "heavy"),
        ("车少一点，路口", "light"),
        ("高速，一辆车也没碰见", "none"),
    ],
)
def test_how_much_traffic(text: str, level: str) -> None:
    assert asked(text)["traffic"] == level and not events(text)


def test_density_of_fog_is_not_that_of_traffic() -> None:
    assert "traffic" not in asked("fog of high density") and "traffic" not in asked("fog density high")


@pytest.mark.parametrize(
    "text",
    [
        "We begin by day; at ten seconds, twilight; at twenty, darkness.",
        "starts in daytime, dusk at 10 s, night at 20 s",
        "At begin is day, after 10 s is dusk, after 20 s is night.",
        "白天开始，第10秒进入黄昏，第20秒入夜",
    ],
)
def test_states_one_after_another(text: str) -> None:
    assert asked(text)["time_of_day"] == "day"
    assert [(each["to"], each["at_s"]) for each in events(text)] == [("dusk", 10.0), ("night", 20.0)]


@pytest.mark.parametrize("text", ["Rain up to second 12, clear from then on.", "雨一直下到第12秒"])
def test_weather_that_lasts_up_to_a_time(text: str) -> None:
    assert asked(text) == {"weather": "rain"}
    assert events(text) == [{"kind": "weather", "at_s": 12.0, "to": "clear"}]


def test_it_is_not_yet_so_but_will_be() -> None:
    for text in ("not raining yet, but it will after 12 seconds", "现在没下雨，十二秒后会下"):
        assert events(text) == [{"kind": "weather", "at_s": 12.0, "to": "rain"}]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the car in front slams on the anchors", "lead_brakes"),
        ("the car before me stopped dead", "lead_brakes"),
        ("a car has died in my lane", "stopped_vehicle"),
        ("a truck dives in from the left lane", "cut_in"),
        ("a lorry files in from the slip road", "merging_vehicle"),
        ("a van squeezes in from the slip road", "merging_vehicle"),
        ("held up by a slow tractor", "slow_vehicle"),
        ("a van races over the junction", "crossing_vehicle"),
        ("a boy on a bicycle from the left", "cyclist"),
        ("an old gentleman walks across", "pedestrian"),
        ("a man with an umbrella crosses", "pedestrian"),
        ("a child with a dog crosses", "pedestrian"),
        ("a pedestrian enters the lane", "pedestrian"),
        ("货车从左侧驶入自车车道", "cut_in"),
        ("面包车冲过十字路口", "crossing_vehicle"),
        ("有个叔叔骑车过马路", "cyclist"),
        ("行人从左侧进入车道", "pedestrian"),
        ("被慢吞吞的货车挡在路上", "slow_vehicle"),
        ("轿车由匝道汇入", "merging_vehicle"),
    ],
)
def test_what_happens(text: str, expected: str) -> None:
    assert [each["kind"] for each in events(text)] == [expected]


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("a cyclist from the left at 3 s, a second cyclist at 6 s, a third from the left at 9 s", [3.0, 6.0, 9.0]),
        ("braking at 4 s and again at 12 s by the vehicle ahead", [4.0, 12.0]),
        ("前车刹两次车：6秒一次，14秒一次", [6.0, 14.0]),
        ("two seconds after the start a cyclist crosses", [2.0]),
        ("in the third second a truck cuts in", [3.0]),
        ("half a minute in, a truck cuts in", [30.0]),
        ("rain sets in at 10 s; a truck cuts in 4 s earlier", [6.0, 10.0]),
        ("卡车第12秒切入，比它早5秒开始起雾", [7.0, 12.0]),
        ("数到十秒就下雪", [10.0]),
    ],
)
def test_when(text: str, times: list[float]) -> None:
    assert [each["at_s"] for each in events(text)] == times


@pytest.mark.parametrize(
    "text",
    [
        "a truck cuts in no earlier than 5 and no later than 9 seconds",
        "between 5 s and 9 s a truck cuts in",
        "卡车应在5秒至9秒之间切入",
        "卡车不早于5秒、不晚于9秒切入",
    ],
)
def test_bounds_of_a_time(text: str) -> None:
    assert [each["at_s"] for each in events(text)] == [{"min": 5.0, "max": 9.0}]


@pytest.mark.parametrize("text", ["rain from 10 to 20 s on the highway", "从第10秒到第20秒下雨"])
def test_weather_for_a_spell(text: str) -> None:
    assert [(each["to"], each["at_s"]) for each in events(text)] == [("rain", 10.0), ("clear", 20.0)]


def test_before_a_time_that_is_said() -> None:
    told = events("Three seconds before night falls at 15 s, a cyclist crosses.")
    assert [(each["kind"], each["at_s"]) for each in told] == [("cyclist", 12.0), ("time_of_day", 15.0)]


@pytest.mark.parametrize(
    "text", ["a car crosses from the left, but a pedestrian comes before it", "轿车横穿路口，在它之前先有行人过马路"]
)
def test_what_is_told_second_may_come_first(text: str) -> None:
    told = events(text)
    assert [each["kind"] for each in told] == ["pedestrian", "crossing_vehicle"] and told[0]["at_s"] < told[1]["at_s"]


def test_a_slash_parts_what_is_of_two_kinds_and_joins_what_is_of_one() -> None:
    assert asked("night / fog / heavy / highway") == {
        "time_of_day": "night", "weather": "fog", "traffic": "heavy", "road": "highway"
    }  # fmt: skip
    assert asked("rain/snow")["weather"] == ("rain", "snow")
    sides = [each["side"] for each in events("pedestrian from right @ 9 s / cyclist from left @ 14 s")]
    assert sides == ["right", "left"]


def test_an_arrow_after_a_name_sets_it() -> None:
    assert asked("weather -> rain") == asked("天气→雨") == {"weather": "rain"}
    assert events("rain -> snow")[0]["to"] == "snow"


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("TC-109 five-lane highway", "lanes", 5),
        ("pick one of rain, fog and snow", "weather", ("rain", "fog", "snow")),
        ("从雪和雾里任选一种", "weather", ("snow", "fog")),
        ("{road: intersection, command: left}", "command", "left"),
        ("exit, fog, right", "command", "right"),
        ("the vehicle shall proceed at 36 km/h", "target_speed_mps", 10.0),
        ("时速控制在三十六公里", "target_speed_mps", 10.0),
        ("我开36公里的时速", "target_speed_mps", 10.0),
        ("推演两分半钟", "horizon_s", 150.0),
        ("a road with many turns", "road", "curves"),
    ],
)
def test_values(text: str, key: str, value: Any) -> None:
    assert asked(text)[key] == value


@pytest.mark.parametrize(
    ("text", "excluded"),
    [
        ("four lanes, not five, and no traffic jam", {"lanes": (5,), "traffic": ("heavy",)}),
        ("the traffic must not be heavy", {"traffic": ("heavy",)}),
        ("the lane count must not be 2", {"lanes": (2,)}),
        ("先别上高速，走弯多的路", {"road": ("highway",)}),
        ("车流不要太密", {"traffic": ("heavy",)}),
    ],
)
def test_what_is_ruled_out(text: str, excluded: dict[str, Any]) -> None:
    assert PARSER.parse(text).excluded == excluded


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("a deer crosses from the left", "deer"),
        ("the traffic lights have failed at an intersection", "traffic lights"),
        ("a sandstorm on the highway", "sandstorm"),
        ("we get a flat tyre in the fog", "flat tyre"),
        ("a hot-air balloon drifts over the road", "hot-air balloon"),
        ("parallel parking in light snow", "parallel parking"),
        ("今天练侧方停车，小雪", "侧方停车"),
        ("乡间小路上走着一群羊", "羊"),
        ("红绿灯坏了，路口", "红绿灯"),
        ("三车道高速上刮沙尘暴", "沙尘暴"),
    ],
)
def test_what_is_not_there_does_nothing_and_is_reported(text: str, part: str) -> None:
    assert not events(text) and any(part in each for each in refused(text))


def test_what_happens_again_and_again_is_reported() -> None:
    assert "Every" in refused("Every 5 seconds a car cuts in.") and "每隔" in refused("每隔5秒前车刹车")


def test_an_ordinary_word_is_no_misspelling() -> None:
    assert "weather" not in asked("the same story on the highway") and "weather" in asked("a strom on the highway")


def test_who_tells_of_it_is_not_on_the_road() -> None:
    assert asked("mommy says drive straight on at the crossing")["command"] == "straight"
    assert not events("mommy says drive straight on at the crossing")
