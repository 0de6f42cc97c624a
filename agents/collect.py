"""Collecting episodes: ``worldsim collect out=data/reference episodes=300``.

Episode ``k`` is decided by ``seed + k`` alone, whoever drives it and on how many processes, so an interrupted
collection goes on where it was. A whole episode is held out (``split`` "val") by a hash of its scenario and seed, never
a frame of it; scenarios in ``held_out`` are held out altogether.
"""

from __future__ import annotations

import hashlib
import inspect
import logging
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import cv2
import gymnasium as gym
import numpy as np
from tqdm import tqdm

from envs.cameras import Camera, read_cameras, specs
from envs.scenario import list_scenarios, load_scenario
from worldsim.data.finalize import finalize
from worldsim.data.store import EpisodeStore
from worldsim.data.writer import EpisodeWriter
from worldsim.errors import choose
from worldsim.schema import option
from worldsim.types import FRAME_RATE_HZ, Episode, FloatArray

from .mixture import DRIVERS, make_driver
from .recorder import Recorder
from .scripted import Driver
from .workers import spread

logger = logging.getLogger(__name__)

REFERENCE_ENV = "envs:worldsim/RoadCam-v0"
RANDOM = "random"
"""A driver that needs no truth, so that any env can be collected from."""


@dataclass
class CollectConfig:
    """What to collect, and how much of it."""

    out: Path = option(help="folder of the data set to write; episodes that are there are kept")
    episodes: int = option(200, "episodes that the data set is to hold, with those that are there")
    steps: int = option(200, "steps of an episode at most (10 are a second); it has one frame more")
    scenarios: list[str] = option(factory=list, help="scenarios to drive in turn; none: all that ship")
    held_out: list[str] = option(factory=list, help="scenarios whose episodes are all held out")
    val_share: float = option(0.08, "share of the other episodes that is held out, by a hash of scenario and seed")
    drivers: dict[str, float] = option(
        factory=dict, help=f"driver: share; none: the mixture of agents/mixture.py. Also {RANDOM!r}, for any env"
    )
    env: str = option(REFERENCE_ENV, "Gymnasium id of the world to drive in")
    height: int = option(64, "image rows")
    width: int = option(128, "image columns")
    cameras: list[str] | dict[str, Any] = option(
        factory=list,
        help="cameras to record, such as [front,left,right,rear], or with their mounting as in a scenario file; none: "
        "those of the scenarios where all have the same, or else the front",
    )
    grace_steps: int = option(12, "steps to go on after a collision or off the road, where the env allows it")
    seed: int = option(0, "seed of episode 0; episode k has seed + k")
    workers: int = option(0, "processes; 0: one a core")
    licence: str = option("Apache-2.0", "licence written into every episode")


def run(config: CollectConfig) -> dict[str, Any]:
    """Collect what is missing and return the summary of the data set.

    Ctrl-C lets running episodes end, keeps them and raises KeyboardInterrupt. Raises ValueError for a bad
    config or an ``out`` that holds episodes of another seed, OSError where a worker died.
    """
    _check(config)
    missing = _missing(config)
    try:
        with tqdm(total=config.episodes, initial=config.episodes - len(missing), desc="collecting", unit=" ep") as bar:
            frames = 0
            with closing(spread(_collecting, config, missing, config.workers)) as lengths:
                for _, length in lengths:
                    frames += length
                    bar.update()
                    bar.set_postfix(frames=frames)
    finally:
        if EpisodeWriter(config.out).done():
            finalize(config.out)
    return EpisodeStore(config.out).summary()


def collect(out: Path | str, **options: Any) -> dict[str, Any]:
    """``run`` without a config: ``collect("data/reference", episodes=50, scenarios=["highway"])``."""
    return run(CollectConfig(out=Path(out), **options))


def held_out(scenario: str, seed: int, share: float) -> bool:
    """Whether the episode of this scenario and seed is held out: a fixed ``share`` of all pairs, by hash."""
    digest = hashlib.sha256(f"{scenario}:{seed}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


class RandomDriver:
    """Steering and pedal that wander at random, for envs that hold no truth to look at."""

    name = RANDOM

    def reset(self, env: Any, rng: np.random.Generator) -> None:
        """Begin an episode."""
        self.rng, self.action = rng, np.zeros(2)

    def act(self) -> FloatArray:
        """The action (2,) float32: a random walk that forgets within a second."""
        self.action = 0.9 * self.action + self.rng.normal(0.0, [0.12, 0.2])
        return np.clip(self.action, -1.0, 1.0).astype(np.float32)


class Collector:
    """Drives and writes episodes of one config, in one process."""

    def __init__(self, config: CollectConfig) -> None:
        cv2.setNumThreads(1)
        self.config = config
        self.scenarios = config.scenarios or list_scenarios()
        self.env = _make_env(config)
        self.writer = EpisodeWriter(config.out, fps=FRAME_RATE_HZ)

    def collect(self, index: int) -> int:
        """Drive and write episode ``index``; its number of frames."""
        episode = self.drive(index)
        self.writer.write(episode, index)
        return len(episode)

    def drive(self, index: int) -> Episode:
        """Episode ``index``."""
        config, seed = self.config, self.config.seed + index
        scenario = self.scenarios[seed % len(self.scenarios)]
        rng = np.random.default_rng([seed, 1])  # its own stream: the env draws from `seed` alone
        driver = _draw_driver(config.drivers, rng)
        observation, info = self.env.reset(seed=seed, options={"scenario": scenario})
        if driver.name != RANDOM and not hasattr(self.env.unwrapped, "truth"):
            raise ValueError(
                f"{config.env}: driver {driver.name!r} expected an env with the attribute `truth`, got none; "
                f"pass drivers={{{RANDOM}: 1}}"
            )
        driver.reset(self.env, rng)
        recorder = Recorder(self.env, observation, info)
        for _ in range(config.steps):
            action = driver.act()
            observation, _, terminated, truncated, info = self.env.step(action)
            recorder.add(action, observation, info)
            if terminated or truncated:
                break
        out = scenario in config.held_out or held_out(scenario, seed, config.val_share)
        episode = recorder.episode(
            driver=driver.name, seed=seed, split="val" if out else "train", source=config.env, licence=config.licence
        )
        episode.scenario = episode.scenario or scenario
        return episode


def _collecting(config: CollectConfig) -> Callable[[int], int]:
    """What a process does: drive and write the episode of an index; its length."""
    return Collector(config).collect


def _draw_driver(shares: dict[str, float], rng: np.random.Generator) -> Driver:
    shares = shares or {name: share for name, (share, _) in DRIVERS.items()}
    weights = np.array(list(shares.values()), np.float64)
    name = str(rng.choice(list(shares), p=weights / weights.sum()))
    return RandomDriver() if name == RANDOM else make_driver(name)


def _make_env(config: CollectConfig) -> gym.Env[Any, Any]:
    """The env, with the cameras and lengths of the config as far as it can be told them."""
    cameras, scenario = _cameras(config)
    wanted: dict[str, Any] = {"grace_steps": config.grace_steps, "max_steps": config.steps}
    if scenario is None:
        wanted["cameras"] = specs(cameras, (config.height, config.width))
    else:  # its cameras may be mounted anew in every episode
        wanted |= {"scenario": scenario, "size": (config.height, config.width)}
    module, _, name = config.env.rpartition(":")
    try:
        if module:
            import_module(module)
        entry_point = gym.spec(name).entry_point
    except (ImportError, gym.error.Error) as error:
        raise ValueError(
            f"env: expected a Gymnasium id such as envs:worldsim/RoadCam-v0, got {config.env!r} ({error})"
        ) from error
    creator = gym.envs.registration.load_env_creator(entry_point) if isinstance(entry_point, str) else entry_point
    known = inspect.signature(creator).parameters if creator is not None else {}
    if config.cameras and "cameras" not in known:
        raise ValueError(f"cameras: expected an env that takes them, got {config.env}, which does not")
    options = {key: value for key, value in wanted.items() if key in known}
    return gym.make(config.env, disable_env_checker=True, **options)


def _cameras(config: CollectConfig) -> tuple[tuple[Camera, ...], str | None]:
    """The cameras to record, and a scenario to take them from where they are the scenarios' own."""
    if config.cameras:
        return read_cameras(config.cameras), None
    own = _own_cameras(config)
    alike = len({tuple(each.name for each in cameras) for cameras in own.values()}) == 1
    first, cameras = next(iter(own.items()))
    return (cameras, first) if alike and cameras else ((), None)


def _own_cameras(config: CollectConfig) -> dict[str, tuple[Camera, ...]]:
    return {name: load_scenario(name).cameras for name in config.scenarios or list_scenarios()}


def _check_cameras(config: CollectConfig) -> None:
    """ValueError for cameras that cannot be; a warning where scenarios ask for some that are not recorded."""
    recorded, _ = _cameras(config)
    for camera in read_cameras(config.cameras):
        if not camera.is_concrete:
            raise ValueError(
                f"cameras: expected one value for each key of {camera.name!r}, got {camera.said}; a scenario file may "
                "leave them to chance"
            )
    names = {camera.name for camera in recorded or (Camera("front"),)}
    asking = [name for name, own in _own_cameras(config).items() if {camera.name for camera in own} - names]
    if asking:
        logger.warning("recorded: %s. These ask for further cameras: %s", ", ".join(sorted(names)), ", ".join(asking))


def _missing(config: CollectConfig) -> list[int]:
    """Indices of the episodes that are still to be collected. ValueError where ``out`` holds another collection."""
    if not EpisodeWriter(config.out, fps=FRAME_RATE_HZ).done():
        return list(range(config.episodes))
    store = EpisodeStore(config.out)
    for record in store.records:
        if record.seed != config.seed + record.index:
            raise ValueError(
                f"{config.out}: expected the episode {record.index} to have seed {config.seed + record.index}, got "
                f"{record.seed}; it holds another collection: choose another folder or the same seed"
            )
    names = [camera.name for camera in _cameras(config)[0]] or ["front"]
    for record in store.records:
        found = [video.camera for video in record.videos]
        if config.env == REFERENCE_ENV and found != names:
            raise ValueError(
                f"{config.out}: expected episodes of the cameras {names}, got some of {found}; choose another folder "
                "or the same cameras"
            )
    done = {record.index for record in store.records}
    return [index for index in range(config.episodes) if index not in done]


def _check(config: CollectConfig) -> None:
    for name in (*config.scenarios, *config.held_out):
        if not name.endswith((".yaml", ".yml")):
            choose(name, list_scenarios(), "scenario")
    for name, share in config.drivers.items():
        choose(name, (*DRIVERS, RANDOM), "driver")
        if not share > 0:
            raise ValueError(f"drivers.{name}: expected a share above 0, got {share}")
    for key, low in (("episodes", 1), ("steps", 1), ("workers", 0), ("grace_steps", 0), ("seed", 0)):
        if getattr(config, key) < low:
            raise ValueError(f"{key}: expected a whole number of at least {low}, got {getattr(config, key)}")
    _check_cameras(config)
    if not 0.0 <= config.val_share < 1.0:
        raise ValueError(f"val_share: expected a share in [0, 1), got {config.val_share}")
