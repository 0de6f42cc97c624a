"""``worldsim extend``, ``worldsim edit`` and ``worldsim connect``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from worldsim.checkpoint import DEFAULT_WORLD
from worldsim.evaluation.evaluate import bars
from worldsim.prompting import Clip, connect, edit, extend_backward, extend_forward
from worldsim.prompting.clip import open_clip
from worldsim.prompting.connecting import KEEP as KEEP_CONNECTING
from worldsim.prompting.editing import KEEP as KEEP_EDITING
from worldsim.say import say
from worldsim.schema import option
from worldsim.types import SceneFields

from ..commands.drivers import ACTIONS_PREFIX, DRIVERS
from .driving import HOLD, PLANNED, driven, led_here
from .output import (
    SIZE_HELP,
    Size,
    Written,
    check_keep,
    check_out,
    check_seconds,
    check_speed,
    frames_of,
    open_engine,
    write_clip,
)
from .words import changed, scene_of

UNKNOWN_SPEED_MPS = 12.0
LEAST_FRAMES = 2
CLIP = "video, or the folder of a data set"


@dataclass
class ExtendConfig:
    """Which clip to extend, to which side and how, and where the video goes."""

    clip: Path = option(help=f"clip to extend: a {CLIP}")
    out: Path = option(help="mp4 file to write: the clip and what was drawn")
    episode: int | None = option(None, "number of the episode, where the clip is a data set")
    direction: Literal["forward", "backward"] = option("forward", "into its future or into its past")
    seconds: float = option(5.0, "seconds to draw, at most 60")
    driver: str | None = option(
        None,
        f"who drives: forward {', '.join(DRIVERS)}, backward {', '.join(PLANNED)}, or "
        f"{ACTIONS_PREFIX}FILE.csv; by itself keep_lane, or {HOLD} (as the clip moves)",
    )
    speed: float | None = option(None, f"metres per second at the seam; by itself: the clip's, {UNKNOWN_SPEED_MPS:g} "
                                       "where it is not known")  # fmt: skip
    text: str | None = option(None, "what the clip shows, in words; by itself: what its data set says")
    world: str = option(DEFAULT_WORLD, "world that draws: a name that ships, or a folder")
    size: Size = option(None, SIZE_HELP)
    steps: int = option(4, "sampling passes a frame: 1, 2, 4, ...; fewer are faster")
    seed: int = option(0, "chooses what is left to chance")

    def __post_init__(self) -> None:
        check_out(self.out, ".mp4")
        check_seconds(self.seconds)
        check_speed(self.speed)


def extend(config: ExtendConfig) -> Written:
    """Draw on from a clip and write the whole. ValueError for no such clip, driver or world."""
    engine = open_engine(config.world, config.steps, config.size)
    rate = engine.world.config.frame_rate_hz
    clip = open_clip(config.clip, engine.world, config.episode, LEAST_FRAMES)
    scene, frames = scene_of(shown(clip, config.text), engine.world), frames_of(config.seconds, rate)
    if config.direction == "forward":
        mover = driven(config.driver or "keep_lane", clip, config.speed, UNKNOWN_SPEED_MPS)
        longer = extend_forward(engine, clip, scene, frames, mover, config.seed, bars("drawing"))
    else:
        motion = led_here(config.driver or HOLD, clip, frames, config.speed, UNKNOWN_SPEED_MPS)
        longer = extend_backward(engine, clip, scene, motion, config.seed, bars("drawing"))
    return write_clip(config.out, longer, rate)


@dataclass
class EditConfig:
    """Which clip to change, into what, and where the video goes."""

    clip: Path = option(help=f"clip to change: a {CLIP}")
    text: str = option(help="what it is to become, such as 'night' or 'heavy snow'")
    out: Path = option(help="mp4 file to write")
    episode: int | None = option(None, "number of the episode, where the clip is a data set")
    shows: str | None = option(None, "what the clip shows now, in words; by itself: what its data set says")
    keep: float = option(KEEP_EDITING, "how much of each frame survives: more holds the geometry, less the style")
    guidance: float = option(1.0, "above 1 follows the words harder, at a higher cost")
    world: str = option(DEFAULT_WORLD, "world that draws: a name that ships, or a folder")
    size: Size = option(None, SIZE_HELP)
    seed: int = option(0, "chooses what is left to chance")

    def __post_init__(self) -> None:
        check_out(self.out, ".mp4")
        check_keep(self.keep)


def edit_clip(config: EditConfig) -> Written:
    """Draw a clip anew as the words say, and write it. ValueError for no such clip or world.

    A clip of which nothing is said to be known is edited from "no scene known", which changes it less.
    """
    engine = open_engine(config.world, 1, config.size, config.guidance)
    clip = open_clip(config.clip, engine.world, config.episode)
    before = shown(clip, config.shows)
    after, account = changed(before, config.text)
    say(account)
    scenes = (scene_of(before, engine.world), scene_of(after, engine.world))
    edited = edit(engine, clip, *scenes, config.seed, config.keep, bars("drawing"))
    return write_clip(config.out, edited, engine.world.config.frame_rate_hz)


@dataclass
class ConnectConfig:
    """Which clips to connect, how slowly, and where the video goes."""

    first: Path = option(help=f"clip that comes first: a {CLIP}")
    second: Path = option(help=f"clip that comes after it: a {CLIP}")
    out: Path = option(help="mp4 file to write: both clips and the way between them")
    first_episode: int | None = option(None, "number of the first episode, where that clip is a data set")
    second_episode: int | None = option(None, "number of the second episode, where that clip is a data set")
    seconds: float = option(3.0, "seconds between the two, at most 60")
    keep: float = option(KEEP_CONNECTING, "how much of the blended sketches survives")
    first_text: str | None = option(None, "what the first clip shows; by itself: what its data set says")
    second_text: str | None = option(None, "what the second clip shows; by itself: what its data set says")
    world: str = option(DEFAULT_WORLD, "world that draws: a name that ships, or a folder")
    size: Size = option(None, SIZE_HELP)
    steps: int = option(4, "sampling passes a frame of the sketches: 1, 2, 4, ...")
    seed: int = option(0, "chooses what is left to chance")

    def __post_init__(self) -> None:
        check_out(self.out, ".mp4")
        check_seconds(self.seconds)
        check_keep(self.keep)


def connect_clips(config: ConnectConfig) -> Written:
    """Draw what leads from one clip to another, and write the whole. ValueError for no such clips or world."""
    engine = open_engine(config.world, config.steps, config.size)
    rate = engine.world.config.frame_rate_hz
    first = open_clip(config.first, engine.world, config.first_episode, LEAST_FRAMES)
    second = open_clip(config.second, engine.world, config.second_episode, LEAST_FRAMES)
    scenes = (
        scene_of(shown(first, config.first_text), engine.world),
        scene_of(shown(second, config.second_text), engine.world),
    )
    frames = frames_of(config.seconds, rate)
    whole = connect(engine, first, second, scenes, frames, config.seed, config.keep, bars("drawing"))
    return write_clip(config.out, whole, rate)


def shown(clip: Clip, text: str | None) -> SceneFields:
    """What a clip shows: as its data set says, and over that as ``text`` does; prints how the text was read."""
    if text is None:
        return clip.fields
    fields, account = changed(clip.fields, text)
    say(account)
    return fields
