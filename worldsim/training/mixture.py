"""Batches of clips from several data sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import numpy as np
import torch

from worldsim.dynamics.conditioning import Scene
from worldsim.training.objective import ClipBatch
from worldsim.world_model import LatentScale

if TYPE_CHECKING:
    from worldsim.training.dynamics import ClipShape


class Source(Protocol):
    """Where clips come from; ``scale`` is how it standardises latents."""

    scale: LatentScale

    def draw(self, shape: ClipShape, generator: np.random.Generator) -> ClipBatch: ...


S = TypeVar("S", bound=Source)


class Mixture(Generic[S]):
    """Batches from several sources: from each of ``others`` its share, from ``main`` the rest.

    All are standardised as ``main`` is. Raises ValueError for shares that leave nothing to ``main``.
    """

    def __init__(self, main: S, others: Mapping[S, float]) -> None:
        if min(others.values(), default=1.0) <= 0 or sum(others.values()) >= 1:
            raise ValueError(f"also: expected shares above 0 that sum to less than 1, got {list(others.values())}")
        self.main, self.others = main, dict(others)
        for source in others:
            source.scale = main.scale

    def draw(self, shape: ClipShape, generator: np.random.Generator) -> ClipBatch:
        """A batch on the training device; every source gives at least one clip, where there is room for all."""
        counts: dict[S, int] = {}
        for source, share in self.others.items():
            room = shape.clips - sum(counts.values()) - 1
            counts[source] = min(max(1, round(share * shape.clips)), room)
        counts = {self.main: shape.clips - sum(counts.values())} | counts
        return joined([source.draw(replace(shape, clips=n), generator) for source, n in counts.items() if n])


def joined(parts: list[ClipBatch]) -> ClipBatch:
    """Batches of clips of one length as one batch."""
    scene = Scene(*(torch.cat([getattr(part.scene, entry.name) for part in parts]) for entry in fields(Scene)))
    arrays = [entry.name for entry in fields(ClipBatch) if entry.name != "scene"]
    return ClipBatch(scene=scene, **{name: torch.cat([getattr(part, name) for part in parts]) for name in arrays})
