"""Each measure on a case whose answer is known, or against a slow and obvious way to compute it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from worldsim.evaluation import metrics
from worldsim.evaluation.metrics import (
    auroc,
    average_precision,
    calibration_error,
    correlation,
    gradient_energy,
    mean_absolute_error,
    psnr_db,
    rank_correlation,
    sharpness_ratio,
)
from worldsim.evaluation.perceptual import EfficientNetDistance, GradientDistance, perceptual_distance

NAN = float("nan")


def test_psnr_of_a_known_error() -> None:
    reference = np.full((2, 8, 8, 3), 100, np.uint8)
    frames = reference.copy()
    frames[1] += 10
    values = psnr_db(frames, reference)
    assert values[1] == pytest.approx(20 * math.log10(255 / 10))
    assert values[0] == pytest.approx(10 * math.log10(255**2 / metrics.LEAST_SQUARE))
    with pytest.raises(ValueError, match="one shape"):
        psnr_db(frames[:1], reference)


def test_sharpness_counts_edges_and_not_brightness() -> None:
    stripes = np.zeros((1, 8, 8, 3), np.uint8)
    stripes[:, :, ::2] = 100
    assert gradient_energy(stripes)[0] == pytest.approx(100**2)
    assert sharpness_ratio(stripes // 2, stripes) == pytest.approx(0.25)
    assert sharpness_ratio(stripes + 50, stripes) == pytest.approx(1.0)


def test_auroc_equals_comparing_every_pair() -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 6, 80) / 5  # many ties
    labels = (rng.random(80) < 0.3).astype(float)
    labels[rng.random(80) < 0.2] = NAN
    positive, negative = scores[labels == 1], scores[labels == 0]
    pairs = [(p > n) + 0.5 * (p == n) for p in positive for n in negative]
    assert auroc(scores, labels) == pytest.approx(np.mean(pairs))


def test_auroc_at_its_ends() -> None:
    assert auroc([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1]) == 1.0
    assert auroc([0.9, 0.8, 0.2, 0.1], [0, 0, 1, 1]) == 0.0
    assert auroc([0.5] * 4, [0, 0, 1, 1]) == 0.5
    assert math.isnan(auroc([0.1, 0.2], [1, 1]))
    with pytest.raises(ValueError, match="0, 1 or NaN"):
        auroc([0.1, 0.2], [0, 2])


def test_average_precision_equals_a_walk_down_the_thresholds() -> None:
    rng = np.random.default_rng(1)
    scores, labels = rng.integers(0, 5, 60) / 4, (rng.random(60) < 0.3).astype(float)
    expected, before = 0.0, 0.0
    for threshold in sorted(set(scores.tolist()), reverse=True):
        chosen = scores >= threshold
        recall, precision = labels[chosen].sum() / labels.sum(), labels[chosen].mean()
        expected, before = expected + (recall - before) * precision, recall
    assert average_precision(scores, labels) == pytest.approx(expected)
    assert average_precision([0.9, 0.8, NAN], [1, 0, NAN]) == 1.0
    assert math.isnan(average_precision([0.1], [0]))


def test_calibration_error() -> None:
    assert calibration_error([0.25] * 4, [1, 0, 0, 0]) == pytest.approx(0.0)
    assert calibration_error([0.9] * 4 + [0.1] * 4, [1, 1, 0, 0, 0, 0, 0, 0]) == pytest.approx(0.25)
    assert calibration_error([1.0, 0.5], [1, NAN]) == 0.0
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        calibration_error([1.5], [1])


def test_unknown_targets_are_never_counted() -> None:
    assert mean_absolute_error([1.0, 5.0, NAN], [2.0, NAN, NAN]) == 1.0
    assert math.isnan(mean_absolute_error([1.0], [NAN]))
    with pytest.raises(ValueError, match="1 NaN"):
        mean_absolute_error([NAN], [1.0])


def test_correlations() -> None:
    x = np.array([1.0, 2.0, 3.0, 4.0])
    assert correlation(x, 3 - 2 * x) == pytest.approx(-1.0)
    assert rank_correlation(x, np.exp(x)) == pytest.approx(1.0)
    assert rank_correlation([1, 1, 2], [1, 1, 5]) == pytest.approx(1.0)
    assert math.isnan(correlation(x, np.ones(4)))


def drawing(seed: int = 0) -> np.ndarray:
    """A frame (1, 64, 128, 3) of random rectangles."""
    rng = np.random.default_rng(seed)
    frame = np.full((1, 64, 128, 3), 120, np.uint8)
    for _ in range(12):
        y, x = rng.integers(0, 50), rng.integers(0, 110)
        frame[:, y : y + 12, x : x + 16] = rng.integers(0, 255, 3)
    return frame


def distances() -> list:
    try:
        return [GradientDistance(), EfficientNetDistance()]
    except ImportError:
        return [GradientDistance()]


@pytest.mark.parametrize("distance", distances(), ids=lambda distance: distance.name)
def test_a_perceptual_distance_orders_what_the_eye_orders(distance) -> None:
    """Equal is 0, a shade darker is near, a blur is farther, another picture farther still."""
    import cv2

    frame = drawing()
    darker = (frame * 0.95).astype(np.uint8)
    blurred = cv2.GaussianBlur(frame[0], (0, 0), 2.0)[None]
    assert distance(frame, frame)[0] == pytest.approx(0.0, abs=1e-6)
    near, blur, far = distance(darker, frame)[0], distance(blurred, frame)[0], distance(drawing(1), frame)[0]
    assert 0 < near < blur < far
    assert distance(frame[:0], frame[:0]).shape == (0,)
    batch = np.concatenate([darker, blurred])
    assert distance(batch, np.repeat(frame, 2, 0)) == pytest.approx([near, blur], rel=1e-4)


def test_the_distance_is_named_as_what_it_is() -> None:
    name = perceptual_distance().name.lower()
    assert not any(word in name for word in ("lpips", "fid", "fvd"))
