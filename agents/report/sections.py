"""The sections of the report: measured one after the other, each kept as soon as it is finished.

A section lies in ``FOLDER/kept/NAME-FINGERPRINT.json``. The fingerprint is of all that it depends on: the model's
weights, how much is measured, the policies, and the code of the measures, the model and the reference world with its
scenarios.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from worldsim.checkpoint import world_hash
from worldsim.errors import choose
from worldsim.evaluation.motion_estimator import load_estimator
from worldsim.evaluation.scene_reader import load_reader
from worldsim.storage import read_json, write_json

from ..judging.judge import fingerprint_of
from . import baselines, calibration, counterfactuals, drift, kept, laws, obedience, physics, ranking, recorded
from .broken import BROKEN
from .cost import estimate_s
from .looks import Looks, look_at
from .moments import Branches
from .subject import Subject
from .told import Told


@dataclass(frozen=True)
class Help:
    """What sections need beside the model."""

    policies: tuple[str, ...] = ()  # folders of policies, beside those that ship
    workers: int = 0  # processes; 0: one a core
    data: Path | None = None  # the user's own episodes
    episodes: int = 16  # of them at most
    baseline: str = ""  # a world that was trained by least squares


RECORDED = "recorded"
Measure = Callable[[Subject, Help], dict[str, Any]]


def _ranking(subject: Subject, help: Help) -> dict[str, Any]:
    return ranking.rank(subject, help.policies, help.workers)


def _counterfactuals(subject: Subject, help: Help) -> dict[str, Any]:
    told = {
        "model": subject.drawn,
        "floor": subject.watched,
        "reader": as_told(subject.drawn_looks, subject.drawn),
        "reader_floor": as_told(subject.true_looks, subject.watched),
    }
    return {name: counterfactuals.figures(subject.moments, subject.branches, each) for name, each in told.items()} | {
        "moments": subject.sizes.moments, "branches": len(subject.branches),
    }  # fmt: skip


def as_told(looks: Looks, told: Told) -> Told:
    """The reader in the heads' place: it reads single frames and knows nothing of hazards, which it never reports."""
    nothing = np.zeros(looks.lane_offset.shape)
    reading = dict.fromkeys(told.reading, nothing) | {
        "lane_offset_m": looks.lane_offset.astype(np.float64),
        "heading_error_rad": looks.heading_error.astype(np.float64),
        "lead_distance_m": looks.lead_distance.astype(np.float64),
    }
    return Told(reading, told.trust, told.latents)


def _calibration(subject: Subject, help: Help) -> dict[str, Any]:
    return calibration.calibrate(subject, help.workers)


def _obedience(subject: Subject, help: Help) -> dict[str, Any]:
    _, made = load_estimator()
    looks = {"model": subject.drawn_looks, "floor": subject.true_looks}
    return {name: obedience.figures(subject.branches, each) for name, each in looks.items()} | {"estimator": made}


def _physics(subject: Subject, help: Help) -> dict[str, Any]:
    _, made = load_reader()
    staged, true_film, drawn_film = subject.staged, subject.true_film, subject.drawn_film
    plain = np.flatnonzero(staged.branches.name != "turns")  # by a clear day, as the reader of frames wants it
    branches = subject.branches.and_more(staged.branches.rows(plain))
    true_looks, drawn_looks = (
        looks.and_more(film.looks.rows(plain))
        for looks, film in ((subject.true_looks, true_film), (subject.drawn_looks, drawn_film))
    )
    broken = {name: _broken(branches, true_looks, name) for name in BROKEN}
    return {
        "model": physics.figures(branches, drawn_looks) | laws.figures(staged, drawn_film, true_film),
        "reference": physics.figures(branches, true_looks) | laws.figures(staged, true_film, true_film),
        "broken": broken | laws.broken_figures(staged, subject.film(staged.broken), true_film),
        "not_measured": list(physics.NOT_MEASURED),
        "reader": made | laws.accuracy(staged, true_film),
    }


def _broken(branches: Branches, true_looks: Looks, name: str) -> dict[str, Any]:
    """A probe of physics in the world that is broken for it."""
    rows, frames = BROKEN[name](branches, true_looks)
    if not len(rows):
        return physics.share({})
    looks = look_at(lambda some: frames[some], len(rows))
    return physics.share(physics.PROBES[name].ask(branches.rows(rows), looks))


def _drift(subject: Subject, help: Help) -> dict[str, Any]:
    return drift.figures(subject.learned_minute, subject.reference_minute)


def _baselines(subject: Subject, help: Help) -> dict[str, Any]:
    return baselines.compare(subject, help.baseline)


def _recorded(subject: Subject, help: Help) -> dict[str, Any]:
    assert help.data is not None
    return recorded.judge(subject, help.data, help.episodes)


SECTIONS: dict[str, Measure] = {
    "counterfactuals": _counterfactuals,
    "obedience": _obedience,
    "physics": _physics,
    "calibration": _calibration,
    "ranking": _ranking,
    "drift": _drift,
    "baselines": _baselines,
    RECORDED: _recorded,
}
"""In the order in which they are measured: what is soonest known first."""
REFERENCE_SECTIONS = tuple(name for name in SECTIONS if name != RECORDED)
"""Those that need the reference world, and none of the user's data."""


def measure(
    subject: Subject, names: Sequence[str], help: Help, say: Callable[[str], object] = lambda line: None
) -> dict[str, Any]:
    """The sections by name. What is kept is not measured again.

    Raises ValueError for an unknown section, and for RECORDED without data.
    """
    for name in names:
        choose(name, SECTIONS, "section")
    if RECORDED in names and help.data is None:
        raise ValueError(f"section {RECORDED!r}: expected data=FOLDER with recorded episodes, got none")
    missing = [name for name in names if not _path(subject, name, help).is_file()]
    if set(missing) - {RECORDED}:
        minutes = estimate_s(subject, missing, len(help.policies)) / 60
        say(f"about {max(minutes, 0.1):.1f} minutes, if this machine stays as busy as it is now")
    found: dict[str, Any] = {}
    for name in SECTIONS:
        if name in names:
            path = _path(subject, name, help)
            if not path.is_file():
                began = time.perf_counter()
                figures = json_ready(SECTIONS[name](subject, help))
                write_json(path, figures | {"took_s": round(time.perf_counter() - began, 1)})
                say(f"{name}: measured in {time.perf_counter() - began:.0f} s")
            found[name] = read_json(path, f"figures of the section {name!r}")
    return found


def json_ready(value: Any) -> Any:
    """``value`` as JSON holds it: NaN and infinity become null, numpy's numbers plain ones."""
    if isinstance(value, dict):
        return {str(key): json_ready(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_ready(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _path(subject: Subject, name: str, help: Help) -> Path:
    asked = {
        "section": name, **subject.plain, "code": kept.measure_digest(),
        "policies": [fingerprint_of(each) for each in help.policies] if name == "ranking" else [],
    }  # fmt: skip
    if name == "baselines" and help.baseline:
        asked |= {"baseline": world_hash(help.baseline)}
    if name == RECORDED and help.data is not None:
        asked |= {"data": recorded.fingerprint_of(help.data), "episodes": help.episodes}
    key = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:12]
    return subject.folder / "kept" / f"{name}-{key}.json"
