"""What a learned drive can be asked for, and the world model and start bank it opens."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from worldsim.checkpoint import DEFAULT_WORLD, load_world, world_folder
from worldsim.checkpoint import FILE_NAME as WORLD_FILE
from worldsim.device import check_device
from worldsim.engine.starts import FILE_NAME as STARTS_FILE
from worldsim.engine.starts import StartBank, latents_hash
from worldsim.errors import choose, nearest
from worldsim.precision import PRECISIONS
from worldsim.types import FRAME_RATE_HZ, SCENE_VOCABULARY, CameraSpec
from worldsim.world_model import WorldModel

from ..scenario import Scenario

Scenarios = str | Scenario | Sequence[str | Scenario]

STARTS = ("auto", "bank", "imagine")
OVERRIDES = ("weather", "time_of_day", "traffic")


@dataclass(frozen=True)
class DriveSettings:
    """Arguments of ``DriveEnv`` and ``DriveVectorEnv``.

    The first five, and ``max_steps``, mean what they mean in ``RoadCamEnv``. Raises ValueError for a bad value.
    """

    scenario: Scenarios = "highway"  # name of a shipped scenario, path of a YAML file, a Scenario; or a list, by drive
    weather: str | None = None  # overrides the scenario's, as do the next two
    time_of_day: str | None = None
    traffic: str | None = None
    max_steps: int | None = None  # truncate after so many steps instead of the scenario's horizon
    world: str | Path | WorldModel = DEFAULT_WORLD  # name of a world that ships, a folder that holds one, or one
    starts: StartBank | str | Path | None = None  # bank of start contexts; None: the one beside the world
    start: str = "auto"  # "bank", "imagine" (drawn from the scene alone), "auto": bank where it has a match
    caption: str | None = None  # describe the scene in words, over the scenario's fields; needs the extra `text`
    steps: int = 4  # sampling passes a frame: 1, 2, 4, ...
    pixels: bool = True  # False: observe `latents` (n, d) instead of `camera`, and decode nothing
    min_trust: float = 0.0  # truncate when trust, averaged over half a second, falls below
    size: tuple[int, int] | None = None  # (h, w) of the picture, multiples of 16; None: the world's own
    device: str = "cpu"  # "cuda", "cuda:1", ...
    precision: str = "float32"  # of the model's products; "bfloat16", "auto": whichever is faster here

    def __post_init__(self) -> None:
        for key in OVERRIDES:
            if getattr(self, key) is not None:
                choose(getattr(self, key), SCENE_VOCABULARY[key], key)
        choose(self.start, STARTS, "start")
        if self.max_steps is not None and self.max_steps < 1:
            raise ValueError(f"max_steps: expected a whole number of at least 1, got {self.max_steps}")
        if not 0.0 <= self.min_trust <= 1.0:
            raise ValueError(f"min_trust: expected a number in [0, 1], got {self.min_trust}")
        check_device(self.device)
        choose(self.precision, PRECISIONS, "precision")

    @classmethod
    def of(cls, **settings: Any) -> DriveSettings:
        """Settings by name; an unknown name is a ValueError that suggests the nearest."""
        known = [entry.name for entry in fields(cls)]
        for name in settings:
            if name not in known:
                raise ValueError(f"Drive-v0: unknown argument {name!r}: expected one of {known}{nearest(name, known)}")
        return cls(**settings)

    @property
    def overrides(self) -> dict[str, str]:
        """Scene fields that are not left to the scenario."""
        return {key: getattr(self, key) for key in OVERRIDES if getattr(self, key) is not None}

    def open(self) -> tuple[WorldModel, StartBank | None]:
        """The world model at the size that is wanted, and its start contexts where there are any.

        Raises ValueError for an unknown or damaged world, a size that tokens do not divide, or a bank that was made for
        another world.
        """
        if isinstance(self.world, WorldModel):
            native, beside = self.world.to(self.device), None
        else:
            folder = world_folder(self.world)
            native = _load(folder, (folder / WORLD_FILE).stat().st_mtime_ns, self.device)
            beside = folder / STARTS_FILE if (folder / STARTS_FILE).is_file() else None
        if native.config.frame_rate_hz != FRAME_RATE_HZ:
            raise ValueError(
                f"Drive-v0: expected a world of {FRAME_RATE_HZ:g} frames/s, got one of {native.config.frame_rate_hz:g}"
            )
        world = native if self.size is None else native.at(self.size)
        starts = beside if self.starts is None else self.starts
        if starts is not None:
            bank = starts if isinstance(starts, StartBank) else StartBank.load(starts)
            origin = "this bank" if bank is starts else str(starts)
            if self.size is None or bank.latents_hash == latents_hash(world):
                return world, bank.made_for(world, origin)
            return world, bank.made_for(native, origin).seen_at(native, world)
        if self.start == "bank":
            raise ValueError(
                f"start='bank': expected {STARTS_FILE} beside the world, found none; make it with "
                "`worldsim make-starts`, pass `starts`, or use start='imagine'"
            )
        return world, None


@functools.lru_cache(maxsize=2)
def _load(folder: Path, changed_ns: int, device: str) -> WorldModel:
    """A world from disk, shared by all envs of this process (it is never written to)."""
    return load_world(folder, device)


def cameras_of(world: WorldModel) -> dict[str, CameraSpec]:
    """What a world looks through, by name, at its size; the first is the main view."""
    size = world.config.tokenizer
    named = {name: camera.resized(size.width, size.height) for name, camera in world.cameras.items()}
    return named or {"front": camera_of(world)}


def camera_of(world: WorldModel) -> CameraSpec:
    """The camera that a world trained on the reference world looks through."""
    size, spec = world.config.tokenizer, CameraSpec()
    same_shape = size.width * spec.height == size.height * spec.width
    return spec.resized(size.width, size.height) if same_shape else CameraSpec.from_fov(size.width, size.height)
