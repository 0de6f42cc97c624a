"""Trust that sees when pictures have come apart: learned from rollouts, kept with the world, read at every step."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from worldsim.checkpoint import ModelCard, load_world, save_world
from worldsim.data.finalize import finalize
from worldsim.data.writer import EpisodeWriter
from worldsim.dynamics.conditioning import Scene
from worldsim.dynamics.looks import Looks
from worldsim.engine import Engine, EngineConfig
from worldsim.evaluation import looks as fitting
from worldsim.evaluation.calibrate import CalibrateConfig, calibrate
from worldsim.evaluation.looks import Apart, fit_looks, rolled_apart, set_scale
from worldsim.evaluation.metrics import rank_correlation
from worldsim.evaluation.rollouts import CONTEXT_FRAMES, Drives
from worldsim.types import MOTION_FIELDS

from .data_episodes import make_episode
from .worlds import tiny_world


def frames_that_tell(count: int, seed: int) -> Apart:
    """Tokens whose first channel says how wrong they are, in one token of six, among noise."""
    g = torch.Generator().manual_seed(seed)
    tokens, wrong = torch.randn(count, 7, 32, generator=g), torch.rand(count, generator=g)
    tokens[:, 2, 0] += 12.0 * wrong
    return Apart(tokens, 0.3 + wrong, 10.0 * wrong + 0.1)


def test_learns_what_a_wrong_picture_looks_like() -> None:
    looks = fit_looks(frames_that_tell(2000, 0), seed=0)
    unseen = frames_that_tell(400, 1)
    said = looks(unseen.tokens)
    for column, true in enumerate((unseen.error, unseen.age)):
        assert rank_correlation(said[:, column].numpy(), true.numpy()) > 0.8
    assert (said > 0).all()
    again = fit_looks(frames_that_tell(2000, 0), seed=0)
    assert torch.equal(again(unseen.tokens), said)


def test_what_looks_fresh_is_not_doubted_and_what_looks_twice_as_wrong_or_old_by_half() -> None:
    looks = Looks(32, 8).requires_grad_(False)
    looks.out.weight.zero_()

    def says(error: float, age: float) -> None:
        looks.out.bias.copy_(torch.tensor([error, age]).log())

    tokens = torch.randn(3, 7, 32)
    says(0.6, 1.0)
    set_scale(looks, Apart(tokens, torch.ones(3), torch.tensor([0.5, 1.0, 9.0])))
    assert looks.scale.flatten().tolist() == pytest.approx([0.6, 1.0, 1.2, 6.0])
    for error, age, doubt in ((0.3, 0.5, 0.0), (0.6, 1.0, 0.0), (1.2, 1.0, 1.0), (0.1, 6.0, 1.0), (1.2, 6.0, 2**0.5)):
        says(error, age)
        assert looks.doubt(tokens).tolist() == pytest.approx([doubt] * 3, abs=1e-5)


def test_doubt_lowers_trust_and_leaves_the_picture() -> None:
    """The same rollout with and without looks: what is drawn is the same, what is doubted is trusted less."""
    plain, doubting = tiny_world(), tiny_world()
    doubting.take_looks(Looks(32, 8).requires_grad_(False))
    assert doubting.looks is not None
    doubting.looks.scale[1] = 0.1
    latents, motion = torch.randn(1, 2, 32, 4), torch.zeros(1, 2, len(MOTION_FIELDS))
    steps = []
    for world in (plain, doubting):
        engine = Engine(world, EngineConfig(steps=1, start_steps=1))
        state, _ = engine.start(latents, motion, Scene.unknown(1, 384), [0])
        steps.append(engine.step(state, motion[:, 0]))
    one, other = steps
    assert torch.equal(one.latents, other.latents) and one.doubt.item() == 0 < other.doubt.item()
    assert 1 / other.trust.item() == pytest.approx(1 / one.trust.item() + other.doubt.item() ** 2, rel=1e-4)


def test_errors_are_those_of_drawn_frames_to_recorded_ones() -> None:
    """Two frames a second; what pads a drive that ends early is left out."""
    world = tiny_world()
    engine = Engine(world, EngineConfig(steps=1, start_steps=1))
    episodes = [make_episode(CONTEXT_FRAMES + more, seed, size=(64, 128)) for seed, more in enumerate((30, 16))]
    drives = Drives.of(episodes, world)
    apart = rolled_apart(engine, drives, [0, 1])
    assert len(apart.error) == 6 + 4 and (apart.error > 0).all()
    assert apart.age.unique().tolist() == pytest.approx([0.1, 0.6, 1.1, 1.6, 2.1, 2.6])
    true = world.encode(torch.from_numpy(drives.frames[0][CONTEXT_FRAMES]))
    state, _ = fitting.read_context(engine, drives, [0, 1], CONTEXT_FRAMES)
    first = engine.step(state, drives.motion[:, CONTEXT_FRAMES], drives.command[:, CONTEXT_FRAMES])
    assert apart.error[0].item() == pytest.approx((first.latents[0] - true).square().mean().sqrt().item(), rel=1e-4)
    with pytest.raises(ValueError, match="more than 12 frames, got 12"):
        rolled_apart(engine, Drives.of([make_episode(12, 0, size=(64, 128))], world), [0])


def test_calibrating_keeps_it_with_the_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "STEPS", 20)
    writer = EpisodeWriter(tmp_path / "data", fps=10)
    for index, split in enumerate(("train", "train", "val")):
        episode = make_episode(40, index, size=(64, 128))
        episode.split, episode.caption = split, ""
        writer.write(episode, index)
    finalize(tmp_path / "data")
    save_world(tmp_path / "world", tiny_world(), ModelCard("tiny", "untrained", "none"), torch.float16)
    assert load_world(tmp_path / "world").looks is None
    asked = {"data": tmp_path / "data", "world": str(tmp_path / "world"), "steps": 1, "seconds": 2.5}
    figures = calibrate(CalibrateConfig(**asked))
    assert all(-1 <= figures[f"rank correlation of looks and {what}"] <= 1 for what in ("error", "age"))
    looks = load_world(tmp_path / "world").looks
    assert looks is not None and (looks.scale[1] > looks.scale[0]).all()
    assert "rank correlation of looks and error" not in calibrate(CalibrateConfig(**asked, rolled=0))
    kept = load_world(tmp_path / "world").looks
    assert kept is not None and torch.equal(kept.out.weight, looks.out.weight)
    other = load_world(tmp_path / "world").at((128, 256))
    state, step = Engine(other, EngineConfig(1, 1)).imagine(Scene.unknown(1, 384), [0])
    assert step.doubt.shape == (1,) and len(state) == 1  # it reads pictures of other sizes, too
