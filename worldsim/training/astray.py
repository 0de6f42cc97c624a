"""Pasts that come apart as those of long rollouts do, while what is to be seen next stays what it truly was.

After five or ten seconds a rollout's pictures fade, glow or turn into another scene's. Whoever learns to go on from
own rollouts to what was truly seen (Venkatraman et al. 2015; Talvitie 2014) also learns to leave the motion aside,
since by then the vehicle is elsewhere. So faults and places are kept apart here: what other drives had become, late in
a rollout of the weights as they are, is laid over the true frames of a clip, in parts of the picture or all of it, more
and more as time goes by. Where true frames shine through, everything is where it was; where none do, only the scene
says what belongs there.

Axis legend: b clips, t frames, n latent tokens, d latent channels, v views, r c rows and columns of a view's tokens.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from worldsim.data.clips import ClipShape
from worldsim.engine import Engine, EngineConfig
from worldsim.training.objective import ClipBatch
from worldsim.training.veil import Veil
from worldsim.views import Views
from worldsim.world_model import WorldModel

GROWS_OVER = (1.0, 12.0)
"""Frames in which a veil becomes as thick as it gets."""
PATCHES = (2, 3)
"""Rows and columns of the coarse grid on which it is thick or thin, where it does not lie everywhere."""


@dataclass
class AstrayConfig:
    """How often and how far a clip's past has come apart, and how drives are rolled out for it.

    ValueError for numbers that are no shares, or that leave nothing to draw.
    """

    share: float = 0.0  # of the clips
    least: float = 0.2  # how thick a veil is at its thickest, from
    most: float = 0.9  # to
    good: int = 30  # first drawn frames of a rollout, which are held to be good still
    seen: int = 8  # true frames at its start
    horizon: int = 120  # drawn ones
    drives: int = 16  # rolled out together
    held: int = 6  # such groups at a time
    every: int = 60  # steps after which the oldest group makes room for one of the weights as they are
    passes: list[int] = field(default_factory=lambda: [1, 2, 4])  # sampling passes a frame, by turns at random

    def __post_init__(self) -> None:
        if not 0.0 <= self.share < 1.0:
            raise ValueError(f"astray.share: expected a share of the clips in [0, 1), got {self.share}")
        if not 0.0 <= self.least <= self.most <= 1.0:
            raise ValueError(f"astray: expected 0 <= least <= most <= 1, got least={self.least} and most={self.most}")
        if min(self.seen, self.horizon, self.drives, self.held, self.every, *self.passes) < 1 or not self.passes:
            raise ValueError(f"astray: expected whole numbers from 1 on, got {self}")
        if not 0 <= self.good < self.horizon:
            raise ValueError(f"astray.good: expected fewer frames than horizon={self.horizon}, got {self.good}")


class Clips(Protocol):
    """Where drives come from."""

    def draw(self, shape: ClipShape, generator: np.random.Generator) -> ClipBatch:
        """Clips drawn at random, as many and as long as ``shape`` says."""
        ...


class Veils:
    """Veils made of what drives had become late in rollouts.

    They are not part of what a checkpoint holds: a run that is resumed rolls out anew.
    """

    def __init__(self, config: AstrayConfig, source: Clips, seed: int) -> None:
        self.config, self.source, self.seed = config, source, seed
        self.groups: deque[Tensor] = deque(maxlen=config.held)  # each (b, t, n, d)
        self.rolled_at = 0

    def due(self, step: int) -> bool:
        """Whether the world should be rolled out again before ``step``."""
        return bool(self.config.share) and (not self.groups or step - self.rolled_at >= self.config.every)

    def roll(self, world: WorldModel, step: int) -> None:
        """Roll ``world`` out along fresh drives; what the oldest had become makes room."""
        c, chance = self.config, np.random.default_rng((self.seed, step, 1))
        batch = self.source.draw(ClipShape(c.drives, c.seen + c.horizon), chance)
        passes = c.passes[int(chance.integers(len(c.passes)))]
        seeds = chance.integers(2**31, size=len(batch.latents)).tolist()
        drawn = rolled_out(Engine(world, EngineConfig(steps=passes, start_steps=1)), batch, c.seen, seeds)
        self.groups.append(drawn[:, c.seen + c.good :])
        self.rolled_at = step

    def draw(self, step: int, clips: int, frames: int, views: Views) -> Veil | None:
        """A veil for each of ``clips`` of ``frames``, over ``astray.share`` of them; none where that is 0."""
        if not self.config.share:
            return None
        chance = np.random.default_rng((self.seed, step, 2))
        late = torch.cat(list(self.groups))
        rows = torch.from_numpy(chance.integers(len(late), size=clips))
        first = torch.from_numpy(chance.integers(max(1, late.shape[1] - frames + 1), size=clips))
        times = (first[:, None] + torch.arange(frames)).clamp(max=late.shape[1] - 1)
        return Veil(late[rows[:, None], times], self._thickness(clips, frames, views, chance).to(late))

    def _thickness(self, clips: int, frames: int, views: Views, chance: np.random.Generator) -> Tensor:
        """How thick, (b, t, n): from some moment on, which may lie before the clip, over some frames."""
        c = self.config
        most = np.where(chance.random(clips) < c.share, chance.uniform(c.least, c.most, clips), 0.0)
        begins, takes = chance.uniform(-frames, frames, clips), chance.uniform(*GROWS_OVER, clips)
        grown = most[:, None] * ((np.arange(frames) - begins[:, None]) / takes[:, None]).clip(0.0, 1.0)
        coarse = torch.from_numpy(3.0 * chance.standard_normal((clips, views.count, *PATCHES)))
        fine = F.interpolate(coarse, size=(views.rows, views.columns), mode="bilinear", align_corners=True).sigmoid()
        everywhere = torch.from_numpy(chance.random(clips) < 0.5)[:, None]
        where = torch.where(everywhere, 1.0, rearrange(fine, "b v r c -> b (v r c)"))
        return torch.from_numpy(grown)[:, :, None] * where[:, None]


def rolled_out(engine: Engine, batch: ClipBatch, seen: int, seeds: list[int]) -> Tensor:
    """Latents (b, t, n, d): the first ``seen`` of the batch's own, and what ``engine`` draws after them."""
    motion = torch.where(batch.motion_known[..., None], batch.motion, float("nan"))
    state, _ = engine.start(batch.latents[:, :seen], motion[:, :seen], batch.scene, seeds)
    drawn = [engine.step(state, motion[:, t]).latents for t in range(seen, batch.latents.shape[1])]
    return torch.cat((batch.latents[:, :seen], torch.stack(drawn, dim=1)), dim=1)
