"""Calibrating trust: how much the model disagrees with itself on drives it has not been trained on.

Axis legend: b drives, t frames, k judged frames.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from worldsim.engine import Engine
from worldsim.evaluation.rollouts import Drives, Progress

QUANTILE = 0.9


def disagreements(
    engine: Engine, drives: Drives, seeds: Sequence[int], context: int = 8, every: int = 3, progress: Progress = iter
) -> npt.NDArray[np.float64]:
    """The engine's disagreement (k,) at drawing every ``every``-th frame from ``context`` on, after true frames."""
    state = engine.empty(drives.scene, seeds)
    found = []
    for t in progress(iter(range(drives.length))):
        if t >= context and (t - context) % every == 0:
            drawn = engine.step(state.clone(), drives.motion[:, t], drives.command[:, t])
            found.append(drawn.disagreement.cpu().double().numpy()[drives.known[:, t]])
        engine.observe(state, drives.latents(engine.world, t), drives.motion[:, t], drives.command[:, t])
    if not found:
        raise ValueError(f"trust: expected drives of more than {context} frames, got {drives.length}")
    return np.concatenate(found)


def fit_trust_scale(engine: Engine, drives: Drives, seeds: Sequence[int], progress: Progress = iter) -> float:
    """Set ``world.trust_scale`` to the disagreement that nine in ten held-out frames stay below, and return it.

    Trust is then above 0.5 on nine in ten frames like these, 0.2 at twice that disagreement, and less beyond.
    """
    scale = float(np.quantile(disagreements(engine, drives, seeds, progress=progress), QUANTILE))
    engine.world.trust_scale.fill_(max(scale, 1e-6))
    return scale
