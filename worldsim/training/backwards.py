"""Clips played backwards, so that a world can also say what came before.

A vehicle that drives backwards along its own way sees what it saw, in the other order. So a clip turned around, with
each step's motion undone, is what a model must learn from to extend a video into its past. Whoever else moves then
does so backwards too.

Axis legend: b clips, t moments, m motion.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from worldsim.dynamics.heads import HEAD_FIELDS
from worldsim.training.objective import ClipBatch
from worldsim.types import MOTION_FIELDS

AHEAD = tuple(i for i, name in enumerate(HEAD_FIELDS) if name.endswith("_soon"))
"""What looks ahead, and cannot be said of a drive into the past."""
CLOSING = HEAD_FIELDS.index("closing_speed_mps")
assert MOTION_FIELDS == ("forward_m", "left_m", "yaw_rad", "speed_mps")


def undone(motion: Tensor) -> Tensor:
    """The motion (..., m) that takes a vehicle back to where it was; the speed is that of its first end, negative."""
    forward, left, yaw, speed = motion.unbind(-1)
    cos, sin = torch.cos(yaw), torch.sin(yaw)
    return torch.stack((-(cos * forward + sin * left), sin * forward - cos * left, -yaw, -speed), dim=-1)


def turned_around(batch: ClipBatch) -> ClipBatch:
    """All clips, last frame first."""
    latents, targets, command, vehicles = (
        x.flip(1) for x in (batch.latents, batch.targets, batch.command, batch.vehicles)
    )
    # motion[t] led into frame t: undone, it leads from there into the frame before, which now comes after it
    motion, known = undone(batch.motion).flip(1).roll(1, dims=1), batch.motion_known.flip(1).roll(1, dims=1)
    motion[:, 1:, 3] = torch.where(known[:, 1:], _speed_at_arrival(batch).flip(1)[:, 1:], 0.0)
    motion[:, 0], known[:, 0] = 0.0, False
    targets = targets.clone()
    targets[..., CLOSING] *= -1
    targets[..., AHEAD] = float("nan")
    return replace(
        batch, latents=latents, motion=motion, motion_known=known, targets=targets, command=command, vehicles=vehicles
    )


def _speed_at_arrival(batch: ClipBatch) -> Tensor:
    """Speed (b, t) at each frame of a clip, negative; at the first, where it is not known, that of the second."""
    speed = torch.where(batch.motion_known, batch.motion[..., 3], 0.0)
    if speed.shape[1] > 1:
        speed = torch.cat((speed[:, 1:2], speed[:, 1:]), dim=1)
    return -speed


def play_backwards(batch: ClipBatch, share: float, generator: torch.Generator) -> ClipBatch:
    """The batch with each clip turned around with probability ``share``."""
    chosen = torch.rand(len(batch.latents), generator=generator, device=generator.device) < share
    if not chosen.any():
        return batch
    around = turned_around(batch)

    def pick(name: str) -> Tensor:
        a, b = getattr(around, name), getattr(batch, name)
        return torch.where(chosen.view(-1, *[1] * (a.ndim - 1)), a, b)

    return replace(
        batch, latents=pick("latents"), motion=pick("motion"), motion_known=pick("motion_known"),
        targets=pick("targets"), command=pick("command"), vehicles=pick("vehicles"),
    )  # fmt: skip
