"""``worldsim rollout``: a drive in the learned world as an mp4."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from worldsim.checkpoint import DEFAULT_WORLD
from worldsim.schema import option
from worldsim.serving.picture import Readings, enlarge, factor_for, with_strip
from worldsim.serving.video import open_video
from worldsim.types import EGO_FIELDS, FRAME_RATE_HZ, FrameArray

from ..learned.drive import DriveEnv
from ..learned.settings import STARTS
from ..montage import Montage
from .drivers import ACTIONS_PREFIX, DRIVERS, make_driver

SPEED, STEERING = EGO_FIELDS.index("speed_mps"), EGO_FIELDS.index("steering")


@dataclass
class RolloutConfig:
    """What to drive, how, and where the video goes."""

    out: Path = option(help="mp4 file to write")
    scenario: str = option("highway", "scenario, or the path of its YAML file")
    seconds: float = option(20.0, "seconds to drive; the drive goes on after a crash")
    driver: str = option("keep_lane", f"who drives: {', '.join(DRIVERS)} or {ACTIONS_PREFIX}FILE.csv")
    world: str = option(DEFAULT_WORLD, "world to drive: a name that ships, or a folder")
    start: str = option("auto", f"how the drive begins: {', '.join(STARTS)}")
    caption: str | None = option(None, "describe the scene in words instead; needs the extra `text`")
    size: tuple[int, int] | None = option(None, "height and width of the picture, as [128,256]; none: the world's own")
    steps: int = option(4, "sampling passes a frame: 1, 2, 4, ...; fewer are faster")
    readings: bool = option(True, "show time, speed, steering and trust above the picture")
    seed: int = option(0, "chooses the start and what is left to chance")

    def __post_init__(self) -> None:
        if not 0.1 <= self.seconds <= 3600.0:
            raise ValueError(f"seconds: expected a number from 0.1 to 3600, got {self.seconds:g}")
        if self.out.suffix != ".mp4":
            raise ValueError(f"out: expected the name of an mp4 file, got {str(self.out)!r}")


@dataclass(frozen=True)
class Rolled:
    """What was written."""

    wrote: Path
    seconds: float
    mean_trust: float
    interrupted: bool = False
    cameras_missing: tuple[str, ...] = ()  # that the scenario asks for and the world does not show


def rollout(config: RolloutConfig) -> Rolled:
    """Drive and write the video; Ctrl-C keeps what was driven. ValueError for an unknown world, scenario or driver."""
    env = DriveEnv(
        config.scenario, world=config.world, start=config.start, caption=config.caption, steps=config.steps,
        size=config.size,
    )  # fmt: skip
    observation, info = env.reset(seed=config.seed)
    driver = make_driver(config.driver, env.target_speed_mps)
    trust, interrupted = [info["trust"]], False
    montage = Montage(env.cameras, env.shots, config.seconds)
    with open_video(config.out, FRAME_RATE_HZ) as video:
        video.add(filmed(montage, observation, info, config.readings))
        try:
            for _ in tqdm(range(round(config.seconds * FRAME_RATE_HZ)), desc="driving", unit=" steps"):
                observation, _, _, _, info = env.step(driver.act(info))
                video.add(filmed(montage, observation, info, config.readings))
                trust.append(info["trust"])
        except KeyboardInterrupt:
            interrupted = True
    driven_s = (len(trust) - 1) / FRAME_RATE_HZ
    missing = tuple(info["cameras_missing"])
    return Rolled(config.out, driven_s, sum(trust) / len(trust), interrupted, missing)


def filmed(montage: Montage, observation: dict[str, Any], info: dict[str, Any], strip: bool) -> FrameArray:
    """A frame of the film: what its cameras show at the moment and, with ``strip``, the readings above."""
    picture = montage.frame(observation, info["step"] / FRAME_RATE_HZ)
    return with_strip(picture, _readings(info)) if strip else picture


def shot(frame: FrameArray, info: dict[str, Any], strip: bool) -> FrameArray:
    """A frame of the video: the picture enlarged and, with ``strip``, its readings above."""
    large = enlarge(frame, factor_for(frame.shape[1]))
    return with_strip(large, _readings(info)) if strip else large


def _readings(info: dict[str, Any]) -> Readings:
    ego = info["ego"]
    return Readings(info["step"] / FRAME_RATE_HZ, float(ego[SPEED]), float(ego[STEERING]), info["trust"])
