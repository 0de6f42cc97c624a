"""Fit the ego warp: to frames that follow each other in the drives, and to frames that are warped.

Drives show how what stands on the ground, trees, houses, vehicles, comes nearer; but in good driving the road turns
with the vehicle, and motions beyond it are not there. So a part of the pairs is made: frames, motions drawn at random,
and what flat-ground geometry makes of them (the ground a plane below the vehicle, everything above the horizon far
away: Hartley and Zisserman, Multiple View Geometry, section 13.1, homographies between two views of a plane).

Axis legend: b frames, h w image, p pixels, m motion, n latent tokens, d latent channels.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor
from tqdm import tqdm

from worldsim.data.clips import ClipShape
from worldsim.data.store import EpisodeStore
from worldsim.diffusion.path import noisy
from worldsim.diffusion.shortcut import past_levels
from worldsim.dynamics.ego_warp import EgoWarp
from worldsim.tokenizer import Tokenizer
from worldsim.training.frames import FrameBank, seen_by
from worldsim.training.objective import ClipBatch
from worldsim.types import FRAME_RATE_HZ, CameraSpec
from worldsim.views import Views
from worldsim.world_model import LatentScale

logger = logging.getLogger(__name__)

FARTHEST_M = 300.0  # ground beyond is as good as the horizon
BEHIND = 1e-3


@dataclass
class EgoWarpConfig:
    """How the ego warp is fitted, before the dynamics trains."""

    steps: int = 4800
    batch: int = 96
    rate: float = 2e-3
    driven_share: float = 0.65  # of a batch: pairs of frames as they were driven, beside those that are warped
    again: bool = False  # fit it further where the world to start from brings one that is fitted
    pairs: int = 12_000  # frames before and after a motion that is made up, to learn from
    frames: int = 6_000  # that these are made of, of episodes evenly spread over the data set
    top_speed_mps: float = 38.0
    turning_radps: float = 1.2  # largest yaw rate

    def __post_init__(self) -> None:
        if not 0.0 <= self.driven_share < 1.0:
            raise ValueError(f"ego_warp.driven_share: expected a share in [0, 1), got {self.driven_share}")


def draw_motion(count: int, config: EgoWarpConfig, generator: torch.Generator) -> Tensor:
    """Motions (b, m) of one step: any speed, one in eight backwards, turns both mild and as sharp as may be."""

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, generator=generator)

    def normal(spread: float) -> Tensor:
        return spread * torch.randn(count, generator=generator)

    step_s = 1.0 / FRAME_RATE_HZ
    back = torch.where(uniform(0, 1) < 0.125, -1.0, 1.0)
    speed = uniform(0.0, config.top_speed_mps) * back
    sharp = uniform(-config.turning_radps, config.turning_radps)
    yaw = torch.where(uniform(0, 1) < 0.5, sharp, normal(0.15)) * step_s
    forward = speed * step_s
    left = forward * yaw / 2 + normal(0.03)
    return torch.stack((forward, left, yaw, speed + normal(0.3)), dim=-1)


def source_pixels(camera: CameraSpec, motion: Tensor) -> Tensor:
    """Where each pixel of the next frame was in the frame before, (b, h, w, 2) as grid_sample takes it."""
    axes, position = _axes(camera), torch.tensor(camera.position_m)
    v, u = torch.meshgrid(torch.arange(camera.height) + 0.5, torch.arange(camera.width) + 0.5, indexing="ij")
    ray = torch.stack(((u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, torch.ones_like(u)), dim=-1) @ axes
    reach = torch.where(ray[..., 2] < 0, position[2] / (-ray[..., 2]).clamp_min(1e-6), torch.inf)
    ground = reach * ray[..., :2].norm(dim=-1) < FARTHEST_M
    point = position + torch.where(ground, reach, 0.0)[..., None] * ray  # in the next ego frame
    cos, sin = torch.cos(motion[:, 2]), torch.sin(motion[:, 2])

    def turn(xyz: Tensor) -> Tensor:
        x, y, z = xyz.flatten(0, 1).unbind(-1)  # p each
        return torch.stack((cos[:, None] * x - sin[:, None] * y, sin[:, None] * x + cos[:, None] * y,
                            z.expand(len(cos), -1)), dim=-1)  # fmt: skip

    shift = torch.cat((motion[:, :2], torch.zeros(len(motion), 1)), dim=-1)[:, None]
    near = turn(point) + shift - position
    seen = torch.where(ground.flatten()[:, None], near, turn(ray)) @ axes.T  # b p 3, in the frame before's camera
    depth = seen[..., 2].clamp_min(BEHIND)
    x = (camera.fx * seen[..., 0] / depth + camera.cx) / camera.width
    y = (camera.fy * seen[..., 1] / depth + camera.cy) / camera.height
    grid = torch.stack((2 * x - 1, 2 * y - 1), dim=-1).clamp(-4.0, 4.0)
    return rearrange(grid, "b (h w) xy -> b h w xy", h=camera.height)


def warp(images: Tensor, camera: CameraSpec, motion: Tensor) -> Tensor:
    """Images (b, 3, h, w) as they would be after ``motion`` (b, m); what was out of view repeats the edge."""
    return F.grid_sample(images, source_pixels(camera, motion), padding_mode="border", align_corners=False)


@dataclass(frozen=True)
class Picture:
    """Frames to fit to: a data set, one of its cameras, and the tokenizer at the size of picture that is meant."""

    store: EpisodeStore
    tokenizer: Tokenizer
    camera: str = ""  # none: the main view, and the network is not told of its camera


class Driven(Protocol):
    """Where clips of driven frames come from, and what the frames of each batch consist of."""

    def draw(self, shape: ClipShape, generator: np.random.Generator) -> tuple[Views, ClipBatch]:
        """Clips drawn at random, as many and as long as ``shape`` says."""
        ...


def fit_ego_warp(
    network: EgoWarp, scale: LatentScale, pictures: Sequence[Picture], driven: Driven, config: EgoWarpConfig,
    seed: int = 0, progress: bool = True,
) -> dict[str, float]:  # fmt: skip
    """Fit in place, where the network lies, to pairs of ``driven`` frames and to warped ones of all ``pictures`` alike.

    Returns the mean squared error of standardised latents on warped frames and motions kept apart, that of leaving them
    as they are, their ratio, and the error on the last driven pairs that it was fitted to.
    """
    generator, device = torch.Generator().manual_seed(seed), next(network.parameters()).device
    chance = np.random.default_rng((seed, 2))
    made = max(1, round((1.0 - config.driven_share) * config.batch))
    shape = ClipShape(config.batch - made, 2)
    share = replace(config, pairs=config.pairs // len(pictures), frames=config.frames // len(pictures))
    kinds = [_Pairs.make(picture, scale, share, generator, progress) for picture in pictures]
    held = max(1, share.pairs // 50)
    network.requires_grad_(True)
    optimizer = torch.optim.AdamW(network.parameters(), lr=config.rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.rate, config.steps, pct_start=0.05)
    driven_error = math.nan
    with tqdm(total=config.steps, desc="fitting the ego warp", disable=not progress, mininterval=1.0) as bar:
        for step in range(config.steps):
            pairs = kinds[step % len(kinds)]
            loss = made * _error(network, *pairs.draw(made, held, generator), pairs.views, generator)
            if shape.clips:
                views, clips = driven.draw(shape, chance)
                latents, motion = clips.latents.to(device), clips.motion[:, 1:].to(device)
                known = clips.motion_known[:, 1:].to(device)
                error = _error(network, latents[:, :1], latents[:, 1:], motion, views, generator, known)
                loss, driven_error = loss + shape.clips * error, float(error.detach())
            optimizer.zero_grad(set_to_none=True)
            (loss / config.batch).backward()
            optimizer.step()
            schedule.step()
            bar.update()
            if step % 20 == 0:
                bar.set_postfix(error=f"{float(loss.detach()) / config.batch:.3f}", refresh=False)
    network.requires_grad_(False)
    error, still = torch.tensor([pairs.cut(0, held).errors(network) for pairs in kinds]).mean(0).tolist()
    logger.info("ego warp: squared error %.3f, %.3f where frames are left as they are", error, still)
    return {"error": error, "error_of_standing_still": still, "ratio": error / still, "driven": driven_error}


def _error(
    network: EgoWarp, before: Tensor, after: Tensor, motion: Tensor, views: Views, generator: torch.Generator,
    known: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Mean squared error of what the network makes of ``before`` (b, 1, n, d), noised as a past is."""
    device = next(network.parameters()).device
    level = past_levels(len(before), 1, generator).signal
    noise = torch.randn(before.shape, generator=generator)
    seen = noisy(before.to(device), noise.to(device), level.to(device))
    known = _known(motion) if known is None else known
    return F.mse_loss(network(seen, motion.to(device), known.to(device), views), after.to(device))


@dataclass(frozen=True)
class _Pairs:
    """Standardised latents before and after a motion drawn at random, on the CPU."""

    before: Tensor  # (p, 1, n, d)
    after: Tensor  # (p, 1, n, d)
    motion: Tensor  # (p, 1, m)
    views: Views

    def __len__(self) -> int:
        return len(self.motion)

    def cut(self, first: int, end: int) -> _Pairs:
        """Pairs ``first`` to ``end``."""
        return _Pairs(self.before[first:end], self.after[first:end], self.motion[first:end], self.views)

    def draw(self, count: int, first: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Before, after and motion of ``count`` of the pairs from ``first`` on."""
        index = torch.randint(first, len(self), (count,), generator=generator)
        return self.before[index], self.after[index], self.motion[index]

    @torch.no_grad()
    def errors(self, network: EgoWarp) -> tuple[float, float]:
        """Mean squared error of the network, and of leaving everything as it is."""
        device = next(network.parameters()).device
        known = _known(self.motion).to(device)
        moved = network(self.before.to(device), self.motion.to(device), known, self.views).cpu()
        return float(F.mse_loss(moved, self.after)), float(F.mse_loss(self.before, self.after))

    @classmethod
    @torch.no_grad()
    def make(
        cls, picture: Picture, scale: LatentScale, config: EgoWarpConfig, generator: torch.Generator, progress: bool,
        chunk: int = 64,
    ) -> _Pairs:  # fmt: skip
        """Warp frames drawn from ``picture`` and encode both ends."""
        (bank, camera), tokenizer = _frames(picture, config), picture.tokenizer
        motion = draw_motion(config.pairs, config, generator)
        parts: list[tuple[Tensor, Tensor]] = []
        for part in tqdm(motion.split(chunk), desc="warping frames", disable=not progress, mininterval=1.0):
            frames = torch.from_numpy(bank.draw(len(part), generator)[0])
            images = rearrange(frames, "b h w c -> b c h w").float() / 127.5 - 1
            both = torch.cat((images, warp(images, camera, part))).to(tokenizer.device)
            before, after = scale.standardise(tokenizer.to_latents(both).cpu()).chunk(2)
            parts.append((before, after))
        before, after = (torch.cat(side)[:, None] for side in zip(*parts, strict=True))
        cameras = ((picture.camera, camera),) if picture.camera else ()
        return cls(before, after, motion[:, None], Views(*tokenizer.config.grid, cameras))


def _known(motion: Tensor) -> Tensor:
    return torch.ones(motion.shape[:2], dtype=torch.bool, device=motion.device)


def _frames(picture: Picture, config: EgoWarpConfig) -> tuple[FrameBank, CameraSpec]:
    """Frames of enough episodes, and their camera; the usual one where none is known."""
    store, tokenizer = picture.store, picture.tokenizer
    records = store.select(split="train")
    share = min(1.0, config.frames / max(1, sum(record.length for record in records)))
    chosen = [records[int(i / share)] for i in range(max(1, math.floor(len(records) * share)))]
    size = (tokenizer.config.height, tokenizer.config.width)
    name = picture.camera or chosen[0].videos[0].camera
    bank = FrameBank((seen_by(episode, name) for _, episode in store.iterate(chosen)), *size)
    camera = dict(chosen[0].cameras).get(name, CameraSpec())
    return bank, camera.resized(size[1], size[0])


def _axes(camera: CameraSpec) -> Tensor:
    """(3, 3): rows are the camera's right, down and forward in the ego frame."""
    (cy, sy), (cp, sp), (cr, sr) = (
        (math.cos(angle), math.sin(angle)) for angle in (camera.yaw_rad, camera.pitch_rad, camera.roll_rad)
    )
    about_z = torch.tensor([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
    about_y = torch.tensor([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
    about_x = torch.tensor([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    body = about_z @ about_y @ about_x  # columns: forward, left, up
    return torch.stack((-body[:, 1], -body[:, 2], body[:, 0]))
