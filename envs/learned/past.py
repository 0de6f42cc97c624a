"""What the model has just seen, kept beside its memory: from it the memory can be made anew in another scene.

Axis legend: b drives, t frames, n latent tokens, d latent channels, m motion.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from worldsim.dynamics.conditioning import Scene
from worldsim.engine import Engine, EngineConfig, RolloutState, Step
from worldsim.prompting.editing import KEEP
from worldsim.world_model import WorldModel

from .core import DriveCore
from .drives import Drives, Index

FRAMES = 12
"""As many as a recorded start has. More take longer and look no better: docs/log.md."""
REDRAWING_PASSES = 8  # from pure noise; what is kept of a frame spares most of them


@dataclass(frozen=True)
class Past:
    """The last frames of b drives, the present one last; at most FRAMES of them."""

    latents: Tensor  # (b, t, n, d) standardised
    motion: Tensor  # (b, t, m) that led into each frame; NaN: not known

    @classmethod
    def of_beginning(cls, core: DriveCore) -> Past:
        """What the drives of ``core`` have seen that have just begun, all from the bank or all imagined."""
        drives = core.drives
        if core.bank is not None and drives.start[0] >= 0:
            latents, motion = core.bank.context(drives.start)
            return cls(latents[:, -FRAMES:], motion[:, -FRAMES:])
        return cls(drives.latents[:, None], torch.from_numpy(drives.motion)[:, None])

    def then(self, drives: Drives) -> Past:
        """With the frame at which ``drives`` stand now."""
        latents = torch.cat([self.latents, drives.latents[:, None].to(self.latents.device)], dim=1)
        motion = torch.cat([self.motion, torch.from_numpy(drives.motion)[:, None]], dim=1)
        return Past(latents[:, -FRAMES:], motion[:, -FRAMES:])

    def select(self, index: Index) -> Past:
        """That of the drives at ``index`` (k,); an index may repeat."""
        rows = torch.from_numpy(index)
        return Past(self.latents[rows], self.motion[rows])

    def redrawn(self, world: WorldModel, rollout: RolloutState, scene: Scene, command: Index) -> Redrawn:
        """All of it as it looks in ``scene``. ``rollout`` stands at its end, ``command`` (b,) is the route command.

        Each frame is sketched and drawn on from there (``Engine.redraw``), so that roads stay where they are.
        """
        passes = min(REDRAWING_PASSES, world.config.dynamics.finest_steps)
        engine = Engine(world, EngineConfig(steps=1, start_steps=passes))
        seeds = [generator.initial_seed() % 2**31 for generator in rollout.generators]
        state, source = engine.empty(scene, seeds), engine.empty(rollout.scene, seeds)
        latents, told = self.latents.to(world.device), torch.from_numpy(command)
        motion = self.motion.clone()
        motion[:, 0] = np.nan  # nothing is known before the first frame
        steps = [engine.redraw(state, source, latents[:, t], motion[:, t], KEEP, told) for t in range(latents.shape[1])]
        return Redrawn(state, steps[-1], Past(torch.stack([step.latents for step in steps], dim=1), self.motion))


@dataclass(frozen=True)
class Redrawn:
    """A past in another scene: the memory of it, its last frame, and the frames themselves."""

    rollout: RolloutState
    step: Step
    past: Past
