"""The layers of a block of the dynamics, put together for one frame: fewer operations, the same numbers.

Axis legend: b rollouts, s tokens of a frame, w width, k heads, g kv heads, r = k / g, e head size, f frames of a
window.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from worldsim.dynamics.attention import Projections, SpaceAttention, TimeAttention, turned
from worldsim.dynamics.transformer import SwiGLU


@dataclass(frozen=True)
class Window:
    """The past of a frame in one layer, the frame itself included: keys and values (b, s, f, g, e).

    ``turns`` is the rotary turn of the frame's moment; ``hidden`` (b, 1, 1, 1, f) is -inf where nothing is filled in
    yet, or None.
    """

    keys: Tensor
    values: Tensor
    place: tuple[slice | Tensor, slice, int | Tensor]  # of the frame in both
    turns: tuple[Tensor, Tensor]
    hidden: Tensor | None


class Attention:
    """Queries, keys and values in one product, with QK-norm.

    ``scale`` makes of a vector's direction what the root mean square would leave; what scaled attention divides queries
    by cancels there, so that nothing is to be divided later.
    """

    def __init__(self, proj: Projections) -> None:
        self.size = proj.head_dim
        layers = (proj.query, proj.key, proj.value)
        self.into = torch.cat([layer.weight for layer in layers])
        self.heads, self.groups, _ = (layer.out_features // self.size for layer in layers)
        q_scale, k_scale = proj.q_scale[None], proj.k_scale[None] * self.size**0.5
        self.scale = torch.cat((q_scale.expand(self.heads, -1), k_scale.expand(self.groups, -1)))
        self.out = proj.out.weight

    def project(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(b, s, w) -> queries and keys (b, s, k + g, e), values (b, s, g, e)."""
        both = self.heads + self.groups
        qk, v = F.linear(x, self.into).unflatten(-1, (-1, self.size)).split((both, self.groups), dim=2)
        square = torch.linalg.vector_norm(qk, dim=-1, keepdim=True, dtype=torch.float32).square()
        return qk * (square + self.size * torch.finfo(qk.dtype).eps).rsqrt().to(qk.dtype) * self.scale.to(qk.dtype), v


class OverSpace(Attention):
    """``SpaceAttention`` of one frame; ``hidden`` (s, s) is -inf where a token (first axis) may not read another."""

    def __init__(self, layer: SpaceAttention, hidden: Tensor) -> None:
        super().__init__(layer.proj)
        self.hidden = hidden

    def __call__(self, x: Tensor) -> Tensor:
        """(b, s, w) -> (b, s, w)."""
        qk, v = self.project(x)
        q, k = qk.transpose(1, 2).split((self.heads, self.groups), dim=1)
        out = F.scaled_dot_product_attention(
            q, k, v.transpose(1, 2), self.hidden.to(q.dtype), scale=1.0, enable_gqa=self.heads != self.groups
        )
        return F.linear(out.transpose(1, 2).flatten(2), self.out)


class OverTime(Attention):
    """``TimeAttention`` of the newest frame of a window."""

    def __init__(self, layer: TimeAttention) -> None:
        super().__init__(layer.proj)

    def __call__(self, x: Tensor, window: Window) -> Tensor:
        """(b, s, w) -> (b, s, w); keys and values of the frame are written into the window."""
        b, s, _ = x.shape
        qk, v = self.project(x)
        q, k = turned(qk, window.turns).split((self.heads, self.groups), dim=2)
        window.keys[window.place] = k.to(window.keys.dtype)
        window.values[window.place] = v.to(window.values.dtype)
        rows = q.reshape(b * s, self.groups, -1, self.size)  # (b s) g r e
        scores = torch.matmul(rows, window.keys.flatten(0, 1).permute(0, 2, 3, 1))  # (b s) g r f
        if window.hidden is not None:
            scores = (scores.unflatten(0, (b, s)) + window.hidden).flatten(0, 1)
        out = torch.matmul(scores.softmax(dim=-1).to(window.values.dtype), window.values.flatten(0, 1).transpose(1, 2))
        return F.linear(out.reshape(b, s, -1), self.out)


class FeedForward:
    """``SwiGLU`` with its two products in one."""

    def __init__(self, layer: SwiGLU) -> None:
        self.into, self.out = torch.cat((layer.gate.weight, layer.up.weight)), layer.down.weight

    def __call__(self, x: Tensor) -> Tensor:
        """(b, s, w) -> (b, s, w)."""
        gate, up = F.linear(x, self.into).chunk(2, dim=-1)
        return F.linear(F.silu(gate) * up, self.out)
