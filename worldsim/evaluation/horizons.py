"""How far a rollout stays true: scores against the recorded drive by seconds since the last true frame.

Axis legend: b drives, k drives that are long enough, h w c of a frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from worldsim.evaluation.metrics import gradient_energy, psnr_db
from worldsim.evaluation.perceptual import PerceptualDistance
from worldsim.evaluation.rollouts import Drives
from worldsim.types import FrameArray

Array = npt.NDArray[np.float64]
Scores = dict[tuple[str, str, float], Array]
"""(method, measure, seconds) -> values (k,), one a drive that is long enough."""

HORIZONS_S = (0.5, 1.0, 2.0, 5.0, 20.0)

MODEL = "model"
BASELINES = {
    "repeat_last_frame": "the last context frame stays",
    "mean_frame": "the mean of the context frames stays",
}
CEILING = "tokenizer"
"""The true frame through the tokenizer: what the model could reach at best."""


def steps_of(horizons_s: Iterable[float], frame_rate_hz: float) -> dict[float, int]:
    """Seconds -> steps since the last true frame."""
    return {seconds: max(1, round(seconds * frame_rate_hz)) for seconds in horizons_s}


def score(
    drawn: Mapping[int, FrameArray],
    drives: Drives,
    context: int,
    distance: PerceptualDistance,
    reconstruct: Any,
    steps: Mapping[float, int],
) -> Scores:
    """Scores of what ``roll_out`` drew at ``steps``, of the baselines, and of ``reconstruct`` (frames -> frames).

    A drive counts at a horizon if it was recorded that long; ``steps`` that were not drawn are left out.
    """
    scores: Scores = {}
    for seconds, step in steps.items():
        t = context - 1 + step
        if step not in drawn or t >= drives.length:
            continue
        lasting = np.flatnonzero(drives.known[:, t])
        true = drives.reference(t)
        past = [drives.frames[row][:context] for row in lasting]
        shown = {
            MODEL: drawn[step][lasting],
            "repeat_last_frame": np.stack([frames[-1] for frames in past]),
            "mean_frame": np.stack([frames.mean(0).round().astype(np.uint8) for frames in past]),
            CEILING: reconstruct(true),
        }
        for method, frames in shown.items():
            scores[method, "psnr_db", seconds] = psnr_db(frames, true)
            scores[method, "perceptual", seconds] = distance(frames, true)
            scores[method, "gradient_energy", seconds] = gradient_energy(frames)
        scores["reference", "gradient_energy", seconds] = gradient_energy(true)
    return scores


def merged(parts: Sequence[Scores]) -> Scores:
    """The scores of several batches."""
    keys = dict.fromkeys(key for part in parts for key in part)
    return {key: np.concatenate([part[key] for part in parts if key in part]) for key in keys}


def summary(scores: Scores, horizons_s: Iterable[float] = HORIZONS_S) -> dict[str, Any]:
    """Means by horizon ("0.5", "1", ...), NaN where no drive was long enough; ``n`` says how many were.

    ``psnr_db``, ``perceptual`` and ``sharpness_ratio`` are the model's; the same of each baseline and of the tokenizer
    are under ``baselines``. A sharpness ratio is a ratio of means: gradient energy over that of the true frames.
    """
    horizons = list(horizons_s)
    figures = _of(scores, MODEL, horizons)
    figures["n"] = {f"{s:g}": len(scores.get((MODEL, "psnr_db", s), ())) for s in horizons}
    figures["baselines"] = {name: _of(scores, name, horizons) for name in (*BASELINES, CEILING)}
    return figures


def _of(scores: Scores, method: str, horizons: list[float]) -> dict[str, Any]:
    def mean(who: str, measure: str, seconds: float) -> float:
        values = scores.get((who, measure, seconds))
        return float("nan") if values is None else float(values.mean())

    figures: dict[str, Any] = {
        measure: {f"{s:g}": mean(method, measure, s) for s in horizons} for measure in ("psnr_db", "perceptual")
    }
    figures["sharpness_ratio"] = {
        f"{s:g}": mean(method, "gradient_energy", s) / max(mean("reference", "gradient_energy", s), 1e-9)
        for s in horizons
    }
    return figures
