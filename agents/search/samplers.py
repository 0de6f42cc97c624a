"""Who proposes the scenes that are tried next: chance, or optuna's tree-structured Parzen estimator."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from .space import Space, Values

STARTUP = 12
"""Trials by chance before the estimator begins to propose."""


class SearchMissing(ImportError):
    """The packages of the extra ``search`` are not installed."""


class Sampler(Protocol):
    """Proposes scenes, several at once, and is told how bad they were, in the order of its proposals."""

    def ask(self, count: int) -> list[Values]:
        """The next ``count`` scenes."""
        ...

    def tell(self, badness: Sequence[float]) -> None:
        """How bad the scenes were that were asked for last."""
        ...


class ByChance:
    """Every scene alike likely, whatever came before."""

    def __init__(self, space: Space, seed: int) -> None:
        self.space, self.rng = space, np.random.default_rng([seed, 3])

    def ask(self, count: int) -> list[Values]:
        """The next ``count`` scenes."""
        return [self.space.draw(self.rng) for _ in range(count)]

    def tell(self, badness: Sequence[float]) -> None:
        """Not listened to."""


class ByParzen:
    """Scenes like those that were bad, unlike those that were not (Bergstra et al. 2011).

    Raises SearchMissing, which names what to install, where optuna is absent.
    """

    def __init__(self, space: Space, seed: int) -> None:
        try:
            import optuna
        except ImportError as error:
            raise SearchMissing(
                f"the search needs packages that are not installed ({error.name}): pip install 'worldsim[search]'"
            ) from error
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        distributions = optuna.distributions
        self._space: dict[str, Any] = {
            each.name: distributions.CategoricalDistribution(each.options)
            if each.options
            else distributions.FloatDistribution(each.low, each.high)
            for each in space.dimensions
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.TPESampler(
                seed=seed, n_startup_trials=STARTUP, multivariate=True, constant_liar=True
            )
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._asked: list[Any] = []

    def ask(self, count: int) -> list[Values]:
        """The next ``count`` scenes."""
        self._asked = [self._study.ask(self._space) for _ in range(count)]
        return [dict(trial.params) for trial in self._asked]

    def tell(self, badness: Sequence[float]) -> None:
        """How bad the scenes were that were asked for last."""
        for trial, value in zip(self._asked, badness, strict=True):
            self._study.tell(trial, value)
