"""Calibration: do hazards happen as often as the heads say, and does low trust say where the model is wrong?

Axis legend: d drives, r branches, t frames, k forecasts.

A frame at which the event is already so forecasts nothing and is left out; so is one whose drive ends before the
horizon without the event: nobody knows what would have come.
"""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from worldsim.data.store import EpisodeStore
from worldsim.evaluation import forecasts
from worldsim.evaluation.metrics import auroc, average_precision, calibration_error, rank_correlation
from worldsim.evaluation.rollouts import Drives
from worldsim.types import FRAME_RATE_HZ, LABEL_FIELDS, Episode

from ..collect import collect
from . import kept
from .progress import bar
from .resampling import over_groups
from .subject import Subject

Array = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

HORIZONS_S = (0.5, 1.0, 2.0)
STATED_S = 1.0
"""The horizon that the heads speak of; at others they can be asked to rank, not to be calibrated."""
HAZARDS = ("offroad", "collision")
BAD = {"good": 0.15, "noisy": 0.1, "wild": 0.1, "offroad": 0.2, "crasher": 0.45}
CROWDED = ("highway_dense", "any", "highway", "merge", "two_way", "any")
FIRST_SEED = 3_900_000
BINS = 10
COARSELY = 50  # resamples of the risk-coverage curve
COVERAGES = tuple(round(0.1 * i, 1) for i in range(1, 11))


def within(event: Array, steps: int) -> Array:
    """Whether an event (..., t) of 0, 1 or NaN happens in the next ``steps`` frames: 0, 1, or NaN for not known."""
    length = event.shape[-1]
    coming = np.full(event.shape, np.nan)
    for t in range(length - 1):
        ahead = event[..., t + 1 : t + 1 + steps]
        whole = (t + steps < length) & ~np.isnan(ahead).any(axis=-1)
        coming[..., t] = np.where((ahead == 1).any(axis=-1), 1.0, np.where(whole, 0.0, np.nan))
    coming[event != 0] = np.nan
    return coming


def reliability(chance: Array, happens: Array, drive: Rows, bins: int = BINS) -> list[dict[str, Any]]:
    """For each bin of forecasts (k,) that holds any: mean forecast, how often it happened, of how many frames.

    ``drive`` (k,) says which frames belong together: the interval is a bootstrap over drives.
    """
    place = np.minimum((chance * bins).astype(int), bins - 1)
    found = []
    for i in range(bins):
        here = place == i
        if here.any():
            happened = over_groups(_mean, drive[here], happens[here])
            row = {"forecast": float(chance[here].mean()), "happened": happened.value, "low": happened.low}
            found.append(row | {"high": happened.high, "frames": int(here.sum())})
    return found


def hazard_figures(chance: Array, event: Array, drive: Rows) -> dict[str, Any]:
    """Figures by horizon of forecasts and events, both (d, t); ``drive`` (d,) says which rows belong together."""
    found: dict[str, Any] = {}
    group = np.broadcast_to(drive[:, None], chance.shape)
    for seconds in HORIZONS_S:
        happens = within(event, round(seconds * FRAME_RATE_HZ))
        known = ~np.isnan(happens)
        p, y, of = chance[known], happens[known], group[known]
        row: dict[str, Any] = {
            "auroc": asdict(over_groups(auroc, of, p, y)), "average_precision": average_precision(p, y),
            "positives": int(y.sum()), "frames": len(y), "drives_with_positives": len(set(of[y == 1].tolist())),
        }  # fmt: skip
        if seconds == STATED_S:
            row["calibration_error"] = asdict(over_groups(calibration_error, of, p, y))
            row["reliability"] = reliability(p, y, of)
        found[f"{seconds:g}"] = row
    return found


def calibrate(subject: Subject, workers: int = 0) -> dict[str, Any]:
    """Hazards on drives that go wrong, as watched; hazards in the model's own frames; trust against error."""
    episodes = bad_drives(subject.sizes.watched, subject.sizes.watched_steps, workers)
    said, true = _watched(subject, episodes)
    rows = np.arange(len(episodes))
    watched = {name: hazard_figures(said[f"{name}_soon"], true[name], rows) for name in HAZARDS}
    branches = subject.branches
    drawn = {
        name: hazard_figures(subject.drawn.reading[f"{name}_soon"], branches.label(name), branches.moment)
        for name in HAZARDS
    }
    return {"watched": watched, "drawn": drawn, "trust": trust_figures(*_errors(subject)), "drives": len(episodes)}


def bad_drives(count: int, steps: int, workers: int = 0) -> list[Episode]:
    """Held-out drives by a mixture in which most end badly, kept in the user's cache."""
    folder = kept.cache_folder("bad_drives") / f"{count}x{steps}-{kept.code_digest()}"
    collect(
        folder, episodes=count, steps=steps, seed=FIRST_SEED, scenarios=list(CROWDED), held_out=sorted(set(CROWDED)),
        drivers=BAD, workers=workers,
    )  # fmt: skip
    store = EpisodeStore(folder)
    return [episode for _, episode in store.iterate(store.select(split="val"))]


def _watched(subject: Subject, episodes: list[Episode]) -> tuple[dict[str, Array], dict[str, Array]]:
    """What the heads say of frames (d, t) from WARM_UP_FRAMES on, and what is true; NaN past the end of a drive."""
    drives = Drives.of(episodes, subject.world, subject.encoder)
    shape = drives.known.shape
    said = {f"{name}_soon": np.zeros(shape) for name in HAZARDS}
    true = {name: np.full(shape, np.nan) for name in HAZARDS}
    for row, episode in enumerate(episodes):
        for name in HAZARDS:
            true[name][row, : len(episode)] = episode.labels[:, LABEL_FIELDS.index(name)]
    seeds = [subject.seed + i for i in range(len(episodes))]
    with bar("watching drives that go wrong", drives.length) as tick:
        for t, step in forecasts.watch(subject.engine, drives, seeds):
            for name in said:
                said[name][:, t] = getattr(step.state, name).double().cpu().numpy()
            tick()
    judged = slice(forecasts.WARM_UP_FRAMES, None)
    return tuple({name: values[:, judged] for name, values in each.items()} for each in (said, true))  # type: ignore[return-value]


def _mean(values: Array) -> float:
    return float(values.mean())


def _errors(subject: Subject) -> tuple[Array, Array, Rows]:
    """Trust, error and moment (k,) of every drawn frame: error is the rms distance of latents to the true ones."""
    drawn, true = subject.drawn.latents.float(), subject.watched.latents.float()
    error = (drawn - true).square().mean(dim=(-2, -1)).sqrt().numpy().astype(np.float64)
    moment = np.broadcast_to(subject.branches.moment[:, None], error.shape)
    return subject.drawn.trust[:, 1:].ravel(), error[:, 1:].ravel(), moment[:, 1:].ravel()


def _risk(coverage: float, trust: Array, error: Array) -> float:
    """The mean error of the most trusted share of frames."""
    order = np.argsort(-trust, kind="stable")
    return float(error[order[: max(1, round(coverage * len(trust)))]].mean())


def trust_figures(trust: Array, error: Array, moment: Rows) -> dict[str, Any]:
    """Does low trust go with large errors? Trust, error and moment (k,) of frames.

    ``risk`` is the mean error of the most trusted share of frames, ``best_risk`` the same where frames are sorted by
    error itself (El-Yaniv & Wiener 2010, risk-coverage curves).
    """
    best = np.argsort(error, kind="stable")
    kept_of = {coverage: max(1, round(coverage * len(trust))) for coverage in COVERAGES}
    risks = {f"{c:g}": over_groups(partial(_risk, c), moment, trust, error, resamples=COARSELY) for c in COVERAGES}
    return {
        "rank_correlation": asdict(over_groups(rank_correlation, moment, -trust, error)),
        "finds_worst_tenth": auroc(-trust, (error >= np.quantile(error, 0.9)).astype(np.float64)),
        "risk": {name: risk.value for name, risk in risks.items()},
        "risk_interval": {name: [risk.low, risk.high] for name, risk in risks.items()},
        "best_risk": {f"{c:g}": float(error[best[:n]].mean()) for c, n in kept_of.items()},
        "frames": len(trust),
    }
