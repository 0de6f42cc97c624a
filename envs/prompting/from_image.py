"""``worldsim image-to-video``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from worldsim.checkpoint import DEFAULT_WORLD
from worldsim.evaluation.evaluate import bars
from worldsim.prompting import animate
from worldsim.prompting.image import open_image
from worldsim.say import say
from worldsim.schema import option
from worldsim.types import SceneFields

from ..commands.drivers import ACTIONS_PREFIX, DRIVERS
from .driving import driven
from .output import SIZE_HELP, Size, Written, check_out, check_seconds, check_speed, frames_of, open_engine, write_clip
from .words import changed, scene_of


@dataclass
class ImageToVideoConfig:
    """Which image to go on from, how, and where the video goes."""

    image: Path = option(help="picture to go on from (PNG, JPEG or WebP); the middle of it is used")
    out: Path = option(help="mp4 file to write")
    seconds: float = option(5.0, "seconds to drive, at most 60")
    driver: str = option("straight", f"who drives: {', '.join(DRIVERS)} or {ACTIONS_PREFIX}FILE.csv")
    speed: float = option(12.0, "metres per second at which it begins")
    text: str | None = option(None, "what the picture shows, in words; by itself: not known")
    world: str = option(DEFAULT_WORLD, "world that draws: a name that ships, or a folder")
    size: Size = option(None, SIZE_HELP)
    steps: int = option(4, "sampling passes a frame: 1, 2, 4, ...; fewer are faster")
    seed: int = option(0, "chooses what the picture leaves open")

    def __post_init__(self) -> None:
        check_out(self.out, ".mp4")
        check_seconds(self.seconds)
        check_speed(self.speed)


def image_to_video(config: ImageToVideoConfig) -> Written:
    """Drive on from a picture and write the video. ValueError for no such picture, words, driver or world."""
    fields = SceneFields()
    if config.text is not None:
        fields, account = changed(fields, config.text)
        say(account)
    mover = driven(config.driver, None, config.speed, config.speed)
    engine = open_engine(config.world, config.steps, config.size)
    size, rate = engine.world.config.tokenizer, engine.world.config.frame_rate_hz
    image = open_image(config.image, size.height, size.width)
    scene, frames = scene_of(fields, engine.world), frames_of(config.seconds, rate)
    return write_clip(config.out, animate(engine, image, scene, frames, mover, config.seed, bars("drawing")), rate)
