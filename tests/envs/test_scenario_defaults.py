"""Scenario files that build on others, composed by Hydra."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra

from envs.choices import Odds, Range
from envs.scenario import load_scenario


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_takes_what_it_does_not_say_from_others(tmp_path: Path) -> None:
    base = load_scenario("night_rain_cut_in")
    path = written(
        tmp_path / "mine.yaml",
        "defaults: [night_rain_cut_in, _self_]\npurpose: Mine.\nweather: {fog: 2, snow: 1}\n"
        "target_speed_mps: {min: 15, max: 20}\nego_speed_mps: ${target_speed_mps.min}\n",
    )
    mine = load_scenario(path)
    assert mine == replace(
        base, name="mine", purpose="Mine.", weather=Odds(("fog", "snow"), (2, 1)), target_speed_mps=Range(15, 20),
        ego_speed_mps=15,
    )  # fmt: skip
    second = written(tmp_path / "second.yaml", "defaults: [mine, _self_]\nevents: []\nweather: {fog: 0}\n")
    assert load_scenario(second) == replace(mine, name="second", events=(), weather=Odds(("fog", "snow"), (0, 1)))
    two = written(tmp_path / "two.yaml", "defaults: [snow_curves, night_rain, _self_]\n")
    assert load_scenario(two).weather == load_scenario("night_rain").weather, "the later one wins"
    assert load_scenario(two).road == load_scenario("night_rain").road
    assert not GlobalHydra.instance().is_initialized()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("defaults: [cut_inn, _self_]", r"key `defaults`: expected a scenario that ships.*did you mean 'cut_in'"),
        ("defaults: cut_in", r"key `defaults`: expected a list"),
        ("defaults: [cut_in, _self_]\nwether: rain", r"unknown key `wether`.*did you mean 'weather'"),
        ("defaults: [cut_in, _self_]\nweather: ${nowhere}", r"cannot be composed: .*nowhere"),
        ("defaults: [mine, _self_]", r"`defaults` lead back to itself"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        load_scenario(written(tmp_path / "mine.yaml", text))
    assert "mine.yaml" in str(raised.value)
