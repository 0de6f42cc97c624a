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
HIDDEN = 48
STEPS, BATCH, RATE = 800, 256, 2e-3
NOISE = 0.5
"""Of the tokens, in their standard deviations, while ``Looks`` learns: with less it knows the drives by heart."""
FRESH_S = 1.0
ERROR_HALVES, AGE_HALVES_S = 2.0, 5.0
"""Trust is halved where a frame looks so many times as wrong, or so much older, than those of the first second."""


@dataclass(frozen=True)
class Apart:
    """Frames of rollouts, and how far each is from what was truly seen."""

    tokens: Tensor  # (k, s, w) as they leave the last block
    error: Tensor  # (k,) rms distance of standardised latents
    age: Tensor  # (k,) seconds since the last true frame

    @classmethod
    def joined(cls, parts: Sequence[Apart]) -> Apart:
        """All of them."""
        return cls(*(torch.cat([getattr(part, name) for part in parts]) for name in ("tokens", "error", "age")))


@torch.no_grad()
def rolled_apart(engine: Engine, drives: Drives, seeds: Sequence[int], progress: Progress = iter) -> Apart:
    """PER_SECOND frames of those that ``engine`` draws along the drives, to the end of each.

    ValueError where no drive goes on after its context.
    """
    if drives.length <= CONTEXT_FRAMES:
        raise ValueError(f"looks: expected drives of more than {CONTEXT_FRAMES} frames, got {drives.length}")
    rate = engine.world.config.frame_rate_hz
    every = max(1, round(rate / PER_SECOND))
    state, _ = read_context(engine, drives, seeds, CONTEXT_FRAMES)
    tokens, errors, ages = [], [], []
    for t in progress(iter(range(CONTEXT_FRAMES, drives.length))):
        drawn = engine.step(state, drives.motion[:, t], drives.command[:, t])
        if (t - CONTEXT_FRAMES) % every == 0:
            there = torch.from_numpy(drives.known[:, t])
            error = (drawn.latents - drives.latents(engine.world, t)).square().mean(dim=(1, 2)).sqrt()
            tokens.append(drawn.tokens.cpu()[there])
            errors.append(error.cpu()[there])
            ages.append(torch.full_like(errors[-1], (t - CONTEXT_FRAMES + 1) / rate))
    return Apart(torch.cat(tokens), torch.cat(errors), torch.cat(ages))


def fit_looks(apart: Apart, seed: int, progress: Progress = iter) -> Looks:
    """Learn from rollouts how wrong and how old a frame that looks so is: least squares of the logarithms."""
    g = torch.Generator().manual_seed(seed)
    with drawn_from(g):
        looks = Looks(apart.tokens.shape[-1], HIDDEN)
    spread = apart.tokens.std(dim=(0, 1))
    optimizer = torch.optim.AdamW(looks.parameters(), RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    goal = torch.stack((apart.error.clamp_min(1e-3), apart.age + 1.0 / PER_SECOND), dim=-1).log()
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
    """Say what ``looks`` holds against a frame, by ``held_out`` rollouts: nothing that holds of half the fresh ones."""
    error, age = looks(held_out.tokens[held_out.age <= FRESH_S]).median(dim=0).values.tolist()
    looks.scale.copy_(torch.tensor([[error, age], [ERROR_HALVES * error, age + AGE_HALVES_S]]))
