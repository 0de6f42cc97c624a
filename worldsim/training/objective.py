"""The loss of the dynamics on one batch of clips: shortcut forcing and the state heads.

Axis legend: b clips, t frames, n latent tokens, d latent channels, k captions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from worldsim.diffusion.path import noisy, ramp_weight
from worldsim.diffusion.shortcut import Levels, flow_levels, shortcut_levels, shortcut_target
from worldsim.dynamics.conditioning import FrameCondition, Scene
from worldsim.dynamics.heads import head_loss
from worldsim.dynamics.transformer import Dynamics
from worldsim.world_model import denoiser


@dataclass
class ObjectiveConfig:
    """Weights and rates of the training objective."""

    context_fraction: float = 0.5  # of frames noised as lightly as past frames are at rollout time
    bootstrap_fraction: float = 0.25  # of clips that train large steps
    bootstrap_after: int = 1000  # steps of plain denoising before large steps are trained
    head_weight: float = 0.1
    drop_scene: float = 0.1  # of clips with neither fields nor text
    drop_text: float = 0.2  # of clips without text
    drop_field: float = 0.15  # of each field
    drop_motion: float = 0.05  # of clips without ego motion


@dataclass(frozen=True)
class ClipBatch:
    """Clips as the objective takes them, on the model's device."""

    latents: Tensor  # (b, t, n, d) standardised
    motion: Tensor  # (b, t, m); ``motion[:, t]`` led into frame t
    motion_known: Tensor  # (b, t) bool
    targets: Tensor  # (b, t, heads), NaN where unknown
    command: Tensor  # (b, t) int64
    scene: Scene

    def condition(self, levels: Levels) -> FrameCondition:
        return FrameCondition(levels.signal, levels.step, self.motion, self.motion_known, self.command)

    def head(self, count: int) -> ClipBatch:
        """The first ``count`` clips."""
        index = torch.arange(count, device=self.latents.device)
        return ClipBatch(
            self.latents[:count], self.motion[:count], self.motion_known[:count], self.targets[:count],
            self.command[:count], self.scene.select(index),
        )  # fmt: skip


def drop_conditions(batch: ClipBatch, config: ObjectiveConfig, generator: torch.Generator) -> ClipBatch:
    """Hide motion, text and fields of random clips, so that the model also works without them."""

    def chance(p: float, *shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, device=generator.device) < p

    b, scene = len(batch.latents), batch.scene
    everything = chance(config.drop_scene, b)
    text_known = scene.text_known & ~everything & ~chance(config.drop_text, b)
    hide = everything[:, None] | chance(config.drop_field, *scene.fields.shape)
    scene = Scene(torch.where(hide, 0, scene.fields), scene.text, text_known)
    motion_known = batch.motion_known & ~chance(config.drop_motion, b)[:, None]
    return replace(batch, scene=scene, motion_known=motion_known)


def objective(
    dynamics: Dynamics, batch: ClipBatch, config: ObjectiveConfig, generator: torch.Generator, bootstrap: bool = True
) -> tuple[Tensor, dict[str, float]]:
    """Mean ramp-weighted squared error in x-space plus head losses, and its parts."""
    b, t = batch.latents.shape[:2]
    finest = dynamics.config.finest_steps
    large = round(config.bootstrap_fraction * b) if bootstrap and finest > 1 else 0
    flow = flow_levels(b - large, t, config.context_fraction, generator)
    jump = shortcut_levels(large, t, finest, config.context_fraction, generator)
    levels = Levels(torch.cat((jump.signal, flow.signal)), torch.cat((jump.step, flow.step)))
    noise = torch.randn(batch.latents.shape, generator=generator, device=generator.device)
    x = noisy(batch.latents, noise, levels.signal)
    goal = batch.latents
    if large:
        teacher = denoiser(dynamics, batch.head(large).condition(jump), batch.head(large).scene)
        target = shortcut_target(teacher, x[:large], jump, finest)
        plain = (jump.step == 0)[..., None, None]
        goal = torch.cat((torch.where(plain, goal[:large], target), goal[large:]))
    seen = dynamics(x, batch.condition(levels), batch.scene)
    weight = ramp_weight(levels.signal)
    error = (seen.latents.float() - goal).square().mean(dim=(2, 3))
    picture = (weight * error).mean()
    heads, parts = head_loss(seen.state, batch.targets, weight)
    values = {"picture": picture, "heads": heads, "flow_error": error[large:].mean()}
    if large:
        values["jump_error"] = error[:large].mean()
    values |= {f"head/{name}": value for name, value in parts.items()}
    return picture + config.head_weight * heads, {name: float(value.detach()) for name, value in values.items()}
