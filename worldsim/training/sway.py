"""Frames as another motion would have shown them.

Vehicles follow the road, so a network that learns from their drives may go by the road and leave the motion aside: it
then draws a bend to whoever drives straight on. What another motion would have changed is what the ego warp makes of
it; added to the true frame, it leaves as it was what the warp cannot say. So each frame is drawn under a motion that
the road does not tell.

Axis legend: b clips, t frames of a clip, n latent tokens, d latent channels, m motion.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from worldsim.dynamics.transformer import Dynamics

SWAY = (0.3, 0.15, 0.03)
"""Deviation of another motion from the one that was driven: forward and left in m, yaw in rad."""


@dataclass(frozen=True)
class Sway:
    """Another motion into each frame, and the frames to which it would have led."""

    motion: Tensor  # (b, t, m), to be added to what was driven
    seen: Tensor  # (b, t, n, d)
    clips: Tensor  # (b,) bool, which have another motion


@torch.no_grad()
def swayed(
    dynamics: Dynamics, latents: Tensor, motion: Tensor, known: Tensor, share: float, generator: torch.Generator
) -> Sway:
    """Sway a ``share`` of clips of ``latents`` (b, t, n, d), each frame by itself: the next begins from the true one.

    ``motion`` (b, t, m) led into each frame where ``known`` (b, t) says so; elsewhere, and without an ego warp, all
    stays as it is.
    """
    b, t = latents.shape[:2]
    clips = torch.rand(b, generator=generator, device=generator.device) < share
    if dynamics.warp is None or t == 1 or not clips.any():
        return Sway(torch.zeros_like(motion), latents, torch.zeros_like(clips))
    off = torch.randn((b, t, len(SWAY)), generator=generator, device=generator.device) * motion.new_tensor(SWAY)
    off = F.pad(off, (0, motion.shape[2] - len(SWAY))) * (clips[:, None] & known)[..., None]
    before, views = latents[clips].roll(1, dims=1), dynamics.config.views
    here, there = (dynamics.warp(before, each[clips], known[clips], views) for each in (motion, motion + off))
    seen = latents.clone()
    seen[clips] += (there - here).to(seen.dtype)
    return Sway(off, seen, clips)
