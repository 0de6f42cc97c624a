"""An mp4 that every browser plays: H.264 in yuv420p, with its index in front.

Axis legend: h w image rows and columns.

``worldsim.data.video`` keeps frames for training and codes colour in full; browsers refuse that (4:4:4), so what people
look at is written here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from av.video.stream import VideoStream

from worldsim.storage import atomic_path
from worldsim.types import FrameArray

CODEC, PIXEL_FORMAT = "libx264", "yuv420p"
KEY_FRAME_S = 1.0
ENCODER_OPTIONS = {"crf": "19", "preset": "veryfast", "tune": "animation", "threads": "1"}
BT709 = 1


class VideoWriter:
    """Takes frames one after the other; made by ``open_video``."""

    def __init__(self, container: av.container.OutputContainer, fps: float) -> None:
        self._container, self._fps = container, fps
        self._stream: VideoStream | None = None
        self._reformatter = VideoReformatter()
        self.frames = 0

    def add(self, frame: FrameArray) -> None:
        """Append a frame (h, w, 3) uint8 RGB; h and w are even, and the same for all."""
        if self._stream is None:
            self._stream = self._open(frame)
        expected = (self._stream.height, self._stream.width, 3)
        if frame.shape != expected or frame.dtype != np.uint8:
            raise ValueError(f"video: expected frames of {expected} uint8, got {frame.shape} {frame.dtype}")
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        picture = self._reformatter.reformat(
            picture, format=PIXEL_FORMAT, dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
        )
        picture.pts = self.frames
        self._container.mux(self._stream.encode(picture))
        self.frames += 1

    def close(self) -> None:
        """Write what the encoder still holds. Raises ValueError where no frame was added."""
        if self._stream is None:
            raise ValueError("video: expected at least one frame, got none")
        self._container.mux(self._stream.encode())

    def _open(self, frame: FrameArray) -> VideoStream:
        if frame.ndim != 3 or frame.shape[0] % 2 or frame.shape[1] % 2:
            raise ValueError(f"video: expected frames (h, w, 3) with even h and w, got {frame.shape}")
        stream = cast(VideoStream, self._container.add_stream(CODEC, rate=Fraction(self._fps).limit_denominator(1001)))
        stream.height, stream.width = frame.shape[:2]
        stream.pix_fmt = PIXEL_FORMAT
        stream.options = {**ENCODER_OPTIONS, "g": str(max(round(self._fps * KEY_FRAME_S), 1))}
        context = stream.codec_context
        context.color_range = ColorRange.MPEG
        context.colorspace = context.color_primaries = context.color_trc = BT709
        return stream


@contextlib.contextmanager
def open_video(target: Path | str, fps: float) -> Iterator[VideoWriter]:
    """Write an mp4 at ``fps`` frames per second; ``target`` appears when the block ends well, and only then.

    Raises ValueError for a target that is no mp4 or a rate that is not positive, OSError where the disk refuses.
    """
    target = Path(target)
    if target.suffix != ".mp4":
        raise ValueError(f"video: expected a file name that ends in .mp4, got {str(target)!r}")
    if not fps > 0:
        raise ValueError(f"video: expected a positive frame rate, got {fps}")
    options = {"movflags": "+faststart"}
    with atomic_path(target) as temporary, av.open(str(temporary), "w", format="mp4", options=options) as container:
        writer = VideoWriter(container, fps)
        yield writer
        writer.close()
