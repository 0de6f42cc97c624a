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
"""Remembered frames are noised to a signal level in [PAST_SIGNAL, 1) while training; the engine's lies within."""


@dataclass(frozen=True)
class Levels:
    """Signal and step levels of a training batch; both (b, t)."""

    signal: Tensor
    step: Tensor

    def then(self, other: Levels) -> Levels:
        """These frames followed by ``other``'s."""
        return Levels(torch.cat((self.signal, other.signal), dim=1), torch.cat((self.step, other.step), dim=1))


def past_levels(batch: int, frames: int, generator: torch.Generator) -> Levels:
    """Levels of remembered frames: signal uniform in [PAST_SIGNAL, 1), the finest step."""
    uniform = torch.rand(batch, frames, generator=generator, device=generator.device)
    return Levels(PAST_SIGNAL + (1.0 - PAST_SIGNAL) * uniform, _finest(uniform))


def flow_levels(batch: int, frames: int, generator: torch.Generator) -> Levels:
    """Levels of drawn frames for the plain denoising loss: signal uniform in [0, 1), the finest step."""
    uniform = torch.rand(batch, frames, generator=generator, device=generator.device)
    return Levels(uniform, _finest(uniform))


def shortcut_levels(batch: int, frames: int, finest: int, generator: torch.Generator) -> Levels:
    """Levels of drawn frames for the bootstrap loss: step levels 1 .. log2(finest), signal on that step's grid."""
    top, device = finest.bit_length() - 1, generator.device
    step = torch.randint(1, top + 1, (batch, frames), generator=generator, device=device)
    cells = finest // 2**step
    cell = (torch.rand(batch, frames, generator=generator, device=device) * cells).floor()
    return Levels(cell / cells, step)


def _finest(like: Tensor) -> Tensor:
    return torch.zeros(like.shape, dtype=torch.int64, device=like.device)


def step_size(step: Tensor, finest: int) -> Tensor:
    """Size in (0, 1] of a step level."""
    return 2.0**step / finest


@torch.no_grad()
def shortcut_target(predict: Predict, x: Tensor, levels: Levels, finest: int) -> Tensor:
    """Clean latents (b, t, n, d) that one large step should predict: where two half steps lead."""
    half = levels.step - 1
    size = step_size(half, finest)
    first = predict(x, levels.signal, half)
    v1 = velocity(x, first, levels.signal)
    middle = x + size[..., None, None] * v1
    second = predict(middle, levels.signal + size, half)
    v2 = velocity(middle, second, levels.signal + size)
    return x + (1.0 - levels.signal)[..., None, None] * (v1 + v2) / 2
