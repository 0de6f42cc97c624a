"""A tiny world model for tests: every part is real, only small."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from worldsim.dynamics.config import DynamicsConfig
from worldsim.tokenizer import TokenizerConfig
from worldsim.types import CameraSpec
from worldsim.world_model import WorldConfig, WorldModel

CAMERAS = {"front": CameraSpec(), "left": CameraSpec(yaw_rad=0.8, position_m=(0.8, 0.5, 1.4))}
"""Two cameras whose pictures overlap."""


def tiny_config(
    context_frames: int = 5, cameras: Mapping[str, CameraSpec] | None = None, warp_width: int = 64
) -> WorldConfig:
    """64x128 frames as 32 tokens x 4 channels, a transformer of width 32; with ``cameras``, told of each view."""
    tokenizer = TokenizerConfig(
        latent_dim=4, channels=[16, 16, 16], encoder_blocks=[1, 1, 1], decoder_blocks=[1, 1, 1], detail_channels=16
    )
    dynamics = DynamicsConfig(
        latent_dim=4, width=32, layers=4, heads=2, kv_heads=1, registers=1, condition_width=16,
        context_frames=context_frames, finest_steps=8, cameras=dict(cameras or {}), any_view=bool(cameras),
        n_tokens=32 * max(1, len(cameras or {})), warp_width=warp_width,
    )  # fmt: skip
    return WorldConfig(tokenizer, dynamics)


def tiny_world(
    context_frames: int = 5, seed: int = 0, cameras: Mapping[str, CameraSpec] | None = None, warp_width: int = 64
) -> WorldModel:
    """A tiny world whose modulations are awake, so that every condition matters."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        world = WorldModel(tiny_config(context_frames, cameras, warp_width))
        with torch.no_grad():
            for parameter in world.dynamics.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
    return world.eval()
