"""Pasts that have come apart: what is laid over them, how thickly, and what is learned from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from worldsim.data.clips import ClipShape
from worldsim.engine import Engine, EngineConfig
from worldsim.training.astray import AstrayConfig, Veils, rolled_out
from worldsim.training.objective import ClipBatch, ObjectiveConfig, objective
from worldsim.training.veil import Veil

from .test_dynamics import clip_batch
from .worlds import tiny_config, tiny_world

SMALL = AstrayConfig(share=0.5, good=1, seen=3, horizon=6, drives=3, held=2, every=10, passes=[1])
VIEWS = tiny_config().dynamics.views


class Drives:
    """The same clips at every draw, each drawn with the shape that was asked for."""

    def __init__(self) -> None:
        self.asked: list[ClipShape] = []

    def draw(self, shape: ClipShape, generator: np.random.Generator) -> ClipBatch:
        self.asked.append(shape)
        return clip_batch(tiny_config().dynamics, shape.clips, shape.frames)


def rolled_veils(config: AstrayConfig = SMALL, seed: int = 0) -> Veils:
    """Veils after one rollout."""
    veils = Veils(config, Drives(), seed)
    veils.roll(tiny_world(), 7)
    return veils


def test_a_rollout_is_true_where_it_was_seen_and_drawn_after() -> None:
    world, batch = tiny_world(), clip_batch(tiny_config().dynamics, clips=2, frames=6)
    drawn = rolled_out(Engine(world, EngineConfig(steps=1, start_steps=1)), batch, 2, [3, 4])
    assert drawn.shape == batch.latents.shape
    assert torch.equal(drawn[:, :2], batch.latents[:, :2])
    assert not torch.isclose(drawn[:, 2:], batch.latents[:, 2:]).all(dim=(2, 3)).any()


def test_drives_are_rolled_out_again_when_it_is_time_and_the_oldest_make_room() -> None:
    source = Drives()
    veils, world = Veils(SMALL, source, seed=0), tiny_world()
    for step in (0, 10, 20):
        assert veils.due(step)
        veils.roll(world, step)
        assert not veils.due(step + 9)
    assert source.asked == [ClipShape(3, 9)] * 3 and len(veils.groups) == 2
    assert veils.groups[0].shape[1] == SMALL.horizon - SMALL.good


def test_veils_are_late_frames_of_a_rollout_over_a_share_of_the_clips() -> None:
    veils = rolled_veils()
    late, seen = veils.groups[0], []
    for step in range(40):
        veil = veils.draw(step, 4, 3, VIEWS)
        assert veil is not None and veil.thickness.shape == veil.latents.shape[:3] == (4, 3, VIEWS.tokens)
        assert float(veil.thickness.min()) >= 0.0 and float(veil.thickness.max()) <= SMALL.most
        assert (veil.thickness.diff(dim=1) >= 0).all(), "a veil grows"
        windows = late.unfold(1, 3, 1).movedim(-1, 2).flatten(0, 1)
        assert all((windows == clip).flatten(1).all(1).any() for clip in veil.latents)
        seen.append(~veil.clear)
    assert 0.2 < float(torch.cat(seen).float().mean()) < 0.5  # some of the share only begin after the clip


def test_where_no_veil_lies_the_past_is_as_it_was() -> None:
    past, other = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 4, 5)
    thickness = torch.zeros(2, 3, 4)
    thickness[1, 2] = 1.0
    veil = Veil(other, thickness)
    assert torch.equal(veil.over(past)[0], past[0]) and torch.equal(veil.over(past)[1, 2], other[1, 2])
    assert veil.clear.tolist() == [True, False]


def test_the_same_seed_and_step_give_the_same_veils() -> None:
    first, again = (rolled_veils(seed=5).draw(8, 2, 3, VIEWS) for _ in range(2))
    assert first is not None and again is not None
    assert torch.equal(first.latents, again.latents) and torch.equal(first.thickness, again.thickness)


def test_without_a_share_nothing_is_rolled_out_or_laid_over() -> None:
    veils = Veils(AstrayConfig(), Drives(), seed=0)
    assert not veils.due(0) and veils.draw(0, 2, 3, VIEWS) is None


def test_the_model_learns_to_go_on_from_below_a_veil() -> None:
    """On one veiled clip the error falls."""
    world, settings = tiny_world(), ObjectiveConfig(bootstrap_fraction=0.0, own_fraction=0.0)
    batch = clip_batch(tiny_config().dynamics, clips=1)
    over = Veil(torch.randn(batch.latents.shape), torch.full(batch.latents.shape[:3], 0.9))
    dynamics = world.dynamics.train()
    optimizer = torch.optim.AdamW([p for p in dynamics.parameters() if p.requires_grad], lr=5e-3)

    def error() -> tuple[torch.Tensor, dict[str, float]]:
        return objective(dynamics, batch, settings, torch.Generator().manual_seed(1), veil=over)

    _, before = error()
    for _ in range(60):
        optimizer.zero_grad()
        loss, _ = error()
        loss.backward()
        optimizer.step()
    _, after = error()
    assert after["astray_error"] < 0.5 * before["astray_error"]


def test_below_a_veil_labels_and_latents_of_written_frames_are_not_learned() -> None:
    world = tiny_world()
    settings = ObjectiveConfig(bootstrap_fraction=0.0, own_fraction=0.0, noise_weight=1.0, written_weight=0.0)
    batch = clip_batch(tiny_config().dynamics, clips=1)
    changed = replace(batch, targets=1.0 - batch.targets)

    def loss(told: ClipBatch, veil: Veil | None) -> float:
        return objective(world.dynamics, told, settings, torch.Generator().manual_seed(1), veil=veil)[0].item()

    over = Veil(batch.latents, torch.ones(batch.latents.shape[:3]))
    assert loss(batch, over) == loss(changed, over)
    assert loss(batch, None) != loss(changed, None)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"share": 1.0}, "expected a share of the clips"),
        ({"least": 0.5, "most": 0.4}, "least <= most"),
        ({"passes": []}, "whole numbers from 1 on"),
        ({"horizon": 0}, "whole numbers from 1 on"),
        ({"good": 120}, "fewer frames than horizon=120, got 120"),
    ],
)
def test_settings_that_leave_nothing_to_draw_are_refused(wrong: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        AstrayConfig(**wrong)
