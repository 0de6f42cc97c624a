"""The straight path from noise to clean latents, and how training weighs it.

``x_tau = tau * clean + (1 - tau) * noise`` (flow matching, Lipman et al. 2023); tau is the signal level.
Axis legend: b batch, t frames, n tokens, d latent channels.
"""

from __future__ import annotations

import torch
from torch import Tensor


def noisy(clean: Tensor, noise: Tensor, signal: Tensor) -> Tensor:
    """Latents (b, t, n, d) at signal level ``signal`` (b, t)."""
    level = signal[..., None, None]
    return level * clean + (1.0 - level) * noise


def velocity(x: Tensor, predicted_clean: Tensor, signal: Tensor) -> Tensor:
    """Direction from ``x`` at ``signal`` to the predicted clean latents, per unit of signal."""
    return (predicted_clean - x) / (1.0 - signal).clamp_min(1e-3)[..., None, None]


def ramp_weight(signal: Tensor, least: float = 0.1) -> Tensor:
    """Weight of a frame's loss, from ``least`` at noise to 1: cleaner frames teach more (Dreamer 4, section 3.2)."""
    return least + (1.0 - least) * signal


def gaussian(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Standard normal noise from an explicit generator."""
    return torch.randn(shape, generator=generator, device=generator.device)
