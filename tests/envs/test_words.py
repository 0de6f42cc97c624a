"""Words in: what a text asks for, in English and Chinese, and the account of every word of it."""

from __future__ import annotations

import random
import time
from itertools import product
from typing import Any

import numpy as np
import pytest
import yaml

from envs.choices import Range
from envs.commands.parse_scene import write_scenario
from envs.events import Event
from envs.scenario import LANES_OF, load_scenario
from envs.words import GrammarParser, SceneWish
from envs.words.lexicon import Language, Lexicon, Piece, tokens
from envs.words.neighbours import ByLetters, ByMeaning
from envs.words.parser import LANGUAGES, MOST_CHARACTERS, lexicon
from envs.words.settling import WEIGHTY
from worldsim.text import TextEncoder, caption_from_fields, save_table
from worldsim.types import ROADS, TIMES, TRAFFICS, WEATHERS, SceneFields

PARSER = GrammarParser(ByLetters())


def read(text: str) -> SceneWish:
    wish = PARSER.parse(text)
    wish.scenario().concretise(np.random.default_rng(0))  # whatever is asked for can be driven
    return wish


def events(text: str) -> list[dict[str, Any]]:
    return read(text).plain()["events"]


# --- what it asks for ---------------------------------------------------------------------------------------------


def test_the_example_of_the_readme_in_both_languages() -> None:
    english = read("rainy night, dense traffic, a truck cuts in from the left after five seconds")
    chinese = read("雨夜，车流密集，五秒后一辆卡车从左侧切入")
    for wish in (english, chinese):
        assert wish.asked == {"weather": "rain", "time_of_day": "night", "traffic": "heavy"}
        assert wish.events == (Event("cut_in", at_s=5.0, side="left", vehicle="truck"),)
        assert wish.fields == SceneFields(weather="rain", time_of_day="night", traffic="heavy")
        assert [each.key for each in wish.assumed] == ["road"] and not wish.unsupported
        assert wish.caption == (
            "driving on a highway at night in rain, heavy traffic; after 5 s a truck cuts in from the left"
        )


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("misty roundabout at sunset, a few cars", {"weather": "fog", "road": "roundabout", "time_of_day": "dusk",
                                                    "traffic": "light"}),
        ("three cars on a 3-lane motorway", {"traffic": "light", "lanes": 3, "road": "highway"}),
        ("turn left at the junction", {"command": "left", "road": "intersection"}),
        ("traffic: none, lanes: 2", {"traffic": "none", "lanes": 2}),
        ("either rain or snow", {"weather": ("rain", "snow")}),
        ("at 90 km/h for 45 seconds", {"target_speed_mps": 25.0, "horizon_s": 45.0}),
        ("two or three lanes at 11 pm", {"lanes": (2, 3), "time_of_day": "night"}),
        ("aggressive drivers", {"drivers": "aggressive"}),
        ("a highway with an exit", {"road": "exit"}),
        ("双向四车道，车很多", {"lanes": 2, "traffic": "heavy"}),
        ("晚上十点，没有其他车辆", {"time_of_day": "night", "traffic": "none"}),
        ("路口右转，时速六十公里", {"road": "intersection", "command": "right", "target_speed_mps": 16.667}),
        ("要么下雨要么下雪的三车道高速", {"weather": ("rain", "snow"), "lanes": 3, "road": "highway"}),
        ("fog, 两车道", {"weather": "fog", "lanes": 2}),
    ],
)  # fmt: skip
def test_fields(text: str, asked: dict[str, Any]) -> None:
    assert read(text).asked == asked


@pytest.mark.parametrize(
    ("text", "asked", "excluded"),
    [
        ("no cars", {"traffic": "none"}, {}),
        ("without rain, not at night", {}, {"weather": ("rain",), "time_of_day": ("night",)}),
        ("no cars on the highway", {"traffic": "none", "road": "highway"}, {}),
        ("no rain or snow", {}, {"weather": ("rain", "snow")}),
        ("fog instead of rain", {"weather": "fog"}, {"weather": ("rain",)}),
        ("nobody cuts in", {}, {}),
        ("不下雨，没有车", {"traffic": "none"}, {"weather": ("rain",)}),
        ("没有行人的十字路口", {"road": "intersection"}, {}),
        ("不要雨雪", {}, {"weather": ("rain", "snow")}),
    ],
)
def test_negation(text: str, asked: dict[str, Any], excluded: dict[str, Any]) -> None:
    wish = read(text)
    assert (wish.asked, wish.excluded, wish.events) == (asked, excluded, ())
    for key, values in excluded.items():
        assert getattr(wish.scenario(), key) not in values


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("at 10 s the car ahead brakes", [{"kind": "lead_brakes", "at_s": 10.0, "vehicle": "car"}]),
        ("a stopped van 200 m ahead", [{"kind": "stopped_vehicle", "at_m": 200.0, "vehicle": "van"}]),
        ("a pedestrian crosses from left to right after 5 to 8 seconds",
         [{"kind": "pedestrian", "at_s": {"min": 5.0, "max": 8.0}, "side": "left"}]),
        ("it starts to rain after half a minute", [{"kind": "weather", "at_s": 30.0, "to": "rain"}]),
        ("day to dusk to night", [{"kind": "time_of_day", "at_s": 5.0, "to": "dusk"},
                                  {"kind": "time_of_day", "at_s": 10.0, "to": "night"}]),
        ("two trucks cut in", [{"kind": "cut_in", "at_s": 5.0, "vehicle": "truck"},
                               {"kind": "cut_in", "at_s": 7.0, "vehicle": "truck"}]),
        ("十秒后雨停了", [{"kind": "weather", "at_s": 10.0, "to": "clear"}]),
        ("前方两百米处有一辆抛锚的货车", [{"kind": "stopped_vehicle", "at_m": 200.0, "vehicle": "truck"}]),
        ("第十二秒自行车从右侧横穿", [{"kind": "cyclist", "at_s": 12.0, "side": "right"}]),
    ],
)  # fmt: skip
def test_events(text: str, expected: list[dict[str, Any]]) -> None:
    assert events(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "a truck cuts in at 4 s, then two seconds later the lead vehicle brakes",
        "two seconds after a truck cuts in at 4 s, the lead vehicle brakes",
        "the lead vehicle brakes two seconds after a truck cuts in at 4 s",
        "a truck cuts in at 4 s, 2 s before the lead vehicle brakes",
        "A truck cuts in at 4 s. Two seconds after the cut-in, the lead vehicle brakes.",
        "第四秒卡车切入，再过两秒前车刹车",
        "卡车在第四秒切入，切入两秒后前车刹车",
    ],
)
def test_order_in_time(text: str) -> None:
    assert [(each["kind"], each["at_s"]) for each in events(text)] == [("cut_in", 4.0), ("lead_brakes", 6.0)]


@pytest.mark.parametrize("text", ["before the lead vehicle brakes, a car cuts in", "前车刹车之前，一辆轿车切入"])
def test_what_comes_before_is_first(text: str) -> None:
    told = events(text)
    assert [each["kind"] for each in told] == ["cut_in", "lead_brakes"] and told[0]["at_s"] < told[1]["at_s"]


def test_times_that_are_not_said_are_assumed_and_fit_between_those_that_are() -> None:
    wish = read("a cyclist crosses, then a pedestrian, and at 6 s it starts to rain")
    times = [event.at_s for event in wish.events]
    assert times[0] < times[1] < times[2] == 6.0
    assert [each.key for each in wish.assumed if each.key.startswith("event")] == ["event 1: at_s", "event 2: at_s"]


def test_a_late_event_makes_the_drive_longer() -> None:
    assert read("after two minutes a car cuts in").scenario().horizon_s == 135.0


def test_every_caption_written_from_fields_is_read_back() -> None:
    rng = np.random.default_rng(0)
    for road, weather, moment, traffic in product(ROADS, WEATHERS, TIMES, TRAFFICS):
        lanes = int(rng.choice(LANES_OF[road]))
        fields = SceneFields(road, weather, moment, traffic, lanes)
        caption = caption_from_fields(fields, rng)
        assert PARSER.parse(caption).fields == fields, caption


# --- what cannot be had -------------------------------------------------------------------------------------------


def test_a_contradiction_says_what_won_and_why() -> None:
    wish = read("sunny rain")
    assert wish.asked == {"weather": "rain"}
    (lost,) = wish.unsupported
    assert lost.text == "sunny" and "'rain', which is said later" in lost.why
    assert lost.nearest == "clear that turns to rain"


@pytest.mark.parametrize(
    ("text", "part", "why", "nearest"),
    [
        ("a bus cuts in", "bus", "none here", "truck"),
        ("a four-lane roundabout", "four-lane", "'roundabout' can have 1", "lanes: 1"),
        ("six lanes", "six lanes", "not 6", "five lanes"),
        ("pedestrian on the motorway", "pedestrian", "can happen on curves or two_way", "pedestrian on curves"),
        ("a truck cuts in on a single-lane road", "cuts in", "needs 2 lanes", "2 lanes"),
        ("a red car cuts in", "red", "left to chance", "a truck cuts in"),
        ("at 300 km/h", "300 km/h", "1 to 40 m/s", "40 m/s"),
        ("a 10 second drive, after 15 s a car cuts in", "after 15 s", "where a drive of 10 s ends", "without it"),
        ("we brake", "brake", "up to its driver", "the vehicle ahead brakes"),
        ("十车道高速", "十车道", "not 10", "five lanes"),
        ("消防车切入", "消防车", "none here", "truck"),
    ],
)
def test_what_cannot_be_had_comes_with_the_nearest_that_can(text: str, part: str, why: str, nearest: str) -> None:
    found = [each for each in read(text).unsupported if each.text == part]
    assert found and why in found[0].why and nearest in found[0].nearest


def test_an_unknown_word_is_named_with_its_neighbour(tmp_path: Any) -> None:
    rng = np.random.default_rng(0)
    from envs.words.neighbours import WISHES

    vectors = rng.normal(size=(len(WISHES), 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    save_table(tmp_path / "t.safetensors", dict(zip(WISHES, vectors, strict=True)) | {"gloopy": vectors[9]})
    wish = GrammarParser(ByMeaning(TextEncoder(None, [tmp_path / "t.safetensors"]))).parse("gloopy highway")
    (unknown,) = wish.unsupported
    assert (unknown.text, unknown.nearest) == ("gloopy", WISHES[9]) and wish.asked == {"road": "highway"}


def test_without_the_encoder_letters_decide() -> None:
    assert ByLetters().nearest("rainz") == "rain"
    (unknown,) = read("highway, qzxv").unsupported
    assert unknown.nearest == "the scene without it"


def test_misspelt_words_are_read_and_said_to_be() -> None:
    wish = read("higway at nigth")
    assert wish.asked == {"road": "highway", "time_of_day": "night"}
    assert [each.value for each in wish.assumed if "spelt alike" in each.why] == ["highway", "night"]


def test_no_word_of_weight_is_dropped() -> None:
    rng = random.Random(0)
    phrases = [phrase for language in LANGUAGES for _, phrase in language.entries()] + list(",.;，。") + ["3", "qwzx"]
    for _ in range(300):
        text = " ".join(rng.choices(phrases, k=rng.randint(1, 12)))
        if not any(character.isalnum() for character in text):
            continue
        wish = read(text)
        entries = [*wish.understood, *wish.unsupported]
        assert all(each.text == text[each.start : each.end] for each in entries)
        for piece in lexicon().read(text):
            if piece.kind in (*WEIGHTY, "unknown"):
                assert any(each.start <= piece.start < each.end for each in entries), (text, piece)


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("not two lanes but three, motorway", {"lanes": 3, "road": "highway"}),
        ("约23时，大雨", {"time_of_day": "night", "weather": "rain"}),
        ("今晨大雾笼罩高速", {"time_of_day": "day", "weather": "fog", "road": "highway"}),
        ("can i get snow and a roundabout", {"weather": "snow", "road": "roundabout"}),
        ("大雨，我们堵在高速上", {"weather": "rain", "road": "highway", "traffic": "heavy"}),
    ],
)
def test_turns_of_phrase(text: str, asked: dict[str, Any]) -> None:
    wish = read(text)
    assert {key: wish.asked.get(key) for key in asked} == asked and not wish.events


def test_until_ends_the_weather_and_what_comes_then_comes_after() -> None:
    first, second = read("Fog until 12 s, then a truck cuts in.").events
    assert (first.kind, first.to, first.at_s) == ("weather", "clear", 12.0)
    assert second.kind == "cut_in" and second.at_s is not None and second.at_s > 12.0
    assert [event.kind for event in read("Rain; a car brakes before 10 s.").events] == ["lead_brakes"]


def test_who_crossed_is_not_who_brakes() -> None:
    """A person is no vehicle, whoever the next clause is about."""
    events = read("A child crosses from the right in eight seconds, brake!").events
    assert events[0].kind == "pedestrian" and events[0].at_s == 8.0 and events[0].side == "right"
    assert all(event.vehicle is None for event in events)


def test_what_comes_first_is_first_wherever_it_is_said() -> None:
    for text in (
        "In the end a cyclist crosses; at the start the lead vehicle brakes.",
        "最后自行车横穿，一开始前车刹车。",
    ):
        first, last = read(text).events
        assert (first.kind, last.kind) == ("lead_brakes", "cyclist") and first.at_s < last.at_s


# --- bad input ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "nothing to read"),
        (" \n\t", "nothing to read"),
        ("\x00\x07\x1b" * 3000, "nothing to read"),
        ("...!?", "nothing to read"),
        ("🚗🌧", "nothing to read"),
        (3, "expected text, got int"),
        ("rain " * MOST_CHARACTERS, "expected at most 20000 characters, got 100000"),
    ],
)
def test_what_is_no_text_is_refused(text: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PARSER.parse(text)


@pytest.mark.parametrize("text", ["дождливая ночь на шоссе", "une nuit pluvieuse", "ليلة ممطرة", "비 오는 밤"])
def test_another_language_gets_an_answer(text: str) -> None:
    wish = read(text)
    assert not wish.asked and not wish.events
    assert all("English and Chinese are read" in each.why for each in wish.unsupported) and wish.unsupported


@pytest.mark.parametrize(
    "text",
    ["x" * 10_000, "a truck cuts in. " * 588, "雨" * 10_000, "no " * 3333, "5 " * 5000, "rain\x00night\x1b[31m " * 500,
     "зима " * 2000, "car, " * 2000, "then " * 2000, "(" * 9_999 + "a", "９" * 10_000],
)  # fmt: skip
def test_ten_thousand_characters_take_seconds(text: str) -> None:
    began = time.process_time()
    wish = PARSER.parse(text)
    assert time.process_time() - began < 20 and wish.account() and len(wish.events) <= 20


# --- beside the grammar -------------------------------------------------------------------------------------------


def test_a_wish_becomes_a_scenario_file(tmp_path: Any) -> None:
    wish = read("rain or fog, a car or a van cuts in from the left after 5 to 8 seconds, two lanes")
    write_scenario(wish, tmp_path / "mine.yaml")
    scenario = load_scenario(tmp_path / "mine.yaml")
    assert scenario.weather == ("rain", "fog") and scenario.lanes == 2
    assert scenario.events == (Event("cut_in", at_s=Range(5.0, 8.0), side="left", vehicle=("car", "van")),)
    assert yaml.safe_load((tmp_path / "mine.yaml").read_text())["events"][0]["at_s"] == {"min": 5.0, "max": 8.0}


def test_tokens_keep_their_places() -> None:
    text = "Cut-in：５秒 don’t İ 3.5s"
    assert [(word, text[start:end]) for word, start, end in tokens(text)] == [
        ("cut", "Cut"), ("in", "in"), ("：", "："), ("5", "５"), ("秒", "秒"), ("don't", "don’t"), ("İ", "İ"),
        ("3.5", "3.5"), ("s", "s"),
    ]  # fmt: skip


def test_the_cut_of_fewest_pieces_wins() -> None:
    assert [piece.value for piece in lexicon().read("后面包车") if piece.kind == "vehicle"] == ["van"]


def test_tables_are_checked(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("envs.words.lexicon.resources.files", lambda package: tmp_path)
    (tmp_path / "klingon.txt").write_text("$how: dark, black\nweather=rain: SIS, $how cloud\nweather=snow: chuch\n")
    found = Lexicon([Language("klingon")]).read("black cloud sis")
    assert found == [Piece("weather", "rain", 0, 11), Piece("weather", "rain", 12, 15)]
    (tmp_path / "klingon.txt").write_text("weather=rain: sis\nweather=snow: sis\n")
    with pytest.raises(ValueError, match="'sis' is listed under 'weather=snow' and under 'weather=rain'"):
        Lexicon([Language("klingon")])
    (tmp_path / "klingon.txt").write_text("rain and nothing\n")
    with pytest.raises(ValueError, match=r"klingon.txt, line 1: expected `meaning: phrase, phrase`"):
        Lexicon([Language("klingon")])
