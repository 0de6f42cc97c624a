"""Rollouts on recorded motion: what is masked, what is compared with what, and that nothing true leaks in."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from worldsim.checkpoint import ModelCard, load_world, save_world
from worldsim.data.finalize import finalize
from worldsim.data.writer import EpisodeWriter
from worldsim.engine import Engine, EngineConfig
from worldsim.evaluation.calibrate import CalibrateConfig, calibrate
from worldsim.evaluation.evaluate import held_out
from worldsim.evaluation.filmstrip import sheet
from worldsim.evaluation.forecasts import Forecasts, head_figures, read_heads
from worldsim.evaluation.horizons import merged, score, steps_of, summary
from worldsim.evaluation.perceptual import GradientDistance
from worldsim.evaluation.rollouts import Drives, excerpt, roll_out
from worldsim.evaluation.trust import disagreements, fit_trust_scale
from worldsim.types import LABEL_FIELDS, Episode

from .data_episodes import make_episode
from .worlds import CAMERAS, tiny_world

CONTEXT = 3


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(tiny_world(5), EngineConfig(steps=1, start_steps=1))


def drive(t: int, seed: int = 0) -> Episode:
    """A made-up drive of t frames at the tiny world's size, whose labels are all known."""
    episode = make_episode(t, seed, size=(64, 128))
    episode.labels = np.zeros_like(episode.labels)
    return episode


def test_an_excerpt_is_an_episode_that_ends_with_unknown_motion() -> None:
    whole = drive(12)
    cut = excerpt(whole, 3, 9).validate()
    assert len(cut) == 6 and cut.timestamps[0] == 0
    assert np.array_equal(cut.frames, whole.frames[3:9])
    assert np.array_equal(cut.motion[:-1], whole.motion[3:8]) and np.isnan(cut.motion[-1]).all()
    assert not np.isnan(whole.motion[8]).any()  # the whole is left as it was
    assert len(excerpt(whole, 8, 100)) == 4


def test_motion_is_what_led_into_a_frame_and_ends_are_masked(engine: Engine) -> None:
    episodes = [drive(6), drive(9, 1)]
    drives = Drives.of(episodes, engine.world)
    assert drives.known.sum(1).tolist() == [6, 9]
    assert torch.isnan(drives.motion[:, 0]).all() and torch.isnan(drives.motion[0, 6:]).all()
    assert np.array_equal(drives.motion[1, 1:].numpy(), episodes[1].motion[:-1])
    assert len(drives.reference(5)) == 2 and len(drives.reference(6)) == 1
    with pytest.raises(ValueError, match="at least one episode"):
        Drives.of([], engine.world)


def test_a_rollout_sees_its_context_and_the_motion_and_nothing_else(engine: Engine) -> None:
    """Frames after the context change nothing; motion does; and companions in the batch do not."""
    episode = drive(9)
    blind = drive(9)
    blind.views["front"] = blind.frames.copy()
    blind.frames[CONTEXT:] = 0
    moved = drive(9)
    moved.motion[CONTEXT:-1] += 1.0
    drawn = roll_out(engine, Drives.of([episode, blind, moved], engine.world), [7, 7, 7], CONTEXT)
    assert sorted(drawn) == list(range(7)) and drawn[1].shape == (3, 64, 128, 3)
    assert np.array_equal(drawn[6][0], drawn[6][1])
    assert np.array_equal(drawn[0][0], drawn[0][2]) and not np.array_equal(drawn[6][0], drawn[6][2])
    alone = roll_out(engine, Drives.of([episode], engine.world), [7], CONTEXT, keep=(2, 6))
    assert sorted(alone) == [2, 6]
    assert np.abs(alone[6][0].astype(int) - drawn[6][0]).max() <= 2  # float order in another batch size
    with pytest.raises(ValueError, match="more than 9 frames"):
        roll_out(engine, Drives.of([episode], engine.world), [7], 9)


def test_scores_at_a_horizon_count_only_drives_that_last(engine: Engine) -> None:
    drives = Drives.of([drive(6), drive(9, 1)], engine.world)
    truth = {step: np.stack([f[min(CONTEXT - 1 + step, len(f) - 1)] for f in drives.frames]) for step in range(7)}
    steps = steps_of((0.2, 0.5, 2.0), 10.0)
    assert steps == {0.2: 2, 0.5: 5, 2.0: 20}
    scores = score(truth, drives, CONTEXT, GradientDistance(), lambda frames: frames, steps)
    figures = summary(merged([scores, scores]), (0.2, 0.5, 2.0))
    assert figures["n"] == {"0.2": 4, "0.5": 2, "2": 0}
    assert figures["psnr_db"]["0.2"] > 100 and figures["perceptual"]["0.5"] == pytest.approx(0.0, abs=1e-6)
    assert figures["sharpness_ratio"]["0.2"] == pytest.approx(1.0)
    assert math.isnan(figures["psnr_db"]["2"])
    last, mean = (figures["baselines"][name]["psnr_db"]["0.2"] for name in ("repeat_last_frame", "mean_frame"))
    assert last < 60 and mean < 60  # the made-up drive moves
    by_hand = [f[CONTEXT - 1].astype(float) - f[CONTEXT + 1] for f in drives.frames]
    assert last == pytest.approx(np.mean([10 * np.log10(255**2 / (e**2).mean()) for e in by_hand]))


def test_heads_are_read_with_the_truth_of_the_same_frame(engine: Engine) -> None:
    """Off the road from frame 8 of 30 on: nothing after that is a forecast, and the last second is not known."""
    episode, other = drive(30), drive(20, 1)
    episode.labels[8:, LABEL_FIELDS.index("offroad")] = 1
    forecasts = read_heads(engine, [episode, other], Drives.of([episode, other], engine.world), [0, 1])
    said, coming = forecasts.hazard("offroad")
    assert len(said) == 25 + 15 and np.isfinite(said).all() and ((said >= 0) & (said <= 1)).all()
    assert (coming == 1).sum() == 3  # frames 5, 6, 7
    assert (coming == 0).sum() == 5  # frames 5 to 9 of the other; its last ten look past its end
    figures = head_figures(forecasts)
    assert figures["positives_offroad"] == 3 and figures["negatives_offroad"] == 5
    assert math.isnan(figures["auroc_collision"])
    said[coming == 1], said[coming == 0] = 0.9, 0.1
    perfect = Forecasts(forecasts.reading | {"offroad_soon": said}, forecasts.target)
    assert head_figures(perfect)["auroc_offroad"] == 1.0


def test_trust_scale_is_what_nine_in_ten_held_out_frames_stay_below() -> None:
    engine = Engine(tiny_world(5), EngineConfig(steps=1, start_steps=1))
    drives = Drives.of([drive(20), drive(14, 1)], engine.world)
    assert len(disagreements(engine, drives, [0, 1], every=1)) == 12 + 6
    values = disagreements(engine, drives, [0, 1])
    assert len(values) == 4 + 2 and (values > 0).all()
    scale = fit_trust_scale(engine, drives, [0, 1])
    assert float(engine.world.trust_scale) == pytest.approx(scale)
    assert scale == pytest.approx(np.quantile(values, 0.9))
    with pytest.raises(ValueError, match="more than 8 frames"):
        disagreements(engine, Drives.of([drive(8)], engine.world), [0])


def test_a_sheet_leaves_absent_frames_grey() -> None:
    frame = np.zeros((8, 16, 3), np.uint8)
    page = sheet([[frame, None], [frame]], ["0 s", "1 s"], ["reference", "model"])
    assert page.ndim == 3 and (page == 0).all(-1).sum() == 2 * (16 * 32)
    with pytest.raises(ValueError, match="at least one frame"):
        sheet([[None]], ["0 s"], ["model"])


def test_a_world_of_two_cameras_rolls_out_and_is_calibrated_on_both(tmp_path) -> None:
    world = tiny_world(5, cameras=CAMERAS)
    episode = make_episode(16, seed=3, size=(64, 128), cameras=("left", "front"))
    drives = Drives.of([episode], world)
    np.testing.assert_array_equal(drives.frames[0][:, 1], episode.views["left"])
    drawn = roll_out(Engine(world, EngineConfig(1, 1)), drives, [0], keep={2})
    assert drawn[2].shape == (1, 2, 64, 128, 3)
    EpisodeWriter(tmp_path / "data", fps=10).write(replace(episode, caption="", split="val"), 0)
    save_world(tmp_path / "world", world, ModelCard("tiny", "untrained", "none"))
    assert calibrate(CalibrateConfig(tmp_path / "data", str(tmp_path / "world"), steps=1))["trust_scale"] > 0
    with pytest.raises(ValueError, match="unknown camera 'left'"):
        Drives.of([replace(episode, views={"front": episode.views["front"]})], world)


def test_the_calibrate_command(tmp_path) -> None:
    writer = EpisodeWriter(tmp_path / "data", fps=10)
    for index in range(2):
        episode = drive(24, index)
        episode.split, episode.caption = "val", ""
        writer.write(episode, index)
    finalize(tmp_path / "data")
    save_world(tmp_path / "world", tiny_world(5), ModelCard("tiny", "untrained", "none"), torch.float16)
    size = (tmp_path / "world" / "world.safetensors").stat().st_size
    shared = {"data": tmp_path / "data", "world": str(tmp_path / "world"), "steps": 1}
    fitted = calibrate(CalibrateConfig(**shared))
    assert float(load_world(tmp_path / "world").trust_scale) == pytest.approx(fitted["trust_scale"])
    assert (tmp_path / "world" / "world.safetensors").stat().st_size == size  # the weights keep their type
    assert load_world(tmp_path / "world").config.temperature == 1.0
    colder = calibrate(CalibrateConfig(**shared, temperature=0.25))
    assert load_world(tmp_path / "world").config.temperature == 0.25  # and the next one leaves it so
    assert calibrate(CalibrateConfig(**shared))["trust_scale"] == pytest.approx(colder["trust_scale"])
    assert colder["trust_scale"] != fitted["trust_scale"]
    calibrate(CalibrateConfig(**shared, mend_every=5))
    assert load_world(tmp_path / "world").config.mend_every == 5
    with pytest.raises(ValueError, match=r"temperature: expected a number in \[0, 1\], got 2"):
        calibrate(CalibrateConfig(**shared, temperature=2.0))
    with pytest.raises(ValueError, match="at least 1"):
        held_out(tmp_path / "data", 0)
