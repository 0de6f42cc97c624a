"""Clips whose past the world drew itself, frame after frame, as it will in a rollout.

A model that only ever goes on from true frames has no answer to its own faults, and they grow. So now and then a few
drives are rolled out with the weights as they are, under the motion that was driven, and the model learns what was
truly to be seen next after what it drew (data as demonstrator: Venkatraman et al. 2015; learning from hallucinated
pasts: Talvitie 2014). Where the vehicle is by then is not where it truly was, so the motion that leads from what was
drawn to what was truly seen is found anew (``worldsim.training.registration``).

Axis legend: b clips, t frames, n latent tokens, d latent channels.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from worldsim.data.clips import ClipShape
from worldsim.engine import Engine, EngineConfig
from worldsim.training.objective import ClipBatch, Past, led
from worldsim.world_model import WorldModel


@dataclass
class RolledConfig:
    """How often the dynamics goes on from what it drew, and how that is drawn.

    ``seen`` true frames come first, then ``horizon`` drawn ones; a clip for training is a window of these, most often
    an early one. ValueError for numbers that leave nothing to draw.
    """

    share: float = 0.0  # of the training steps
    shape: ClipShape = field(default_factory=lambda: ClipShape(4, 36))  # of such a step
    seen: int = 8
    horizon: int = 88
    drives: int = 16  # rolled out together
    held: int = 4  # such groups at a time
    every: int = 60  # steps after which the oldest group makes room for one of the weights as they are
    passes: list[int] = field(default_factory=lambda: [1, 2, 4])  # sampling passes a frame, in turn

    def __post_init__(self) -> None:
        if not 0.0 <= self.share < 1.0:
            raise ValueError(f"rolled.share: expected a share of the steps in [0, 1), got {self.share}")
        if min(self.seen, self.horizon, self.drives, self.held, self.every, *self.passes) < 1 or not self.passes:
            raise ValueError(f"rolled: expected whole numbers from 1 on, got {self}")
        if self.shape.frames > self.seen + self.horizon:
            raise ValueError(
                f"rolled.shape: expected clips of at most seen + horizon = {self.seen + self.horizon} frames, "
                f"got {self.shape.frames}"
            )


class Clips(Protocol):
    """Where drives come from."""

    def draw(self, shape: ClipShape, generator: np.random.Generator) -> ClipBatch:
        """Clips drawn at random, as many and as long as ``shape`` says."""
        ...


class RolledClips:
    """The drives that were rolled out last, and clips cut from them.

    They are not part of what a checkpoint holds: a run that is resumed rolls out anew.
    """

    def __init__(self, config: RolledConfig, source: Clips, seed: int) -> None:
        self.config, self.source, self.seed = config, source, seed
        self.groups: deque[tuple[ClipBatch, Past]] = deque(maxlen=config.held)
        self.rolled_at = 0

    def due(self, step: int) -> bool:
        """Whether the world should be rolled out again before ``step``."""
        return not self.groups or step - self.rolled_at >= self.config.every

    def roll(self, world: WorldModel, step: int) -> None:
        """Roll ``world`` out along fresh drives; the oldest make room."""
        c, chance = self.config, np.random.default_rng((self.seed, step, 1))
        batch = self.source.draw(ClipShape(c.drives, c.seen + c.horizon), chance)
        passes = c.passes[int(chance.integers(len(c.passes)))]
        engine = Engine(world, EngineConfig(steps=passes, start_steps=1))
        seeds = chance.integers(2**31, size=len(batch.latents)).tolist()
        self.groups.append((batch, led(world.dynamics, batch, rolled_out(engine, batch, c.seen, seeds))))
        self.rolled_at = step

    def draw(self, step: int) -> tuple[ClipBatch, Past]:
        """Clips and, as their past, what was drawn in their place, true frames where seen."""
        chance, shape = np.random.default_rng((self.seed, step, 2)), self.config.shape
        batch, past = self.groups[int(chance.integers(len(self.groups)))]
        count, length = past.latents.shape[:2]
        clips = torch.from_numpy(chance.permutation(count)[: shape.clips])
        first = int((length - shape.frames + 1) * chance.random() ** 2)
        times = slice(first, first + shape.frames)
        window = _window(batch, clips, times)
        leads = torch.where(window.motion_known[..., None], past.leads[clips, times], 0.0)
        return window, Past(past.latents[clips, times], leads)


def rolled_out(engine: Engine, batch: ClipBatch, seen: int, seeds: list[int]) -> Tensor:
    """Latents (b, t, n, d): the first ``seen`` of the batch's own, and what ``engine`` draws after them."""
    motion = torch.where(batch.motion_known[..., None], batch.motion, float("nan"))
    state, _ = engine.start(batch.latents[:, :seen], motion[:, :seen], batch.scene, seeds)
    drawn = [engine.step(state, motion[:, t]).latents for t in range(seen, batch.latents.shape[1])]
    return torch.cat((batch.latents[:, :seen], torch.stack(drawn, dim=1)), dim=1)


def _window(batch: ClipBatch, clips: Tensor, times: slice) -> ClipBatch:
    """Frames ``times`` of some clips; what led into the first is not known, as in any clip."""
    known = batch.motion_known[clips, times].clone()
    known[:, 0] = False
    return replace(
        batch, latents=batch.latents[clips, times],
        motion=torch.where(known[..., None], batch.motion[clips, times], 0.0), motion_known=known,
        targets=batch.targets[clips, times], command=batch.command[clips, times],
        scene=batch.scene.select(clips), vehicles=batch.vehicles[clips, times],
    )  # fmt: skip
