"""Simple statistics of a frame, and a linear classifier that tells scenes apart by them.

Axis legend: k frames, h w c of a frame, s statistics, m classes.

Deliberately blunt: means, spreads and colours of three bands (sky, horizon, ground) and how much fine structure runs
along and across. What separates day from night or fog from rain by these is really in the picture.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from worldsim.types import FrameArray

Array = npt.NDArray[np.float64]

BANDS = {"sky": (0.0, 0.3), "horizon": (0.3, 0.5), "ground": (0.5, 1.0)}
COARSE = (16, 32)  # rows and columns at which colours are compared, so that blur does not count


def statistics(frames: FrameArray) -> Array:
    """(k, s) from (k, h, w, 3): of each band brightness, its spread, saturation, colour, bright and dark tails."""
    if frames.ndim != 4 or frames.shape[-1] != 3:
        raise ValueError(f"statistics: expected frames (k, h, w, 3), got shape {frames.shape}")
    return np.stack([_of_frame(frame) for frame in frames])


def _of_frame(frame: FrameArray) -> Array:
    coarse = cv2.resize(frame, COARSE[::-1], interpolation=cv2.INTER_AREA).astype(np.float64) / 255.0
    fine = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float64) / 255.0
    found: list[float] = []
    for low, high in BANDS.values():
        band = coarse[round(low * COARSE[0]) : round(high * COARSE[0])].reshape(-1, 3)
        light = band @ (0.299, 0.587, 0.114)
        red, green, blue = band.mean(0)
        found += [light.mean(), light.std(), float(np.ptp(band, axis=1).mean()), red - green, blue - green]
        found += np.quantile(light, (0.1, 0.5, 0.9)).tolist()
        rows = fine[round(low * len(fine)) : round(high * len(fine))]
        across, down = np.abs(np.diff(rows, axis=1)).mean(), np.abs(np.diff(rows, axis=0)).mean()
        found += [np.log(1e-3 + across), np.log(1e-3 + down)]
    return np.array(found)


class LinearClassifier:
    """Linear discriminant analysis (Fisher 1936): one mean a class, one covariance for all, shrunk to stay sound."""

    def __init__(self, classes: Sequence[str], weights: Array, offset: Array) -> None:
        self.classes, self._weights, self._offset = list(classes), weights, offset

    @classmethod
    def fit(cls, values: Array, labels: Sequence[str], shrinkage: float = 0.02) -> LinearClassifier:
        """From values (k, s) and k labels. ValueError unless every class has an example and there are two classes."""
        classes = sorted(set(labels))
        if len(values) != len(labels) or len(classes) < 2:
            raise ValueError(f"fit: expected one label a row and two classes, got {len(values)} rows and {classes}")
        place = np.array([classes.index(label) for label in labels])
        means = np.stack([values[place == i].mean(0) for i in range(len(classes))])
        within = values - means[place]
        scale = within.std(0) + 1e-6
        covariance = (within / scale).T @ (within / scale) / len(values)
        covariance = (1 - shrinkage) * covariance + shrinkage * np.eye(len(covariance))
        weights = np.linalg.solve(covariance, (means / scale).T) / scale[:, None]
        return cls(classes, weights, -0.5 * np.einsum("ms,sm->m", means, weights))

    def predict(self, values: Array) -> list[str]:
        """The likeliest class of each row (k, s), all classes equally likely beforehand."""
        return [self.classes[i] for i in (values @ self._weights + self._offset).argmax(1)]
