"""Measures of the report on made-up data: what each says of who is right, of who is wrong, and what it leaves out."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agents.report import broken, calibration, drift, obedience, physics, ranking
from agents.report.headlines import HEADLINES, Judged, aims, failures, load_thresholds
from agents.report.looks import Looks
from agents.report.minutes import Minute
from agents.report.moments import Branches
from agents.report.resampling import leave_one_out, over_groups
from agents.report.sections import json_ready
from worldsim.evaluation.scene_reader import CELLS
from worldsim.types import FRAME_RATE_HZ, LABEL_FIELDS, MOTION_FIELDS

STEPS = 30
SWERVES = {"keep": 0.0, "left": 0.1, "right": -0.1, "left_hard": 0.4, "right_hard": -0.4}
PEDALS = {"keep": 0.0, "brake": 1.0, "accelerate": -1.0}


def branches_of(**names: dict[str, float]) -> Branches:
    """A moment for each keyword: branches by name, with a yaw rate (``swerve``) or a growing gap (``lead``)."""
    rows = [(m, name, kind, size) for m, (kind, each) in enumerate(names.items()) for name, size in each.items()]
    time = np.arange(STEPS + 1) / FRAME_RATE_HZ
    labels = np.zeros((len(rows), STEPS + 1, len(LABEL_FIELDS)), np.float32)
    motion = np.zeros((len(rows), STEPS, len(MOTION_FIELDS)), np.float32)
    for row, (_, _, kind, size) in enumerate(rows):
        motion[row, :, MOTION_FIELDS.index("forward_m")] = 10 / FRAME_RATE_HZ
        labels[row, :, LABEL_FIELDS.index("lead_distance_m")] = 100.0
        if kind == "swerve":
            motion[row, :, MOTION_FIELDS.index("yaw_rad")] = size / FRAME_RATE_HZ
            labels[row, :, LABEL_FIELDS.index("heading_error_rad")] = size * time
            labels[row, :, LABEL_FIELDS.index("lane_offset_m")] = size * 5 * time**2
        else:
            labels[row, :, LABEL_FIELDS.index("lead_distance_m")] = 15.0 + size * 1.2 * time**2
            motion[row, :, MOTION_FIELDS.index("forward_m")] -= size * time[1:] / FRAME_RATE_HZ
    frames = np.zeros((len(rows), STEPS + 1, 4, 8, 3), np.uint8)
    frames += np.arange(len(rows), dtype=np.uint8)[:, None, None, None, None]
    return Branches(
        np.array([row[0] for row in rows]), np.array([row[1] for row in rows]),
        np.zeros((len(rows), STEPS, 2), np.float32), motion, labels, frames,
    )  # fmt: skip


def seen_truly(branches: Branches) -> Looks:
    """Estimators that make no mistake, on an empty road."""
    yaw_rate, speed = obedience.commanded(branches)
    shape = branches.labels.shape[:2]
    return Looks(
        yaw_rate.astype(np.float32), speed.astype(np.float32), branches.label("lane_offset_m").astype(np.float32),
        branches.label("heading_error_rad").astype(np.float32), branches.label("lead_distance_m").astype(np.float32),
        np.zeros(shape, np.float32), np.zeros(shape, np.float32), np.zeros((*shape, *CELLS), np.bool_),
        np.ones(shape, np.float32),
    )  # fmt: skip


BRANCHES = branches_of(swerve=SWERVES, lead=PEDALS)


# --- resampling -------------------------------------------------------------------------------------------------------


def mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else math.nan


def test_intervals_follow_groups_not_frames() -> None:
    """Ten frames of each of four drives that agree within themselves are four trials, not forty."""
    drive = np.repeat(np.arange(4), 10)
    values = np.array([0.0, 0.0, 1.0, 1.0])[drive]
    grouped, alone = over_groups(mean, drive, values), over_groups(mean, np.arange(40), values)
    assert grouped.value == alone.value == 0.5
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)
    left_out = leave_one_out(mean, drive, values)
    assert left_out.low < 0.5 < left_out.high and left_out.high - left_out.low > 2 * (alone.high - alone.low)


def test_what_is_not_known_has_no_interval() -> None:
    nothing = over_groups(mean, np.array([]), np.array([]))
    assert math.isnan(nothing.value) and math.isnan(nothing.low)
    assert math.isnan(over_groups(lambda _: math.nan, np.arange(3), np.ones(3)).low)
    assert math.isnan(leave_one_out(mean, np.array([0, 0, 1]), np.ones(3)).low)  # two groups say nothing of spread


# --- ranking ----------------------------------------------------------------------------------------------------------


def test_ranks_agree_are_turned_round_and_tied() -> None:
    skill = np.arange(6.0)
    drives = np.random.default_rng(0).normal(size=(1, 12))
    truth = skill[:, None] + drives
    same, opposite = ranking.agreement(2 * truth + 1, truth), ranking.agreement(-truth, truth)
    assert same["spearman"]["value"] == same["kendall"]["value"] == pytest.approx(1.0)
    assert opposite["spearman"]["value"] == opposite["kendall"]["value"] == pytest.approx(-1.0)
    assert math.isnan(ranking.agreement(np.ones((6, 12)), truth)["spearman"]["value"])
    assert ranking.agreement(np.ones((6, 12)), truth)["spearman"]["resamples"] == 0
    assert ranking.kendall([1, 2, 2, 3], [1, 2, 3, 4]) == pytest.approx(5 / math.sqrt(5 * 6))  # tau-b by hand
    noisy = ranking.agreement(truth + 9 * np.random.default_rng(1).normal(size=truth.shape), truth)["spearman"]
    assert noisy["low"] < noisy["value"] < 1.0 and noisy["high"] - noisy["low"] > 0.1


def test_at_least_twelve_policies_are_ranked() -> None:
    assert len(set(ranking.POLICIES)) >= 12 and set(ranking.EXPLOITS) < set(ranking.POLICIES)


# --- calibration ------------------------------------------------------------------------------------------------------


def test_what_comes_within_a_horizon_and_what_nobody_knows() -> None:
    event = np.array([[0, 0, 0, 1, 1.0], [0, 0, 0, 0, np.nan]])
    coming = calibration.within(event, 2)
    assert np.array_equal(coming[0], [0, 1, 1, np.nan, np.nan], equal_nan=True)  # what is so already is no forecast
    assert np.array_equal(coming[1], [0, 0, np.nan, np.nan, np.nan], equal_nan=True)  # its end is not known


def test_a_prophet_is_calibrated_and_a_coward_is_not() -> None:
    event = np.zeros((6, 40))
    event[:3, 25:] = 1.0
    prophet = np.nan_to_num(calibration.within(event, round(FRAME_RATE_HZ)))
    drives = np.arange(6)
    right = calibration.hazard_figures(prophet, event, drives)["1"]
    assert right["auroc"]["value"] == 1.0 and right["calibration_error"]["value"] == 0.0
    assert right["positives"] == 3 * 10 and right["drives_with_positives"] == 3
    wrong = calibration.hazard_figures(np.full_like(event, 0.9), event, drives)["1"]
    assert wrong["auroc"]["value"] == 0.5 and wrong["calibration_error"]["value"] > 0.6
    (row,) = wrong["reliability"]
    assert row["frames"] == wrong["frames"] and row["low"] <= row["happened"] <= row["high"] < 0.9


def test_trust_that_knows_errors_and_trust_that_knows_nothing() -> None:
    rng = np.random.default_rng(0)
    error, moment = rng.uniform(size=200), np.arange(200) // 10
    knowing = calibration.trust_figures(1 - error, error, moment)
    assert knowing["rank_correlation"]["value"] == pytest.approx(1.0) and knowing["risk"] == knowing["best_risk"]
    blind = calibration.trust_figures(rng.uniform(size=200), error, moment)
    assert abs(blind["rank_correlation"]["value"]) < 0.2 and blind["risk"]["0.1"] > 2 * blind["best_risk"]["0.1"]
    assert blind["risk"]["1"] == pytest.approx(error.mean())
    low, high = blind["risk_interval"]["0.5"]
    assert low < blind["risk"]["0.5"] < high


# --- obedience --------------------------------------------------------------------------------------------------------


def test_who_obeys_and_who_swaps_left_and_right() -> None:
    looks = seen_truly(BRANCHES)
    obeying = obedience.figures(BRANCHES, looks)
    assert obeying["obeyed"]["value"] == 1.0 and (obeying["left_right_swaps"], obeying["swap_probes"]) == (0, 4)
    assert obeying["turn_correlation"] == pytest.approx(1.0) and obeying["obeyed_unseen"]["probes"] == 0
    swapping = obedience.figures(BRANCHES, replace(looks, yaw_rate=-looks.yaw_rate))
    assert swapping["left_right_swaps"] == 2 and swapping["by_action"]["left"]["value"] == 0.0
    assert swapping["by_action"]["brake"]["value"] == 1.0  # pedals have no side
    still = obedience.figures(BRANCHES, replace(looks, yaw_rate=np.zeros_like(looks.yaw_rate)))
    assert still["by_action"]["right_hard"]["value"] == 0.0 and math.isnan(still["turn_correlation"])


# --- physics ----------------------------------------------------------------------------------------------------------


def with_vehicle(looks: Looks, row: int, first: int, last: int, column: int = 14) -> Looks:
    vehicles = looks.vehicles.copy()
    vehicles[row, first:last, 8:12, column : column + 4] = True
    return replace(looks, vehicles=vehicles)


def test_the_reference_passes_every_probe_that_can_be_asked() -> None:
    figures = physics.figures(BRANCHES, seen_truly(BRANCHES))
    assert {name: row["value"] for name, row in figures.items() if row["branches"]} == {
        "lane_stays": 1.0, "lane_width": 1.0, "size_distance": 1.0, "no_birth": 1.0, "no_vanishing": 1.0,
    }  # fmt: skip
    assert math.isnan(figures["side_kept"]["value"]) and figures["side_kept"]["branches"] == 0


def test_each_probe_fails_where_its_law_is_broken() -> None:
    looks = seen_truly(BRANCHES)
    drifting = replace(looks, lane_offset=looks.lane_offset + np.linspace(0, 3, STEPS + 1, dtype=np.float32))
    assert physics.figures(BRANCHES, drifting)["lane_stays"]["value"] == 0.0
    frozen = replace(
        looks, lane_offset=np.zeros_like(looks.lane_offset),
        lead_distance=np.repeat(looks.lead_distance[:, :1], STEPS + 1, axis=1),
    )  # fmt: skip
    assert physics.figures(BRANCHES, frozen)["lane_width"]["value"] == 0.0
    assert physics.figures(BRANCHES, frozen)["size_distance"]["value"] == 0.0
    born, gone = with_vehicle(looks, 0, 15, STEPS + 1), with_vehicle(looks, 0, 0, 15)
    assert not physics.nobody_is_born_in_view(BRANCHES, born)[0] and physics.nobody_is_born_in_view(BRANCHES, gone)[0]
    assert not physics.nobody_vanishes_in_view(BRANCHES, gone)[0]
    assert physics.nobody_is_born_in_view(BRANCHES, with_vehicle(looks, 0, 15, STEPS + 1, column=0))[0]  # it drove in


def test_smoothing_makes_nothing_up_at_the_ends() -> None:
    """At the ends there are fewer neighbours; none is repeated."""
    assert physics.steady(np.array([[0.0, 4.0, 1.0, 1.0, 1.0]]))[0].tolist() == [1.0, 1.0, 1.0, 1.0, 1.0]
    assert obedience._smooth(np.array([0.0, 3.0, 6.0], np.float32)).tolist() == [1.5, 3.0, 4.5]


def test_who_leaves_on_the_left_may_not_come_back_on_the_right() -> None:
    leaving = with_vehicle(seen_truly(BRANCHES), 0, 0, 10, column=0)
    assert physics.departures(leaving.vehicles[0]) == [8, 9]
    assert physics.who_leaves_stays_away(BRANCHES, leaving) == {0: True}
    back = with_vehicle(leaving, 0, 14, 20, column=CELLS[1] - 4)
    assert physics.who_leaves_stays_away(BRANCHES, back) == {0: False}


def test_worlds_are_broken_just_for_their_probe() -> None:
    looks = seen_truly(BRANCHES)
    rows, frames = broken.BROKEN["lane_width"](BRANCHES, looks)
    assert BRANCHES.name[rows].tolist() == ["left", "right"]
    assert (frames == BRANCHES.frames[BRANCHES.name.tolist().index("keep")]).all()
    rows, frames = broken.BROKEN["no_birth"](BRANCHES, with_vehicle(looks, 7, 0, STEPS + 1))
    assert 7 not in rows and (frames[0, :10] == BRANCHES.frames[0, :10]).all() and (frames[0, 10:] == 7).all()
    assert len(broken.BROKEN["no_birth"](BRANCHES, looks)[0]) == 0  # nobody comes near: it cannot be asked
    rows, frames = broken.BROKEN["side_kept"](BRANCHES, with_vehicle(looks, 3, 0, 10, column=0))
    assert rows.tolist() == [3] and frames.shape == BRANCHES.frames[:1].shape
    assert set(broken.BROKEN) == set(physics.PROBES)


# --- drift ------------------------------------------------------------------------------------------------------------


def minute(seed: int, fade: float = 0.0, there: float = 1.0) -> Minute:
    """Three noisy drives of 15 s that lose ``fade`` of their contrast; the reference lasts for a share of it."""
    rng = np.random.default_rng(seed)
    frames = rng.uniform(0, 255, (3, 30, 64, 128, 3))
    weight = 1 - fade * np.linspace(0, 1, 30)[None, :, None, None, None]
    known = np.broadcast_to(np.arange(30) < there * 30, (3, 30)).copy()
    return Minute((127 + (frames - 127) * weight).astype(np.uint8), known, np.ones((3, 30), np.float32))


def test_a_distance_is_none_between_equals_and_grows_with_difference() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(200, 5)), rng.normal(size=(200, 5))
    near, far = drift.kernel_distance(a, b), drift.kernel_distance(a, b + 2)
    assert abs(near) < 0.1 < far and drift.kernel_distance(a, b, drift._within(drift._kernel(b, b))) == near


def test_what_fades_has_drifted_and_ends_are_masked() -> None:
    steady, fading = (drift.figures(minute(0, fade), minute(1, there=0.6)) for fade in (0.0, 0.9))
    assert steady["ratio"]["sharpness"]["value"] == pytest.approx(1.0, abs=0.05)
    assert fading["ratio"]["sharpness"]["value"] < 0.2
    low, high = (fading["ratio"]["sharpness"][end] for end in ("low", "high"))
    assert low <= fading["ratio"]["sharpness"]["value"] <= high
    assert fading["model"]["distance"][-1]["value"] > 10 * abs(steady["model"]["distance"][-1]["value"])
    windows = steady["reference"]["sharpness"]
    assert len(windows) == 3 and windows[1]["value"] > 0
    assert math.isnan(windows[2]["value"])  # 18 of 30 samples are there
    assert math.isnan(steady["reference_ratio"]["sharpness"]["value"])


# --- headlines and thresholds -----------------------------------------------------------------------------------------

REPORT = {
    "obedience": {"model": {"obeyed": {"value": 0.9, "low": 0.8, "high": 0.95}, "left_right_swaps": 0}},
    "counterfactuals": {
        "model": {"events": {"offroad": {"hits": 3, "misses": 1, "false_alarms": 0, "correct_rejections": 0}}},
    },
}


def test_headlines_read_what_is_there_and_nothing_else() -> None:
    readings = Judged("runs/a/world", REPORT).readings
    assert readings["obedience.obeyed"].text() == "0.90 [0.80, 0.95]" and readings["obedience.swaps"].text() == "0"
    assert readings["counterfactuals.offroad_hits"].value == 0.75
    assert readings["counterfactuals.offroad_false_alarms"].value is None  # none of none
    assert readings["ranking.spearman"].value is None and readings["ranking.spearman"].text() == "–"
    assert HEADLINES["obedience.obeyed"].meets(readings["obedience.obeyed"]) == "no"
    assert HEADLINES["obedience.swaps"].meets(readings["obedience.swaps"]) == "yes"
    assert Judged("runs/a/world", REPORT).label == "a/world"


def test_thresholds_are_kept_missed_or_cannot_be_asked(tmp_path: Path) -> None:
    readings = Judged("a", REPORT).readings
    assert failures(readings, {"obedience.obeyed": {"min": 0.5, "max": 0.9}}) == []
    assert failures(readings, {"obedience.obeyed": {"min": 0.95}}) == ["obedience.obeyed: 0.9 is below 0.95"]
    assert failures(readings, {"ranking.spearman": {"min": 0.0}}) == ["ranking.spearman: not measured"]
    assert aims()["obedience.swaps"] == {"max": 0}
    file = tmp_path / "thresholds.yaml"
    for text, message in (
        ("obedience.obeyd: {min: 1}", "did you mean 'obedience.obeyed'"), ("obedience.obeyed: 1", "min: NUMBER"),
        ("obedience.obeyed: {least: 1}", "min"), ("[1", "not valid YAML"), ("", "expected headlines"),
    ):  # fmt: skip
        file.write_text(text)
        with pytest.raises(ValueError, match=message):
            load_thresholds(file)


def test_json_holds_no_nan() -> None:
    assert json_ready({"a": math.nan, 1: [np.float32(0.5), math.inf, (np.int64(3), True)]}) == {
        "a": None, "1": [0.5, None, [3, True]],
    }  # fmt: skip
