"""What the benchmark on real cameras measures of pictures: SSIM, what a codec keeps in as many bytes, flow.

Axis legend: t frames, h w image rows and columns.
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from io import BytesIO

import av
import cv2
import numpy as np
import numpy.typing as npt

from worldsim.types import FrameArray

Array = npt.NDArray[np.float64]


def ssim(frames: FrameArray, reference: FrameArray) -> Array:
    """Structural similarity (t,) of grey frames (t, h, w, 3), 1 for equal ones (Wang et al. 2004, sigma 1.5)."""
    return np.array([_ssim(a, b) for a, b in zip(frames, reference, strict=True)])


def _ssim(a: FrameArray, b: FrameArray) -> float:
    x, y = (cv2.cvtColor(each, cv2.COLOR_RGB2GRAY).astype(np.float64) for each in (a, b))

    def mean(values: Array) -> Array:
        return np.asarray(cv2.GaussianBlur(values, (11, 11), 1.5))

    mx, my = mean(x), mean(y)
    vx, vy, both = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    found = (2 * mx * my + c1) * (2 * both + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    return float(found.mean())


def webp(frames: FrameArray, most_bytes: int) -> tuple[FrameArray, float]:
    """Each frame as the best WebP picture of at most ``most_bytes``, and the mean number of bytes it took."""
    copies, sizes = [], []
    for frame in frames:
        low, high, best = 0, 100, None
        while low <= high:
            quality = (low + high) // 2
            _, content = cv2.imencode(".webp", frame[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, quality])
            if len(content) <= most_bytes:
                best, low = content, quality + 1
            else:
                high = quality - 1
        if best is None:  # even the worst is larger
            _, best = cv2.imencode(".webp", frame[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, 0])
        copies.append(cv2.imdecode(best, cv2.IMREAD_COLOR)[..., ::-1])
        sizes.append(len(best))
    return np.stack(copies).astype(np.uint8), float(np.mean(sizes))


def h264(frames: FrameArray, bytes_a_frame: int, fps: float) -> tuple[FrameArray, float]:
    """The clip as H.264 at the largest quality that stays within ``bytes_a_frame`` on average, and what it took."""
    low, high, best = 0, 51, None
    while low <= high:
        crf = (low + high) // 2
        content = _encode(frames, fps, crf)
        size = sum(packet for packet in content[1])
        if size <= bytes_a_frame * len(frames):
            best, high = (content[0], size), crf - 1
        else:
            low = crf + 1
    if best is None:
        content = _encode(frames, fps, 51)
        best = content[0], sum(content[1])
    with av.open(BytesIO(best[0])) as container:
        copies = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return np.stack(copies), best[1] / len(frames)


def _encode(frames: FrameArray, fps: float, crf: int) -> tuple[bytes, list[int]]:
    """The clip as mp4, and the sizes of its packets without the container."""
    buffer, sizes = BytesIO(), []
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        stream.options = {"crf": str(crf), "preset": "medium", "threads": "1"}
        for frame in itertools.chain(frames, [None]):
            picture = None if frame is None else av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            for packet in stream.encode(picture):
                sizes.append(packet.size)
                container.mux(packet)
    return buffer.getvalue(), sizes


def flow(before: FrameArray, after: FrameArray) -> npt.NDArray[np.float32]:
    """Optical flow (h, w, 2) in pixels, as everywhere in this project's tests of signs (Farneback 2003)."""
    grey = [cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) for each in (before, after)]
    return cv2.calcOpticalFlowFarneback(*grey, None, 0.5, 3, 15, 3, 5, 1.2, 0)  # type: ignore[call-overload, no-any-return]


def horizontal_flow(frames: FrameArray) -> Array:
    """Mean flow to the right (t - 1,) in pixels from frame to frame; positive where the camera turns left."""
    return np.array([flow(a, b)[..., 0].mean() for a, b in itertools.pairwise(frames)])


def extrapolated(before: FrameArray, last: FrameArray, steps: int) -> FrameArray:
    """Frames (steps, h, w, 3) that go on as the last two moved: the last one warped by their flow, again and again."""
    moved = flow(last, before)  # where each pixel of the last frame came from
    columns, rows = np.meshgrid(np.arange(last.shape[1], dtype=np.float32), np.arange(last.shape[0], dtype=np.float32))
    shown = []
    for step in range(1, steps + 1):
        x, y = columns + step * moved[..., 0], rows + step * moved[..., 1]
        shown.append(cv2.remap(last, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
    return np.stack(shown)
