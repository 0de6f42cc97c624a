"""The world model: tokenizer, dynamics and diffusion joined.

Axis legend: b batch, t frames, v views, h w image, n latent tokens of all views, d latent channels.
Latents outside this file are standardised (zero mean, unit variance a channel); the tokenizer's own,
bounded by tanh, stay inside it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from einops import rearrange
from torch import Tensor, nn

from worldsim.dynamics.conditioning import FrameCondition, Scene
from worldsim.dynamics.config import DynamicsConfig
from worldsim.dynamics.looks import Looks
from worldsim.dynamics.transformer import Dynamics, Prediction
from worldsim.tokenizer import Tokenizer, TokenizerConfig
from worldsim.types import FRAME_RATE_HZ, CameraSpec
from worldsim.views import Views


@dataclass
class WorldConfig:
    """Everything needed to rebuild a world model's modules."""

    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    dynamics: DynamicsConfig = field(default_factory=DynamicsConfig)
    frame_rate_hz: float = FRAME_RATE_HZ
    temperature: float = 1.0  # of the noise its frames are best drawn from: lower is nearer to what is likeliest
    mend_every: int = 0  # each n-th frame of a rollout is best mended (engine/mending.py); 0: none
    looks_width: int = 0  # of what tells by its looks how far a frame has come apart; 0: nothing does

    def __post_init__(self) -> None:
        if not 0.0 <= self.temperature <= 1.0:
            raise ValueError(f"WorldConfig.temperature: expected a number in [0, 1], got {self.temperature}")
        if self.mend_every < 0:
            raise ValueError(f"WorldConfig.mend_every: expected a whole number of at least 0, got {self.mend_every}")
        d, (rows, columns) = self.dynamics, self.tokenizer.grid
        if (d.grid_height, d.grid_width, d.latent_dim) != (rows, columns, self.tokenizer.latent_dim):
            raise ValueError(
                f"WorldConfig: the dynamics expects {d.n_tokens} tokens ({d.grid_height}x{d.grid_width}) of "
                f"{d.latent_dim} channels, but the tokenizer makes {rows * columns} ({rows}x{columns}) of "
                f"{self.tokenizer.latent_dim}; set dynamics.grid_height, grid_width, n_tokens and latent_dim to match"
            )


class LatentScale(nn.Module):
    """Standardises tokenizer latents by each channel's mean and deviation over the training set."""

    mean: Tensor
    std: Tensor

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(latent_dim))
        self.register_buffer("std", torch.ones(latent_dim))

    def fit(self, latents: Tensor) -> None:
        """Take statistics of tokenizer latents (..., d)."""
        flat = latents.flatten(0, -2).float()
        self.mean.copy_(flat.mean(0))
        self.std.copy_(flat.std(0).clamp_min(1e-3))

    def standardise(self, latents: Tensor) -> Tensor:
        """Tokenizer latents (..., d) -> zero mean and unit variance."""
        return (latents - self.mean) / self.std

    def restore(self, latents: Tensor) -> Tensor:
        """The way back, within the tokenizer's bounds."""
        return (latents * self.std + self.mean).clamp(-1.0, 1.0)


class WorldModel(nn.Module):
    """Predicts what the camera will see. Built from a WorldConfig; weights come from a checkpoint."""

    trust_scale: Tensor

    def __init__(self, config: WorldConfig) -> None:
        super().__init__()
        self.config = config
        self.tokenizer = Tokenizer(config.tokenizer)
        self.dynamics = Dynamics(config.dynamics)
        self.scale = LatentScale(config.dynamics.latent_dim)
        # Disagreement (see engine) that nine in ten held-out frames stay below; trust is 0.5 there.
        self.register_buffer("trust_scale", torch.ones(()))
        self.looks: Looks | None = None
        if config.looks_width:
            self.take_looks(Looks(config.dynamics.width, config.looks_width))

    def take_looks(self, looks: Looks) -> None:
        """Tell by ``looks`` from now on how far a frame has come apart."""
        self.looks = looks
        self.config = replace(self.config, looks_width=looks.token.out_features)

    @property
    def device(self) -> torch.device:
        """Where its weights lie."""
        return self.scale.mean.device

    @property
    def cameras(self) -> dict[str, CameraSpec]:
        """Its cameras by name, in the order of its views; none for a world of one view."""
        return self.config.dynamics.cameras

    def at(self, size: tuple[int, int] | None = None, cameras: Mapping[str, CameraSpec] | None = None) -> WorldModel:
        """The same weights (not a copy) for pictures of another ``size`` (h, w), or through other ``cameras``.

        It draws well what it was trained on. Raises ValueError for a size that tokens do not divide, and for cameras
        where the world is not told of them.
        """
        height, width = size or (self.config.tokenizer.height, self.config.tokenizer.width)
        tokenizer = self.tokenizer.at(height, width)
        chosen = self.cameras if cameras is None else cameras
        dynamics = self.dynamics.at(Views(*tokenizer.config.grid, tuple(chosen.items())))
        other = copy.copy(self)
        other._modules = {**self._modules, "tokenizer": tokenizer, "dynamics": dynamics}
        other.config = replace(self.config, tokenizer=tokenizer.config, dynamics=dynamics.config)
        return other

    def encode(self, frames: Tensor) -> Tensor:
        """Frames (..., h, w, 3) uint8 -> standardised latents (..., n, d); with cameras, frames (..., v, h, w, 3)."""
        views = self.config.dynamics.views
        if views.cameras and (frames.ndim < 4 or frames.shape[-4] != views.count):
            raise ValueError(
                f"WorldModel.encode: expected frames (..., {views.count}, h, w, 3) of the views {views.names}, "
                f"got {tuple(frames.shape)}"
            )
        latents = self.tokenizer.encode(frames).to(self.device)
        return self.scale.standardise(latents.flatten(-3, -2) if views.cameras else latents)

    def decode(self, latents: Tensor) -> Tensor:
        """Standardised latents (..., n, d) -> frames (..., h, w, 3) uint8; with cameras, frames (..., v, h, w, 3)."""
        if self.cameras:
            latents = rearrange(latents, "... (v n) d -> ... v n d", v=len(self.cameras))
        return self.tokenizer.decode(self.scale.restore(latents))

    def predict(self, latents: Tensor, condition: FrameCondition, scene: Scene) -> Prediction:
        """Clean latents and state-head outputs from noisy latents (b, t, n, d), all frames of a clip at once."""
        return self.dynamics(latents, condition, scene)
