"""Scenario files: what ships loads, chance is seeded, mistakes are named."""

from pathlib import Path

import numpy as np
import pytest

from envs.scenario import LANES_OF, Scenario, list_scenarios, load_scenario
from worldsim.types import ROADS, SCENE_VOCABULARY


@pytest.mark.parametrize("name", list_scenarios())
def test_shipped_scenarios_are_whole(name: str) -> None:
    scenario = load_scenario(name)
    assert scenario.name == name and scenario.purpose
    for seed in range(5):
        concrete = scenario.concretise(np.random.default_rng(seed))
        assert concrete.is_concrete and concrete.caption
        assert None not in (getattr(concrete.fields, key) for key in SCENE_VOCABULARY)
        assert concrete.lanes in LANES_OF[concrete.road]


def test_every_road_has_a_scenario_of_its_name() -> None:
    assert set(ROADS) <= set(list_scenarios()) and len(list_scenarios()) >= 20


def test_chance_follows_the_seed_and_reaches_everything() -> None:
    scenario = load_scenario("any")
    drawn = [scenario.concretise(np.random.default_rng(seed)) for seed in range(200)]
    assert drawn[7] == scenario.concretise(np.random.default_rng(7))
    for key in ("road", "weather", "time_of_day", "traffic"):
        assert {getattr(one, key) for one in drawn} == set(SCENE_VOCABULARY[key])


def test_captions_say_what_the_fields_say() -> None:
    scene = Scenario(road="highway", lanes=3, weather="rain", time_of_day="night", traffic="heavy")
    caption = scene.concretise(np.random.default_rng(0)).caption
    for word in ("three-lane", "highway", "rain", "night", "heavy traffic"):
        assert word in caption
    assert Scenario(caption="mine").concretise(np.random.default_rng(0)).caption == "mine"


def test_an_unknown_scenario_suggests_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"unknown scenario 'higway'.*did you mean 'highway'"):
        load_scenario("higway")
    with pytest.raises(ValueError, match="does not exist"):
        load_scenario("nowhere/my.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rode: highway", r"unknown key `rode`.*did you mean 'road'"),
        ("weather: rainy", r"`weather`: expected one of .*'rain'.*got 'rainy'; did you mean 'rain'"),
        ("traffic: [light, dense]", r"`traffic`.*got 'dense'"),
        ("road: roundabout\nlanes: 4", r"`lanes`: road 'roundabout' can have \[1\], got 4"),
        ("target_speed_mps: 400", r"`target_speed_mps`: expected a number in \[1, 40\], got 400"),
        ("horizon_s: soon", r"`horizon_s`: expected a number"),
        ("weather: []", r"`weather`: expected a value"),
        ("seed: -3", r"`seed`"),
        ("road: [unclosed", r"not valid YAML"),
        ("- highway", r"expected keys and values, got list"),
    ],
)
def test_mistakes_in_a_file_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as raised:
        load_scenario(path)
    assert "mine.yaml" in str(raised.value)
