"""The policy and its critic: small networks on a short history of latents, the ego's own numbers and the command.

Axis legend: b drives, k frames of history (the last is the present), n latent tokens, d latent channels.

The action distribution is a diagonal Gaussian whose deviations do not depend on what is seen, as in PPO (Schulman et
al. 2017) and stable-baselines3, so that weights trained there are weights here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Independent, Normal

from worldsim.errors import choose
from worldsim.types import COMMANDS, EGO_FIELDS
from worldsim.world_model import WorldModel

from .observe import PolicyInput

EGO_SCALE = (20.0, 0.5, 3.0, 1.0)
"""Typical size of each of EGO_FIELDS, so that inputs are of order one."""

ACTIONS = 2


@dataclass
class PolicyConfig:
    """Sizes of a policy. ``n_tokens`` and ``latent_dim`` are those of the world it sees through."""

    n_tokens: int = 32
    latent_dim: int = 32
    history: int = 3  # frames that are seen, the present one included
    frame_width: int = 192  # features of one frame
    width: int = 256
    layers: int = 2
    command_width: int = 16
    sighted: list[str] = field(default_factory=lambda: list(EGO_FIELDS))  # those of EGO_FIELDS that it looks at
    log_std: float = -1.6  # where the deviations of the actions start

    def __post_init__(self) -> None:
        if min(self.n_tokens, self.latent_dim, self.history, self.frame_width, self.width, self.layers) < 1:
            raise ValueError(f"PolicyConfig: expected every size to be at least 1, got {self}")
        for name in self.sighted:
            choose(name, EGO_FIELDS, "ego field")

    @classmethod
    def of(cls, world: WorldModel, **changes: Any) -> PolicyConfig:
        """The default sizes for a world."""
        c = world.config.dynamics
        return cls(c.n_tokens, c.latent_dim, **changes)


class Trunk(nn.Module):
    """PolicyInput of b drives -> features (b, width). Every frame of the history goes through the same projection."""

    ego_weight: Tensor

    def __init__(self, config: PolicyConfig) -> None:
        super().__init__()
        self.frame = nn.Sequential(
            nn.Linear(config.n_tokens * config.latent_dim, config.frame_width),
            nn.LayerNorm(config.frame_width),
            nn.SiLU(),
        )
        self.command = nn.Embedding(len(COMMANDS), config.command_width)
        inputs = config.history * config.frame_width + len(EGO_FIELDS) + config.command_width
        sizes = [inputs, *[config.width] * config.layers]
        self.mix = nn.Sequential(
            *(
                layer
                for i in range(config.layers)
                for layer in (nn.Linear(sizes[i], sizes[i + 1]), nn.LayerNorm(sizes[i + 1]), nn.SiLU())
            )
        )
        weight = [(name in config.sighted) / scale for name, scale in zip(EGO_FIELDS, EGO_SCALE, strict=True)]
        self.register_buffer("ego_weight", torch.tensor(weight), persistent=False)

    def forward(self, x: PolicyInput) -> Tensor:
        frames = self.frame(x.latents.flatten(2)).flatten(1)  # (b, k * frame_width)
        return self.mix(torch.cat((frames, x.ego * self.ego_weight, self.command(x.command)), dim=-1))


class Policy(nn.Module):
    """What to do: a distribution over steering and acceleration."""

    def __init__(self, config: PolicyConfig) -> None:
        super().__init__()
        self.config: PolicyConfig = config
        self.trunk = Trunk(config)
        self.mean = nn.Linear(config.width, ACTIONS)
        self.log_std = nn.Parameter(torch.full((ACTIONS,), config.log_std))
        with torch.no_grad():  # an untrained policy coasts straight on
            self.mean.weight.mul_(0.01)
            self.mean.bias.zero_()

    def forward(self, x: PolicyInput) -> Independent:
        """The distribution of the action (b, 2); a sample may leave [-1, 1] and is clipped where it is carried out."""
        mean = self.mean(self.trunk(x))
        return Independent(Normal(mean, self.log_std.exp().expand_as(mean)), 1)

    def best(self, x: PolicyInput) -> Tensor:
        """The mean of the distribution, clipped to [-1, 1], (b, 2)."""
        return self.mean(self.trunk(x)).clamp(-1.0, 1.0)

    @torch.no_grad()
    def act(self, x: PolicyInput, generator: torch.Generator | None = None) -> Tensor:
        """An action (b, 2): drawn by ``generator``, unclipped, or without one the mean, clipped to [-1, 1]."""
        if generator is None:
            return self.best(x)
        mean = self.mean(self.trunk(x))
        noise = torch.randn(mean.shape, generator=generator, device=generator.device)
        return mean + self.log_std.exp() * noise


class Critic(nn.Module):
    """How much reward is still to come, (b,)."""

    def __init__(self, config: PolicyConfig) -> None:
        super().__init__()
        self.trunk = Trunk(config)
        self.value = nn.Linear(config.width, 1)
        with torch.no_grad():
            self.value.weight.mul_(0.1)
            self.value.bias.zero_()

    def forward(self, x: PolicyInput) -> Tensor:
        return self.value(self.trunk(x))[:, 0]
