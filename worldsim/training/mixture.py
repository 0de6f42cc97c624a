"""Batches of clips from several data sets, which may be of several sizes and cameras."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Generic, Protocol, TypeVar

import numpy as np
import torch

from worldsim.data.clips import ClipShape
from worldsim.dynamics.conditioning import Scene
from worldsim.training.objective import ClipBatch
from worldsim.views import Views
from worldsim.world_model import LatentScale


class Source(Protocol):
    """Where clips come from; ``scale`` is how it standardises latents, ``views`` what its frames consist of."""

    scale: LatentScale

    @property
    def views(self) -> Views:
        """What a frame consists of."""
        ...

    def draw(self, shape: ClipShape, generator: np.random.Generator) -> ClipBatch:
        """Clips drawn at random, as many and as long as ``shape`` says."""
        ...


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


class Buckets(Generic[S]):
    """Batches from several sources whose frames may consist of different views: one kind of frame in a batch.

    Sources of the same views are mixed in a batch. Each kind of views comes as often as the shares of its sources add
    up to, in batches of about as many tokens as ``main``'s have. Raises ValueError as ``Mixture``.
    """

    def __init__(self, main: S, others: Mapping[S, float]) -> None:
        Mixture(main, others)  # shares are right, and all are standardised as main is
        shares = {main: 1.0 - sum(others.values()), **others}
        kinds: dict[Views, dict[S, float]] = {}
        for source, share in shares.items():
            kinds.setdefault(source.views, {})[source] = share
        self.main = main
        self.chances = np.array([sum(kind.values()) for kind in kinds.values()])
        self.mixtures: list[tuple[Views, Mixture[S]]] = []
        for (views, kind), chance in zip(kinds.items(), self.chances, strict=True):
            first, *rest = kind
            self.mixtures.append((views, Mixture(first, {source: kind[source] / chance for source in rest})))

    def draw(self, shape: ClipShape, generator: np.random.Generator) -> tuple[Views, ClipBatch]:
        """A batch on the training device, and what its frames consist of."""
        kind = 0 if len(self.mixtures) == 1 else generator.choice(len(self.mixtures), p=self.chances)
        views, mixture = self.mixtures[kind]
        clips = max(1, round(shape.clips * self.main.views.tokens / views.tokens))
        return views, mixture.draw(replace(shape, clips=clips), generator)


def joined(parts: list[ClipBatch]) -> ClipBatch:
    """Batches of clips of one length as one batch."""
    scene = Scene(*(torch.cat([getattr(part.scene, entry.name) for part in parts]) for entry in fields(Scene)))
    arrays = [entry.name for entry in fields(ClipBatch) if entry.name != "scene"]
    return ClipBatch(scene=scene, **{name: torch.cat([getattr(part, name) for part in parts]) for name in arrays})
