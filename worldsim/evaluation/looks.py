"""Fitting ``Looks``: rollouts along recorded drives, and how far each of their frames is from the recorded one.

Axis legend: b drives, t frames, n latent tokens, d latent channels, s tokens of a frame, w width, k frames of all
rollouts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from worldsim.chance import drawn_from
from worldsim.dynamics.looks import Looks
from worldsim.engine import Engine
from worldsim.evaluation.rollouts import CONTEXT_FRAMES, Drives, Progress, read_context

PER_SECOND = 2
LEAST_STALE = 0.3  # of what is usual
HIDDEN = 48
STEPS, BATCH, RATE = 1500, 256, 2e-3
NOISE = 0.1
"""Of the tokens, in their standard deviations, while ``Looks`` learns."""


@dataclass(frozen=True)
class Apart:
    """Frames of rollouts, and how far each is from what was truly seen."""

    tokens: Tensor  # (k, s, w) as they leave the last block
    error: Tensor  # (k,) rms distance of latents, over that of frames of the same drive a second apart
    age: Tensor  # (k,) seconds since the last true frame

    @classmethod
    def joined(cls, parts: Sequence[Apart]) -> Apart:
        """All of them."""
        return cls(*(torch.cat([getattr(part, name) for part in parts]) for name in ("tokens", "error", "age")))


@torch.no_grad()
def rolled_apart(engine: Engine, drives: Drives, seeds: Sequence[int], progress: Progress = iter) -> Apart:
    """Two frames a second of those that ``engine`` draws along the drives, to the end of each.

    ValueError where no drive goes on for more than a second after its context.
    """
    rate = engine.world.config.frame_rate_hz
    every = max(1, round(rate / PER_SECOND))
    if drives.length <= CONTEXT_FRAMES + PER_SECOND * every:
        raise ValueError(
            f"looks: expected drives of more than {CONTEXT_FRAMES} frames and a second, got {drives.length}"
        )
    state, _ = read_context(engine, drives, seeds, CONTEXT_FRAMES)
    drawn, tokens, true, times = [], [], [], range(CONTEXT_FRAMES, drives.length)
    for t in progress(iter(times)):
        step = engine.step(state, drives.motion[:, t], drives.command[:, t])
        if (t - CONTEXT_FRAMES) % every == 0:
            drawn.append(step.latents.cpu())
            tokens.append(step.tokens.cpu())
            true.append(drives.latents(engine.world, t).cpu())
    there = torch.from_numpy(drives.known[:, CONTEXT_FRAMES::every]).T  # sampled times, b
    seen = torch.stack(true)
    error = _apart(torch.stack(drawn), seen) / _staleness(seen, there)
    age = (torch.arange(len(seen))[:, None] * every + 1.0).expand_as(error) / rate
    return Apart(torch.stack(tokens)[there], error[there], age[there])


def _apart(one: Tensor, other: Tensor) -> Tensor:
    """Rms distance of latents (..., n, d)."""
    return (one - other).square().mean(dim=(-2, -1)).sqrt()


def _staleness(seen: Tensor, there: Tensor) -> Tensor:
    """How far frames of each drive are a second apart, (b,), from true ones (t, b, n, d); least where nothing moves."""
    both = there[PER_SECOND:] & there[:-PER_SECOND]
    apart = torch.where(both, _apart(seen[PER_SECOND:], seen[:-PER_SECOND]), torch.nan)
    usual = apart.nanmedian()
    each = apart.nanmedian(dim=0).values
    return torch.where(each.isnan(), usual, each).clamp_min(LEAST_STALE * float(usual))


def fit_looks(apart: Apart, seed: int, progress: Progress = iter) -> Looks:
    """Learn from rollouts how far a frame that looks so is from what would be seen: least squares of the logarithm."""
    g = torch.Generator().manual_seed(seed)
    with drawn_from(g):
        looks = Looks(apart.tokens.shape[-1], HIDDEN)
    spread = apart.tokens.std(dim=(0, 1))
    optimizer = torch.optim.AdamW(looks.parameters(), RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    goal = apart.error.clamp_min(1e-3).log()
    for _ in progress(iter(range(STEPS))):
        rows = torch.randint(len(goal), (BATCH,), generator=g)
        tokens = apart.tokens[rows]
        tokens = tokens + NOISE * spread * torch.randn(tokens.shape, generator=g)
        loss = F.mse_loss(looks(tokens).log(), goal[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return looks.requires_grad_(False)


@torch.no_grad()
def set_scale(looks: Looks, held_out: Apart) -> None:
    """Say which errors ``looks`` holds against a frame, by ``held_out`` rollouts.

    None up to what frames of the first second are taken for; trust is halved where a frame is as wrong as one that is a
    second old, or a good deal worse than those.
    """
    low = float(looks(held_out.tokens[held_out.age <= 1.0]).median())
    looks.scale.copy_(torch.tensor([low, max(1.0, low + 0.5)]))
