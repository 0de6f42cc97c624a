"""The dynamics: a block-causal transformer that predicts clean latents from noisy ones.

After Dreamer 4 (Hafner et al. 2025, section 3): factorised space and time attention, per-frame
signal level and step size, x-prediction, registers, and a state token that frame tokens cannot
read. Conditions enter by adaptive layer norm (DiT, Peebles & Xie 2023, section 3.2) instead of
in-context tokens, and each token is also shown the same token of the frame before, as it was and
as the ego motion alone would leave it.

Several cameras make one frame: the tokens of all its views attend to each other in space, and each to its own past in
time. Nothing in the weights depends on how many there are.

Axis legend: b batch, t frames, n latent tokens of all views, d latent channels, s frame tokens
(n + registers + 1 state token, the last), w width, c conditioning width.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from worldsim.dynamics.attention import Order, SpaceAttention, TimeAttention
from worldsim.dynamics.conditioning import Conditioner, FrameCondition, Scene
from worldsim.dynamics.config import DynamicsConfig
from worldsim.dynamics.ego_warp import EgoWarp
from worldsim.dynamics.heads import StateHeads
from worldsim.dynamics.places import ViewEmbedding, place_features
from worldsim.views import Views


@dataclass(frozen=True)
class Prediction:
    """Predicted clean latents (b, t, n, d) and raw state-head outputs (b, t, heads)."""

    latents: Tensor
    state: Tensor


class SwiGLU(nn.Module):
    """Gated feed-forward layer (Shazeer 2020)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.gate, self.up = nn.Linear(width, hidden, bias=False), nn.Linear(width, hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(F.silu(self.gate(x)) * self.up(x))


class Modulated(nn.Module):
    """x + gate * layer(scale * norm(x) + shift), with gate, scale and shift from the frame's condition."""

    def __init__(self, config: DynamicsConfig, layer: nn.Module) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.width, elementwise_affine=False)
        self.modulation = nn.Linear(config.condition_width, 3 * config.width)
        self.layer = layer

    def forward(self, x: Tensor, condition: Tensor, *context: object) -> Tensor:
        gate, scale, shift = self.modulation(condition)[:, :, None].chunk(3, dim=-1)
        return x + (1 + gate) * self.layer(torch.addcmul(shift, self.norm(x), 1 + scale), *context)


class Block(nn.Module):
    """Space attention, time attention in every ``time_every``-th block, feed-forward."""

    def __init__(self, config: DynamicsConfig, index: int) -> None:
        super().__init__()
        self.space = Modulated(config, SpaceAttention(config))
        self.time = Modulated(config, TimeAttention(config)) if (index + 1) % config.time_every == 0 else None
        self.mlp = Modulated(config, SwiGLU(config.width, config.hidden))

    def forward(self, x: Tensor, condition: Tensor, order: Order) -> Tensor:
        x = self.space(x, condition)
        if self.time is not None:
            x = self.time(x, condition, order)
        return self.mlp(x, condition)


class Dynamics(nn.Module):
    """x-prediction of every frame's clean latents from its noisy ones, the past and the conditions."""

    def __init__(self, config: DynamicsConfig) -> None:
        super().__init__()
        self.config = config
        w = config.width
        self.place_features = 32
        self.warp = EgoWarp(config) if config.warp_width else None
        self.embed = nn.Linear((3 if config.warp_width else 2) * config.latent_dim, w)
        self.place = nn.Linear(2 * self.place_features, w)
        self.view = ViewEmbedding(w) if config.any_view else None
        self.extra = nn.Parameter(torch.zeros(config.registers + 1, w))
        self.conditioner = Conditioner(config)
        self.blocks = nn.ModuleList(Block(config, i) for i in range(config.layers))
        self.final = nn.LayerNorm(w)
        self.to_latents = nn.Linear(w, config.latent_dim)
        self.carry = nn.Linear(w, config.latent_dim) if config.warp_width else None
        self.heads = StateHeads(w)
        self.apply(self._initialise)
        if self.carry is not None:  # nearly half of a frame of noise is carried along at first, wherever that is
            nn.init.zeros_(self.carry.weight)
            nn.init.constant_(self.carry.bias, -0.2)
        quiet = 0.02 / (2 * config.layers) ** 0.5
        for name, module in self.blocks.named_modules():
            if isinstance(module, nn.Linear) and name.endswith("modulation"):
                nn.init.zeros_(module.weight)
            elif isinstance(module, nn.Linear) and name.endswith((".out", ".down")):
                nn.init.normal_(module.weight, std=quiet)

    @staticmethod
    def _initialise(module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=module.in_features**-0.5 / 2)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.2)

    def at(self, views: Views) -> Dynamics:
        """The same weights (not a copy) looking through other ``views``; ValueError for cameras it is not told of."""
        other = copy.copy(self)
        other.config = self.config.at(views)
        return other

    @property
    def layers(self) -> list[Modulated]:
        """All layers of all blocks, in the order in which a frame passes them."""
        blocks = ((block.space, block.time, block.mlp) for block in self.blocks)
        return [layer for block in blocks for layer in block if isinstance(layer, Modulated)]

    def forward(
        self, latents: Tensor, condition: FrameCondition, scene: Scene, order: Order | None = None
    ) -> Prediction:
        """Predict from noisy ``latents`` (b, t, n, d). ``order`` of the frames; none: one after the other."""
        if order is None:
            order = Order.sequence(latents.shape[1], self.config.context_frames, latents.device)
        nothing = torch.zeros_like(latents[:, :1])
        before = torch.cat((latents, nothing), dim=1)[:, order.before]  # index -1: the last, which is none
        before_signal = torch.cat((condition.signal, nothing[..., 0, 0] - 1.0), dim=1)[:, order.before]
        c = self.conditioner(condition, before_signal, scene)
        moved = None if self.warp is None else self.moved(before, condition)
        seen = [latents, before, *([] if moved is None else [moved])]
        x = self.embed(torch.cat(seen, dim=-1)) + self.places(latents.device)
        extra = self.extra.expand(*x.shape[:2], -1, -1)
        state = extra[:, :, -1:] + self.conditioner.command(condition.command)[:, :, None]
        x = torch.cat((x, extra[:, :, :-1], state), dim=2)
        for block in self.blocks:
            x = block(x, c, order)
        x = self.final(x)
        drawn, state = x[:, :, : self.config.n_tokens], self.heads(x[:, :, -1])
        clean = self.to_latents(drawn)
        if moved is not None:
            clean = clean + self._carried(drawn, condition, before_signal) * (moved - clean)
        return Prediction(clean, state)

    def _carried(self, x: Tensor, condition: FrameCondition, before_signal: Tensor) -> Tensor:
        """How much of each latent (b, t, n, d) is carried along by the motion rather than drawn anew.

        The more of the frame itself is seen, the less; nothing where there is no frame before, or no motion known.
        """
        assert self.carry is not None
        most = (1.0 - condition.signal) * (condition.motion_known & (before_signal >= 0))
        return torch.sigmoid(self.carry(x)) * most[..., None, None]

    def moved(self, before: Tensor, condition: FrameCondition) -> Tensor:
        """What the motion of ``condition`` (b, t) makes of the frames ``before`` it (b, t, n, d)."""
        assert self.warp is not None
        return self.warp(before, condition.motion, condition.motion_known, self.config.views)

    def places(self, device: torch.device) -> Tensor:
        """Embedding (n, w) of each token's place in the picture, and of the picture it is in."""
        views = self.config.views
        place = self.place(place_features(views, self.place_features, 32.0, device))
        return place if self.view is None else (place + self.view(views)).flatten(0, 1)
