"""The settings of ``worldsim train-agent``, kept beside the run, so that it goes on with those it began with or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from worldsim.checkpoint import DEFAULT_WORLD
from worldsim.schema import option, plain
from worldsim.storage import read_json, write_json
from worldsim.training.state import LATEST
from worldsim.types import ROADS

from .imagination import ImaginationConfig
from .imitation import ImitationConfig
from .place import LEARNED
from .ppo import PPOConfig

FILE_NAME = "config.json"
METHODS = ("imagination", "ppo", "imitation")
FREE = ("out", "minutes", "steps", "checkpoint_every_s", "film_s", "parallel", "threads", "progress")
"""What may change from one start of a run to the next."""


@dataclass
class TrainAgentConfig:
    """What to learn by which method and where. Of ``steps`` and ``minutes``, 0 means no limit."""

    method: Literal["imagination", "ppo", "imitation"] = option("imagination", "how to learn; its keys are below")
    world: Literal["Drive-v0", "RoadCam-v0"] = option(
        LEARNED, "where to learn: the learned world or the reference world"
    )
    out: str = option("runs/agent", "folder of the run; the policy lies in it")
    minutes: float = option(10.0, "of learning, summed over interruptions; films and checkpoints come on top")
    steps: int = option(0, "in the world, or moments learned from; the last iteration is finished")
    parallel: bool = option(False, "in the reference world, a process for each drive")
    scenarios: list[str] = option(factory=lambda: list(ROADS), help="where to drive, dealt to the drives in turn")
    seed: int = option(0, "of everything that chance decides")
    start_from: str = option("", "policy to start from, a name that ships or a folder; none: from nothing")
    model: str = option(DEFAULT_WORLD, "world model that the policy sees through: a name that ships, or a folder")
    history: int = option(3, "frames that a new policy sees")
    width: int = option(256, "of a new policy's layers")
    imagination: ImaginationConfig = option(factory=ImaginationConfig, help="actor and critic inside the model")
    ppo: PPOConfig = option(factory=PPOConfig, help="stable-baselines3, in either world")
    imitation: ImitationConfig = option(factory=ImitationConfig, help="recorded drives")
    checkpoint_every_s: float = option(30.0, "an interruption loses no more than that and the iteration at hand")
    film_s: float = option(10.0, "seconds of each film: at the start, half-way and at the end; 0: no films")
    threads: int = option(0, "of torch; 0 leaves its own choice, 1 makes runs repeatable")
    device: str = option("cpu", "where the world model runs, cpu, cuda, cuda:1, ...; policies learn on the CPU")
    precision: str = option("float32", "of the learned world's products: float32, bfloat16, auto (the faster one here)")
    progress: bool = option(True, "show a bar")

    def __post_init__(self) -> None:
        if self.steps <= 0 and self.minutes <= 0:
            raise ValueError("train-agent: expected a budget, steps or minutes above 0; got neither")
        if self.seed < 0:
            raise ValueError(f"seed: expected a whole number of at least 0, got {self.seed}")


def check_settings(out: Path, config: TrainAgentConfig) -> None:
    """Raise ValueError, with every difference, where ``out`` holds a run that began with other settings."""
    if not (out / LATEST).exists():
        return
    if not (out / FILE_NAME).exists():
        raise ValueError(f"out: {out} holds another kind of run, or a part of one: it has no {FILE_NAME}; name another")
    began, now = _deciding(read_json(out / FILE_NAME, "settings of a run"), config), _deciding(plain(config), config)
    changed = [f"{key} was {began.get(key)}, is {now.get(key)}" for key in now if began.get(key) != now[key]]
    if changed:
        raise ValueError(
            f"out: {out} holds a run with other settings: {'; '.join(changed)}. Give it those to go on, or "
            "name another folder to start anew"
        )


def write_settings(out: Path, config: TrainAgentConfig) -> None:
    """Keep the settings beside the run."""
    write_json(out / FILE_NAME, plain(config))


def _deciding(settings: Mapping[str, Any], config: TrainAgentConfig) -> dict[str, Any]:
    """Settings that decide how the run goes, by dotted key: not those of other methods."""
    others = [name for name in METHODS if name != config.method]
    return dict(_flat({key: value for key, value in settings.items() if key not in (*FREE, *others)}))


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
