"""The ring buffer behind streaming time attention: fixed memory, fixed cost, any length of rollout.

Axis legend: b rollouts, s tokens of a frame, w window slots, g kv heads, e head size.
"""

from __future__ import annotations

import torch
from torch import Tensor

from worldsim.dynamics.transformer import Dynamics


class RingCache:
    """Keys and values of the last ``w`` frames of each rollout, in every layer that attends over time.

    The frame at position p lives in slot p mod w. While it is being drawn its slot is rewritten at every
    pass; ``advance`` moves on. Rollouts in a batch may stand at different positions.
    """

    def __init__(self, layers: list[int], keys: list[Tensor], values: list[Tensor], position: Tensor) -> None:
        self.layers, self.keys, self.values, self.position = layers, keys, values, position

    @classmethod
    def empty(cls, dynamics: Dynamics, batch: int) -> RingCache:
        """A cache in which every rollout stands before its first frame."""
        c = dynamics.config
        weight = dynamics.embed.weight
        shape = (batch, c.frame_tokens, c.context_frames, c.kv_heads, c.head_dim)
        layers = dynamics.time_layers
        keys = [torch.zeros(shape, dtype=weight.dtype, device=weight.device) for _ in layers]
        values = [torch.zeros_like(key) for key in keys]
        return cls(layers, keys, values, torch.zeros(batch, dtype=torch.int64, device=weight.device))

    @property
    def window(self) -> int:
        """Frames that are remembered, the present one included."""
        return self.keys[0].shape[2]

    @property
    def nbytes(self) -> int:
        """Memory of the buffers; constant over a rollout."""
        return sum(x.nbytes for x in (*self.keys, *self.values))

    def positions(self) -> Tensor:
        """Index of the frame being processed in each rollout, (b,) int64."""
        return self.position

    def update(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Place the current frame's key and value (b, s, g, e); see ``worldsim.dynamics.attention.TimeCache``."""
        i = self.layers.index(layer)
        keys, values = self.keys[i], self.values[i]
        rows, slot = torch.arange(len(self.position), device=key.device), self.position % self.window
        keys[rows, :, slot] = key.to(keys.dtype)
        values[rows, :, slot] = value.to(values.dtype)
        if bool((self.position >= self.window - 1).all()):
            return keys, values, None
        filled = torch.arange(self.window, device=key.device)[None] <= self.position[:, None]
        return keys, values, filled

    def advance(self) -> None:
        """Keep the current frame and stand before the next."""
        self.position += 1

    def select(self, index: Tensor) -> RingCache:
        """A copy with the rollouts at ``index`` (k,)."""
        return RingCache(
            self.layers, [x[index] for x in self.keys], [x[index] for x in self.values], self.position[index]
        )

    def put(self, index: Tensor, other: RingCache) -> None:
        """Overwrite the rollouts at ``index`` (k,) by those of ``other``."""
        for mine, theirs in zip((*self.keys, *self.values), (*other.keys, *other.values), strict=True):
            mine[index] = theirs
        self.position[index] = other.position
