"""What the tokenizer is trained to keep: colours, edges, and above all the small cars.

Axis legend: b batch, c colour channels, h w image rows and columns, k boxes of a frame.

A pixel loss alone lets a small autoencoder wash out whatever covers few pixels. Here every term is robust
(absolute, not squared: a squared error prefers a blurred edge to one that is a pixel off), edges are compared at
several scales, and pixels of vehicles count by box, so that a far car of 20 pixels weighs nearly as much as a
near one of 2,000.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from worldsim.types import FloatArray


@dataclass
class LossConfig:
    """Weights of the terms; images are in [-1, 1]."""

    pixel: float = 1.0
    edge: float = 1.0  # gradients along rows and columns, summed over scales 1, 1/2, ...
    edge_scales: int = 3
    vehicle: float = 4.0  # extra weight of a pixel in a vehicle's box of vehicle_area_px
    vehicle_area_px: float = 100.0  # smaller boxes weigh more per pixel, larger less: (this / area) ** vehicle_power
    vehicle_power: float = 0.5
    vehicle_most: float = 12.0  # bound of the extra weight


def reconstruction_loss(
    images: Tensor, target: Tensor, weights: Tensor | None, config: LossConfig
) -> tuple[Tensor, dict[str, Tensor]]:
    """The weighted sum of the terms, and the terms by name.

    ``images`` and ``target`` are (b, 3, h, w) in [-1, 1]; ``weights`` (b, 1, h, w), or None for 1 everywhere.
    """
    error = images.float() - target.float()
    weights = torch.ones_like(error[:, :1]) if weights is None else weights
    terms = {"pixel": _weighted_mean(_robust(error), weights), "edge": _edge_loss(error, weights, config.edge_scales)}
    return config.pixel * terms["pixel"] + config.edge * terms["edge"], terms


def vehicle_weights(boxes: Sequence[FloatArray], height: int, width: int, config: LossConfig) -> FloatArray:
    """Weights (b, 1, h, w), at least 1, from b arrays (k, >=4) of boxes x0 y0 x1 y1 in pixels."""
    weights = np.ones((len(boxes), 1, height, width), np.float32)
    for canvas, rows in zip(weights[:, 0], boxes, strict=True):
        for x0, y0, x1, y1 in rows[:, :4]:
            area = max((x1 - x0) * (y1 - y0), 1.0)
            extra = min(config.vehicle * (config.vehicle_area_px / area) ** config.vehicle_power, config.vehicle_most)
            patch = canvas[max(int(y0), 0) : max(int(np.ceil(y1)), 0), max(int(x0), 0) : max(int(np.ceil(x1)), 0)]
            np.maximum(patch, 1.0 + extra, out=patch)
    return weights


def _robust(error: Tensor, softness: float = 0.01) -> Tensor:
    """Charbonnier's penalty: absolute, but smooth within ``softness`` of zero."""
    return torch.sqrt(error.square() + softness**2) - softness


def _weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Mean over pixels in which heavy pixels count more, on top of (not instead of) the light ones."""
    return (values * weights).mean()


def _edge_loss(error: Tensor, weights: Tensor, scales: int) -> Tensor:
    """Robust differences between neighbours, over a pyramid. The gradient is linear, so the error's will do."""
    total = error.new_zeros(())
    for scale in range(scales):
        if scale:
            error, weights = F.avg_pool2d(error, 2), F.avg_pool2d(weights, 2)
        across = _robust(error[..., 1:] - error[..., :-1])
        down = _robust(error[..., 1:, :] - error[..., :-1, :])
        total = total + _weighted_mean(across, weights[..., 1:]) + _weighted_mean(down, weights[..., 1:, :])
    return total / scales
