"""Plain video files as episodes: pictures without a log.

The motion is unknown, which a world learns from as "no action", or is estimated from the pictures where that is sure
(`visual_motion.py` beside this), and then marked as estimated in `source`. Of each file the last part is held out, with
a gap before it that belongs to neither split. A folder within the one that was named gives its videos their scenario.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from worldsim.data.logs.ego_motion import Array, Drive
from worldsim.data.logs.faults import Faults
from worldsim.data.logs.film import SUFFIXES, Film
from worldsim.data.logs.log import Log, Part
from worldsim.data.logs.picture import crop_resize, middle
from worldsim.data.logs.recording import Cut, Pictures, Recording, episodes, held_out_parts
from worldsim.data.logs.visual_motion import ROWS, Grey, Lens, estimate
from worldsim.schema import option
from worldsim.types import Episode, FrameArray


@dataclass
class VideoOptions:
    """What is known of the videos."""

    motion: Literal["estimate", "none"] = option("estimate", "ego motion: estimate it where that is sure, or none")
    hfov_deg: float = option(60.0, "horizontal field of view of the whole picture, in degrees, for the estimate")
    camera_height_m: float = option(1.4, "height of the camera above the road, for the estimate")
    caption: str = option("", "what is to be seen, in words")
    held_out: float = option(0.15, "share of each file, its end, that is held out")

    def __post_init__(self) -> None:
        if not 10 <= self.hfov_deg < 175 or not 0 < self.camera_height_m < 10 or not 0 <= self.held_out < 0.9:
            raise ValueError(
                "video: expected hfov_deg in [10, 175), camera_height_m in (0, 10) and held_out in [0, 0.9), "
                f"got {self.hfov_deg}, {self.camera_height_m} and {self.held_out}"
            )


def open_videos(path: Path, options: VideoOptions, cut: Cut, faults: Faults) -> Log:
    """A file, or all videos in a folder, cut into parts of one episode. Raises ValueError where there is none."""
    if not path.exists():
        raise ValueError(f"{path}: expected a video or a folder of videos, but it does not exist")
    files = sorted(f for f in path.rglob("*") if f.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
    if not files:
        raise ValueError(f"{path}: expected videos ({', '.join(SUFFIXES)}) in this folder, got none")
    parts = []
    for file in files:
        name = str(file.relative_to(path)) if path.is_dir() else file.name
        try:
            film = Film(file)
        except ValueError as error:
            faults("broken_videos", str(error), error)
            continue
        for split, first, end in held_out_parts(film.times, cut, options.held_out):
            read = partial(_read, file, name, film.times, first, end, split, options, cut)
            parts.append(Part(f"{name}:{first}-{end}", read))
    return Log(parts, faults)


def _read(
    file: Path,
    name: str,
    times: Array,
    first: int,
    end: int,
    split: str,
    options: VideoOptions,
    cut: Cut,
    faults: Faults,
) -> Iterator[Episode]:
    film, greys = Film(file), {}  # type: Film, dict[float, Grey]
    shape: list[tuple[int, int]] = []

    def read(index: int) -> FrameArray | None:
        """A picture of the stretch, or None, with the fault noted, where it does not decode."""
        picture = film.picture(first + index)
        if picture is None:
            faults("broken_pictures", f"{file}: picture {first + index}: expected one that decodes, got none")
            return None
        shape[:] = [(picture.shape[0], picture.shape[1])]
        if options.motion == "estimate":
            greys[float(times[first + index])] = _grey(picture, cut.size)
        return crop_resize(picture, cut.size)

    def estimated(_: FrameArray, at: Array) -> tuple[Drive, str]:
        columns = middle(*shape[0], cut.size)[2:][1]
        angle = np.degrees(2 * np.arctan(np.tan(np.radians(options.hfov_deg) / 2) * columns / shape[0][1]))
        found, sure = estimate([greys.pop(float(t)) for t in at], at, Lens(float(angle), options.camera_height_m))
        known = not np.isnan(found.motion).all()
        words = "motion estimated from the pictures" if known else "motion unknown, for no estimate was sure"
        return found, f"{words} (sure in {sure:.0%} of steps; {options.hfov_deg:g} deg, {options.camera_height_m:g} m)"

    recording = Recording(
        name=f"{name}, pictures {first} to {end - 1}",
        views={"front": Pictures(times[first:end], read)},
        estimate=estimated if options.motion == "estimate" else None,
        caption=options.caption,
        scenario=Path(name).parent.name or "video",
        split=split,
        source=f"video {name}, pictures {first} to {end - 1} of {len(times)}",
    )
    yield from episodes(recording, cut, faults)
    film.close()


def _grey(picture: FrameArray, size: tuple[int, int]) -> Grey:
    """The part that is kept, grey and at about ROWS rows."""
    top, left, rows, columns = middle(picture.shape[0], picture.shape[1], size)
    part = cv2.cvtColor(picture[top : top + rows, left : left + columns], cv2.COLOR_RGB2GRAY)
    scale = ROWS / rows
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(part, (round(columns * scale), ROWS), interpolation=way), np.uint8)
