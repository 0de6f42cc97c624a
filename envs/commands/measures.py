"""What a drive in both worlds measures: how alike the pictures are, how right the heads, and until when.

Axis legend: t frames, s horizons.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from worldsim.evaluation.metrics import gradient_energy, psnr_db
from worldsim.types import FRAME_RATE_HZ, FloatArray

from .twins import Track, Twins

HORIZONS_S = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
AROUND_FRAMES = 2  # a figure at a horizon is the mean of five frames
LASTING_FRAMES = round(FRAME_RATE_HZ)  # what does not last a second is a blip
LANE_APART_M = 1.0
EVENT_PROBABILITY = 0.5

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Measures:
    """Figures of one drive. Times are in seconds from the start; None: not within the drive."""

    horizons_s: list[float]  # (s,)
    psnr_db: list[float]  # (s,) learned picture against the reference's
    repeat_psnr_db: list[float]  # (s,) the reference's start frame, repeated, against its picture
    sharpness_ratio: list[float]  # (s,) gradient energy, learned over reference
    trust: list[float]  # (s,)
    lane_offset_m: list[float]  # (s,) as the learned world says
    true_lane_offset_m: list[float]  # (s,) where the reference vehicle is; NaN off the road
    lane_error_m: float  # mean distance between the two, over all frames until either vehicle left the road
    mean_trust: float
    least_trust: float
    steps_per_s: float
    picture_until_s: float | None  # when the picture became no closer than the repeated start frame, for a second
    lane_until_s: float | None  # when the two lane offsets were more than LANE_APART_M apart, for a second
    learned_offroad_s: float | None
    reference_offroad_s: float | None
    learned_collision_s: float | None
    reference_collision_s: float | None

    def plain(self) -> dict[str, Any]:
        """For JSON: rounded to what means something."""
        return {name: _rounded(value) for name, value in vars(self).items()}


def measure(twins: Twins) -> Measures:
    """The figures of one drive."""
    learned, reference = twins.learned, twins.reference
    score = psnr_db(learned.frames, reference.frames)
    repeat = psnr_db(np.broadcast_to(reference.frames[:1], reference.frames.shape), reference.frames)
    sharp, true_sharp = gradient_energy(learned.frames), gradient_energy(reference.frames)
    offset, true_offset = learned.label("lane_offset_m"), on_road_offset_m(reference)
    apart = np.abs(offset - true_offset)
    horizons = [h for h in HORIZONS_S if h <= twins.seconds[-1] + 1e-3]

    def at(values: npt.NDArray[Any]) -> list[float]:
        return [float(values[_around(h, len(values))].mean()) for h in horizons]

    ends = [event(track, name) for track in (learned, reference) for name in ("offroad", "collision")]
    on_road = (twins.seconds < min((end for end in ends if end is not None), default=np.inf)) & ~np.isnan(apart)
    return Measures(
        horizons_s=horizons, psnr_db=at(score), repeat_psnr_db=at(repeat),
        sharpness_ratio=[float(a / b) for a, b in zip(at(sharp), at(true_sharp), strict=True)],
        trust=at(learned.trust), lane_offset_m=at(offset), true_lane_offset_m=at(true_offset),
        lane_error_m=float(apart[on_road].mean()) if on_road.any() else float("nan"),
        mean_trust=float(learned.trust.mean()), least_trust=float(learned.trust.min()),
        steps_per_s=twins.steps_per_s,
        picture_until_s=lasting(score[1:] <= repeat[1:], 1), lane_until_s=lasting(~(apart <= LANE_APART_M)),
        learned_offroad_s=ends[0], learned_collision_s=ends[1],
        reference_offroad_s=ends[2], reference_collision_s=ends[3],
    )  # fmt: skip


def on_road_offset_m(track: Track) -> FloatArray:
    """The lane offset (t,), NaN where the vehicle is off the road and in no lane."""
    return np.where(track.label("offroad") >= EVENT_PROBABILITY, np.float32(np.nan), track.label("lane_offset_m"))


def event(track: Track, label: str) -> float | None:
    """When a hazard was first more likely than not in two frames running, in seconds; None: never."""
    shown = track.label(label) >= EVENT_PROBABILITY
    both = np.flatnonzero(shown[1:] & shown[:-1])
    return (int(both[0]) + 1) / FRAME_RATE_HZ if len(both) else None


def lasting(found: npt.NDArray[np.bool_], offset: int = 0) -> float | None:
    """When ``found`` first began to hold for most of a second, in seconds; None: never. Frame 0 is ``offset``."""
    if len(found) < LASTING_FRAMES:
        return None
    count = np.convolve(found.astype(int), np.ones(LASTING_FRAMES, int), mode="valid")
    places = np.flatnonzero((count >= 0.8 * LASTING_FRAMES) & found[: len(count)])
    return (int(places[0]) + offset) / FRAME_RATE_HZ if len(places) else None


def moment(second: float, frames: int) -> int:
    """The frame at ``second``, at most the last."""
    return min(round(second * FRAME_RATE_HZ), frames - 1)


def _around(second: float, frames: int) -> slice:
    middle = moment(second, frames)
    return slice(max(middle - AROUND_FRAMES, 0), middle + AROUND_FRAMES + 1)


def _rounded(value: Any) -> Any:
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return None if value is None or np.isnan(value) else round(float(value), 3)


def smooth(values: FloatArray, frames: int = 5) -> Array:
    """A running mean (t,), shorter at both ends."""
    weight = np.convolve(np.ones(len(values)), np.ones(frames), mode="same")
    return np.convolve(values, np.ones(frames), mode="same") / weight
