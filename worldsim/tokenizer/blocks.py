"""Convolutional building blocks. All maps are (b, c, h, w), laid out channels-last for speed on CPUs."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ResBlock(nn.Module):
    """x + conv(silu(conv(norm(x)))), started as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(channels // 8, channels)
        self.inner = nn.Conv2d(channels, channels, 3, padding=1)
        self.outer = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.outer.weight)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.outer(F.silu(self.inner(self.norm(x))))


class Down(nn.Module):
    """Halve the grid: a strided convolution beside a plain fold of 2x2 cells into channels.

    The fold keeps the identity path of the residual network unbroken across scales
    (DC-AE, Chen et al. 2024, section 3.2).
    """

    def __init__(self, channels: int, wider: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, wider, 2, stride=2)
        self.wider = wider

    def forward(self, x: Tensor) -> Tensor:
        folded = F.pixel_unshuffle(x, 2)  # (b, 4c, h/2, w/2)
        return self.conv(x) + _fit_channels(folded, self.wider)


class Up(nn.Module):
    """Double the grid: unfold channels into 2x2 cells, learned beside plain. The mirror of Down."""

    def __init__(self, channels: int, narrower: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 4 * narrower, 1)
        self.narrower = narrower

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(self.conv(x) + _fit_channels(x, 4 * self.narrower), 2)


def _fit_channels(x: Tensor, channels: int) -> Tensor:
    """Average or repeat neighbouring channels of ``x`` until there are ``channels``."""
    have = x.shape[1]
    if have == channels:
        return x
    if have % channels == 0:
        return x.unflatten(1, (channels, have // channels)).mean(2)
    if channels % have == 0:
        return x.repeat_interleave(channels // have, 1)
    index = torch.arange(channels, device=x.device) * have // channels
    return x.index_select(1, index)
