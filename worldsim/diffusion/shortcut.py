"""Shortcut forcing: one network that denoises in many small steps or few large ones.

Diffusion forcing (Chen et al. 2024) gives every frame its own signal level; shortcut models (Frans et
al. 2024) also tell the network its step size and train large steps to equal two of half the size. Both
losses are taken in x-space (Dreamer 4, section 3.2, equation 7).

Axis legend: b batch, t frames, n tokens, d latent channels. Step level l is step size 2**l / finest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from worldsim.diffusion.path import velocity

Predict = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(noisy latents (b, t, n, d), signal (b, t), step level (b, t)) -> predicted clean latents."""

PAST_SIGNAL = 0.8
"""Frames at this signal level or above look as remembered frames do at rollout time."""


@dataclass(frozen=True)
class Levels:
    """Signal and step levels of a training batch; both (b, t)."""

    signal: Tensor
    step: Tensor


def flow_levels(batch: int, frames: int, context_fraction: float, generator: torch.Generator) -> Levels:
    """Levels for the plain denoising loss at the finest step.

    Signal is uniform in [0, 1), but a ``context_fraction`` of frames is drawn from [PAST_SIGNAL, 1): so look past
    frames at rollout time, and so a noisy frame often has a clean past to be predicted from.
    """
    device = generator.device
    uniform = torch.rand(batch, frames, generator=generator, device=device)
    past = torch.rand(batch, frames, generator=generator, device=device) < context_fraction
    step = torch.zeros(batch, frames, dtype=torch.int64, device=device)
    return Levels(torch.where(past, PAST_SIGNAL + (1.0 - PAST_SIGNAL) * uniform, uniform), step)


def shortcut_levels(
    batch: int, frames: int, finest: int, context_fraction: float, generator: torch.Generator
) -> Levels:
    """Levels for the bootstrap loss: step levels 1 .. log2(finest), signal on that step's grid.

    Past-like frames keep the finest step and a signal in [PAST_SIGNAL, 1), as they have at rollout time.
    """
    top, device = finest.bit_length() - 1, generator.device
    step = torch.randint(1, top + 1, (batch, frames), generator=generator, device=device)
    cells = finest // 2**step
    cell = (torch.rand(batch, frames, generator=generator, device=device) * cells).floor()
    past = torch.rand(batch, frames, generator=generator, device=device) < context_fraction
    high = PAST_SIGNAL + (1.0 - PAST_SIGNAL) * torch.rand(batch, frames, generator=generator, device=device)
    return Levels(torch.where(past, high, cell / cells), torch.where(past, 0, step))


def step_size(step: Tensor, finest: int) -> Tensor:
    """Size in (0, 1] of a step level."""
    return 2.0**step / finest


@torch.no_grad()
def shortcut_target(predict: Predict, x: Tensor, levels: Levels, finest: int) -> Tensor:
    """Clean latents (b, t, n, d) that one large step should predict: where two half steps lead.

    Frames at the finest level are carried along unchanged and their target is the first prediction.
    """
    large = levels.step > 0
    half = (levels.step - 1).clamp_min(0)
    size = torch.where(large, step_size(half, finest), 0.0)
    first = predict(x, levels.signal, half)
    v1 = velocity(x, first, levels.signal)
    middle = x + size[..., None, None] * v1
    second = predict(middle, levels.signal + size, half)
    v2 = velocity(middle, second, levels.signal + size)
    mean = torch.where(large[..., None, None], (v1 + v2) / 2, v1)
    return x + (1.0 - levels.signal)[..., None, None] * mean
