"""``worldsim generate``: one scenario, many drives, as videos, episodes and verdicts.

Run ``k`` is decided by ``seed + k`` alone, on however many processes. It exists from the moment that its verdict is
written, ``runs/run-000000.json``, last of all its files; a run that was killed is driven again and comes out the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import gymnasium as gym
import numpy as np
from tqdm import tqdm

from envs.scenario import Scenario, describe, load_scenario
from envs.scenario_files import plain_scenario, write_scenario
from envs.words import GrammarParser
from worldsim.data.finalize import finalize
from worldsim.data.writer import EpisodeWriter
from worldsim.say import say
from worldsim.schema import option
from worldsim.storage import write_json
from worldsim.types import FRAME_RATE_HZ, Episode

from ..judging.judge import fingerprint_of
from ..recorder import Recorder
from ..workers import one_thread, spread
from .claims import claim, hold
from .drive import Driven, drive
from .film import write_film
from .sheet import write_sheet
from .summary import Row, show, write_summary, write_verdicts
from .verdict import verdict_of
from .worlds import BEGINNINGS, LEARNED, Place, agent_called

SETTINGS = "generate.json"
EPISODES, RUNS, VIDEOS = "episodes", "runs", "videos"


@dataclass
class GenerateConfig:
    """What to drive, how often, where and by whom."""

    out: Path = option(help="folder to write; runs that are there are kept")
    scenario: str = option("highway", "scenario, or the path of its YAML file")
    words: str | None = option(None, "the scene in words, English or Chinese, instead of a scenario")
    change: dict[str, Any] = option(
        factory=dict,
        help="keys of the scenario to set anew, such as change={weather: snow, lanes: [2, 3]}, or change.weather=snow",
    )
    n: int = option(10, "runs that the folder is to hold, with those that are there")
    world: str = option(LEARNED, "reference, learned, another world that ships, or a folder of one")
    driver: str = option("expert", "who drives: an agent's name as in eval-agent, or a policy's folder")
    seconds: float = option(20.0, "seconds of a run at most")
    begin: Literal["run-up", "bank", "imagine"] = option(
        BEGINNINGS[0],
        "how a learned drive begins: after 1.1 s of the reference world in the same scene, from a recorded start that "
        "fits, or imagined from the description",
    )
    passes: int = option(4, "sampling passes a frame in the learned world: 1, 2, 4, ...; fewer are faster")
    seed: int = option(0, "seed of run 0; run k has seed + k")
    workers: int = option(0, "processes; 0: one a core")
    licence: str = option("Apache-2.0", "licence written into every episode")

    def __post_init__(self) -> None:
        for key, low in (("n", 1), ("seed", 0), ("workers", 0), ("passes", 1)):
            if getattr(self, key) < low:
                raise ValueError(f"{key}: expected a whole number of at least {low}, got {getattr(self, key)}")
        if not 0.2 <= self.seconds <= 3600.0:
            raise ValueError(f"seconds: expected a number from 0.2 to 3600, got {self.seconds:g}")

    @property
    def place(self) -> Place:
        """The world to drive in."""
        return Place(self.world, self.begin, self.passes)


@dataclass(frozen=True)
class Job:
    """What a process needs to know to drive any of the runs."""

    out: Path
    scenario: Scenario
    place: Place
    driver: str
    steps: int
    seed: int
    licence: str


@dataclass(frozen=True)
class Generated:
    """What was written, and in how many of the runs something went wrong."""

    wrote: Path
    runs: int
    crashes: int
    off_the_road: int
    verdicts: Path
    summary: Path
    contact_sheet: Path


def run(config: GenerateConfig) -> Generated:
    """Drive what is missing, and write verdicts, summary and contact sheet of all runs.

    Ctrl-C lets running drives end and keeps them. Raises ValueError for an unknown scenario, world or driver, and for a
    folder that holds other runs; OSError where a process was killed.
    """
    job = _job(config)
    with hold(config.out):
        _claim(job)
        _drive_missing(job, config)
    rows = [Row.read(_run_file(config.out, k)) for k in range(config.n)]
    title = f"{job.scenario.name}, {config.n} runs in the {'reference' if job.place.is_reference else 'learned'} world"
    show(rows, title)
    return Generated(
        config.out, len(rows), sum(row.verdict.crash for row in rows), sum(row.verdict.offroad for row in rows),
        write_verdicts(rows, config.out), write_summary(rows, config.out, title),
        write_sheet(rows, config.out, config.out / EPISODES),
    )  # fmt: skip


def _drive_missing(job: Job, config: GenerateConfig) -> None:
    missing = [k for k in range(config.n) if not _run_file(config.out, k).is_file()]
    try:
        with (
            tqdm(total=config.n, initial=config.n - len(missing), desc="generating", unit=" runs") as bar,
            closing(spread(_generating, job, missing, config.workers)) as runs,
        ):
            for _ in runs:
                bar.update()
    finally:
        if EpisodeWriter(config.out / EPISODES).done():
            finalize(config.out / EPISODES)


def generate_command(config: GenerateConfig) -> Generated:
    """``run``, and before it the account of the words, where there are any."""
    if config.words is not None:
        say(GrammarParser().parse(config.words).account())
    return run(config)


def scenario_of(scenario: str, words: str | None, change: dict[str, Any]) -> Scenario:
    """The scenario by name, file or words, with ``change``. Raises ValueError for what cannot be."""
    chosen = load_scenario(scenario) if words is None else GrammarParser().parse(words).scenario()
    return Scenario.from_dict({**vars(chosen), **change}, f"scenario {chosen.name!r} with change") if change else chosen


def _job(config: GenerateConfig) -> Job:
    place = config.place
    agent_called(config.driver)
    return Job(
        config.out, scenario_of(config.scenario, config.words, config.change), place, config.driver,
        round(config.seconds * FRAME_RATE_HZ), config.seed, config.licence,
    )  # fmt: skip


def _claim(job: Job) -> None:
    """Note what the runs of the folder are of. ValueError where it holds runs of something else."""
    kept = {key: value for key, value in asdict(job).items() if key not in ("out", "scenario", "place")}
    who = {"driver_is": fingerprint_of(job.driver), "source": job.place.source}
    claim(job.out / SETTINGS, kept | asdict(job.place) | who | {"scenario": plain_scenario(job.scenario)})
    write_scenario(job.scenario, job.out / "scenario.yaml")


class Generator:
    """Drives and writes the runs of one job, in one process."""

    def __init__(self, job: Job) -> None:
        self.job, self.world = job, job.place.open()
        self.writer = EpisodeWriter(job.out / EPISODES, fps=FRAME_RATE_HZ)

    def generate(self, k: int) -> None:
        """Drive and write run ``k``."""
        seed = self.job.seed + k
        with one_thread():
            begun = self.world.begin(self.job.scenario, seed)
            agent = agent_called(self.job.driver, self.world.model)
            driven = drive(begun, agent, self.job.steps, np.random.default_rng([seed, 2]))
        if k not in self.writer.done():
            self.writer.write(self.episode(driven, begun.env, seed), k)
        video = self.job.out / VIDEOS / f"run-{k:06d}.mp4"
        write_film(driven, begun.env, video, seed)
        row = Row.of(k, seed, driven, verdict_of(driven), video.relative_to(self.job.out))
        write_json(_run_file(self.job.out, k), asdict(row))

    def episode(self, driven: Driven, env: gym.Env[Any, Any], seed: int) -> Episode:
        """The run as an episode; what a learned world does not know stays unknown."""
        recorder = Recorder(env, driven.observations[0], driven.infos[0])
        for step in zip(driven.actions, driven.observations[1:], driven.infos[1:], strict=True):
            recorder.add(*step)
        episode = recorder.episode(
            driver=self.job.driver, seed=seed, source=self.job.place.source, licence=self.job.licence
        )
        trust = np.array([info["trust"] for info in driven.infos], np.float32)
        episode = dataclasses.replace(episode, signals={"trust": trust})
        if self.job.place.is_reference:
            return episode
        return dataclasses.replace(episode, boxes=[], caption=describe(episode.fields))  # no event was staged


def _generating(job: Job) -> Callable[[int], None]:
    return Generator(job).generate


def _run_file(out: Path, k: int) -> Path:
    return out / RUNS / f"run-{k:06d}.json"
