"""What a frame would look like if nothing but the vehicle had moved: its latents, carried along by the ego motion.

In good driving the road and the vehicle turn as one, so a model that has to learn from drives what motion does to a
picture learns that the road follows the vehicle. This network knows it from geometry: it is fitted to frames that are
warped under motions drawn at random (``worldsim.training.ego_warp``), and then stays as it is. The dynamics is shown
its answer beside the frame before and has only to learn what differs: whoever else moves, and what comes into view.

Axis legend: b batch, t frames, n latent tokens, d latent channels, w width, r x q rows and columns of the token grid.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from worldsim.dynamics.conditioning import MOTION_SCALE, fourier
from worldsim.dynamics.config import DynamicsConfig
from worldsim.types import MOTION_FIELDS

_PLACE_FEATURES = 16


class EgoWarp(nn.Module):
    """Latents (b, t, n, d) and the motion (b, t, m) that follows -> latents (b, t, n, d) after it.

    Blocks of two convolutions over the token grid; what scales and shifts them is computed at each place from the
    motion and the place, as the flow of a picture is. Where the motion is not known, latents come out as they went in.
    """

    scale: Tensor

    def __init__(self, config: DynamicsConfig) -> None:
        super().__init__()
        w = config.warp_width
        self.grid = (config.grid_height, config.grid_width)
        self.flow = nn.Sequential(
            nn.Linear(2 * _PLACE_FEATURES + 2 * len(MOTION_FIELDS), w), nn.SiLU(), nn.Linear(w, w), nn.SiLU()
        )
        self.into = nn.Conv2d(config.latent_dim, w, 1)
        self.blocks = nn.ModuleList(_Block(w) for _ in range(config.warp_blocks))
        self.out = nn.Conv2d(w, config.latent_dim, 1)
        nn.init.zeros_(self.out.weight)
        assert self.out.bias is not None
        nn.init.zeros_(self.out.bias)
        self.register_buffer("scale", torch.tensor(MOTION_SCALE), persistent=False)
        self.requires_grad_(False)  # but while it is fitted

    @property
    def fitted(self) -> bool:
        """Whether it moves anything yet."""
        return bool(self.out.weight.any())

    def forward(self, latents: Tensor, motion: Tensor, known: Tensor) -> Tensor:
        """``known`` (b, t) says where ``motion`` is."""
        b, (rows, columns) = len(latents), self.grid
        told = torch.where(known[..., None], motion, 0.0) / self.scale
        told = torch.cat((told, torch.tanh(told)), dim=-1).flatten(0, 1)  # (b t) 2m
        place = self._places(latents.device).expand(len(told), -1, -1)
        flow = self.flow(torch.cat((place, told[:, None].expand(-1, rows * columns, -1)), dim=-1))
        flow = rearrange(flow, "k (r q) w -> k w r q", r=rows)
        x = self.into(rearrange(latents, "b t (r q) d -> (b t) d r q", r=rows))
        for block in self.blocks:
            x = block(x, flow)
        moved = latents + rearrange(self.out(x), "(b t) d r q -> b t (r q) d", b=b)
        return torch.where(known[..., None, None], moved, latents)

    def _places(self, device: torch.device) -> Tensor:
        rows, columns = (((torch.arange(size, device=device) + 0.5) / size) for size in self.grid)
        grid = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), dim=-1).flatten(0, 1)
        return fourier(grid, _PLACE_FEATURES, 1.0, 16.0).flatten(-2)[None]


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, width, affine=False)
        self.modulation = nn.Conv2d(width, 2 * width, 1)
        self.first, self.second = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor, flow: Tensor) -> Tensor:
        scale, shift = self.modulation(flow).chunk(2, dim=1)
        return x + self.second(F.silu(self.first(torch.addcmul(shift, self.norm(x), 1 + scale))))
