"""Clips played backwards: what was undone leads back, and nothing is claimed of what lies ahead."""

from __future__ import annotations

import torch

from worldsim.dynamics.heads import HEAD_FIELDS
from worldsim.training.backwards import AHEAD, CLOSING, play_backwards, turned_around, undone

from .test_dynamics import clip_batch
from .worlds import tiny_config


def moved(pose: torch.Tensor, motion: torch.Tensor) -> torch.Tensor:
    """Pose (x, y, yaw) after ``motion``."""
    x, y, yaw = pose.unbind(-1)
    forward, left, turn, _ = motion.unbind(-1)
    cos, sin = torch.cos(yaw), torch.sin(yaw)
    return torch.stack((x + cos * forward - sin * left, y + sin * forward + cos * left, yaw + turn), dim=-1)


def test_a_motion_and_its_undoing_lead_back() -> None:
    motion = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    there = moved(torch.zeros(50, 3), motion)
    assert torch.allclose(moved(there, undone(motion)), torch.zeros(50, 3), atol=1e-5)


def test_a_clip_turned_around_goes_back_along_its_own_way() -> None:
    batch = clip_batch(tiny_config().dynamics, clips=2, frames=6)
    batch.motion_known[:, 0] = False
    batch.motion[:, 0] = 0.0
    around = turned_around(batch)
    assert torch.equal(around.latents, batch.latents.flip(1))
    assert not around.motion_known[:, 0].any() and around.motion_known[:, 1:].all()
    poses = [torch.zeros(2, 3)]
    for t in range(1, 6):
        poses.append(moved(poses[-1], batch.motion[:, t]))
    back = poses[-1]
    for t in range(1, 6):
        back = moved(back, around.motion[:, t])
        assert torch.allclose(back, poses[5 - t], atol=1e-4)
    assert torch.equal(around.motion[:, 1, 3], -batch.motion[:, 4, 3])
    assert torch.equal(around.targets[..., CLOSING], -batch.targets[..., CLOSING].flip(1))
    assert around.targets[..., AHEAD].isnan().all()
    offset = HEAD_FIELDS.index("lane_offset_m")
    assert torch.equal(around.targets[..., offset], batch.targets[..., offset].flip(1))


def test_turning_around_twice_is_nothing_but_for_what_looks_ahead() -> None:
    batch = clip_batch(tiny_config().dynamics, clips=2, frames=6)
    batch.motion_known[:, 0] = False
    batch.motion[:, 0] = 0.0
    again = turned_around(turned_around(batch))
    assert torch.allclose(again.motion[:, 1:, :3], batch.motion[:, 1:, :3], atol=1e-5)
    assert torch.equal(again.latents, batch.latents)


def test_clips_are_turned_around_at_their_rate() -> None:
    batch = clip_batch(tiny_config().dynamics, clips=300, frames=3)
    some = play_backwards(batch, 0.2, torch.Generator().manual_seed(0))
    turned = (some.latents[:, 0] != batch.latents[:, 0]).flatten(1).any(1)
    assert 0.12 < turned.float().mean() < 0.28
    assert torch.equal(some.latents[~turned], batch.latents[~turned])
    assert play_backwards(batch, 0.0, torch.Generator().manual_seed(0)) is batch
