"""Baselines in the same tables: what must be beaten, and what the model is at other settings.

Axis legend: r branches, t frames of a branch, h w c of a frame.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from worldsim.checkpoint import load_world, read_card
from worldsim.engine import Engine, EngineConfig, RolloutState, Step
from worldsim.tokenizer import tokenizer_hash
from worldsim.world_model import WorldModel

from . import counterfactuals
from .moments import Branches, Moment
from .progress import bar
from .resampling import over_groups
from .subject import Subject
from .told import Told, ticks_of, watch_branches

AT = 10  # steps after which the error is told


class MeanEngine(Engine):
    """Every frame is what the model expects from the past alone, its mean: the finest step's guess from pure noise."""

    def _draw(
        self, state: RolloutState, motion: Tensor, command: Tensor | None, steps: int, guidance: float,
        temperature: float,
    ) -> Step:  # fmt: skip
        frame = self._next(state, motion, command)
        clean = self._expected(frame, self._begun_from(state), guidance)
        return self._remember(state, frame, clean[:, 0], clean[:, 0])

    def _begun_from(self, state: RolloutState) -> Tensor:
        return self._noise(state.generators)


class LeastSquaresEngine(MeanEngine):
    """A world that was trained by least squares (``objective.draws_from=nothing``): one pass from zeros, no chance."""

    def _begun_from(self, state: RolloutState) -> Tensor:
        return torch.zeros_like(self._noise(state.generators))


NO_BASELINE = (
    "a deterministic model of the same size trained by squared error: none was given as `baseline=FOLDER` "
    "(docs/evaluation.md says how to train one)"
)
WORDS = {
    "model": "the model",
    "repeat_last_frame": "the last frame stays",
    "least_squares": "deterministic: the same network trained by squared error",
    "mean": "the mean of what the model expects",
    "1_pass": "1 sampling pass",
    "2_passes": "2 sampling passes",
    "4_passes": "4 sampling passes",
    "8_passes": "8 sampling passes",
    "no_context_noise": "no noise on remembered frames",
    "true_frames": "its heads on true frames",
    "other_seed": "the reference world, another seed",
}


def compare(subject: Subject, baseline: str = "") -> dict[str, Any]:
    """Counterfactual figures and latent error after a second of every baseline, on the first moments of each kind.

    ``baseline`` is a world that was trained by least squares; without it that row is missing, and ``not_measured`` says
    so. ValueError where it is not of the same size, or has other latents.
    """
    other = least_squares(baseline, subject.world) if baseline else None
    moments, branches, rows = some(subject)
    true, told = subject.watched.latents[rows], {"model": _rows(subject.drawn, rows)}
    config = EngineConfig(steps=subject.passes, start_steps=1)
    engines: dict[str, Callable[[], Engine]] = {"mean": lambda: MeanEngine(subject.world, config)}
    if other is not None:
        engines["least_squares"] = lambda: LeastSquaresEngine(other, replace(config, context_signal=1.0))
    for count in subject.sizes.other_passes:
        if count != subject.passes and count <= subject.world.config.dynamics.finest_steps:
            name = "1_pass" if count == 1 else f"{count}_passes"
            engines[name] = lambda count=count: Engine(subject.world, replace(config, steps=count))  # type: ignore[misc]
    engines["no_context_noise"] = lambda: Engine(subject.world, replace(config, context_signal=1.0))
    for name, make in engines.items():
        told[name] = subject.draw(make(), moments, branches, f"drawing: {WORDS[name]}")
    told["repeat_last_frame"] = _repeated(subject, moments, branches)
    told["true_frames"] = _rows(subject.watched, rows)
    others = other_seeds(subject.moments, subject.branches, rows)
    if others is not None:
        told["other_seed"] = _rows(subject.watched, others)
    figures = {
        name: _figures(moments, branches, told[name], true) | {"words": WORDS.get(name, name)}
        for name in (*WORDS, *told) if name in told
    }  # fmt: skip
    if other is not None:
        figures["least_squares"]["words"] += f" ({read_card(baseline).summary.rstrip('.').lower()})"
    missing = [] if baseline else [NO_BASELINE]
    return {"table": figures, "branches": len(branches), "moments": len(moments), "not_measured": missing}


def least_squares(folder: str, world: WorldModel) -> WorldModel:
    """The world in ``folder``, as a baseline of ``world``. ValueError unless sizes and latents are the same."""
    found = load_world(folder, world.device)
    same = found.config == world.config and tokenizer_hash(found.tokenizer) == tokenizer_hash(world.tokenizer)
    scales = zip(found.scale.state_dict().values(), world.scale.state_dict().values(), strict=True)
    if not same or not all(torch.allclose(a, b, atol=1e-3) for a, b in scales):
        raise ValueError(
            f"baseline {folder}: expected a world of the same sizes, tokenizer and scale of latents as the one that is "
            "judged; train it with start_from=THAT and tokenizer=THAT"
        )
    return found


def some(subject: Subject) -> tuple[list[Moment], Branches, np.ndarray]:
    """The first moments of each kind with their branches, numbered anew, and the rows where these were."""
    chosen: list[int] = []
    for kind in dict.fromkeys(moment.kind for moment in subject.moments):
        of = [i for i, moment in enumerate(subject.moments) if moment.kind == kind]
        chosen += of[: subject.sizes.baseline_moments]
    rows = np.flatnonzero(np.isin(subject.branches.moment, chosen))
    place = np.array([chosen.index(int(i)) for i in subject.branches.moment[rows]])
    return [subject.moments[i] for i in chosen], subject.branches.rows(rows, place), rows


def other_seeds(moments: list[Moment], branches: Branches, rows: np.ndarray) -> np.ndarray | None:
    """For each of ``rows`` the same branch of the next moment of its kind: the reference world with another seed.

    None where a kind has one moment only.
    """
    kinds = np.array([moments[i].kind for i in branches.moment])
    found = []
    for row in rows:
        same = np.flatnonzero((branches.name == branches.name[row]) & (kinds == kinds[row]))
        if len(same) < 2:
            return None
        found.append(int(same[(np.flatnonzero(same == row)[0] + 1) % len(same)]))
    return np.array(found, np.int64)


def _rows(told: Told, rows: np.ndarray) -> Told:
    return Told({key: values[rows] for key, values in told.reading.items()}, told.trust[rows], told.latents[rows])


def _repeated(subject: Subject, moments: list[Moment], branches: Branches) -> Told:
    frames = np.broadcast_to(branches.frames[:, :1], branches.frames.shape)
    with bar("watching the last frame", ticks_of(branches)) as tick:
        still = replace(branches, frames=frames)
        return watch_branches(subject.engine, moments, still, subject.seed, subject.encoder, tick)


def _figures(moments: list[Moment], branches: Branches, told: Told, true: Tensor) -> dict[str, Any]:
    made = counterfactuals.figures(moments, branches, told)
    error = (told.latents.float() - true.float()).square().mean(dim=(-2, -1)).sqrt()
    return made | {"latent_error": asdict(over_groups(_mean, branches.moment, error[:, AT].numpy()))}


def _mean(values: np.ndarray) -> float:
    return float(values.mean())
