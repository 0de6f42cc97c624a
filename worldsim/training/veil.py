"""What lies over a remembered past: thinly or thickly, other frames that it has to be told from.

Axis legend: b clips, t frames, n latent tokens, d latent channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Veil:
    """Latents (b, t, n, d) that lie over a past, and how thickly: (b, t, n) from 0, not at all, to 1."""

    latents: Tensor
    thickness: Tensor

    def over(self, past: Tensor) -> Tensor:
        """``past`` (b, t, n, d) seen through it."""
        return torch.lerp(past, self.latents, self.thickness[..., None])

    @property
    def clear(self) -> Tensor:
        """Whether nothing lies over a clip, (b,) bool."""
        return self.thickness.flatten(1).amax(1) == 0
