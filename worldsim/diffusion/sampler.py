"""Drawing latents from noise, or from a noised picture, in a few equal steps.

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
    """Drawn latents, and the network's first guess (from pure noise: the mean of what it believes)."""

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
    return resume(predict, noise, 0, steps, finest)


def resume(predict: Predict, latents: Tensor, taken: int, steps: int, finest: int) -> Sample:
    """The rest of ``steps`` equal steps after ``taken`` of them, from ``latents`` (b, t, n, d) at signal taken/steps.

    With a picture noised to that level this is SDEdit (Meng et al. 2021): what noise has drowned is drawn anew, and
    the rest stays. ``first_guess`` is what is believed where it begins. ValueError unless 0 <= taken < steps.
    """
    level = (finest // check_steps(steps, finest)).bit_length() - 1
    if not 0 <= taken < steps:
        raise ValueError(f"sampling steps already taken: expected 0 to {steps - 1}, got {taken}")
    x = latents
    first: Tensor | None = None
    step = torch.full(x.shape[:2], level, dtype=torch.int64, device=x.device)
    for i in range(taken, steps):
        signal = torch.full(x.shape[:2], i / steps, device=x.device)
        clean = predict(x, signal, step)
        first = clean if first is None else first
        x = clean if i == steps - 1 else x + velocity(x, clean, signal) / steps
    assert first is not None
    return Sample(x, first)
