"""Frame <-> latents: a convolutional autoencoder with few, bounded, noise-tolerant tokens.

Axis legend: b batch, h w image rows and columns, n tokens in row-major order over the grid, d latent channels.

The tanh bound and the noise added in training follow Dreamer 4 (Hafner et al. 2025, section 3.1: a low-dimensional
bottleneck read through tanh, inputs corrupted in training); the network is convolutional, because on CPUs a
convolution runs several times faster than the linear layers of a transformer of the same cost.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from einops import rearrange
from torch import Tensor, nn

from worldsim.tokenizer.blocks import Down, ResBlock, Up
from worldsim.tokenizer.config import STEM_STRIDE, TokenizerConfig
from worldsim.types import FrameArray

SPREAD = 0.6
"""Standard deviation of every channel before the tanh: about 0.5 after it, with few values near the bounds."""


class Tokenizer(nn.Module):
    """``encode`` and ``decode`` take and give arrays of any leading shape; ``forward`` is for training."""

    def __init__(self, config: TokenizerConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or TokenizerConfig()
        fine, coarse = config.channels[0], config.channels[-1]

        encoder: list[nn.Module] = [nn.PixelUnshuffle(STEM_STRIDE), nn.Conv2d(3 * STEM_STRIDE**2, fine, 3, padding=1)]
        decoder: list[nn.Module] = []  # from the finest level to the coarsest, reversed below
        for level, channels in enumerate(config.channels):
            if level > 0:
                finer = config.channels[level - 1]
                encoder.append(Down(finer, channels))
                decoder.append(Up(channels, finer))
            encoder += [ResBlock(channels) for _ in range(config.encoder_blocks[level])]
            decoder += [ResBlock(channels) for _ in range(config.decoder_blocks[level])]
        encoder += [nn.GroupNorm(coarse // 8, coarse), nn.SiLU(), nn.Conv2d(coarse, config.latent_dim, 1)]
        self.encoder = nn.Sequential(*encoder)
        # no channel can die, drift or saturate: the diffusion model gets latents of known mean and spread
        self.standardise = nn.BatchNorm2d(config.latent_dim, affine=False, momentum=0.02)
        self.decoder = nn.Sequential(
            nn.Conv2d(config.latent_dim, coarse, 3, padding=1),
            *reversed(decoder),
            Up(fine, config.detail_channels),
            ResBlock(config.detail_channels),
            nn.Conv2d(config.detail_channels, 12, 3, padding=1),
            nn.PixelShuffle(2),
        )

    def initialise(self, generator: torch.Generator) -> Tokenizer:
        """Draw all weights anew from ``generator``; the blocks start as the identity."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="linear", generator=generator)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        for module in self.modules():
            if isinstance(module, ResBlock):
                nn.init.zeros_(module.outer.weight)
        return self

    @property
    def device(self) -> torch.device:
        """Where its weights lie."""
        return next(self.parameters()).device

    def at(self, height: int, width: int) -> Tokenizer:
        """The same weights (not a copy) for frames of another size; ValueError where tokens do not divide it."""
        other = copy.copy(self)
        other.config = replace(self.config, height=height, width=width)
        return other

    def forward(self, images: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Reconstruct ``images`` (b, 3, h, w) in [-1, 1] through noised latents.

        Returns the reconstruction (b, 3, h, w) and the clean latents (b, n, d). With a ``generator``,
        each frame's latents get noise of a standard deviation drawn from [0, config.latent_noise].
        """
        latents = self.to_latents(images)
        carried = latents
        if generator is not None and self.config.latent_noise > 0:
            device = generator.device
            sigma = torch.rand(len(latents), 1, 1, generator=generator, device=device) * self.config.latent_noise
            noise = torch.randn(latents.shape, generator=generator, device=device)
            carried = latents + (sigma * noise).to(latents)
        return self.to_images(carried), latents

    def to_latents(self, images: Tensor) -> Tensor:
        """(b, 3, h, w) in [-1, 1] -> (b, n, d) in (-1, 1). Differentiable."""
        expected = (3, self.config.height, self.config.width)
        if images.ndim != 4 or images.shape[1:] != expected:
            raise ValueError(f"Tokenizer: expected images of shape (b, {expected}), got {tuple(images.shape)}")
        folded = self.encoder(images.contiguous(memory_format=torch.channels_last))
        return rearrange(
            torch.tanh(SPREAD * self.standardise(folded.float())), "b d rows columns -> b (rows columns) d"
        )

    def to_images(self, latents: Tensor) -> Tensor:
        """(b, n, d) -> (b, 3, h, w), about [-1, 1] and not clipped. Differentiable."""
        rows, columns = self.config.grid
        folded = rearrange(latents, "b (rows columns) d -> b d rows columns", rows=rows, columns=columns)
        return self.decoder(folded.contiguous(memory_format=torch.channels_last)).float()

    @torch.no_grad()
    def calibrate(self, *frames: FrameArray, batch: int = 32) -> None:
        """Measure mean and spread of the channels anew: averaged weights need their own.

        Each of ``frames`` is (b, h, w, 3), of a size of its own.
        """
        self.standardise.reset_running_stats()
        before = self.training, self.standardise.momentum
        self.standardise.train().momentum = None  # the plain average over the batches
        for kind in frames:
            sized = self.at(kind.shape[1], kind.shape[2])
            for start in range(0, len(kind), batch):
                sized.to_latents(images_from_frames(torch.from_numpy(kind[start : start + batch]).to(self.device)))
        self.standardise.train(before[0]).momentum = before[1]

    @torch.no_grad()
    def encode(self, frames: Tensor | FrameArray, batch: int = 64) -> Tensor:
        """(..., h, w, 3) uint8 -> latents (..., n, d) float32 in (-1, 1), ``batch`` frames at a time."""
        frames = torch.from_numpy(frames) if isinstance(frames, np.ndarray) else frames
        expected = (self.config.height, self.config.width, 3)
        if frames.dtype != torch.uint8 or frames.shape[-3:] != expected:
            raise ValueError(
                f"Tokenizer.encode: expected (..., {', '.join(map(str, expected))}) uint8, "
                f"got {tuple(frames.shape)} {frames.dtype}; resize the frames to the tokenizer's size"
            )
        flat = frames.reshape(-1, *expected)
        latents = torch.empty(len(flat), self.config.n_tokens, self.config.latent_dim, device=self.device)
        with _evaluating(self.standardise):  # a frame's latents must not depend on the batch it comes in
            for start in range(0, len(flat), batch):
                part = flat[start : start + batch].to(self.device)
                latents[start : start + batch] = self.to_latents(images_from_frames(part))
        return latents.reshape(*frames.shape[:-3], *latents.shape[1:])

    @torch.no_grad()
    def decode(self, latents: Tensor, batch: int = 64) -> Tensor:
        """Latents (..., n, d) -> (..., h, w, 3) uint8, ``batch`` frames at a time."""
        expected = (self.config.n_tokens, self.config.latent_dim)
        if latents.shape[-2:] != expected:
            raise ValueError(
                f"Tokenizer.decode: expected latents (..., {expected[0]}, {expected[1]}), got {tuple(latents.shape)}"
            )
        flat = latents.reshape(-1, *expected).to(self.device)
        size = (self.config.height, self.config.width, 3)
        frames = torch.empty((len(flat), *size), dtype=torch.uint8, device=self.device)
        for start in range(0, len(flat), batch):
            frames[start : start + batch] = frames_from_images(self.to_images(flat[start : start + batch]))
        return frames.reshape(*latents.shape[:-2], *size)


@contextlib.contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while."""
    training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(training)


def images_from_frames(frames: Tensor) -> Tensor:
    """(b, h, w, 3) uint8 -> (b, 3, h, w) float32 in [-1, 1], channels-last."""
    return rearrange(frames, "b h w c -> b c h w").float().div(127.5).sub(1.0)


def frames_from_images(images: Tensor) -> Tensor:
    """(b, 3, h, w) in [-1, 1], clipped -> (b, h, w, 3) uint8."""
    levels = images.add(1.0).mul(127.5).round().clamp(0, 255).to(torch.uint8)
    return rearrange(levels, "b c h w -> b h w c").contiguous()
