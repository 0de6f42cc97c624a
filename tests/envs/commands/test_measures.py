"""What is measured of a drive in two worlds: when they part, and what counts as an event."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from envs.commands.measures import event, lasting, measure
from envs.commands.twins import Track, Twins
from worldsim.types import EGO_FIELDS, LABEL_FIELDS


def track(frames: Any, **labels: Any) -> Track:
    t = len(frames)
    values = np.zeros((t, len(LABEL_FIELDS)), np.float32)
    for name, value in labels.items():
        values[:, LABEL_FIELDS.index(name)] = value
    return Track(frames, np.zeros((t, len(EGO_FIELDS)), np.float32), values, np.ones(t, np.float32))


def test_measures_of_drives_that_agree_and_that_part() -> None:
    rng, t = np.random.default_rng(0), 61
    frames = rng.integers(0, 255, (t, 8, 16, 3), dtype=np.uint8)
    reference = track(frames)

    def twins(learned: Track) -> Twins:
        return Twins("highway", "", 0, 1.2, np.zeros((t - 1, 2), np.float32), learned, reference, 15.0)

    same = measure(twins(track(frames.copy())))
    assert same.horizons_s == [0.5, 1.0, 2.0, 5.0] and min(same.psnr_db) > 100 > max(same.repeat_psnr_db)
    assert same.sharpness_ratio == pytest.approx([1.0] * 4) and same.lane_error_m == 0.0
    assert same.picture_until_s is None and same.lane_until_s is None and same.learned_offroad_s is None

    frozen = frames.copy()
    frozen[30:] = frames[0]
    offset = np.where(np.arange(t) >= 40, 1.5, 0.25)
    offroad = np.where(np.arange(t) >= 50, 0.9, 0.0)
    parted = measure(twins(track(frozen, lane_offset_m=offset, offroad=offroad)))
    assert parted.picture_until_s == 3.0 and parted.lane_until_s == 4.0 and parted.learned_offroad_s == 5.1
    assert parted.psnr_db[-1] == pytest.approx(parted.repeat_psnr_db[-1])
    assert parted.lane_error_m == pytest.approx((40 * 0.25 + 11 * 1.5) / 51)
    away = dataclasses.replace(twins(track(frames)), reference=track(frames, offroad=offroad))
    assert np.isnan(measure(away).true_lane_offset_m[-1]) and measure(away).plain()["true_lane_offset_m"][-1] is None
    assert measure(away).lane_until_s == 5.0 and measure(away).reference_offroad_s == 5.1
    assert parted.plain()["reference_offroad_s"] is None and parted.plain()["lane_until_s"] == 4.0


def test_a_blip_is_no_event() -> None:
    blip = np.zeros(30)
    blip[10] = 1.0
    assert event(track(np.zeros((30, 8, 8, 3), np.uint8), offroad=blip), "offroad") is None
    assert lasting(blip > 0) is None and lasting(np.arange(30) > 7) == 0.8 and lasting(np.ones(3, bool)) is None
