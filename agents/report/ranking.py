"""Ranking: do policies that drive better in the learned world drive better in truth?

Axis legend: p policies, k drives of the suite, matched: column k has the same scenario and seed for every policy and in
both worlds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from worldsim.evaluation.metrics import rank_correlation

from ..judging.family import FAMILY
from ..judging.judge import LEARNED, REFERENCE, Judge, Venue
from ..judging.scores import Estimate, scores, table_of
from ..judging.suite import FIRST_SEED, Suite
from ..policy.checkpoint import load_policy
from . import kept
from .subject import Subject

Array = npt.NDArray[np.float64]

EXPLOITS = ("coasting", "tailgating", "swaying", "parking")
POLICIES = (*FAMILY, *EXPLOITS)
"""Ten of graded skill and four that look for what a model leaves unpunished; folders of policies may be added."""
SCRIPTED, EXPLOIT, CLONED, BY_MODEL, BY_REFERENCE = (
    "scripted", "exploit", "cloned", "trained in the learned world", "trained in the reference world"
)  # fmt: skip
LEARNED_KINDS = (CLONED, BY_MODEL, BY_REFERENCE)
OTHER_SEEDS = 500_000
RESAMPLES, SEED, TAILS, DIGITS = 1000, 0, (0.025, 0.975), 9
COUNTED = ("return", "crash", "offroad", "success")


def kendall(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Kendall's tau-b of two series (p,) (Kendall 1945): ties count for neither side. NaN where one is constant."""
    x, y = (np.sign(np.subtract.outer(values, values)) for values in (np.asarray(a, float), np.asarray(b, float)))
    spread = float(np.sqrt((x**2).sum() * (y**2).sum()))
    return float((x * y).sum() / spread) if spread > 0 else float("nan")


def agreement(learned: Array, reference: Array) -> dict[str, Any]:
    """Rank correlations of the policies' means, from tables (p, k) of both worlds, with intervals over drives.

    Each resample draws the same drives in both worlds. Resamples in which one side does not vary are left out, and how
    many were is said.
    """
    rng = np.random.default_rng(SEED)
    count = learned.shape[1]
    draws = rng.multinomial(count, np.full(count, 1 / count), RESAMPLES) / count
    means = [(_weighed(learned, draw), _weighed(reference, draw)) for draw in draws]
    found: dict[str, Any] = {}
    for name, measure in (("spearman", rank_correlation), ("kendall", kendall)):
        again = np.array([measure(a, b) for a, b in means])
        known = again[~np.isnan(again)]
        low, high = np.quantile(known, TAILS) if len(known) else (np.nan, np.nan)
        value = measure(*(np.round(table.mean(axis=1), DIGITS) for table in (learned, reference)))
        found[name] = asdict(Estimate(value, float(low), float(high))) | {"resamples": len(known)}
    return found


def _weighed(table: Array, draw: Array) -> Array:
    """Means (p,) of a table (p, k) under weights (k,); rounding errors may not part policies that are equal."""
    return np.round(table @ draw, DIGITS)


def kind_of(name: str) -> str:
    """What kind of policy a scripted name or a folder is: where it learned last."""
    if name in FAMILY:
        return SCRIPTED
    if name in EXPLOITS:
        return EXPLOIT
    _, card = load_policy(name)
    return {LEARNED: BY_MODEL, REFERENCE: BY_REFERENCE}.get(card.trained_in, CLONED)


def rank(subject: Subject, policies: Sequence[str] = (), workers: int = 0) -> dict[str, Any]:
    """Play all policies in both worlds; ``policies`` are folders of more. Finished rounds are kept."""
    names = list(dict.fromkeys([*POLICIES, *policies]))
    sizes = subject.sizes
    suite = Suite(max_steps=sizes.drive_steps)
    other = replace(suite, first_seed=FIRST_SEED + OTHER_SEEDS)
    places = {
        "learned": (Venue(LEARNED, subject.model, subject.passes), suite),
        "reference": (Venue(REFERENCE, subject.model), suite),
        "ceiling": (Venue(REFERENCE, subject.model), other),  # the reference world, other seeds
    }
    rounds = subject.folder / "judging" / kept.drive_digest()
    played = {
        place: Judge(venue, rounds, drives, workers).outcomes(names, sizes.drives)
        for place, (venue, drives) in places.items()
    }
    tables = {
        place: {key: np.stack([table_of([outcomes[name]], key)[0] for name in names]) for key in COUNTED}
        for place, outcomes in played.items()
    }
    shown = {
        place: {name: {key: asdict(value) for key, value in scores([rows]).items() if key in COUNTED}
                for name, rows in played[place].items()}
        for place in ("learned", "reference")
    }  # fmt: skip
    compared = {who: _compared(tables[who], tables["reference"]) for who in ("learned", "ceiling")}
    kinds = {name: kind_of(name) for name in names}
    absent = [f"policies of the kind {kind!r}: none was given as `policies=[FOLDER]` (docs/evaluation.md)"
              for kind in LEARNED_KINDS if kind not in kinds.values()]  # fmt: skip
    return {
        "policies": shown, "kinds": kinds, "not_measured": absent, "model": compared["learned"],
        "ceiling": compared["ceiling"], "drives": sizes.drives, "seconds": sizes.drive_steps / 10,
    }  # fmt: skip


def _compared(one: dict[str, Array], reference: dict[str, Array]) -> dict[str, Any]:
    faults, true_faults = (np.minimum(each["crash"] + each["offroad"], 1.0) for each in (one, reference))
    error = np.abs(one["success"].mean(axis=1) - reference["success"].mean(axis=1))
    return {
        "return": agreement(one["return"], reference["return"]),
        "faults": agreement(faults, true_faults),
        "success_error": {"mean": float(error.mean()), "worst": float(error.max())},
    }
