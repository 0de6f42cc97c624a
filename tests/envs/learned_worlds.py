"""Tiny learned worlds for tests of Drive-v0: untrained, but every part is real."""

from __future__ import annotations

from typing import Any

import torch

from envs.learned.drive import DriveEnv
from envs.learned.vector import DriveVectorEnv
from tests.worldsim.banks import tiny_bank
from tests.worldsim.worlds import tiny_world
from worldsim.dynamics.heads import HEAD_FIELDS
from worldsim.world_model import WorldModel

WORLD = tiny_world()
BANK = tiny_bank(WORLD)


def world_saying(**logits: float) -> WorldModel:
    """A world whose heads say the same of every frame for these outputs: ``world_saying(offroad=-9.0)``."""
    world = tiny_world()
    last = world.dynamics.heads.layers[-1]
    assert isinstance(last, torch.nn.Linear)
    with torch.no_grad():
        for name, value in logits.items():
            last.weight[HEAD_FIELDS.index(name)] = 0.0
            last.bias[HEAD_FIELDS.index(name)] = value
    return world


def _lively() -> WorldModel:
    world = tiny_world()
    last = world.dynamics.heads.layers[-1]
    assert isinstance(last, torch.nn.Linear)
    with torch.no_grad():
        last.bias[HEAD_FIELDS.index("offroad")] -= 0.6
    return world


LIVELY = _lively()
"""Some drives leave the road here and some do not."""

CALM = world_saying(offroad=-9.0, collision=-9.0)
"""Nothing ever happens here, so that an episode lasts to its horizon."""


def drive(world: WorldModel = WORLD, **settings: Any) -> DriveEnv:
    """An env over a tiny world with a bank of made-up starts."""
    return DriveEnv(**{"world": world, "starts": BANK, "steps": 1, **settings})


def drives(count: int, world: WorldModel = WORLD, **settings: Any) -> DriveVectorEnv:
    """The same, many at a time."""
    return DriveVectorEnv(count, **{"world": world, "starts": BANK, "steps": 1, **settings})
