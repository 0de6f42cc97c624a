"""Drift: what a minute of driving in the learned world does to the picture, in windows of 5 s.

Axis legend: d drives, t sampled frames, h w c of a frame, k frames, f features, w windows.

Frames of the learned world are held against those of the reference world over the whole minute.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from worldsim.evaluation.metrics import gradient_energy
from worldsim.evaluation.scene_reader import load_reader
from worldsim.evaluation.scene_statistics import statistics
from worldsim.types import FrameArray

from .minutes import SAMPLE_S, SCENARIOS, Minute
from .resampling import leave_one_out

Array = npt.NDArray[np.float64]

WINDOW_S = 5.0
FEATURES = "means, spreads, colours and fine structure of sky, horizon and ground (evaluation.scene_statistics)"
MEASURES = ("distance", "sharpness", "brightness", "vehicles", "trust")
FARTHEST = 3.0
"""Features are told in deviations of the reference frames, at most so many: else one of them could drown all others."""
LEAST = 1e-3
"""A ratio to less than this is none: there is nothing to compare with."""


def kernel_distance(a: Array, b: Array, own: float | None = None) -> float:
    """Squared maximum mean discrepancy of features (k, f) and (j, f) under (x.y / f + 1)^3, unbiased.

    The estimator of the kernel inception distance (Binkowski et al. 2018, eq. 4), on other features than Inception's,
    so it is comparable with itself alone. 0 where both are alike; it can come out slightly below. ``own`` is the part
    that ``b`` alone makes, where it is known.
    """
    own = _within(_kernel(b, b)) if own is None else own
    return float(_within(_kernel(a, a)) + own - 2.0 * _kernel(a, b).mean())


def _within(kernel: Array) -> float:
    """The mean of a kernel (k, k) over pairs of different rows."""
    k = len(kernel)
    return float((kernel.sum() - np.trace(kernel)) / (k * (k - 1)))


def _kernel(p: Array, q: Array) -> Array:
    return np.asarray((p @ q.T / p.shape[1] + 1.0) ** 3)


def figures(learned: Minute, reference: Minute) -> dict[str, Any]:
    """Every measure by window in both worlds, with intervals over drives; ratios of the last window to the first."""
    everything = statistics(reference.frames[reference.there])
    centre, scale = everything.mean(0), everything.std(0) + 1e-6

    def in_deviations(features: Array) -> Array:
        return np.clip((features - centre) / scale, -FARTHEST, FARTHEST)

    pool = in_deviations(everything)
    found: dict[str, Any] = {
        "window_s": WINDOW_S, "features": FEATURES, "drives": len(learned.frames), "scenarios": list(SCENARIOS),
    }  # fmt: skip
    for who, minute in (("model", learned), ("reference", reference)):
        seen, features = _seen(minute), in_deviations(statistics(_flat(minute.frames)))
        by_window, ratios = _by_window(minute, seen, features, pool)
        found[who] = by_window
        found["ratio" if who == "model" else "reference_ratio"] = ratios
    return found


def _seen(minute: Minute) -> dict[str, Array]:
    """What each frame shows (d, t)."""
    reader, _ = load_reader()
    shape, frames = minute.there.shape, _flat(minute.frames)
    return {
        "sharpness": gradient_energy(frames).reshape(shape),
        "brightness": (frames.mean(axis=(1, 2, 3)) / 255.0).reshape(shape),
        "vehicles": reader.read(frames).count().astype(np.float64).reshape(shape),
        "trust": minute.trust.astype(np.float64),
    }


def _by_window(minute: Minute, seen: dict[str, Array], features: Array, pool: Array) -> tuple[dict[str, Any], ...]:
    """Measure -> an estimate for each window, and measure -> the ratio of the last window to the first."""
    drive, number = np.indices(minute.there.shape)
    window = number // round(WINDOW_S / SAMPLE_S)
    count = minute.there.shape[1] // round(WINDOW_S / SAMPLE_S)
    rows = minute.there.ravel() & (window.ravel() < count)
    group, window, features = drive.ravel()[rows], window.ravel()[rows], features[rows]
    table: dict[str, Any] = {}
    ratios: dict[str, Any] = {}
    for name in MEASURES:
        values = features if name == "distance" else seen[name].ravel()[rows]
        measure = _distance_to(pool) if name == "distance" else _mean
        table[name] = [
            asdict(leave_one_out(measure, group[window == w], values[window == w])) for w in range(count)
        ]  # fmt: skip
        ratios[name] = asdict(leave_one_out(_ratio(measure, count - 1), group, values, window))
    return table, ratios


def _mean(values: Array) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _distance_to(pool: Array) -> Callable[[Array], float]:
    own = _within(_kernel(pool, pool))

    def distance(features: Array) -> float:
        return kernel_distance(features, pool, own) if len(features) > 1 else float("nan")

    return distance


def _ratio(measure: Callable[[Array], float], last: int) -> Callable[[Array, npt.NDArray[np.int64]], float]:
    """The last window over the first; NaN where the first is nothing to compare with."""

    def ratio(values: Array, window: npt.NDArray[np.int64]) -> float:
        end, begin = measure(values[window == last]), measure(values[window == 0])
        return end / begin if begin > LEAST else float("nan")

    return ratio


def _flat(frames: FrameArray) -> FrameArray:
    return frames.reshape(-1, *frames.shape[2:])
