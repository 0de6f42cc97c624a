"""``worldsim text-to-image`` and ``worldsim text-to-video``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from worldsim.checkpoint import DEFAULT_WORLD
from worldsim.evaluation.evaluate import bars
from worldsim.prompting import draw_image, draw_video
from worldsim.say import say
from worldsim.schema import option

from ..commands.drivers import ACTIONS_PREFIX, DRIVERS
from .driving import driven
from .output import (
    SIZE_HELP,
    Size,
    Written,
    check_out,
    check_seconds,
    check_speed,
    frames_of,
    open_engine,
    write_clip,
    write_image,
)
from .words import scene_of, told


@dataclass
class TextToImageConfig:
    """What to draw, and where it goes."""

    text: str = option(help="the scene in words, in English or Chinese")
    out: Path = option(help="png file to write")
    world: str = option(DEFAULT_WORLD, "world that draws: a name that ships, or a folder")
    size: Size = option(None, SIZE_HELP)
    seed: int = option(0, "chooses what the words leave open")

    def __post_init__(self) -> None:
        check_out(self.out, ".png")


@dataclass
class TextToVideoConfig:
    """What to draw, who drives, and where it goes."""

    text: str = option(help="the scene in words, in English or Chinese")
    out: Path = option(help="mp4 file to write")
    seconds: float = option(10.0, "length of the video, at most 60")
    driver: str = option("keep_lane", f"who drives: {', '.join(DRIVERS)} or {ACTIONS_PREFIX}FILE.csv")
    speed: float | None = option(None, "metres per second at which it begins; by itself: as the scene says")
    world: str = option(DEFAULT_WORLD, "world that draws: a name that ships, or a folder")
    size: Size = option(None, SIZE_HELP)
    steps: int = option(4, "sampling passes a frame: 1, 2, 4, ...; fewer are faster")
    seed: int = option(0, "chooses what the words leave open")

    def __post_init__(self) -> None:
        check_out(self.out, ".mp4")
        check_seconds(self.seconds)
        check_speed(self.speed)


def text_to_image(config: TextToImageConfig) -> Path:
    """Draw and write a picture, and say how the words were read. ValueError for no words, or no such world."""
    asked = told(config.text, config.seed)
    say(asked.account)
    engine = open_engine(config.world, 1, config.size)
    return write_image(config.out, draw_image(engine, scene_of(asked.scenario.fields, engine.world), config.seed))


def text_to_video(config: TextToVideoConfig) -> Written:
    """Draw and write a video, and say how the words were read. ValueError for no words, or no such driver or world."""
    asked = told(config.text, config.seed)
    say(asked.account)
    scenario = asked.scenario
    speed = float(scenario.ego_speed_mps) if config.speed is None else config.speed
    mover = driven(config.driver, None, speed, float(scenario.target_speed_mps))
    engine = open_engine(config.world, config.steps, config.size)
    rate = engine.world.config.frame_rate_hz
    scene, frames = scene_of(scenario.fields, engine.world), frames_of(config.seconds, rate)
    clip = draw_video(engine, scene, frames, mover, config.seed, bars("drawing"))
    return write_clip(config.out, clip, rate)
