"""Counterfactuals: branches differ in action alone, and what is made of them is judged as the docstrings say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from agents.report import counterfactuals, kept
from agents.report.moments import GENTLE, KINDS, Branches, Moment, find_moments
from agents.report.told import READINGS, Told, draw_branches, ticks_of, watch_branches
from tests.worldsim.data_episodes import make_episode
from tests.worldsim.worlds import tiny_world
from worldsim.engine import Engine, EngineConfig
from worldsim.types import LABEL_FIELDS, CameraSpec

STEPS = 30


@pytest.fixture(scope="module")
def driven() -> tuple[list[Moment], Branches]:
    """One straight moment, branched for 0.6 s."""
    return find_moments({"straight": 1}, CameraSpec(), steps=6, first_seed=3_100_010)


def made_up(moments: int = 3) -> tuple[list[Moment], Branches]:
    """Bends whose coasting leaves the road at 2 s, and vehicles ahead that are hit by accelerating at 2.5 s."""
    context = make_episode(4, 0)
    found = [Moment(kind, "curves", i, context) for i, kind in enumerate(["bend", "lead"] * moments)]
    time = np.arange(STEPS + 1) / 10
    rows = []
    for place, moment in enumerate(found):
        for name in KINDS[moment.kind]:
            side = {"coast": 1.0, "left": 0.5, "right": -0.5, "left_hard": 2.0, "right_hard": -2.0}.get(name, 0.0)
            pedal = {"brake": 1.0, "accelerate": -1.0}.get(name, 0.0)
            labels = np.zeros((STEPS + 1, len(LABEL_FIELDS)), np.float32)
            labels[:, LABEL_FIELDS.index("lane_offset_m")] = side * time**2
            labels[:, LABEL_FIELDS.index("heading_error_rad")] = 0.2 * side * time
            labels[:, LABEL_FIELDS.index("offroad")] = np.abs(side) * time**2 > 3.9
            gap = np.maximum(20.0 + pedal * 3.2 * time**2, 0.0)
            labels[:, LABEL_FIELDS.index("lead_distance_m")] = gap if moment.kind == "lead" else 100.0
            labels[:, LABEL_FIELDS.index("collision")] = gap <= 0
            rows.append((place, name, labels))
    count = len(rows)
    return found, Branches(
        np.array([row[0] for row in rows]), np.array([row[1] for row in rows]),
        np.zeros((count, STEPS, 2), np.float32), np.zeros((count, STEPS, 4), np.float32),
        np.stack([row[2] for row in rows]), np.zeros((count, STEPS + 1, 2, 4, 3), np.uint8),
    )  # fmt: skip


def told(branches: Branches, share: float) -> Told:
    """Somebody who says ``share`` of every change: 1 knows the truth, 0 thinks that nothing ever happens."""
    reading = {name: np.zeros(branches.labels.shape[:2]) for name in READINGS}
    for name in LABEL_FIELDS:
        values = branches.label(name)
        reading[name] = values[:, :1] + share * (values - values[:, :1])
    return Told(reading, np.ones(branches.labels.shape[:2]), torch.zeros(0))


def test_who_knows_the_truth_has_a_share_of_one_and_misses_nothing() -> None:
    moments, branches = made_up()
    figures = counterfactuals.figures(moments, branches, told(branches, 1.0))
    for key in ("lane_turns_when_coasting_in_bends", "lane_turns_in_swerves", "lead_nears_or_leaves_with_pedals"):
        assert {round(entry["value"], 6) for entry in figures[key].values() if entry["branches"]} == {1.0}
    assert figures["coasting_in_bends"] == {"branches": 3, "leave_the_road_truly": 3, "leave_the_road_here": 3}
    for event, happened in (("offroad", 3 * 5), ("collision", 3), ("closes", 3)):
        row = figures["events"][event]
        assert (row["hits"], row["misses"], row["false_alarms"]) == (happened, 0, 0), event


def test_a_world_that_follows_its_lane_whatever_is_done_has_no_share_and_misses_everything() -> None:
    moments, branches = made_up()
    figures = counterfactuals.figures(moments, branches, told(branches, 0.0))
    assert figures["lane_turns_in_swerves"]["1"]["value"] == pytest.approx(0.0)
    assert figures["coasting_in_bends"]["leave_the_road_here"] == 0
    assert all(figures["events"][event]["hits"] == 0 < figures["events"][event]["misses"]
               for event in counterfactuals.EVENTS)  # fmt: skip


def test_to_turn_to_the_wrong_side_counts_against() -> None:
    moments, branches = made_up()
    swapped = counterfactuals.figures(moments, branches, told(branches, -1.0))
    assert swapped["lane_turns_in_swerves"]["1"]["value"] == pytest.approx(-1.0)


def test_a_label_that_jumps_to_another_lane_is_masked_from_there_on() -> None:
    _, branches = made_up(1)
    labels = branches.labels.copy()
    labels[1, 12:, LABEL_FIELDS.index("lane_offset_m")] -= 3.5  # the branch "coast" is now in the next lane
    jumped = replace(branches, labels=labels)
    valid = counterfactuals.known(jumped, "lane_offset_m")
    assert valid[1, :12].all() and not valid[1, 12:].any()
    rows = (jumped.name == "coast") & (jumped.moment == 0)
    late = counterfactuals.effect(jumped, told(jumped, 1.0), "lane_offset_m", rows, 20, against_keeping=False)
    assert late.branches == 0 and np.isnan(late.share.value)
    early = counterfactuals.effect(jumped, told(jumped, 1.0), "lane_offset_m", rows, 10, against_keeping=False)
    assert early.branches == 1 and early.share.value == pytest.approx(1.0)


def test_low_trust_where_the_outcome_is_wrong_is_found() -> None:
    _, branches = made_up()
    blind = told(branches, 0.0)
    wrong = np.zeros(len(branches), bool)
    for event in counterfactuals.EVENTS:
        true, there = counterfactuals.truly(branches, event)
        wrong |= there & true
    doubting = replace(blind, trust=np.where(wrong, 0.2, 0.9)[:, None] * np.ones_like(blind.trust))
    assert counterfactuals.trust_finds_wrong_branches(branches, doubting) == 1.0


def test_branches_leave_one_moment_and_differ_in_action(driven: tuple[list[Moment], Branches]) -> None:
    (moment,), branches = driven
    assert tuple(branches.name) == KINDS["straight"] and set(branches.moment) == {0}
    assert (branches.frames[:, 0] == moment.context.frames[-1]).all()
    assert (branches.labels[:, 0] == moment.context.labels[-1]).all()
    keep, left = branches.action[0], branches.action[1]
    assert left[:, 0] - keep[:, 0] == pytest.approx(GENTLE) and (left[:, 1] == keep[:, 1]).all()
    turned = branches.label("heading_error_rad")[:, -1]
    assert turned[3] > turned[1] > turned[0] > turned[2] > turned[4]  # hard left, left, keep, right, hard right


def test_both_ways_of_telling_begin_alike(driven: tuple[list[Moment], Branches]) -> None:
    moments, branches = driven
    engine = Engine(tiny_world(5), EngineConfig(steps=1, start_steps=1))
    ticks: list[int] = []
    drawn = draw_branches(engine, moments, branches, 0, tick=lambda: ticks.append(1))
    watched = watch_branches(engine, moments, branches, 0)
    assert len(ticks) == ticks_of(branches) and drawn.trust.shape == watched.trust.shape == (7, 7)
    assert (drawn.latents[:, 0] == watched.latents[:, 0]).all()
    assert not (drawn.latents[:, 1] == watched.latents[:, 1]).all()
    assert not torch.equal(drawn.latents[1, 3], drawn.latents[2, 3])  # left and right
    again = draw_branches(engine, moments, branches, 0)
    assert torch.equal(again.latents, drawn.latents)


def test_moments_are_driven_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLDSIM_CACHE", str(tmp_path))
    asked = {"counts": {"straight": 1}, "camera": CameraSpec(), "steps": 2, "first_seed": 3_100_010}
    moments, branches = kept.moments(**asked)
    monkeypatch.setattr(kept, "find_moments", lambda *_: pytest.fail("driven again"))
    again, same = kept.moments(**asked)
    assert (same.frames == branches.frames).all() and (same.name == branches.name).all()
    assert (again[0].context.frames == moments[0].context.frames).all()
    assert again[0].context.fields == moments[0].context.fields and again[0].scenario == moments[0].scenario


def test_a_kind_that_a_scenario_never_shows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.report.moments.SCENARIOS", {"lead": ("empty_road",)})
    monkeypatch.setattr("agents.report.moments._SEEDS_EACH", 1)
    with pytest.raises(ValueError, match="'empty_road' shows no 'lead'"):
        find_moments({"lead": 1}, CameraSpec(), steps=1)
