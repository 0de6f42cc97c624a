"""What a tokenizer keeps of frames it has not seen, in numbers.

Axis legend: b frames, h w image rows and columns, n tokens, d latent channels, k boxes of a frame.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from worldsim.tokenizer.autoencoder import Tokenizer
from worldsim.types import FloatArray, FrameArray

SMALL_VEHICLE_PX = 150.0
"""A box of less than this many pixels is a small vehicle: at 64x128 and 70 degrees, a car beyond about 20 m."""


def measure(
    tokenizer: Tokenizer, frames: FrameArray, boxes: Sequence[FloatArray] = (), batch: int = 32
) -> dict[str, float]:
    """Figures of reconstructing ``frames`` (b, h, w, 3) uint8; those without an object to measure are left out.

    ``psnr_db``            mean over frames of the peak signal-to-noise ratio
    ``sharpness_ratio``    gradient energy of the reconstruction over the original's; 1 is as sharp
    ``vehicle_psnr_db``    over all pixels inside ``boxes`` (b arrays (k, >=4): x0 y0 x1 y1)
    ``small_vehicle_psnr_db``  the same for boxes below SMALL_VEHICLE_PX
    ``latent_std_min``, ``latent_std_mean``, ``latent_saturated``  spread of the channels, and the share beyond 0.97
    """
    if len(frames) == 0:
        raise ValueError("measure: expected at least one frame, got none")
    copies, latents = [], []
    for part in np.array_split(frames, max(1, len(frames) // batch)):
        latents.append(tokenizer.encode(part))
        copies.append(tokenizer.decode(latents[-1]).cpu().numpy())
    return _picture_figures(frames, np.concatenate(copies), boxes) | latent_figures(torch.cat(latents))


def latent_figures(latents: torch.Tensor) -> dict[str, float]:
    """Spread of latents (b, n, d): a diffusion model wants every channel alive and none pinned to its bounds."""
    spread = latents.flatten(0, -2).std(0)
    return {
        "latent_std_min": float(spread.min()),
        "latent_std_mean": float(spread.mean()),
        "latent_std_max": float(spread.max()),
        "latent_saturated": float((latents.abs() > 0.97).float().mean()),
    }


def _picture_figures(frames: FrameArray, copies: FrameArray, boxes: Sequence[FloatArray]) -> dict[str, float]:
    square = (frames.astype(np.float32) - copies) ** 2
    figures = {
        "psnr_db": float(np.mean(_psnr(square.mean((1, 2, 3))))),
        "sharpness_ratio": _gradient_energy(copies) / max(_gradient_energy(frames), 1e-9),
    }
    for name, most in (("vehicle_psnr_db", np.inf), ("small_vehicle_psnr_db", SMALL_VEHICLE_PX)):
        inside = [_inside(rows, square.shape[1:3], most) for rows in boxes]
        pixels = [error[mask] for error, mask in zip(square, inside, strict=False) if mask.any()]
        if pixels:
            figures[name] = float(_psnr(np.concatenate(pixels).mean()))
    return figures


def _psnr(mean_square: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    return 10.0 * np.log10(255.0**2 / np.maximum(mean_square, 1e-6))


def _gradient_energy(frames: FrameArray) -> float:
    values = frames.astype(np.float32)
    return float((np.diff(values, axis=1) ** 2).mean() + (np.diff(values, axis=2) ** 2).mean())


def _inside(rows: FloatArray, size: tuple[int, ...], most_px: float) -> npt.NDArray[np.bool_]:
    mask = np.zeros(size, bool)
    for x0, y0, x1, y1 in rows[:, :4]:
        if (x1 - x0) * (y1 - y0) < most_px:
            mask[max(int(y0), 0) : max(int(np.ceil(y1)), 0), max(int(x0), 0) : max(int(np.ceil(x1)), 0)] = True
    return mask
