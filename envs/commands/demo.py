"""``worldsim demo``: the learned world beside the reference world, driven, filmed and measured, as one page."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from worldsim.checkpoint import DEFAULT_WORLD, read_card
from worldsim.engine.starts import StartBank
from worldsim.errors import choose
from worldsim.say import say
from worldsim.schema import option
from worldsim.serving.page import Scene, Section, write_page
from worldsim.storage import write_json
from worldsim.types import FRAME_RATE_HZ
from worldsim.world_model import WorldModel

from .demo_page import Drawn, demo_page
from .drivers import LaneKeeper
from .film import film
from .measures import measure
from .twins import Sight, Twins, choose_start, drive_twins, open_world

PAGE_NAME, FIGURES_NAME = "index.html", "figures.json"
LONGEST_S = 50.0  # the reference world's road is built for a minute


@dataclass
class DemoConfig:
    """What to show, and where to put it."""

    out: Path = option(Path("demo"), "folder of the page, its videos and its figures")
    world: str = option(DEFAULT_WORLD, "world to drive: a name that ships, or a folder")
    scenarios: list[str] = option(
        factory=lambda: ["highway", "night_rain", "snow_curves", "two_way"], help="scenarios to show, from the top"
    )
    seconds: float = option(20.0, "seconds of each drive")
    steps: int = option(4, "sampling passes a frame: 1, 2, 4, ...; fewer are faster")
    sight: Sight = option("reference", "world whose readings the driver looks at; its actions go to both")
    seed: int = option(0, "chooses the starts, and what is left to chance in the learned world")

    def __post_init__(self) -> None:
        if not 1.0 <= self.seconds <= LONGEST_S:
            raise ValueError(f"seconds: expected a number from 1 to {LONGEST_S:g}, got {self.seconds:g}")
        if not self.scenarios:
            raise ValueError("scenarios: expected at least one, got none")


def check(config: DemoConfig) -> tuple[WorldModel, StartBank]:
    """The world and its starts. ValueError for an unknown world or scenario, or a world without starts."""
    model, bank = open_world(config.world)
    for name in config.scenarios:
        choose(name, bank.scenarios, "scenario of this world's starts")
    return model, bank


def demo(config: DemoConfig, opening: Callable[[], Sequence[Section | Scene]] = tuple) -> None:
    """Drive, film, measure and write the page; say where it lies and what to type next.

    ``opening`` is asked, when all that is done, for what the page shows first. Raises ValueError as ``check`` does.
    """
    began = time.perf_counter()
    model, bank = check(config)
    drawn = [
        Drawn(twins, measure(twins), film(twins, config.out / f"{place}-{twins.scenario}"))
        for place, twins in enumerate(_driven(config, model, bank), 1)
    ]
    minutes = (time.perf_counter() - began) / 60
    write_json(config.out / FIGURES_NAME, [each.figures() for each in drawn])
    following = [f"{line} world={config.world}" if config.world != DEFAULT_WORLD else line for line in _next(config)]
    page = demo_page(drawn, read_card(config.world), model, config.steps, config.sight, minutes, following)
    path = write_page(config.out / PAGE_NAME, replace(page, opening=opening()))
    say(
        f"{len(drawn)} drives of {config.seconds:g} s, driven, filmed and measured in {minutes:.1f} minutes\n"
        f"look at:   {path.resolve().as_uri()}\n"
        f"then type: {following[0]}"
    )


def _driven(config: DemoConfig, model: WorldModel, bank: StartBank) -> Iterator[Twins]:
    """The drives, one after the other, with a bar over the steps of all."""
    steps = round(config.seconds * FRAME_RATE_HZ)
    rng = np.random.default_rng(config.seed)
    with tqdm(total=steps * len(config.scenarios), unit=" steps", dynamic_ncols=True) as bar:
        for scenario in config.scenarios:
            bar.set_description(f"driving {scenario}")
            start = choose_start(bank, scenario, rng)
            driver = LaneKeeper(bank.records[start].target_speed_mps)
            yield drive_twins(model, bank, start, driver, steps, config.steps, config.sight, config.seed, bar.update)
        bar.set_description("driven")


def _next(config: DemoConfig) -> list[str]:
    """What to type next, as it must be typed here."""
    script, scenario = Path(sys.argv[0]), config.scenarios[0]
    found = shutil.which("worldsim") is not None or script.name != "worldsim"
    name = "worldsim" if found else os.path.relpath(script)
    return [f"{name} play scenario={scenario}", f"{name} rollout scenario={scenario} seconds=20 out={scenario}.mp4"]
