"""Mending: what was drawn from memory is, now and then, drawn on by who remembers nothing.

What a rollout draws it remembers, so its faults feed on themselves: after five to ten seconds pictures glow, darken or
turn into another scene's. Shown a noised picture and the scene, but no past, the same model knows no such faults: it
keeps what shines through the noise and draws the rest as pictures of that scene look (SDEdit, Meng et al. 2021, with
the model's own start frames as the prior). The worse a picture looks, the less of it is kept; one that looks fine is
let be. Who remembers nothing draws the vehicle where vehicles usually are, in its lane, and a bend that is mended is
another bend; so nothing is mended for the first six seconds, in which what was seen is the better guide, steering away
must show, and policies learn.

A mended picture looks fine and is made up, so each time trust has less of what was seen to go by.

Axis legend: b rollouts, k of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

AFTER = 60
"""Frames in a row that were drawn before the first one is mended."""
STEPS = 4
"""Passes that a whole picture would take; those that its kept share stands for are spared."""
WORSE = (0.4, 0.6, 1.0, 1.7)
"""Doubt by the looks of a picture from which a quarter less of it is kept: three, two, one and no quarter."""


@dataclass
class Wear:
    """How far each of b rollouts has come from what was seen."""

    alone: Tensor  # (b,) int64, frames drawn since the last one that was seen
    doubt: Tensor  # (b,) by the looks of its last frame
    invented: Tensor  # (b,) in [0, 1], the share of what was seen that mending has replaced

    @classmethod
    def none(cls, count: int, device: torch.device) -> Wear:
        """Of ``count`` rollouts that have drawn nothing yet."""
        zeros = torch.zeros(count, device=device)
        return cls(zeros.long(), zeros, zeros.clone())

    def seen(self) -> None:
        """Every rollout has just been shown a frame."""
        self.alone, self.invented = torch.zeros_like(self.alone), torch.zeros_like(self.invented)

    def select(self, index: Tensor) -> Wear:
        """A copy of the rows at ``index`` (k,)."""
        return Wear(self.alone[index], self.doubt[index], self.invented[index])

    def put(self, index: Tensor, other: Wear) -> None:
        """Overwrite the rows at ``index`` (k,) by those of ``other``."""
        for mine, theirs in zip(vars(self).values(), vars(other).values(), strict=True):
            mine[index] = theirs

    def due(self, every: int) -> list[tuple[Tensor, int]]:
        """Rollouts whose frame is to be mended, each ``every``-th (0: none): rows (k,) and of STEPS those to spare."""
        if not every:
            return []
        now = (self.alone >= AFTER) & ((self.alone - AFTER) % every == 0)
        spared = STEPS - torch.bucketize(self.doubt, torch.tensor(WORSE, device=self.doubt.device))  # all: let be
        rows = [(torch.nonzero(now & (spared == taken))[:, 0], taken) for taken in range(STEPS)]
        return [(each, taken) for each, taken in rows if len(each)]

    def mended(self, rows: Tensor, taken: int) -> None:
        """Of the rollouts ``rows`` (k,), ``taken`` of STEPS were kept."""
        self.invented[rows] = 1.0 - (1.0 - self.invented[rows]) * taken / STEPS
