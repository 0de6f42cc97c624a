"""How far a picture has come apart, by its looks: what trust is made of, beside the model's disagreement with itself.

Axis legend: b rollouts, s tokens of a frame as they leave the last block (the state token last), w width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Looks(nn.Module):
    """How far a frame that looks so usually is from what would truly be seen, and how long ago that seems to have been.

    The first is the rms distance of standardised latents, the second the seconds of a rollout. The one tells of things
    that are in the wrong place, the other of pictures that dissolve, which are near to any. The tokens that are read
    know the frame and the past that it claims to follow. Fitted to rollouts along recorded drives
    (``worldsim.evaluation.looks``), where the truth is known.
    """

    scale: Tensor

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.token = nn.Linear(width, hidden)
        self.state = nn.Linear(width, hidden)
        self.inner, self.out = nn.Linear(3 * hidden, hidden), nn.Linear(hidden, 2)
        # Of error and age: up to where they take nothing from trust, and where they take half.
        self.register_buffer("scale", torch.tensor([[0.0, 0.0], [1.0, 1.0]]))

    def doubt(self, tokens: Tensor) -> Tensor:
        """(b, s, w) -> (b,): 0 for a frame that looks as good as any, 1 where it is to be trusted by half."""
        low, half = self.scale
        return ((self(tokens) - low) / (half - low)).clamp_min(0.0).square().sum(dim=-1).sqrt()

    def forward(self, tokens: Tensor) -> Tensor:
        """(b, s, w) -> error and age (b, 2), above 0."""
        drawn = F.silu(self.token(tokens[:, :-1]))
        pooled = (drawn.mean(dim=1), drawn.amax(dim=1), F.silu(self.state(tokens[:, -1])))
        return self.out(F.silu(self.inner(torch.cat(pooled, dim=-1)))).exp()
