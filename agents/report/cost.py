"""How long a report will take: what it has to draw, watch and drive, times how long each takes here and now."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

import numpy as np
import torch

from envs.reference.roadcam import RoadCamEnv
from worldsim.device import cores
from worldsim.dynamics.conditioning import Scene
from worldsim.engine import Engine
from worldsim.types import FRAME_RATE_HZ, MOTION_FIELDS

from .moments import BRANCH_STEPS, KINDS
from .ranking import POLICIES
from .staging import KINDS as STAGED_KINDS
from .staging import STEPS
from .subject import Sizes, Subject

LOOKING_S = 0.003  # a frame by both estimators, on one core
SEARCHING = 4  # steps of the reference world that finding a moment costs, for one that is then branched
VENUES, OTHERS = 1, 2  # in which policies drive: the learned world, the reference world with two sets of seeds
BATCH, TRIED = 16, 2

Counts = dict[str, float]
"""Steps that are drawn, in passes of the network; steps that are watched; of the reference world; frames looked at."""


def counts(section: str, sizes: Sizes, passes: int, policies: int = 0) -> Counts:
    """What a section costs. Branches, which several need, are paid for by ``counterfactuals``."""
    rows = sum(count * len(KINDS[kind]) for kind, count in sizes.moments.items())
    steps, frames = rows * BRANCH_STEPS, rows * (BRANCH_STEPS + 1)
    staged = sizes.staged * len(STAGED_KINDS)
    one = passes + 1  # a drawn step writes what it has drawn
    if section == "counterfactuals":
        return {"passes": steps * one, "watched": steps, "reference": SEARCHING * steps, "looked": 2 * frames}
    if section == "physics":
        looked = 3 * staged * (STEPS + 1)
        return {"passes": staged * STEPS * one, "reference": SEARCHING * staged * STEPS, "looked": looked}
    if section == "calibration":
        return {"watched": sizes.watched * sizes.watched_steps, "reference": sizes.watched * sizes.watched_steps}
    if section == "ranking":
        driven = (len(POLICIES) + policies) * sizes.drives * sizes.drive_steps
        return {"passes": VENUES * driven * one, "reference": OTHERS * driven}
    if section == "drift":
        driven = round(sizes.drift_drives * sizes.drift_s * FRAME_RATE_HZ)
        return {"passes": driven * one, "reference": driven}
    if section == "baselines":
        few = sum(min(sizes.baseline_moments, count) * len(KINDS[kind]) for kind, count in sizes.moments.items())
        others = sum(count + 1 for count in sizes.other_passes if count != passes)
        return {"passes": few * BRANCH_STEPS * (others + one + 2), "watched": few * BRANCH_STEPS}
    return {}  # of what others have made


def estimate_s(subject: Subject, sections: Collection[str], policies: int = 0) -> float:
    """Seconds that the sections will take, if the machine stays as busy as it is."""
    rates = _rates(subject.engine)
    work = [counts(name, subject.sizes, subject.passes, policies) for name in sections]
    return sum(amount * rates[what] for each in work for what, amount in each.items())


def _rates(engine: Engine) -> dict[str, float]:
    """Seconds of each thing that is counted."""
    dynamics, device = engine.world.config.dynamics, engine.world.device
    state = engine.empty(Scene.unknown(BATCH, dynamics.text_dim), list(range(BATCH)))
    latents = torch.zeros(BATCH, dynamics.n_tokens, dynamics.latent_dim, device=device)
    motion = torch.full((BATCH, len(MOTION_FIELDS)), float("nan"))
    engine.observe(state, latents, motion)
    written = _timed(lambda: engine.observe(state, latents, motion)) / BATCH
    env = RoadCamEnv("highway", grace_steps=None)
    env.reset(seed=0)
    nothing = np.zeros(2, np.float32)
    driven = _timed(lambda: env.step(nothing))
    env.close()
    return {"passes": written, "watched": 2.0 * written, "reference": driven / cores(), "looked": LOOKING_S}


def _timed(do: Callable[[], object]) -> float:
    do()
    began = time.perf_counter()
    for _ in range(TRIED):
        do()
    return (time.perf_counter() - began) / TRIED
