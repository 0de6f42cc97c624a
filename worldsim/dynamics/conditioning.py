"""What a frame is told besides its pixels: signal levels, ego motion, and the scene in fields and words.

Axis legend: b batch, t frames, f scene fields, c conditioning width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from worldsim.dynamics.config import DynamicsConfig
from worldsim.types import COMMANDS, MOTION_FIELDS, SCENE_VOCABULARY

MOTION_SCALE = (1.0, 0.1, 0.05, 10.0)
"""Typical size of each of MOTION_FIELDS at 10 Hz, so that inputs are of order one."""


@dataclass(frozen=True)
class Scene:
    """The scene of each clip or rollout. ``text`` is a unit caption embedding; ``text_known`` False hides it."""

    fields: Tensor  # (b, f) int64 codes, 0 = not known
    text: Tensor  # (b, text_dim) float32
    text_known: Tensor  # (b,) bool

    def __len__(self) -> int:
        return len(self.fields)

    def select(self, index: Tensor) -> Scene:
        """The scenes at ``index`` (k,)."""
        return Scene(self.fields[index], self.text[index], self.text_known[index])

    def hidden(self) -> Scene:
        """The same scenes with nothing known, for guidance."""
        return replace(self, fields=torch.zeros_like(self.fields), text_known=torch.zeros_like(self.text_known))

    @classmethod
    def unknown(cls, batch: int, text_dim: int, device: torch.device | str = "cpu") -> Scene:
        """``batch`` scenes of which nothing is known."""
        return cls(
            torch.zeros(batch, len(SCENE_VOCABULARY), dtype=torch.int64, device=device),
            torch.zeros(batch, text_dim, device=device),
            torch.zeros(batch, dtype=torch.bool, device=device),
        )


@dataclass(frozen=True)
class FrameCondition:
    """Per-frame conditions. ``motion[:, t]`` is what led into frame ``t``."""

    signal: Tensor  # (b, t) in [0, 1]: 0 pure noise, 1 clean
    step: Tensor  # (b, t) int64 step-size level: 0 finest, step_levels - 1 a whole jump
    motion: Tensor  # (b, t, len(MOTION_FIELDS)) SI; anything where unknown
    motion_known: Tensor  # (b, t) bool
    command: Tensor  # (b, t) int64 index into COMMANDS; read by the state token only


def fourier(x: Tensor, features: int, low: float = 1.0, high: float = 64.0) -> Tensor:
    """Sines and cosines of x (...,) at log-spaced rates, (..., features)."""
    half = features // 2
    rates = torch.exp(torch.linspace(math.log(low), math.log(high), half, device=x.device))
    angles = x[..., None] * rates
    return torch.cat((angles.sin(), angles.cos()), dim=-1)


class Conditioner(nn.Module):
    """Sums embeddings of all conditions into one vector a frame, (b, t, c)."""

    motion_scale: Tensor

    def __init__(self, config: DynamicsConfig) -> None:
        super().__init__()
        c = config.condition_width
        self.features = 32
        self.signal = nn.Linear(2 * self.features, c)
        self.step = nn.Embedding(config.step_levels, c)
        self.motion = nn.Sequential(nn.Linear(3 * len(MOTION_FIELDS), c), nn.SiLU(), nn.Linear(c, c))
        self.no_motion = nn.Parameter(torch.zeros(c))
        self.fields = nn.ModuleList(nn.Embedding(1 + len(names), c) for names in SCENE_VOCABULARY.values())
        self.text = nn.Linear(config.text_dim, c)
        self.no_text = nn.Parameter(torch.zeros(c))
        self.mix = nn.Sequential(nn.SiLU(), nn.Linear(c, c), nn.SiLU())
        self.command = nn.Embedding(len(COMMANDS), config.width)
        self.register_buffer("motion_scale", torch.tensor(MOTION_SCALE), persistent=False)

    def forward(self, frame: FrameCondition, previous_signal: Tensor, scene: Scene) -> Tensor:
        """``previous_signal`` (b, t) is the signal level of the frame before; -1 where there is none."""
        return self.at_level(frame.signal, frame.step, previous_signal, self.told(frame, scene))

    def told(self, frame: FrameCondition, scene: Scene) -> Tensor:
        """What does not depend on levels of signal: motion and scene, (b, t, c)."""
        scaled = torch.where(frame.motion_known[..., None], frame.motion, 0.0) / self.motion_scale
        wide = torch.cat((scaled, torch.sin(3 * scaled), torch.tanh(scaled)), dim=-1)
        motion = torch.where(frame.motion_known[..., None], self.motion(wide), self.no_motion)
        text = torch.where(scene.text_known[:, None], self.text(scene.text) * 4.0, self.no_text)
        place = text + sum(embed(scene.fields[:, i]) for i, embed in enumerate(self.fields))
        return motion + place[:, None]

    def at_level(self, signal: Tensor, step: Tensor, previous_signal: Tensor, told: Tensor) -> Tensor:
        """The whole condition (b, t, c) at levels (b, t) of signal, step and the frame before."""
        levels = fourier(torch.stack((signal, previous_signal), dim=-1), self.features).flatten(-2)
        return self.mix(self.signal(levels) + self.step(step) + told)
