"""The estimators of ``benchmarks.asked_scenes``: they tell what they were fitted to; a wrong order is not obeyed."""

from __future__ import annotations

import numpy as np

from benchmarks.asked_scenes import KINDS, Judge, described, reference_frames
from worldsim.types import TRAFFICS, CameraSpec, SceneFields


def test_scenes_are_told_apart_and_wrong_ones_are_not_obeyed() -> None:
    wanted = [
        SceneFields(road=road, lanes=lanes, traffic=level, weather="clear", time_of_day="day")
        for level in (TRAFFICS[0], TRAFFICS[3])
        for road, lanes in KINDS
    ]
    frames = reference_frames(wanted, CameraSpec())
    judge = Judge.fit(frames, wanted)
    assert described(judge.reader, frames).shape[0] == len(wanted)
    right = judge.figures(frames, wanted)
    assert right["road"] > 0.9 and right["lanes"] > 0.9 and right["traffic_rank_correlation"] > 0.5
    order = np.random.default_rng(0).permutation(len(wanted))
    wrong = judge.figures(frames, [wanted[i] for i in order])
    assert wrong["road"] < 0.5 and wrong["lanes"] < 0.6 and abs(wrong["traffic_rank_correlation"]) < 0.45
