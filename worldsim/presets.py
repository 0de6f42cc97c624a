"""Presets: one dial that sets the size of every part, in ``configs/preset/NAME.yaml``.

A preset's sections are named after what they fill: ``tokenizer``, ``dynamics`` and ``engine`` after the
system's parts, the others after the command whose keys they are (``train_tokenizer``, ``train_dynamics``).
"""

from __future__ import annotations

from dataclasses import dataclass

from worldsim.config import load, option
from worldsim.dynamics.config import DynamicsConfig
from worldsim.engine.engine import EngineConfig
from worldsim.tokenizer.config import TokenizerConfig
from worldsim.world_model import WorldConfig


@dataclass
class Preset:
    """Both networks and the engine at one size. Raises ValueError where their latents do not fit together."""

    preset: str = option("small", "size of the whole system")
    tokenizer: TokenizerConfig = option(factory=TokenizerConfig)
    dynamics: DynamicsConfig = option(factory=DynamicsConfig)
    engine: EngineConfig = option(factory=EngineConfig)
    clips: int = option(16, "clips in a training step, for the memory estimate")
    clip_frames: int = option(16, "frames of a clip, written and drawn, for the memory estimate")
    rollouts: int = option(1, "rollouts at once, for the memory estimate")

    def __post_init__(self) -> None:
        self.world()
        if min(self.clips, self.clip_frames, self.rollouts) < 1:
            raise ValueError(
                "info: expected clips, clip_frames and rollouts of at least 1, "
                f"got {self.clips}, {self.clip_frames} and {self.rollouts}"
            )

    def world(self) -> WorldConfig:
        """The config of a world model of this size."""
        return WorldConfig(self.tokenizer, self.dynamics)


def load_preset(name: str) -> Preset:
    """The preset ``name``. Raises ValueError, with the nearest name, for one that does not exist."""
    return load(Preset, "info", [f"preset={name}"])
