"""``worldsim make-starts``: the bank of start contexts of a world.

A good driver drives them in the reference world, or they are cut from what was held out of recorded logs.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from envs.learned.collect_starts import (
    CONTEXT_FRAMES,
    FIRST_SEED,
    Act,
    Context,
    drive_contexts,
    log_contexts,
    make_bank,
)
from envs.reference.roadcam import RoadCamEnv
from envs.scenario import list_scenarios
from worldsim.checkpoint import DEFAULT_WORLD, load_world, world_folder
from worldsim.data.store import EpisodeStore
from worldsim.errors import choose
from worldsim.schema import option

from .scripted import ScriptedDriver

logger = logging.getLogger(__name__)


@dataclass
class MakeStartsConfig:
    """Which starts to make, and for which world."""

    world: str = option(DEFAULT_WORLD, "world to make them for: a name that ships, or a folder; they are written there")
    scenarios: list[str] = option(factory=list, help="scenarios to drive in; none: all that ship")
    per_scenario: int = option(16, "starts of each scenario")
    frames: int = option(CONTEXT_FRAMES, "context frames of a start (10 are a second)")
    first_seed: int = option(FIRST_SEED, "seeds from here on; keep clear of those that were trained on")
    data: Path | None = option(None, "folder of episodes: cut starts from its held-out ones instead of driving")
    also: list[Path] = option(factory=list, help="further such folders")
    every: int = option(50, "frames between starts that are cut from an episode")

    def __post_init__(self) -> None:
        for key, low in (("per_scenario", 1), ("frames", 2), ("first_seed", 0), ("every", 1)):
            if getattr(self, key) < low:
                raise ValueError(f"{key}: expected a whole number of at least {low}, got {getattr(self, key)}")
        for name in self.scenarios:
            choose(name, list_scenarios(), "scenario")


def make_starts(config: MakeStartsConfig) -> Path:
    """Write ``starts.safetensors`` into the world's folder; returns the file.

    Raises ValueError for an unknown world, data set or scenario.
    """
    folder, world = world_folder(config.world), load_world(config.world)
    contexts: Iterator[Context]
    if config.data is not None:
        folders = [EpisodeStore(each) for each in (config.data, *config.also)]
        cut = (log_contexts(store, config.frames, config.every, cameras=list(world.cameras)) for store in folders)
        contexts = itertools.chain.from_iterable(cut)
        total = None
    else:
        scenarios = config.scenarios or list_scenarios()
        contexts = drive_contexts(sit, world, scenarios, config.per_scenario, config.frames, config.first_seed)
        total = len(scenarios) * config.per_scenario
    bank = make_bank(world, tqdm(contexts, total=total, desc="starts", unit=" starts"))
    path = bank.save(folder)
    logger.info("%d starts of %s: %s", len(bank), ", ".join(bank.scenarios), path)
    return path


def sit(env: RoadCamEnv, rng: np.random.Generator) -> Act:
    """A good driver takes a seat."""
    driver = ScriptedDriver()
    driver.reset(env, rng)
    return driver.act
