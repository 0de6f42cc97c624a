"""Measures of frames and of forecasts, each a few lines of numpy.

Axis legend: ... any leading shape, h w c of a frame, k forecasts.

A NaN among labels or targets means "not known": that entry is left out, never counted as a miss or a hit. Where
nothing is left to measure the answer is NaN.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from worldsim.types import FrameArray

Array = npt.NDArray[np.float64]
LEAST_SQUARE = 1e-6  # mean squared error below which frames count as equal (108 dB)


def psnr_db(frames: FrameArray, reference: FrameArray) -> Array:
    """Peak signal-to-noise ratio (...,) in dB of frames (..., h, w, c) uint8."""
    _same_shape(frames, reference)
    square = (frames.astype(np.float32) - reference.astype(np.float32)) ** 2
    return 10.0 * np.log10(255.0**2 / np.maximum(square.mean((-3, -2, -1), dtype=np.float64), LEAST_SQUARE))


def gradient_energy(frames: FrameArray) -> Array:
    """Mean squared difference of neighbouring pixels (...,), along rows plus along columns; blur lowers it."""
    values = frames.astype(np.float32)
    down, across = np.diff(values, axis=-3) ** 2, np.diff(values, axis=-2) ** 2
    return down.mean((-3, -2, -1), dtype=np.float64) + across.mean((-3, -2, -1), dtype=np.float64)


def sharpness_ratio(frames: FrameArray, reference: FrameArray) -> float:
    """Gradient energy of all ``frames`` over that of all ``reference``: 1 is as sharp, less is blurred.

    PSNR favours a blurry mean, so the two are to be read together.
    """
    return float(gradient_energy(frames).mean() / max(float(gradient_energy(reference).mean()), 1e-9))


def auroc(scores: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Area under the ROC curve: the chance that a positive scores above a negative, ties counting half.

    ``scores`` (k,), ``labels`` (k,) in {0, 1, NaN}. NaN without both classes. Mann & Whitney (1947), by ranks.
    """
    scores, positive = _binary(scores, labels)
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    if n_positive == 0 or n_negative == 0:
        return float("nan")
    rank_sum = _midranks(scores)[positive].sum()
    return float((rank_sum - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def average_precision(scores: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Area under the precision-recall steps; equal scores enter together. NaN without positives."""
    scores, positive = _binary(scores, labels)
    if not positive.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)  # last place of each score
    hits = np.cumsum(positive[order])[ends]
    gained = np.diff(hits, prepend=0)
    return float((gained * hits / (ends + 1)).sum() / positive.sum())


def calibration_error(probabilities: npt.ArrayLike, labels: npt.ArrayLike, bins: int = 10) -> float:
    """Expected calibration error (Naeini et al. 2015): |mean probability - frequency| over equal bins, by their share.

    0 is calibrated: of all that is forecast with 0.3, three in ten happen.
    """
    values, positive = _binary(probabilities, labels)
    if not len(values):
        return float("nan")
    if values.min() < 0 or values.max() > 1:
        raise ValueError(f"probabilities: expected values in [0, 1], got {values.min():.3g} to {values.max():.3g}")
    place = np.minimum((values * bins).astype(int), bins - 1)
    gaps = [abs((values[place == i] - positive[place == i]).sum()) for i in range(bins)]
    return float(sum(gaps) / len(values))


def mean_absolute_error(values: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Mean |value - target| over known targets."""
    values, targets = _known(values, targets)
    return float(np.abs(values - targets).mean()) if len(values) else float("nan")


def correlation(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Pearson's correlation of two series (k,); NaN where either is constant."""
    a, b = _known(a, b)
    if len(a) < 2 or a.std() < 1e-12 or b.std() < 1e-12:
        return float("nan")
    return float(((a - a.mean()) * (b - b.mean())).mean() / (a.std() * b.std()))


def rank_correlation(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Spearman's correlation of two series (k,): Pearson's of their ranks, ties sharing theirs."""
    a, b = _known(a, b)
    return correlation(_midranks(a), _midranks(b)) if len(a) else float("nan")


def _midranks(values: Array) -> Array:
    """Ranks from 1 (k,); equal values share the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[place.reshape(values.shape)]


def _binary(scores: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[Array, npt.NDArray[np.bool_]]:
    values, known = _known(scores, labels)
    if not np.isin(known, (0.0, 1.0)).all():
        raise ValueError(f"labels: expected 0, 1 or NaN, got {sorted(set(known.tolist()) - {0.0, 1.0})[:5]}")
    return values, known == 1.0


def _known(values: npt.ArrayLike, targets: npt.ArrayLike) -> tuple[Array, Array]:
    """Both as flat float64 where the target is known. ValueError for other shapes, or a value that is NaN there."""
    left, right = np.asarray(values, np.float64), np.asarray(targets, np.float64)
    _same_shape(left, right)
    kept = ~np.isnan(right)
    if np.isnan(left[kept]).any():
        raise ValueError(f"values: expected numbers wherever the target is known, got {np.isnan(left[kept]).sum()} NaN")
    return left[kept], right[kept]


def _same_shape(a: npt.NDArray, b: npt.NDArray) -> None:
    if a.shape != b.shape:
        raise ValueError(f"expected two arrays of one shape, got {a.shape} and {b.shape}")
