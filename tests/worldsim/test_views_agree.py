"""Two cameras that overlap show the same there when they are one world, and do not when they are two.

Axis legend: b clips, t frames, r x q rows and columns of a view's tokens, d latent channels, p columns of the panorama.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from einops import rearrange
from torch import Tensor

from worldsim.dynamics.conditioning import Scene
from worldsim.dynamics.config import DynamicsConfig
from worldsim.dynamics.heads import HEAD_FIELDS
from worldsim.engine import Engine, EngineConfig
from worldsim.tokenizer import TokenizerConfig
from worldsim.training.objective import ClipBatch, ObjectiveConfig, objective
from worldsim.types import MOTION_FIELDS, CameraSpec
from worldsim.world_model import WorldConfig, WorldModel

ROWS, COLUMNS, SHIFT, CHANNELS = 1, 4, 2, 2
CAMERAS = {"front": CameraSpec(), "left": CameraSpec(yaw_rad=0.6)}
STEPS, CONTEXT, DRAWN = 300, 4, 10


def panorama(clips: int, frames: int, generator: torch.Generator) -> Tensor:
    """Latents (b, t, r, p, d) of a wall of random patches that goes by to the right, a column a frame."""
    length = COLUMNS + SHIFT
    wall = torch.randn(clips, ROWS, length + frames, CHANNELS, generator=generator).sign()
    return torch.stack([wall[:, :, frames - t : frames - t + length] for t in range(frames)], dim=1)


def seen_by(scene: Tensor, cameras: list[str]) -> Tensor:
    """What each camera shows of it, (b, t, n, d): the left one its first columns, the front one those from SHIFT on."""
    first = {"left": 0, "front": SHIFT}
    views = [scene[..., first[name] : first[name] + COLUMNS, :] for name in cameras]
    return rearrange(torch.stack(views, dim=2), "b t v r q d -> b t (v r q) d")


def trained(cameras: Mapping[str, CameraSpec], seed: int) -> WorldModel:
    """A world of these cameras, trained on clips of the wall."""
    tokenizer = TokenizerConfig(
        16 * ROWS, 16 * COLUMNS, latent_dim=CHANNELS, channels=[8, 8, 8], detail_channels=8
    )  # fmt: skip
    dynamics = DynamicsConfig(
        n_tokens=len(cameras) * ROWS * COLUMNS, grid_height=ROWS, grid_width=COLUMNS, latent_dim=CHANNELS, width=48,
        layers=2, heads=2, condition_width=16, context_frames=CONTEXT, warp_width=0, finest_steps=4, registers=1,
        cameras=dict(cameras), any_view=True,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        world = WorldModel(WorldConfig(tokenizer, dynamics))
    settings = ObjectiveConfig(bootstrap_fraction=0.0, own_fraction=0.0, head_weight=0.0)
    optimizer = torch.optim.AdamW(world.dynamics.parameters(), lr=2e-3, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, STEPS, pct_start=0.1)
    for _ in range(STEPS):
        latents = seen_by(panorama(32, 4, generator), list(cameras))
        loss, _ = objective(world.dynamics, clips(latents), settings, generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return world.eval()


def clips(latents: Tensor) -> ClipBatch:
    b, t, n, _ = latents.shape
    known = torch.ones(b, t, dtype=torch.bool)
    known[:, 0] = False
    return ClipBatch(
        latents, torch.ones(b, t, len(MOTION_FIELDS)), known, torch.full((b, t, len(HEAD_FIELDS)), torch.nan),
        torch.zeros(b, t, dtype=torch.int64), Scene.unknown(b, 384), torch.zeros(b, t, n, dtype=torch.bool),
    )  # fmt: skip


def rolled_out(world: WorldModel, scene: Tensor) -> Tensor:
    """What each view shows, (b, t, v, r, q, d), of frames drawn after the context."""
    engine, b = Engine(world, EngineConfig(steps=4, start_steps=4)), len(scene)
    latents, motion = seen_by(scene, list(world.cameras)), torch.ones(b, CONTEXT, len(MOTION_FIELDS))
    state, _ = engine.start(latents[:, :CONTEXT], motion, Scene.unknown(b, 384), list(range(b)))
    drawn = torch.stack([engine.step(state, motion[:, 0]).latents for _ in range(DRAWN)], dim=1)
    return rearrange(drawn, "b t (v r q) d -> b t v r q d", r=ROWS, q=COLUMNS)


def disagreement(front: Tensor, left: Tensor) -> float:
    """Mean difference (b, t, r, q, d) where both look; patches are -1 or 1, so that 1 is chance."""
    return float((front[..., : COLUMNS - SHIFT, :] - left[..., SHIFT:, :]).abs().mean())


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_overlapping_views_agree_in_one_world() -> None:
    """What comes into view is made up: one world makes it up once, two worlds each their own."""
    scene = panorama(16, CONTEXT, torch.Generator().manual_seed(9))
    true = rearrange(seen_by(scene, list(CAMERAS)), "b t (v r q) d -> b t v r q d", r=ROWS, q=COLUMNS)
    assert disagreement(true[:, :, 0], true[:, :, 1]) == 0.0
    together = rolled_out(trained(CAMERAS, 0), scene)
    front, left = (rolled_out(trained({name: CAMERAS[name]}, 1), scene)[:, :, 0] for name in CAMERAS)
    one, two = disagreement(together[:, :, 0], together[:, :, 1]), disagreement(front, left)
    assert together.abs().mean() > 0.6  # patches, not their mean
    assert one < 0.5 * two, (one, two)
