"""``worldsim shots``: several shots of one scene in one video, by cameras that all see the same drive."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from envs.cameras import ALL, MOUNTINGS
from envs.scenario import Scenario
from envs.words import GrammarParser
from worldsim.say import say
from worldsim.schema import option
from worldsim.types import FRAME_RATE_HZ

from .drive import drive
from .film import write_film
from .generate import scenario_of
from .worlds import BEGINNINGS, REFERENCE, Place, agent_called


@dataclass
class ShotsConfig:
    """What is filmed, by which cameras, and how it is cut."""

    out: Path = option(help="mp4 file to write")
    scenario: str = option("all_around", "scenario, or the path of its YAML file")
    words: str | None = option(None, "the scene in words, English or Chinese, instead of a scenario")
    change: dict[str, Any] = option(factory=dict, help="keys of the scenario to set anew, as in generate")
    cameras: list[str] | dict[str, Any] = option(
        factory=list, help=f"cameras, such as [front,rear]; none: the scenario's, or else {', '.join(MOUNTINGS)}"
    )
    shots: list[Any] = option(
        factory=list,
        help=f"what to cut to, such as [front,rear,{ALL}], each as long as the next, or [{{camera: front, at_s: 0}}, "
        f"{{camera: rear, at_s: 4}}]; none: the scenario's, or else each camera in turn and then {ALL}",
    )
    world: str = option(REFERENCE, "reference, learned, another world that ships, or a folder of one")
    driver: str = option("expert", "who drives: an agent's name as in eval-agent, or a policy's folder")
    seconds: float = option(15.0, "seconds of the film at most")
    passes: int = option(4, "sampling passes a frame in the learned world: 1, 2, 4, ...; fewer are faster")
    seed: int = option(0, "decides what the scenario leaves to chance")

    def __post_init__(self) -> None:
        if self.out.suffix != ".mp4":
            raise ValueError(f"out: expected the name of an mp4 file, got {str(self.out)!r}")
        if not 0.2 <= self.seconds <= 600.0:
            raise ValueError(f"seconds: expected a number from 0.2 to 600, got {self.seconds:g}")
        if self.seed < 0:
            raise ValueError(f"seed: expected a whole number of at least 0, got {self.seed}")


@dataclass(frozen=True)
class Filmed:
    """What was written, when each shot begins, and which cameras the world does not show as they were asked for."""

    wrote: Path
    seconds: float
    cuts: tuple[str, ...]
    cameras_missing: tuple[str, ...] = ()


def film_shots(
    scenario: Scenario, out: Path, place: Place, driver: str = "expert", seconds: float = 15.0, seed: int = 0
) -> Filmed:
    """Drive ``scenario`` once in the world ``place`` and write one video of its shots; see ``envs.montage``.

    All shots are of the same drive: each camera sees it from its own place, the same cars at the same moments. Shots of
    a camera that the world lacks are left out, and ``cameras_missing`` names it. ValueError for an unknown driver.
    """
    world = place.open()
    begun = world.begin(scenario, seed)
    agent = agent_called(driver, world.model)
    driven = drive(begun, agent, round(seconds * FRAME_RATE_HZ), np.random.default_rng([seed, 2]))
    montage = write_film(driven, begun.env, out, seed)
    cuts = tuple(f"{camera} from {at:.1f} s" for at, camera in montage.cuts)
    missing = tuple(driven.infos[0]["cameras_missing"])
    return Filmed(out, len(driven.actions) / FRAME_RATE_HZ, cuts, missing)


def shots_command(config: ShotsConfig) -> Filmed:
    """``film_shots`` of the scenario with what the command sets, and before it the account of the words."""
    place = Place(config.world, BEGINNINGS[0], config.passes)
    scenario = with_shots(scenario_of(config.scenario, config.words, config.change), config.cameras, config.shots)
    if config.words is not None:
        say(GrammarParser().parse(config.words).account())
    return film_shots(scenario, config.out, place, config.driver, config.seconds, config.seed)


def with_shots(scenario: Scenario, cameras: list[str] | dict[str, Any], shots: list[Any]) -> Scenario:
    """The scenario with these cameras and shots where there are any, and with all it takes for several shots.

    Raises ValueError, naming the key, for a camera or a shot that cannot be.
    """
    wanted: Any = cameras or scenario.cameras or list(MOUNTINGS)
    kept = () if cameras else scenario.shots
    with_cameras = dataclasses.replace(scenario, cameras=wanted, shots=kept)
    turns: Any = [*(each.name for each in with_cameras.cameras), ALL]
    taken: Any = shots or with_cameras.shots or turns
    return dataclasses.replace(with_cameras, shots=taken)
