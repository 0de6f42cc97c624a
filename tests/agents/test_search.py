"""Searching for failures: the space, who proposes, what is most different, and whole searches that may be cut short."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agents.scenes.drive import drive
from agents.scenes.verdict import Verdict, verdict_of
from agents.scenes.worlds import LearnedWorld, Place, ReferenceWorld, agent_called
from agents.search.finds import Find, most_different
from agents.search.samplers import ByChance, ByParzen, Sampler
from agents.search.search import SearchConfig, search
from agents.search.space import Space
from agents.search.trial import Trial, badness
from envs.choices import Range
from envs.scenario import Scenario, load_scenario
from tests.envs.learned_worlds import LIVELY
from worldsim.checkpoint import ModelCard, save_world

WELL = Verdict(10.0, 200.0, False, False, 10.0, 0.0, 1.75, 1.0, 1.0, "")
OPEN = Scenario(
    name="open", road="highway", lanes=[3, 4], weather={"rain": 3, "fog": 1}, target_speed_mps=Range(18, 28),
    events=({"kind": "cut_in", "at_s": {"min": 3, "max": 30}, "vehicle": ["car", "truck"]},),  # type: ignore[arg-type]
)  # fmt: skip


def test_the_space_holds_what_is_open_and_nothing_else() -> None:
    space = Space.of(OPEN, 12.0)
    names = [each.name for each in space.dimensions]
    assert names == ["weather", "lanes", "target_speed_mps", "event 1: at_s", "event 1: side", "event 1: vehicle"]
    assert space.dimensions[3].high == 12.0, "nothing is asked for after the end"
    rng = np.random.default_rng(0)
    for _ in range(20):
        values = space.draw(rng)
        scenario = space.at(values, 7)
        assert scenario.weather == values["weather"] and scenario.lanes == values["lanes"] and scenario.seed == 7
        assert scenario.events[0].at_s == pytest.approx(values["event 1: at_s"], abs=0.01)
        assert scenario.events[0].side in ("left", "right")
        assert len(space.coordinates(values)) == 2 + 2 + 1 + 1 + 2 + 2
    roads = Space.of(load_scenario("any"), 12.0)
    assert "lanes" not in [each.name for each in roads.dimensions]
    with pytest.raises(ValueError, match=r"something to search.*open one with"):
        Space.of(replace(OPEN, lanes=3, weather="rain", target_speed_mps=20.0, events=()), 12.0)


def share_of_hits(sampler: Sampler, trials: int = 60) -> float:
    """How often a sampler proposes slow drives in fog, where it is told that they go badly."""
    hits = 0
    for _ in range(trials // 4):
        asked = sampler.ask(4)
        bad = [(values["weather"] == "fog") + (28 - values["target_speed_mps"]) / 10 for values in asked]
        hits += sum(value > 1.7 for value in bad)
        sampler.tell(bad)
    return hits / trials


def test_the_estimator_learns_where_it_goes_badly_and_repeats_itself() -> None:
    pytest.importorskip("optuna")
    space = Space.of(OPEN, 12.0)
    found = share_of_hits(ByParzen(space, 0))
    assert found > 2 * share_of_hits(ByChance(space, 0)) and found > 0.3
    one, two = ByParzen(space, 3), ByParzen(space, 3)
    for _ in range(5):
        asked = one.ask(4)
        assert asked == two.ask(4)
        for each in (one, two):
            each.tell([values["target_speed_mps"] for values in asked])


def test_faults_are_worse_than_anything_else_and_early_ones_worst() -> None:
    late, early = replace(WELL, crash=True, seconds=9.0), replace(WELL, offroad=True, seconds=2.0)
    near, edge = replace(WELL, least_ttc_s=0.1), replace(WELL, least_edge_m=-0.5)
    values = [badness(each, 10.0) for each in (WELL, replace(WELL, least_ttc_s=4.0), near, late, early)]
    assert values == sorted(values) and values[0] == 0.0 and values[2] < 1.0 < values[3]
    assert badness(edge, 10.0) == pytest.approx(0.99)


def test_the_most_different_are_confirmed_ones_far_apart() -> None:
    space = Space.of(replace(OPEN, events=(), lanes=3), 12.0)

    def find(number: int, weather: str, speed: float, real: bool, crash: bool = True) -> Find:
        verdict = replace(WELL, crash=crash, offroad=not crash)
        trial = Trial(number, number, {"weather": weather, "target_speed_mps": speed}, 50, 1.5, verdict)
        return Find(trial, verdict if real else WELL)

    finds = [
        find(0, "rain", 18, True),
        find(1, "rain", 18.1, True),
        find(2, "fog", 28, True),
        find(3, "fog", 18, False),
    ]
    clusters = most_different(finds, space, 3)
    assert [c.find.trial.number for c in clusters] == [0, 2, 1] and sum(c.members for c in clusters) == 4
    assert [c.find.trial.number for c in most_different(finds, space, 2)] == [0, 2]
    assert len(most_different(finds, space, 10)) == 4 and most_different([], space, 10) == []


BENDS = {"road": "curves", "target_speed_mps": {"min": 10, "max": 25}}
REFERENCE: dict[str, Any] = {
    "agent": "coasting", "scenario": "empty_road", "change": BENDS,
    "world": "reference", "steps": 150, "seconds": 4.0, "finds": 2, "workers": 1,
}  # fmt: skip


def test_a_search_finds_what_fails_and_goes_on_where_it_was(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    done = search(SearchConfig(tmp_path, **REFERENCE))
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["arms"]["search"]["failures"] == done.finds > 0 and done.confirmed == done.finds
    for arm in ("search", "random"):
        assert 150 <= report["arms"][arm]["model_steps"] < 150 + 4 * 40
    files = sorted((tmp_path / "finds").glob("*"))
    assert [path.suffix for path in files] == [".mp4", ".yaml"] * min(2, done.finds)
    assert "per 1,000 steps" in (tmp_path / "report.md").read_text()
    # a scenario file drives like the find that it was written of
    scenario, world = load_scenario(files[1]), ReferenceWorld()
    driven = drive(world.begin(scenario, 99), agent_called("coasting"), 40, np.random.default_rng(0))
    assert report["finds"][0]["verdict"] == {**vars(verdict_of(driven))} and scenario.purpose.startswith(
        "Found by search"
    )
    # an interrupted search comes out the same
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.suffix in (".json", ".md", ".yaml")}
    for path in sorted(tmp_path.glob("search/*.json"))[2:]:
        path.unlink()
    (tmp_path / "report.json").unlink()
    search(SearchConfig(tmp_path, **REFERENCE))
    assert before == {path: path.read_bytes() for path in before}
    with pytest.raises(ValueError, match="a folder of agent = 'timid'"):
        search(SearchConfig(tmp_path, **REFERENCE | {"agent": "timid"}))


def test_a_learned_drive_and_its_twin_begin_at_the_same_moment(tmp_path: Path) -> None:
    save_world(tmp_path, LIVELY, ModelCard("lively", "lively", "none"))
    learned, truth = LearnedWorld(Place(str(tmp_path), passes=1)), ReferenceWorld()
    for name, seed in (("cut_in", 3), ("curves", 4)):
        twins = learned.begin(load_scenario(name), seed), truth.begin_after_run_up(load_scenario(name), seed)
        (seen, told), (real, known) = ((each.observation, each.info) for each in twins)
        assert np.array_equal(seen["ego"], real["ego"]) and told["fields"] == known["fields"]
        assert told["command"] == known["command"] and twins[0].scenario == twins[1].scenario
        with torch.no_grad():
            through = LIVELY.decode(LIVELY.encode(torch.from_numpy(real["camera"])).half().float()).numpy()
        assert np.abs(through.astype(int) - seen["camera"]).max() <= 2, "the picture, as the tokenizer shows it"


def test_finds_of_a_learned_world_are_checked_in_the_reference_world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("optuna")
    monkeypatch.setattr("agents.search.search.LEAST_CONTROLS", 2)
    save_world(tmp_path / "world", LIVELY, ModelCard("lively", "lively", "none"))
    config = SearchConfig(
        tmp_path / "out", "expert", "cut_in", {"horizon_s": 20}, str(tmp_path / "world"), steps=20, seconds=1.0,
        passes=1, finds=1, workers=1,
    )  # fmt: skip
    search(config)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert any("cuts in" in event for event in report["left_out"])
    assert "left out of the search" in (tmp_path / "out" / "report.md").read_text()
    failures = sum(arm["failures"] for arm in report["arms"].values())
    verified = list((tmp_path / "out" / "verified").glob("*.json"))
    assert len(verified) == failures + report["controls"]["driven"] > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"agent": "experd"}, "did you mean 'expert'"),
        ({"world": "nowhere"}, "unknown world"),
        ({"scenario": "anny"}, "did you mean 'any'"),
        ({"steps": 0}, "steps: expected"),
        ({"scenario": "racetrack", "change": {"traffic": "none", "lanes": 1}}, "something to search"),
    ],
)
def test_bad_requests_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        search(SearchConfig(tmp_path / "out", **{**REFERENCE, "change": {}, **change}))
