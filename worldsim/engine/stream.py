"""The dynamics as a rollout runs it: one frame at a time, the past in a ring buffer.

The weights are those of ``worldsim.dynamics``, put together so that a frame takes few operations: on a CPU, and for one
rollout, starting an operation costs as much as doing it. What does not change from one sampling pass of a frame to the
next (the frame before and what the motion makes of it, the scene, the places, the rotary turn) is worked out once.
That both ways say the same is tested ("streaming equals full recompute").

Products inside the layers may be taken in bfloat16, as in training; what runs from layer to layer, what comes in and
what comes out stays in float32.

Axis legend: b rollouts, n latent tokens, d latent channels, s tokens of a frame (n, registers, 1 state token), w width,
j modulated layers of all blocks.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from worldsim.dynamics.attention import SpaceAttention, TimeAttention, turns
from worldsim.dynamics.conditioning import FrameCondition, Scene
from worldsim.dynamics.transformer import Dynamics, Prediction, SwiGLU
from worldsim.engine.cache import RingCache
from worldsim.engine.fused import FeedForward, OverSpace, OverTime
from worldsim.precision import autocast


@dataclass(frozen=True)
class Previous:
    """The frame before the next: latents (b, n, d) as they are remembered, signal level (b,) or -1 where none was."""

    latents: Tensor
    signal: Tensor


class Stream:
    """``dynamics``, frame by frame. Its weights are taken as they are now: change them, and make another."""

    @torch.no_grad()
    def __init__(self, dynamics: Dynamics, dtype: torch.dtype = torch.float32) -> None:
        self.dynamics, self.dtype = dynamics, dtype
        c, device = dynamics.config, dynamics.embed.weight.device
        hidden = torch.zeros(c.frame_tokens, c.frame_tokens, dtype=dtype, device=device)
        hidden[:-1, -1] = -torch.inf  # none but itself reads the state token
        layers = dynamics.layers if dtype == torch.float32 else copy.deepcopy(dynamics.layers)
        self.layers = [_fused(each.layer.to(dtype), hidden) for each in layers]
        modulations = [each.modulation for each in dynamics.layers]
        one = torch.tensor([1.0, 1.0, 0.0], device=device).repeat_interleave(c.width)  # of gate and scale
        self.modulation = torch.cat([each.weight for each in modulations]).to(dtype)  # (j 3 w), condition width
        self.modulation_bias = torch.cat([each.bias + one for each in modulations]).to(dtype)
        self.into = dynamics.embed.weight.split(c.latent_dim, dim=1)  # of the frame, the one before, that one moved
        self.places = dynamics.embed.bias + dynamics.places(device)  # (n, w)
        drawn = [dynamics.to_latents, *([] if dynamics.carry is None else [dynamics.carry])]
        self.out = torch.cat([each.weight for each in drawn])
        self.out_bias = torch.cat([each.bias for each in drawn])

    def frame(self, condition: FrameCondition, scene: Scene, previous: Previous, cache: RingCache) -> Frame:
        """The next frame of each rollout, in hand to be drawn and remembered under ``condition`` (b, 1)."""
        return Frame(self, condition, scene, previous, cache)


def _fused(layer: nn.Module, hidden: Tensor) -> OverSpace | OverTime | FeedForward:
    if isinstance(layer, SpaceAttention):
        return OverSpace(layer, hidden)
    if isinstance(layer, TimeAttention):
        return OverTime(layer)
    assert isinstance(layer, SwiGLU)
    return FeedForward(layer)


class Frame:
    """A frame in hand, and what all passes over it share."""

    def __init__(
        self, stream: Stream, condition: FrameCondition, scene: Scene, previous: Previous, cache: RingCache
    ) -> None:
        self.stream, self.condition, self.scene = stream, condition, scene
        self.before, dynamics, b = previous.signal[:, None], stream.dynamics, len(previous.latents)
        self.base = stream.places + F.linear(previous.latents, stream.into[1])
        self.moved: Tensor | None = None
        if dynamics.warp is not None:
            with autocast(stream.dtype, previous.latents.device):
                self.moved = dynamics.moved(previous.latents[:, None], condition)[:, 0].float()
            self.base = self.base + F.linear(self.moved, stream.into[2])
        extra = dynamics.extra.expand(b, -1, -1)
        state = extra[:, -1:] + dynamics.conditioner.command(condition.command)
        self.extra = torch.cat((extra[:, :-1], state), dim=1)
        self.told = dynamics.conditioner.told(condition, scene)
        self.carries = (condition.motion_known & (self.before >= 0))[..., None]  # (b, 1, 1)
        cos, sin = turns(cache.position[:, None], dynamics.config.head_dim, stream.dtype)
        self.windows = cache.windows((cos[:, 0], sin[:, 0]))

    def hidden(self) -> Frame:
        """The same frame, told nothing of its scene."""
        other = copy.copy(self)
        other.scene = self.scene.hidden()
        other.told = self.stream.dynamics.conditioner.told(self.condition, other.scene)
        return other

    def draw(self, latents: Tensor, signal: Tensor, step: Tensor) -> Tensor:
        """Clean latents (b, 1, n, d) from noisy ones of signal and step levels (b, 1)."""
        return self._clean(self._through(latents, signal, step), signal)

    def read(self, latents: Tensor, signal: Tensor, step: Tensor) -> tuple[Prediction, Tensor]:
        """The same, with what the heads say, and the tokens (b, s, w) that say it.

        The last pass before ``cache.advance`` is the one that is remembered.
        """
        x = self._through(latents, signal, step)
        return Prediction(self._clean(x, signal), self.stream.dynamics.heads(x[:, -1:])), x

    def _through(self, latents: Tensor, signal: Tensor, step: Tensor) -> Tensor:
        """All layers -> (b, s, w)."""
        stream, dynamics = self.stream, self.stream.dynamics
        condition = dynamics.conditioner.at_level(signal, step, self.before, self.told)  # (b, 1, c)
        modulation = F.linear(condition.to(stream.dtype), stream.modulation, stream.modulation_bias).float()
        x = torch.cat((F.linear(latents[:, 0], stream.into[0]) + self.base, self.extra), dim=1)
        width, windows = x.shape[-1], iter(self.windows)
        for layer, part in zip(stream.layers, modulation.split(3 * width, dim=-1), strict=True):
            gate, scale, shift = part.chunk(3, dim=-1)
            y = torch.addcmul(shift, F.layer_norm(x, (width,)), scale).to(stream.dtype)
            y = layer(y, next(windows)) if isinstance(layer, OverTime) else layer(y)
            x = torch.addcmul(x, gate, y)
        return dynamics.final(x)

    def _clean(self, x: Tensor, signal: Tensor) -> Tensor:
        c = self.stream.dynamics.config
        drawn = F.linear(x[:, : c.n_tokens], self.stream.out, self.stream.out_bias)
        if self.moved is None:
            return drawn[:, None]
        clean, carried = drawn.split(c.latent_dim, dim=-1)
        share = carried.sigmoid() * ((1.0 - signal[..., None]) * self.carries)
        return torch.addcmul(clean, share, self.moved - clean)[:, None]
