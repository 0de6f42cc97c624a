"""The ring buffer behind streaming time attention: fixed memory, fixed cost, any length of rollout.

Axis legend: b rollouts, s tokens of a frame, w window slots, g kv heads, e head size.
"""

from __future__ import annotations

import torch
from torch import Tensor

from worldsim.dynamics.attention import TimeAttention
from worldsim.dynamics.transformer import Dynamics
from worldsim.engine.fused import Window


class RingCache:
    """Keys and values of the last ``w`` frames of each rollout, in every layer that attends over time.

    The frame at position p lives in slot p mod w. While it is being drawn its slot is rewritten at every
    pass; ``advance`` moves on. Rollouts in a batch may stand at different positions.
    """

    def __init__(self, keys: list[Tensor], values: list[Tensor], position: Tensor) -> None:
        self.keys, self.values, self.position = keys, values, position

    @classmethod
    def empty(
        cls, dynamics: Dynamics, batch: int, dtype: torch.dtype = torch.float32, window: int | None = None
    ) -> RingCache:
        """A cache in which every rollout stands before its first frame; ``window`` of it, or as the dynamics has."""
        c, device = dynamics.config, dynamics.embed.weight.device
        shape = (batch, c.frame_tokens, window or c.context_frames, c.kv_heads, c.head_dim)
        layers = sum(isinstance(each.layer, TimeAttention) for each in dynamics.layers)
        keys = [torch.zeros(shape, dtype=dtype, device=device) for _ in range(layers)]
        values = [torch.zeros_like(key) for key in keys]
        return cls(keys, values, torch.zeros(batch, dtype=torch.int64, device=device))

    @property
    def window(self) -> int:
        """Frames that are remembered, the present one included."""
        return self.keys[0].shape[2]

    @property
    def nbytes(self) -> int:
        """Memory of the buffers; constant over a rollout."""
        return sum(x.nbytes for x in (*self.keys, *self.values))

    def windows(self, turns: tuple[Tensor, Tensor]) -> list[Window]:
        """The window of each layer, with room for the present frame, at whose moment ``turns`` turn."""
        slots, rows = self.position % self.window, torch.arange(len(self.position), device=self.position.device)
        place: tuple[slice | Tensor, slice, int | Tensor] = (rows, slice(None), slots)
        if bool((slots == slots[:1]).all()):  # plain slices are faster to write
            place = (slice(None), slice(None), int(slots[:1].sum()))
        hidden = None
        if bool((self.position < self.window - 1).any()):
            empty = torch.arange(self.window, device=self.position.device) > self.position[:, None]
            hidden = torch.zeros(empty.shape, device=empty.device).masked_fill(empty, -torch.inf)[:, None, None, None]
        return [Window(keys, values, place, turns, hidden) for keys, values in zip(self.keys, self.values, strict=True)]

    def advance(self) -> None:
        """Keep the current frame and stand before the next."""
        self.position += 1

    def select(self, index: Tensor) -> RingCache:
        """A copy with the rollouts at ``index`` (k,)."""
        return RingCache([x[index] for x in self.keys], [x[index] for x in self.values], self.position[index])

    def put(self, index: Tensor, other: RingCache) -> None:
        """Overwrite the rollouts at ``index`` (k,) by those of ``other``."""
        for mine, theirs in zip((*self.keys, *self.values), (*other.keys, *other.values), strict=True):
            mine[index] = theirs
        self.position[index] = other.position
