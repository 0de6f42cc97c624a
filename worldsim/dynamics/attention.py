"""Attention within a frame (space) and across frames at one place (time).

Axis legend: b batch, t frames, s tokens of a frame, k heads, g kv heads, e head size, w width.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from worldsim.dynamics.config import DynamicsConfig


@dataclass(frozen=True)
class Order:
    """Which frame of a clip follows which, and which frames each one remembers."""

    positions: Tensor  # (t,) int64, moment of each frame
    before: Tensor  # (t,) int64, index of the frame before; -1 where there is none
    seen: Tensor  # (t, t) bool, whether a frame (first axis) remembers another; itself always

    @classmethod
    def sequence(cls, frames: int, window: int, device: torch.device | str = "cpu") -> Order:
        """One frame after the other; each remembers itself and the ``window - 1`` before."""
        moment = torch.arange(frames, device=device)
        age = moment[:, None] - moment[None, :]
        return cls(moment, moment - 1, (age >= 0) & (age < window))

    @classmethod
    def written_and_drawn(cls, frames: int, window: int, device: torch.device | str = "cpu") -> Order:
        """Every moment twice: ``frames`` as they are written into the past, then ``frames`` that are being drawn.

        A drawn frame follows the written ones and remembers nothing else, as in a rollout.
        """
        written = cls.sequence(frames, window, device)
        itself = torch.eye(frames, dtype=torch.bool, device=device)
        above = torch.cat((written.seen, torch.zeros_like(itself)), dim=1)
        below = torch.cat((written.seen & ~itself, itself), dim=1)
        return cls(written.positions.repeat(2), written.before.repeat(2), torch.cat((above, below)))


def turns(positions: Tensor, size: int, dtype: torch.dtype, base: float = 100.0) -> tuple[Tensor, Tensor]:
    """Cosine and sine (b, t, 1, 1, e/2) of the rotary embedding (Su et al. 2021) at frame indices (b, t).

    Angles are taken in float64, so that a rollout of a million frames keeps its precision.
    """
    half = size // 2
    rates = base ** (-torch.arange(half, dtype=torch.float64, device=positions.device) / half)
    angles = positions.to(torch.float64)[..., None, None, None] * rates
    return angles.cos().to(dtype), angles.sin().to(dtype)


def turned(x: Tensor, by: tuple[Tensor, Tensor]) -> Tensor:
    """x (..., s, k, e) turned by ``turns``."""
    cos, sin = by
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


class Projections(nn.Module):
    """Queries, keys and values with QK-norm (Dehghani et al. 2023) and grouped heads (Ainslie et al. 2023)."""

    def __init__(self, config: DynamicsConfig) -> None:
        super().__init__()
        self.head_dim = config.head_dim
        self.query = nn.Linear(config.width, config.heads * config.head_dim, bias=False)
        self.key = nn.Linear(config.width, config.kv_heads * config.head_dim, bias=False)
        self.value = nn.Linear(config.width, config.kv_heads * config.head_dim, bias=False)
        self.out = nn.Linear(config.width, config.width, bias=False)
        self.q_scale = nn.Parameter(torch.ones(config.head_dim))
        self.k_scale = nn.Parameter(torch.ones(config.head_dim))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(b, t, s, w) -> queries (b, t, s, k, e), keys and values (b, t, s, g, e)."""
        q, k, v = (layer(x).unflatten(-1, (-1, self.head_dim)) for layer in (self.query, self.key, self.value))
        return self._normalised(q, self.q_scale), self._normalised(k, self.k_scale), v

    def _normalised(self, x: Tensor, scale: Tensor) -> Tensor:
        return F.rms_norm(x, (self.head_dim,)) * scale.to(x.dtype)


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Scaled dot-product attention of q (b, i, k, e) over k, v (b, j, g, e); mask broadcasts to (b, k, i, j)."""
    if q.device.type == "cpu":
        return _attend_written_out(q, k, v, mask)
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=q.shape[1] != k.shape[1])
    return out.transpose(1, 2).flatten(2)


def _attend_written_out(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """The same on a CPU, where torch's fused kernel has an 8 times slower backward on sequences this short."""
    (b, i, heads, e), (j, g) = q.shape, k.shape[1:3]
    rows = rearrange(q, "b i (g r) e -> (b g) (r i) e", g=g)
    scores = torch.bmm(rows, rearrange(k, "b j g e -> (b g) e j")) * e**-0.5
    scores = scores.view(b, heads, i, j)
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = scores.softmax(dim=-1).to(v.dtype).view(b * g, (heads // g) * i, j)
    out = torch.bmm(weights, rearrange(v, "b j g e -> (b g) j e"))
    return rearrange(out, "(b g) (r i) e -> b i (g r e)", b=b, i=i)


class SpaceAttention(nn.Module):
    """Every token of a frame reads the frame; none but the state token (the last) reads the state token."""

    def __init__(self, config: DynamicsConfig) -> None:
        super().__init__()
        self.proj = Projections(config)

    def forward(self, x: Tensor) -> Tensor:
        """(b, t, s, w) -> (b, t, s, w), each frame by itself."""
        b, t, s, _ = x.shape
        q, k, v = (y.flatten(0, 1) for y in self.proj(x))  # (b t) s k e
        seen = torch.ones(s, s, dtype=torch.bool, device=x.device)
        seen[:-1, -1] = False
        return self.proj.out(attend(q, k, v, seen).unflatten(0, (b, t)))


class TimeAttention(nn.Module):
    """Each token reads the same token of the frames that its frame remembers."""

    def __init__(self, config: DynamicsConfig) -> None:
        super().__init__()
        self.proj = Projections(config)

    def forward(self, x: Tensor, order: Order) -> Tensor:
        """(b, t, s, w) -> the same, each place by itself."""
        b = len(x)
        q, k, v = self.proj(x)  # b t s k e
        by = turns(order.positions[None], self.proj.head_dim, q.dtype)
        q, k, v = (rearrange(y, "b t s k e -> (b s) t k e") for y in (turned(q, by), turned(k, by), v))
        return self.proj.out(rearrange(attend(q, k, v, order.seen), "(b s) t w -> b t s w", b=b))
