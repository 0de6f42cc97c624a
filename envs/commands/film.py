"""What is to be seen of a drive in both worlds: a video side by side, and a filmstrip."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from worldsim.serving.picture import Readings, beside, enlarge, factor_for, filmstrip, png, with_strip
from worldsim.serving.video import open_video
from worldsim.storage import atomic_path
from worldsim.types import FRAME_RATE_HZ, FrameArray

from .measures import moment
from .twins import Track, Twins

STRIP_S = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0)


@dataclass(frozen=True)
class Film:
    """Video and pictures of one drive, as bytes."""

    video: bytes  # mp4, learned left of reference
    poster: bytes  # PNG of the video's first frame
    filmstrip: bytes  # PNG, reference above learned
    moments_s: list[float]  # of the filmstrip's columns


def film(twins: Twins, stem: Path) -> Film:
    """Write ``stem``.mp4 and ``stem``.png (the filmstrip), and return what is in them."""
    video, strip = stem.with_name(f"{stem.name}.mp4"), stem.with_name(f"{stem.name}.png")
    with open_video(video, FRAME_RATE_HZ) as writer:
        for t in range(len(twins.seconds)):
            writer.add(shot(twins, t))
    moments = [second for second in STRIP_S if second <= twins.seconds[-1] + 1e-3]
    places = [moment(second, len(twins.seconds)) for second in moments]
    pictures = png(filmstrip([[track.frames[t] for t in places] for track in (twins.reference, twins.learned)]))
    with atomic_path(strip) as temporary:
        temporary.write_bytes(pictures)
    return Film(video.read_bytes(), png(shot(twins, 0)), pictures, moments)


def shot(twins: Twins, t: int) -> FrameArray:
    """Frame ``t`` of the video: both worlds enlarged, and what was done above."""
    learned, reference = twins.learned.frames[t], twins.reference.frames[t]
    factor = factor_for(learned.shape[1])
    pair = beside(enlarge(learned, factor), enlarge(reference, factor))
    return with_strip(pair, readings(twins.learned, t))


def readings(track: Track, t: int) -> Readings:
    """What the strip says at frame ``t``."""
    speed, steering = float(track.state("speed_mps")[t]), float(track.state("steering")[t])
    return Readings(t / FRAME_RATE_HZ, speed, steering, float(track.trust[t]))
