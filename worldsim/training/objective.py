"""The loss of the dynamics on one batch of clips: shortcut forcing and the state heads.

Axis legend: b clips, t frames, n latent tokens, d latent channels, k captions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from worldsim.diffusion.path import noisy, ramp_weight
from worldsim.diffusion.shortcut import PAST_SIGNAL, Levels, flow_levels, shortcut_levels, shortcut_target
from worldsim.dynamics.conditioning import FrameCondition, Scene
from worldsim.dynamics.heads import head_loss
from worldsim.dynamics.transformer import Dynamics
from worldsim.world_model import denoiser


@dataclass
class ObjectiveConfig:
    """Weights and rates of the training objective."""

    context_fraction: float = 0.5  # of frames noised as lightly as past frames are at rollout time
    bootstrap_fraction: float = 0.25  # of clips that train large steps
    own_fraction: float = 0.5  # of the other clips, whose past is what the model itself drew
    bootstrap_after: int = 1000  # steps of plain denoising before large steps, or an own past, are trained
    noise_weight: float = 0.1  # of a frame of pure noise, where the layout is decided; a clean one weighs 1
    vehicle_weight: float = 2.0  # extra weight of a token that a vehicle touches
    head_weight: float = 0.1
    drop_scene: float = 0.1  # of clips with neither fields nor text
    drop_text: float = 0.2  # of clips without text
    drop_fields: float = 0.3  # of clips with text: words alone must then say what the scene is
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
    vehicles: Tensor  # (b, t, n) bool, tokens that a vehicle touches

    def condition(self, levels: Levels) -> FrameCondition:
        return FrameCondition(levels.signal, levels.step, self.motion, self.motion_known, self.command)

    def cut(self, first: int, end: int) -> ClipBatch:
        """Clips ``first`` to ``end``."""
        part = slice(first, end)
        return ClipBatch(
            self.latents[part], self.motion[part], self.motion_known[part], self.targets[part], self.command[part],
            self.scene.select(torch.arange(first, end, device=self.latents.device)), self.vehicles[part],
        )  # fmt: skip


def drop_conditions(batch: ClipBatch, config: ObjectiveConfig, generator: torch.Generator) -> ClipBatch:
    """Hide motion, text and fields of random clips, so that the model also works without them."""

    def chance(p: float, *shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, device=generator.device) < p

    b, scene = len(batch.latents), batch.scene
    everything = chance(config.drop_scene, b)
    text_known = scene.text_known & ~everything & ~chance(config.drop_text, b)
    wordy = text_known & chance(config.drop_fields, b)
    hide = (everything | wordy)[:, None] | chance(config.drop_field, *scene.fields.shape)
    scene = Scene(torch.where(hide, 0, scene.fields), scene.text, text_known)
    motion_known = batch.motion_known & ~chance(config.drop_motion, b)[:, None]
    return replace(batch, scene=scene, motion_known=motion_known)


def objective(
    dynamics: Dynamics, batch: ClipBatch, config: ObjectiveConfig, generator: torch.Generator, mature: bool = True
) -> tuple[Tensor, dict[str, float]]:
    """Mean ramp-weighted squared error in x-space plus head losses, and its parts.

    The first clips train large steps, the last ones go on from what the model drew itself, those between are plain;
    all are plain unless the model is ``mature``.
    """
    b, t = batch.latents.shape[:2]
    finest = dynamics.config.finest_steps
    large = round(config.bootstrap_fraction * b) if mature and finest > 1 else 0
    own = round(config.own_fraction * (b - large)) if mature and t > 1 else 0
    flow = flow_levels(b - large, t, config.context_fraction, generator)
    jump = shortcut_levels(large, t, finest, config.context_fraction, generator)
    levels = Levels(torch.cat((jump.signal, flow.signal)), torch.cat((jump.step, flow.step)))
    noise = torch.randn(batch.latents.shape, generator=generator, device=generator.device)
    clean = batch.latents
    if own:
        drawn = own_past(dynamics, batch.cut(b - own, b), config.context_fraction, generator)
        remembered = (levels.signal[b - own :] >= PAST_SIGNAL)[..., None, None]
        clean = torch.cat((clean[: b - own], torch.where(remembered, drawn, clean[b - own :])))
    x = noisy(clean, noise, levels.signal)
    goal = batch.latents
    if large:
        first = batch.cut(0, large)
        teacher = denoiser(dynamics, first.condition(jump), first.scene)
        target = shortcut_target(teacher, x[:large], jump, finest)
        plain = (jump.step == 0)[..., None, None]
        goal = torch.cat((torch.where(plain, goal[:large], target), goal[large:]))
    seen = dynamics(x, batch.condition(levels), batch.scene)
    weight = ramp_weight(levels.signal, config.noise_weight)
    counts = 1.0 + config.vehicle_weight * batch.vehicles  # (b, t, n)
    error = ((seen.latents.float() - goal).square().mean(dim=3) * counts).sum(dim=2) / counts.sum(dim=2)
    picture = (weight * error).mean()
    heads, parts = head_loss(seen.state, batch.targets, weight)
    values = {"picture": picture, "heads": heads, "flow_error": error[large : b - own].mean()}
    if large:
        values["jump_error"] = error[:large].mean()
    if own:
        values["own_error"] = error[b - own :].mean()
    values |= {f"head/{name}": value for name, value in parts.items()}
    return picture + config.head_weight * heads, {name: float(value.detach()) for name, value in values.items()}


@torch.no_grad()
def own_past(dynamics: Dynamics, batch: ClipBatch, context_fraction: float, generator: torch.Generator) -> Tensor:
    """The batch's latents (b, t, n, d) with some frames as the model draws them in one pass from a noisier one.

    Learning to go on from these, towards the true next frame, keeps a rollout from feeding on its own blur (after
    Resampling Forcing, Guo et al. 2025: history is degraded in parallel rather than by rolling out).
    """
    b, t = batch.latents.shape[:2]
    levels = flow_levels(b, t, context_fraction, generator)
    noise = torch.randn(batch.latents.shape, generator=generator, device=generator.device)
    x = noisy(batch.latents, noise, levels.signal)
    drawn = dynamics(x, batch.condition(levels), batch.scene).latents.float()
    return torch.where((levels.signal >= PAST_SIGNAL)[..., None, None], batch.latents, drawn)
