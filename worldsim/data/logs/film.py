"""Pictures out of a video file that somebody else made, by their time, without holding the video in memory.

Axis legend: k pictures of the video, h w image rows and columns.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".avi", ".webm", ".hevc", ".h264", ".h265", ".ts")


SEEK_BEYOND = 60
"""Pictures that are farther away than this are sought, nearer ones decoded on the way."""


class Film:
    """A video file: ``times`` (k,) in seconds from its first picture, and ``picture(i)``, fastest in rising order.

    ``fps`` is what a raw stream without times of its own (.hevc) is played at. Turned phone videos come upright.
    Raises ValueError, naming the file, where it is no video or holds no pictures.
    """

    def __init__(self, path: Path, fps: float | None = None) -> None:
        self.path = path
        self._frames: Iterator[Any] | None = None
        self._next = 0
        if not path.is_file():
            raise ValueError(f"{path}: expected a video file, but it does not exist")
        try:
            with av.open(str(path)) as container:
                stream = container.streams.video[0]
                stamps = [packet.pts for packet in container.demux(stream) if packet.size]
                unit, rate = stream.time_base, fps or stream.average_rate or stream.guessed_rate
        except (av.FFmpegError, IndexError) as error:
            raise ValueError(f"{path}: expected a video that can be read, got {error}") from error
        if not stamps or not rate:
            raise ValueError(f"{path}: expected pictures at a known rate, got {len(stamps)} of them at {rate}")
        known = [stamp for stamp in stamps if stamp is not None]
        self.stamps: list[int] | None = sorted(set(known)) if len(known) == len(stamps) and fps is None else None
        if self.stamps is None or unit is None:
            self.times = np.arange(len(stamps)) / float(rate)
        else:
            self.times = (np.array(self.stamps) - self.stamps[0]) * float(unit)

    def picture(self, index: int) -> npt.NDArray[np.uint8] | None:
        """The ``index``-th picture (h, w, 3) RGB; None where it cannot be decoded, as where a file was cut short."""
        if self._frames is None or index < self._next or index > self._next + SEEK_BEYOND:
            self._frames = self._from(index)
        try:
            for found, frame in self._frames:
                self._next = found + 1
                if found >= index:
                    if found > index:
                        return None
                    picture = frame.to_ndarray(format="rgb24")
                    turns = round(getattr(frame, "rotation", 0) / 90)
                    return np.ascontiguousarray(np.rot90(picture, turns))
        except av.FFmpegError:
            return None
        return None

    def close(self) -> None:
        """Let go of the file."""
        self._frames, self._next = None, 0

    def _from(self, index: int) -> Iterator[Any]:
        """Pictures with their index, from the key picture before ``index`` on."""
        with av.open(str(self.path)) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            if self.stamps is None:
                yield from enumerate(container.decode(stream))
                return
            if index:
                container.seek(self.stamps[index], stream=stream, backward=True)
            for frame in container.decode(stream):
                if frame.pts is not None:
                    yield bisect.bisect_left(self.stamps, frame.pts), frame
