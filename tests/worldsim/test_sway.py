"""Frames as another motion would have shown them: what changes, what stays, and that the motion is then followed."""

from __future__ import annotations

from dataclasses import replace

import torch

from worldsim.training.objective import ObjectiveConfig, objective
from worldsim.training.sway import SWAY, Sway, swayed
from worldsim.training.veil import Veil

from .test_dynamics import clip_batch
from .worlds import tiny_config, tiny_world

BATCH = clip_batch(tiny_config().dynamics, clips=6)
BATCH = replace(BATCH, motion_known=BATCH.motion_known.index_fill(1, torch.tensor([0, 3]), False))


def sway_of(share: float, seed: int = 0, warp_width: int = 64) -> Sway:
    """Half a dozen clips, swayed by a tiny world."""
    dynamics = tiny_world(warp_width=warp_width).dynamics
    return swayed(dynamics, BATCH.latents, BATCH.motion, BATCH.motion_known, share, torch.Generator().manual_seed(seed))


def test_a_swayed_frame_is_the_true_one_with_what_the_warp_makes_of_the_other_motion() -> None:
    sway, warp = sway_of(1.0), tiny_world().dynamics.warp
    assert warp is not None and sway.clips.all()
    views, before = tiny_config().dynamics.views, BATCH.latents.roll(1, dims=1)
    here = warp(before, BATCH.motion, BATCH.motion_known, views)
    there = warp(before, BATCH.motion + sway.motion, BATCH.motion_known, views)
    assert torch.allclose(sway.seen - BATCH.latents, there - here, atol=1e-5)
    assert not torch.isclose(sway.seen[:, 1], BATCH.latents[:, 1]).all(dim=(1, 2)).any()


def test_frames_stay_where_no_motion_is_known_and_speed_stays_as_it_is() -> None:
    sway = sway_of(1.0)
    assert torch.equal(sway.seen[:, [0, 3]], BATCH.latents[:, [0, 3]]) and not sway.motion[:, [0, 3]].any()
    assert not sway.motion[..., len(SWAY) :].any()
    assert (sway.motion[:, [1, 2, 4], : len(SWAY)] != 0).all()


def test_only_a_share_of_the_clips_is_swayed() -> None:
    sway = sway_of(0.5)
    assert 0 < int(sway.clips.sum()) < len(sway.clips)
    still = ~sway.clips
    assert torch.equal(sway.seen[still], BATCH.latents[still]) and not sway.motion[still].any()


def test_nothing_is_swayed_by_a_share_of_nothing_or_without_a_warp() -> None:
    for sway in (sway_of(0.0), sway_of(1.0, warp_width=0)):
        assert torch.equal(sway.seen, BATCH.latents) and not sway.motion.any() and not sway.clips.any()


def test_the_same_generator_sways_alike() -> None:
    assert torch.equal(sway_of(0.5, seed=3).seen, sway_of(0.5, seed=3).seen)


def test_no_label_is_learned_from_a_swayed_frame() -> None:
    """Below a thick veil written frames teach none, so that only drawn ones could."""
    batch = clip_batch(tiny_config().dynamics, clips=2)
    veil = Veil(batch.latents, torch.ones(batch.latents.shape[:3]))

    def loss(share: float, targets: torch.Tensor) -> float:
        settings = ObjectiveConfig(bootstrap_fraction=0.0, own_fraction=0.0, swayed_fraction=share)
        told = replace(batch, targets=targets)
        chance = torch.Generator().manual_seed(1)
        return objective(tiny_world().dynamics, told, settings, chance, veil=veil)[0].item()

    assert loss(1.0, batch.targets) == loss(1.0, 1.0 - batch.targets)
    assert loss(0.0, batch.targets) != loss(0.0, 1.0 - batch.targets)


def test_swayed_frames_are_learned() -> None:
    """On one clip, at fixed motions and noise, their error falls."""
    world = tiny_world()
    dynamics, settings = world.dynamics.train(), ObjectiveConfig(bootstrap_fraction=0.0, own_fraction=0.0)
    settings.swayed_fraction = 1.0
    optimizer = torch.optim.AdamW([p for p in dynamics.parameters() if p.requires_grad], lr=5e-3)
    first = last = float("nan")
    for step in range(60):
        optimizer.zero_grad()
        loss, values = objective(dynamics, BATCH.cut(0, 1), settings, torch.Generator().manual_seed(1))
        loss.backward()
        optimizer.step()
        first, last = values["swayed_error"] if step == 0 else first, values["swayed_error"]
    assert last < 0.5 * first
