"""Where a drawn frame stands: the motion that leads from it to what was truly seen next.

A rollout errs in where the vehicle is. Whoever learns from it to go on to the true next frame under the motion that was
driven learns to jump back to where the vehicle truly was, that is, not to follow the motion. So the motion is found
under which the ego warp makes of the drawn frame most of the true one (Gauss-Newton, as images are registered: Lucas
and Kanade 1981; Baker and Matthews 2004, section 3), with a prior around what was driven.

Axis legend: b clips, t frames of a clip, k frames of all clips, n latent tokens, d latent channels, m motion,
p the parts of the motion that are found.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from worldsim.dynamics.ego_warp import EgoWarp
from worldsim.views import Views

PRIOR = (0.5, 0.3, 0.05)
"""How far off a drawn frame may be expected to stand: forward and left in m, yaw in rad."""
PROBE = (0.15, 0.05, 0.01)
"""By how much each is changed to see what it does to the frame."""
ROUNDS = 3
LEAST_ERROR = 0.1
"""Squared error of a latent that no motion takes away: frames are not trusted beyond it."""


@torch.no_grad()
def leading_motions(
    warp: EgoWarp | None, drawn: Tensor, seen: Tensor, motion: Tensor, known: Tensor, views: Views
) -> Tensor:
    """Motions (b, t, m) from each ``drawn`` frame to the seen one after it; latents (b, t, n, d).

    ``motion`` (b, t, m) leads from the seen frame before to each seen one, where ``known`` (b, t) says so. What is
    added to it is how much further the drawn frame has to go than the seen one, both registered alike, so that what the
    warp itself gets wrong cancels. The speed stays, and so does all where nothing is known or there is no warp.
    """
    b, t = motion.shape[:2]
    if warp is None or t == 1:
        return motion
    before, start, after = (x.flatten(0, 1) for x in (drawn[:, :-1], seen[:, :-1], seen[:, 1:]))
    driven = motion[:, 1:].flatten(0, 1)
    further = _offset(warp, before, after, driven, views) - _offset(warp, start, after, driven, views)
    bounds = 3 * torch.tensor(PRIOR, device=motion.device)
    further = further.clamp(-bounds, bounds).unflatten(0, (b, t - 1)) * known[:, 1:, None]
    return motion + F.pad(further, (0, motion.shape[2] - len(PRIOR), 1, 0))


def _offset(warp: EgoWarp, before: Tensor, after: Tensor, motion: Tensor, views: Views) -> Tensor:
    """What (k, p) has to be added to ``motion`` for the warp to make most of ``after`` from ``before``."""
    k, parts = len(motion), len(PRIOR)
    prior = torch.diag(1.0 / torch.tensor(PRIOR, device=motion.device).square())
    steps = torch.diag(torch.tensor(PROBE, device=motion.device))
    known = torch.ones(k, 1, dtype=torch.bool, device=motion.device)
    offset = torch.zeros(k, parts, device=motion.device)

    def moved(by: Tensor) -> Tensor:
        changed = torch.cat((motion[:, :parts] + by, motion[:, parts:]), dim=1)
        return warp(before[:, None], changed[:, None], known, views)[:, 0].flatten(1)

    for _ in range(ROUNDS):
        here = moved(offset)
        wrong = after.flatten(1) - here
        slopes = torch.stack([(moved(offset + step) - here) / step.sum() for step in steps], dim=2)  # k (n d) p
        # The channels of a token err together, so they count as one observation.
        certainty = 1.0 / (before.shape[2] * wrong.square().mean(1).clamp_min(LEAST_ERROR))
        curved = slopes.mT @ slopes * certainty[:, None, None] + prior
        pull = (slopes.mT @ wrong[:, :, None])[:, :, 0] * certainty[:, None] - offset @ prior
        offset = offset + torch.linalg.solve(curved, pull)
    return offset
