"""Blending worlds: the mean of the weights of several that were trained on from one (soups, Wortsman et al. 2022).

Training on gives something and takes something; a blend often keeps most of both (docs/log.md). It costs nothing to
run: the worlds become one.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from worldsim.checkpoint import load_world, read_card, save_world, world_folder
from worldsim.engine.starts import FILE_NAME as STARTS_FILE
from worldsim.engine.starts import latents_hash
from worldsim.schema import option
from worldsim.storage import atomic_path
from worldsim.world_model import WorldModel

SUM_TOLERANCE = 1e-3
UNMEASURED = "A blend of worlds that nobody has measured or calibrated yet."


@dataclass
class BlendConfig:
    """Which worlds become one. What is not of the dynamics (tokenizer, trust, starts) is the first one's.

    ValueError for shares that do not add up to 1.
    """

    parts: dict[str, float] = option(
        help="worlds and their shares, as {road: 0.4, runs/dynamics/world: 0.6}; they add up to 1"
    )
    out: Path = option(help="folder of the new world")
    carry: float = option(
        0.0, "added to what decides how much of a frame is carried along by the motion rather than drawn anew"
    )

    def __post_init__(self) -> None:
        if not self.parts or abs(sum(self.parts.values()) - 1.0) > SUM_TOLERANCE:
            raise ValueError(
                f"parts: expected worlds with shares that add up to 1, as {{road: 0.4, runs/dynamics/world: 0.6}}, "
                f"got {self.parts}"
            )


def blend(config: BlendConfig) -> Path:
    """Write the blend into ``config.out`` and return that folder.

    Raises ValueError for an unknown or damaged world, worlds of other sizes or other latents than the first's, and a
    carry where there is no ego warp.
    """
    names = list(config.parts)
    first = load_world(names[0])
    carry = first.dynamics.carry
    if config.carry and carry is None:
        raise ValueError(f"carry: {names[0]} has no ego warp, so nothing is carried along; leave it 0")
    mean: dict[str, Tensor] = {}
    for name, share in config.parts.items():
        weights = _fitting(name, first, names[0]).dynamics.state_dict()
        mean = {key: share * value + mean.get(key, 0.0) for key, value in weights.items()}
    first.dynamics.load_state_dict(mean)
    if carry is not None:
        carry.bias.add_(config.carry)
    shares = ", ".join(f"{name}: {share:g}" for name, share in config.parts.items())
    command = f"worldsim blend parts='{{{shares}}}' carry={config.carry:g} out={config.out}"
    card = replace(read_card(names[0]), command=command, metrics={}, limits=[UNMEASURED])
    save_world(config.out, first, card, torch.float32)
    starts = world_folder(names[0]) / STARTS_FILE
    if starts.is_file():
        with atomic_path(config.out / STARTS_FILE) as temporary:
            shutil.copyfile(starts, temporary)
    return config.out


def _fitting(name: str, first: WorldModel, first_name: str) -> WorldModel:
    """The world called ``name``; ValueError unless its weights mean what those of ``first`` mean."""
    world = load_world(name)
    if world.config.dynamics != first.config.dynamics:
        raise ValueError(
            f"parts: {name} has another dynamics ({world.config.dynamics}) than {first_name} "
            f"({first.config.dynamics}); blend worlds that were trained on from the same one"
        )
    if latents_hash(world) != latents_hash(first):
        raise ValueError(
            f"parts: {name} has another tokenizer than {first_name}, or standardises its latents otherwise; blend "
            "worlds that were trained on from the same one (start_from=)"
        )
    return world
