"""What a scenario's value may be before a seed makes it one: a value, several, a range, or values with odds.

In YAML: ``rain``, ``[rain, snow]``, ``{min: 3, max: 7}``, ``{rain: 3, snow: 1}``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

_DECIMALS = 2


@dataclass(frozen=True)
class Range:
    """Any number from ``min`` to ``max``, all alike likely."""

    min: float
    max: float

    def __post_init__(self) -> None:
        if not all(is_number(end) for end in (self.min, self.max)):
            raise ValueError(f"expected a range {{min: number, max: number}}, got {self}")
        if self.min > self.max:
            raise ValueError(f"expected a range whose min is not above its max, got {self}, which holds no number")

    def __str__(self) -> str:
        return f"{{min: {self.min}, max: {self.max}}}"


@dataclass(frozen=True)
class Odds:
    """One of ``values``, each as likely as its weight says."""

    values: tuple[Any, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.values) != len(self.weights) or not self.values:
            raise ValueError(f"expected {{value: weight}} with at least one value, got {self}")
        check_weights(dict(zip(self.values, self.weights, strict=True)))

    def __str__(self) -> str:
        return "{" + ", ".join(f"{v}: {w}" for v, w in zip(self.values, self.weights, strict=True)) + "}"


def read_choice(value: Any) -> Any:
    """A choice from plain values, as in a YAML file. ValueError for an empty range or a weight that is none."""
    if isinstance(value, list):
        return tuple(value)
    if not isinstance(value, Mapping):
        return value
    if {"min", "max"} & set(value):
        if set(value) != {"min", "max"}:
            raise ValueError(f"expected a range with the keys min and max and no other, got {dict(value)}")
        return Range(value["min"], value["max"])
    return Odds(tuple(value), tuple(value.values()))


def possible(value: Any) -> list[Any]:
    """All that a choice may become; of a range, its two ends."""
    if isinstance(value, Range):
        return [value.min] if value.min == value.max else [value.min, value.max]
    if isinstance(value, Odds):
        return [option for option, weight in zip(value.values, value.weights, strict=True) if weight > 0]
    return list(value) if isinstance(value, list | tuple) else [value]


def is_open(value: Any) -> bool:
    """Whether a choice is left to chance."""
    return len(possible(value)) != 1


def draw(value: Any, rng: np.random.Generator) -> Any:
    """One value of a choice; numbers of a range have two decimals."""
    if isinstance(value, Range):
        drawn = round(float(rng.uniform(value.min, value.max)), _DECIMALS)
        return min(max(drawn, value.min), value.max)
    if isinstance(value, Odds):
        shares = np.array(value.weights, np.float64)
        return value.values[int(rng.choice(len(shares), p=shares / shares.sum()))]
    options = possible(value)
    return options[int(rng.integers(len(options)))]


def shares(value: Any, among: Iterable[Any]) -> list[float]:
    """How likely each value of ``among`` is; together 1."""
    weights = dict(zip(value.values, value.weights, strict=True)) if isinstance(value, Odds) else {}
    weights = weights or {option: float(possible(value).count(option)) for option in possible(value)}
    total = sum(weights.values())
    return [weights.get(option, 0.0) / total for option in among]


def narrowed(value: Any, become: Callable[[Any], Iterable[Any]]) -> Any:
    """The choice in which each option is replaced by those that ``become`` makes of it: none, itself, or several."""
    if isinstance(value, Range):
        return value
    if isinstance(value, Odds):
        pairs = [(new, w) for v, w in zip(value.values, value.weights, strict=True) for new in become(v)]
        return Odds(tuple(v for v, _ in pairs), tuple(w for _, w in pairs))
    return tuple(new for option in possible(value) for new in become(option))


def is_number(value: Any) -> bool:
    """Whether ``value`` is a finite number, and not a truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def check_weights(weights: Mapping[Any, Any]) -> None:
    """Raise ValueError unless every weight is a number of at least 0 and one is above."""
    for value, weight in weights.items():
        if not is_number(weight) or weight < 0:
            raise ValueError(f"expected a weight of at least 0 for {value!r}, got {weight!r}")
    if not any(weight > 0 for weight in weights.values()):
        raise ValueError(f"expected a weight above 0 for at least one of {list(weights)}, got none")
