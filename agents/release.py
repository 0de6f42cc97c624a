"""``worldsim release``: a trained world becomes the one that ships, with its starts, trust and model card."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from worldsim.checkpoint import SHIPPED, ModelCard, load_world, save_world
from worldsim.data.store import EpisodeStore
from worldsim.evaluation.calibrate import CalibrateConfig, calibrate
from worldsim.schema import option

from .starts import MakeStartsConfig, make_starts

logger = logging.getLogger(__name__)

LEFT_OUT = ("command", "commit", "threads", "seeds")
"""Keys of a benchmark's result that say how it was run, not what came out."""


@dataclass
class ReleaseConfig:
    """What to ship, under which name, and what its card says."""

    world: str = option("runs/dynamics/world", "folder of the trained world")
    data: Path = option(Path("data/road"), "episodes it was trained on; trust is fitted to those held out")
    name: str = option("road", "name it ships under")
    out: Path = option(SHIPPED, "folder of the worlds that ship")
    also: list[Path] = option(factory=list, help="further episodes that it was trained on")
    starts: Literal["driven", "recorded"] = option(
        "driven", "start contexts: driven in the reference world, or cut from episodes held out"
    )
    every: int = option(50, "frames between starts that are cut from an episode")
    summary: str = option("A driving world learned from the reference world.", "first sentence of its model card")
    source: str = option("the reference world (worldsim/RoadCam-v0)", "what the episodes show, for its model card")
    licence: str = option("Apache-2.0", "of the world")
    made_by: str = option("make world", "command that makes it")
    figures: list[Path] = option(factory=list, help="files that end in a benchmark's JSON line, for the model card")
    limits: list[str] = option(factory=list, help="what a user should not expect of it")
    per_scenario: int = option(12, "start contexts of each scenario")
    trust_episodes: int = option(24, "held-out episodes to fit trust on")


def release(config: ReleaseConfig) -> Path:
    """Write the world into ``config.out / config.name`` and return that folder.

    Raises ValueError for a missing world or data set, or a figures file without a JSON object in its last line.
    """
    figures = {name: value for path in config.figures for name, value in read_figures(path).items()}
    world, folders = load_world(config.world), [config.data, *config.also]
    records = [record for folder in folders for record in EpisodeStore(folder).records]
    held_out = sum(record.length for record in records if record.split == "val")
    card = ModelCard(
        name=config.name,
        summary=config.summary,
        data=f"{len(records)} episodes, {sum(record.length for record in records)} frames of {config.source}; "
        f"{held_out} frames are held out",
        licence=config.licence,
        command=config.made_by,
        metrics=figures,
        limits=list(config.limits),
    )
    folder = config.out / config.name
    save_world(folder, world, card, torch.float16)
    calibrate(CalibrateConfig(data=config.data, world=str(folder), episodes=config.trust_episodes))
    starts = MakeStartsConfig(world=str(folder), per_scenario=config.per_scenario, every=config.every)
    if config.starts == "recorded":
        starts.data, starts.also = config.data, list(config.also)
    make_starts(starts)
    size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    logger.info("%s: %.1f MB", folder, size)
    return folder


def read_figures(path: Path) -> dict[str, Any]:
    """The figures in the last line of a benchmark's output, keyed by the file's name and theirs."""
    try:
        values = json.loads(path.read_text(encoding="utf-8").strip().splitlines()[-1])
    except (OSError, IndexError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: expected a benchmark's output with JSON in its last line ({error})") from error
    return {
        f"{path.stem}: {name}": value
        for name, value in values.items()
        if name not in LEFT_OUT and isinstance(value, int | float)
    }
