"""What a world draws of recorded drives, beside what was to be seen: the pictures that its decoder will have to paint.

Axis legend: k frames, b drives at a time, v views, h w c of a picture, n latent tokens, d latent channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from worldsim.engine import Engine, EngineConfig
from worldsim.evaluation.rollouts import CONTEXT_FRAMES, Drives, excerpt, read_context
from worldsim.tensor_file import TensorFile
from worldsim.types import Episode
from worldsim.world_model import WorldModel

FILE = TensorFile("drawn frames", "drawn", version=1, again="remove it, and they are drawn anew")
FILE_NAME = "drawn.safetensors"


@dataclass
class DrawnConfig:
    """Which frames a world draws for its decoder to learn from."""

    frames: int = 6_000
    horizon: int = 8  # frames that are drawn after those that were seen
    every: int = 1  # of the drawn frames every so-manieth is kept
    passes: list[int] = field(default_factory=lambda: [1, 2, 4])  # sampling passes, in turn
    batch: int = 16  # drives at a time

    def __post_init__(self) -> None:
        if min(self.frames, self.horizon, self.every, self.batch, *self.passes) < 1 or self.every > self.horizon:
            raise ValueError(f"drawn: expected whole numbers from 1 on, and every <= horizon, got {self}")


@dataclass(frozen=True)
class DrawnFrames:
    """Latents that a world drew, as its tokenizer has them, and the frames that the camera saw instead."""

    latents: Tensor  # (k, n, d) float16, within the tokenizer's bounds
    frames: Tensor  # (k, h, w, 3) uint8

    def __len__(self) -> int:
        return len(self.latents)

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Latents (b, n, d) float32 and frames (b, h, w, 3), drawn evenly with replacement."""
        picked = torch.randint(len(self), (count,), generator=generator, device=generator.device).cpu()
        return self.latents[picked].float(), self.frames[picked]

    def save(self, folder: Path, made_by: dict[str, Any]) -> None:
        """Write them to ``folder``, atomically, with a note of what made them."""
        FILE.write(folder / FILE_NAME, {"latents": self.latents, "frames": self.frames}, {"made_by": made_by})

    @classmethod
    def load(cls, folder: Path, made_by: dict[str, Any]) -> DrawnFrames | None:
        """Those that lie in ``folder``, or None. ValueError where something else made them."""
        path = folder / FILE_NAME
        if not path.is_file():
            return None
        tensors, header = FILE.read(path)
        other = [name for name, value in made_by.items() if header["made_by"].get(name) != value]
        if other:
            raise ValueError(
                f"{path}: expected frames drawn with the same {' and '.join(other)} as now asked for, found others; "
                "give the settings that they were drawn with, or another loop.out"
            )
        return cls(**tensors)


def draw_frames(
    world: WorldModel, episodes: Iterable[Episode], config: DrawnConfig, seed: int
) -> Iterator[DrawnFrames]:
    """Rolls ``world`` out from somewhere in each of ``episodes``, a batch at a time, under the motion that was driven.

    Goes round until there are enough frames. Raises ValueError where no episode is long enough.
    """
    chance, length = np.random.default_rng(seed), CONTEXT_FRAMES + config.horizon
    long = [episode for episode in episodes if len(episode) >= length]
    if not long:
        raise ValueError(
            f"drawn: expected episodes of at least {length} frames (context and horizon), found none; "
            "record longer ones, or lower drawn.horizon"
        )
    engines = [Engine(world, EngineConfig(steps=passes, start_steps=1)) for passes in config.passes]
    drives = cycle([long[k] for k in chance.permutation(len(long))])
    made = 0
    for engine in cycle(engines):
        group = [next(drives) for _ in range(config.batch)]
        firsts = [int(chance.integers(len(episode) - length + 1)) for episode in group]
        cut = [excerpt(episode, first, first + length) for episode, first in zip(group, firsts, strict=True)]
        seeds = chance.integers(2**31, size=len(cut)).tolist()
        part = _rolled(engine, cut, seeds, config)
        kept = min(len(part), config.frames - made)
        made += kept
        yield DrawnFrames(part.latents[:kept], part.frames[:kept])
        if made >= config.frames:
            return


def joined(parts: Iterable[DrawnFrames]) -> DrawnFrames:
    """All of them as one."""
    latents, frames = zip(*((part.latents, part.frames) for part in parts), strict=True)
    return DrawnFrames(torch.cat(latents), torch.cat(frames))


def _rolled(engine: Engine, cut: list[Episode], seeds: list[int], config: DrawnConfig) -> DrawnFrames:
    world, drives = engine.world, Drives.of(cut, engine.world)
    state, _ = read_context(engine, drives, seeds, CONTEXT_FRAMES)
    views, latents, frames = max(1, len(world.cameras)), [], []
    for t in range(CONTEXT_FRAMES, CONTEXT_FRAMES + config.horizon):
        step = engine.step(state, drives.motion[:, t], drives.command[:, t])
        if (t - CONTEXT_FRAMES + 1) % config.every == 0:
            drawn = rearrange(step.latents, "b (v n) d -> (b v) n d", v=views)
            latents.append(world.scale.restore(drawn).half().cpu())
            seen = torch.from_numpy(drives.reference(t))  # (b, h, w, c), with cameras (b, v, h, w, c)
            frames.append(seen.flatten(0, seen.ndim - 4))
    return DrawnFrames(torch.cat(latents), torch.cat(frames))
