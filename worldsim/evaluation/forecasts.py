"""What the state heads say while the model watches a recorded drive, beside what was true.

Axis legend: b drives, t frames of the longest, k forecasts.

Teacher-forced and streaming: at every frame the model has seen the true frames up to it, and no further.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from worldsim.dynamics.heads import HEAD_FIELDS, StateReading
from worldsim.dynamics.targets import head_targets
from worldsim.engine import Engine, Step
from worldsim.evaluation import metrics
from worldsim.evaluation.rollouts import Drives, Progress
from worldsim.types import LABEL_FIELDS, Episode

Array = npt.NDArray[np.float64]

WARM_UP_FRAMES = 5
"""Frames at the start of a drive that are not judged: the model has not seen any motion yet."""


def watch(
    engine: Engine, drives: Drives, seeds: Sequence[int], progress: Progress = iter
) -> Iterator[tuple[int, Step]]:
    """(t, what the model says of frame t) for every frame of the longest drive; mask with ``drives.known``."""
    state = engine.empty(drives.scene, seeds)
    for t in progress(iter(range(drives.length))):
        yield t, engine.observe(state, drives.latents(engine.world, t), drives.motion[:, t], drives.command[:, t])


@dataclass(frozen=True)
class Forecasts:
    """Readings and truth of many frames, flat; NaN among the truth is "not known"."""

    reading: dict[str, Array]  # StateReading's fields, each (k,)
    target: dict[str, Array]  # HEAD_FIELDS, LABEL_FIELDS, each (k,)

    def hazard(self, name: str) -> tuple[Array, Array]:
        """Forecast and truth that ``name`` happens within the next second, where it has not happened yet.

        Frames at which it is already so are left out: to go on seeing a collision is no forecast.
        """
        coming = np.where(self.target[name] == 0, self.target[f"{name}_soon"], np.nan)
        return self.reading[f"{name}_soon"], coming


def read_heads(
    engine: Engine, episodes: Sequence[Episode], drives: Drives, seeds: Sequence[int], progress: Progress = iter
) -> Forecasts:
    """Watch ``drives`` (made of ``episodes``) and gather what the heads said, from WARM_UP_FRAMES on."""
    rate = engine.world.config.frame_rate_hz
    names = [entry.name for entry in fields(StateReading)]
    said = {name: np.full(drives.known.shape, np.nan) for name in names}
    for t, step in watch(engine, drives, seeds, progress):
        for name in names:
            said[name][:, t] = getattr(step.state, name).cpu().numpy()
    true = np.full((*drives.known.shape, len(HEAD_FIELDS)), np.nan)
    labels = np.full((*drives.known.shape, len(LABEL_FIELDS)), np.nan)
    for row, episode in enumerate(episodes):
        true[row, : len(episode)] = head_targets(episode.labels, rate)
        labels[row, : len(episode)] = episode.labels
    judged = drives.known.copy()
    judged[:, :WARM_UP_FRAMES] = False
    target = {name: true[judged][:, i] for i, name in enumerate(HEAD_FIELDS)}
    target |= {name: labels[judged][:, i] for i, name in enumerate(LABEL_FIELDS)}
    return Forecasts({name: values[judged] for name, values in said.items()}, target)


def merged(parts: Sequence[Forecasts]) -> Forecasts:
    """All forecasts of several batches."""
    return Forecasts(
        {name: np.concatenate([part.reading[name] for part in parts]) for name in parts[0].reading},
        {name: np.concatenate([part.target[name] for part in parts]) for name in parts[0].target},
    )


def head_figures(forecasts: Forecasts) -> dict[str, float | int]:
    """Figures of the hazards one second ahead, of detecting what is so now, and of the regressed heads."""
    figures: dict[str, float | int] = {}
    for name in ("offroad", "collision"):
        said, true = forecasts.hazard(name)
        figures[f"auroc_{name}"] = metrics.auroc(said, true)
        figures[f"average_precision_{name}"] = metrics.average_precision(said, true)
        figures[f"calibration_error_{name}"] = metrics.calibration_error(said, true)
        figures[f"positives_{name}"] = int((true == 1).sum())
        figures[f"negatives_{name}"] = int((true == 0).sum())
        figures[f"auroc_{name}_now"] = metrics.auroc(forecasts.reading[name], forecasts.target[name])
    for name in ("lane_offset_m", "heading_error_rad", "lead_distance_m", "closing_speed_mps"):
        figures[f"error_{name}"] = metrics.mean_absolute_error(forecasts.reading[name], forecasts.target[name])
        figures[f"spread_{name}"] = _spread(forecasts.target[name])
    for name in ("lane_left", "lane_right"):
        figures[f"auroc_{name}"] = metrics.auroc(forecasts.reading[name], forecasts.target[name])
    return figures


def _spread(values: Array) -> float:
    """Mean absolute deviation from the median: the error of always saying the same."""
    known = values[~np.isnan(values)]
    return float(np.abs(known - np.median(known)).mean()) if len(known) else float("nan")
