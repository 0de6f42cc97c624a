"""Smooth periodic noise: the only texture in the picture, so that nothing flickers or needs many bits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def periodic_noise(
    rng: np.random.Generator, rows: int, cols: int, shortest: float, longest: float, stretch: float = 1.0
) -> npt.NDArray[np.float32]:
    """(rows, cols) float32 in about [0, 1] that repeats seamlessly.

    Wavelengths in pixels along columns lie in [shortest, longest]; along rows they are ``stretch`` times as long.
    """
    fy = np.fft.fftfreq(rows)[:, None] * stretch
    fx = np.fft.rfftfreq(cols)[None, :]
    frequency = np.hypot(fx, fy)
    band = np.where((frequency >= 1 / longest) & (frequency <= 1 / shortest), 1 / np.maximum(frequency, 1e-9), 0.0)
    phase = rng.uniform(0, 2 * np.pi, band.shape)
    field = np.fft.irfft2(band * np.exp(1j * phase), (rows, cols))
    spread = field.std()
    scaled = field / (4.0 * spread) + 0.5 if spread > 0 else np.full((rows, cols), 0.5)
    return np.clip(scaled, 0.0, 1.0).astype(np.float32)
