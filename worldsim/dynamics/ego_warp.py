"""What a frame would look like if nothing but the vehicle had moved: its latents, carried along by the ego motion.

In good driving the road and the vehicle turn as one, so a model that has to learn from drives what motion does to a
picture learns that the road follows the vehicle. This network knows it from geometry: it is fitted to frames that are
warped under motions drawn at random (``worldsim.training.ego_warp``), and then stays as it is. The dynamics is shown
its answer beside the frame before and has only to learn what differs: whoever else moves, and what comes into view.

Axis legend: b batch, t frames, n latent tokens, d latent channels, w width, v views, r x q rows and columns of a view's
tokens, k frames of all clips.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from worldsim.dynamics.conditioning import MOTION_SCALE
from worldsim.dynamics.config import DynamicsConfig
from worldsim.dynamics.places import ViewEmbedding, place_features
from worldsim.types import MOTION_FIELDS
from worldsim.views import Views

_PLACE_FEATURES = 16


class EgoWarp(nn.Module):
    """Latents (b, t, n, d) and the motion (b, t, m) that follows -> latents (b, t, n, d) after it.

    Blocks of two convolutions over the token grid of each view; what scales and shifts them is computed at each place
    from the motion, the place and what is told of the view, as the flow of a picture is. Where the motion is not known,
    latents come out as they went in.
    """

    scale: Tensor

    def __init__(self, config: DynamicsConfig) -> None:
        super().__init__()
        w = config.warp_width
        self.flow = nn.Sequential(
            nn.Linear(2 * _PLACE_FEATURES + 2 * len(MOTION_FIELDS), w), nn.SiLU(), nn.Linear(w, w), nn.SiLU()
        )
        self.view = ViewEmbedding(w) if config.any_view else None
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
        """Whether it moves anything yet, and knows its views apart where it is told of them."""
        return bool(self.out.weight.any()) and (self.view is None or bool(self.view.weight.any()))

    def forward(self, latents: Tensor, motion: Tensor, known: Tensor, views: Views) -> Tensor:
        """``known`` (b, t) says where ``motion`` is, ``views`` how the tokens lie."""
        b, v, rows = len(latents), views.count, views.rows
        told = torch.where(known[..., None], motion, 0.0) / self.scale
        told = torch.cat((told, torch.tanh(told)), dim=-1).flatten(0, 1)  # (b t) 2m
        place = place_features(views, _PLACE_FEATURES, 16.0, latents.device).expand(len(told), -1, -1)
        both = torch.cat((place, told[:, None].expand(-1, place.shape[1], -1)), dim=-1)
        flow = self.flow[0](both)[:, None]  # k 1 (r q) w
        if self.view is not None:
            flow = flow + self.view(views)
        flow = rearrange(self.flow[1:](flow).flatten(0, 1), "k (r q) w -> k w r q", r=rows)
        x = self.into(rearrange(latents, "b t (v r q) d -> (b t v) d r q", v=v, r=rows))
        for block in self.blocks:
            x = block(x, flow)
        moved = latents + rearrange(self.out(x), "(b t v) d r q -> b t (v r q) d", b=b, v=v)
        return torch.where(known[..., None, None], moved, latents)


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, width, affine=False)
        self.modulation = nn.Conv2d(width, 2 * width, 1)
        self.first, self.second = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor, flow: Tensor) -> Tensor:
        scale, shift = self.modulation(flow).chunk(2, dim=1)
        return x + self.second(F.silu(self.first(torch.addcmul(shift, self.norm(x), 1 + scale))))
