"""Opening worlds for the commands that prompt them, and writing what they drew."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from worldsim.checkpoint import load_world
from worldsim.engine import Engine, EngineConfig
from worldsim.evaluation.filmstrip import save_png
from worldsim.prompting import Clip
from worldsim.prompting.clip import MOST_SECONDS
from worldsim.serving.picture import enlarge, factor_for
from worldsim.serving.video import open_video
from worldsim.types import FRAME_RATE_HZ, FrameArray
from worldsim.world_model import WorldModel

Size = tuple[int, int] | None
SIZE_HELP = "height and width of the picture, as [128,256]; none: the world's own"


@dataclass(frozen=True)
class Written:
    """What was written."""

    wrote: Path
    seconds: float


def open_engine(world: str | WorldModel, steps: int, size: Size = None, guidance: float = 1.0) -> Engine:
    """The engine of a world: a name that ships, a folder, or one; at ``size`` (h, w), None: its own.

    Raises ValueError for an unknown world, bad ``steps``, or a size that its tokens do not divide.
    """
    native = world if isinstance(world, WorldModel) else load_world(world)
    model = native if size is None else native.at(size)
    return Engine(model, EngineConfig(steps, min(16, model.config.dynamics.finest_steps), guidance=guidance))


def frames_of(seconds: float, rate_hz: float = FRAME_RATE_HZ) -> int:
    """Frames of so many seconds."""
    return max(round(seconds * rate_hz), 1)


def check_out(out: Path, suffix: str) -> None:
    """Raise ValueError unless ``out`` is the name of such a file."""
    if out.suffix != suffix:
        raise ValueError(f"out: expected the name of a {suffix[1:]} file, got {str(out)!r}")


def check_seconds(seconds: float) -> None:
    """Raise ValueError for no time, or more than a minute."""
    if not 0.1 <= seconds <= MOST_SECONDS:
        raise ValueError(f"seconds: expected a number from 0.1 to {MOST_SECONDS:g}, got {seconds:g}")


def check_speed(speed_mps: float | None) -> None:
    """Raise ValueError for a speed that no car here drives."""
    if speed_mps is not None and not 0.0 <= speed_mps <= 40.0:
        raise ValueError(f"speed: expected metres per second from 0 to 40, got {speed_mps:g}")


def check_keep(keep: float) -> None:
    """Raise ValueError unless ``keep`` is a signal level."""
    if not 0.0 <= keep < 1.0:
        raise ValueError(f"keep: expected a number from 0 to below 1, got {keep:g}")


def write_image(out: Path, frame: FrameArray) -> Path:
    """A picture (h, w, 3), enlarged, as PNG."""
    return save_png(out, enlarge(frame, factor_for(frame.shape[1])))


def write_clip(out: Path, clip: Clip, rate_hz: float = FRAME_RATE_HZ) -> Written:
    """A clip, enlarged, as mp4; the file appears when it is whole."""
    factor = factor_for(clip.frames.shape[2])
    with open_video(out, rate_hz) as video:
        for frame in clip.frames:
            video.add(enlarge(frame, factor))
    return Written(out, len(clip) / rate_hz)
