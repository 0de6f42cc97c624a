"""Drawing latents from noise in a few equal steps.

Axis legend: b batch, t frames (1 when streaming), n tokens, d latent channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from worldsim.diffusion.path import velocity
from worldsim.diffusion.shortcut import Predict


@dataclass(frozen=True)
class Sample:
    """Drawn latents, and the network's first guess from pure noise (the mean of what it believes)."""

    latents: Tensor
    first_guess: Tensor


def check_steps(steps: int, finest: int) -> int:
    """Return ``steps``, or raise ValueError unless it is a power of two of at most ``finest``."""
    if steps < 1 or steps & (steps - 1) or steps > finest:
        allowed = [2**i for i in range(finest.bit_length())]
        raise ValueError(f"sampling steps: expected one of {allowed}, got {steps}")
    return steps


def sample(predict: Predict, noise: Tensor, steps: int, finest: int) -> Sample:
    """Euler steps of size 1/steps from ``noise`` (b, t, n, d), each told its size (shortcut sampling)."""
    level = (finest // check_steps(steps, finest)).bit_length() - 1
    x = noise
    first: Tensor | None = None
    step = torch.full(noise.shape[:2], level, dtype=torch.int64, device=noise.device)
    for i in range(steps):
        signal = torch.full(noise.shape[:2], i / steps, device=noise.device)
        clean = predict(x, signal, step)
        first = clean if first is None else first
        x = clean if i == steps - 1 else x + velocity(x, clean, signal) / steps
    assert first is not None
    return Sample(x, first)
