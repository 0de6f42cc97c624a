"""From outcomes to figures with 95 % intervals.

Axis legend: p policies of one kind (seeds of its training), k drives of the suite, matched: column k is the same drive
for every policy.

Intervals are percentiles of a bootstrap that draws policies and drives anew, both with replacement and each on its own
(Owen 2007, "The pigeonhole bootstrap", section 3): a drive that is hard is hard for all, and one policy's luck touches
all its drives. With one policy that is the ordinary bootstrap over drives, and says nothing of training it again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .play import Outcome

Array = npt.NDArray[np.float64]

RESAMPLES = 4000
SEED = 0
TAILS = (0.025, 0.975)
NORMAL_QUANTILE = 1.959964  # of TAILS[1]


@dataclass(frozen=True)
class Estimate:
    """A figure and the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    def text(self, digits: int = 2) -> str:
        """As it is read: ``12.3 [10.1, 14.5]``."""
        return f"{self.value:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]"


def mean(values: npt.ArrayLike) -> Estimate:
    """The mean of values (p, k) or (k,)."""
    table = _table(values)
    return _estimate(float(table.mean()), _means(table, *_draws(len(table), table.shape[1])))


def rate(events: npt.ArrayLike) -> Estimate:
    """The share of events (p, k) or (k,) of 0 or 1 that are 1.

    Wilson's interval (1927) over all drives, which is sensible at 0 and 1 too, and as wide as the bootstrap's where
    that is wider, since drives of one policy are no independent trials of its training.
    """
    table = _table(events)
    if not np.isin(table, (0.0, 1.0)).all():
        raise ValueError(f"events: expected 0 or 1, got {sorted(set(table.ravel().tolist()) - {0.0, 1.0})[:5]}")
    wilson = _wilson(float(table.mean()), table.size)
    spread = mean(table)
    return Estimate(wilson.value, max(0.0, min(wilson.low, spread.low)), min(1.0, max(wilson.high, spread.high)))


def ratio(above: npt.ArrayLike, below: npt.ArrayLike) -> Estimate:
    """Mean of ``above`` (p, k) over mean of ``below`` (q, k), on the same k drives, drawn together.

    NaN where ``below`` is not above zero: a share of nothing means nothing. An end of the interval is NaN where more
    than one in forty draws of ``below`` are not.
    """
    upper, lower = _table(above), _table(below)
    if upper.shape[1] != lower.shape[1]:
        raise ValueError(f"ratio: expected two tables of the same drives, got {upper.shape[1]} and {lower.shape[1]}")
    value, base = float(upper.mean()), float(lower.mean())
    if base <= 0:
        return Estimate(math.nan, math.nan, math.nan)
    rows, columns = _draws(len(upper), upper.shape[1])
    others, _ = _draws(len(lower), lower.shape[1], SEED + 1)
    tops, bases = _means(upper, rows, columns), _means(lower, others, columns)
    if (bases <= 0).mean() > TAILS[0]:
        return Estimate(value / base, math.nan, math.nan)
    return _estimate(value / base, tops[bases > 0] / bases[bases > 0])


FIGURES = (
    "return", "success", "crash", "offroad", "speed_ratio", "jerk_mps3", "lateral_mps2", "hard_braking", "least_ttc_s",
    "trust", "steps",
)  # fmt: skip
RATES = ("success", "crash", "offroad")


def table_of(outcomes: Sequence[Sequence[Outcome]], name: str) -> Array:
    """One of FIGURES (p, k) of p policies over the same k drives. ValueError where the drives are not the same."""
    drives = [[(each.index, each.scenario, each.seed) for each in row] for row in outcomes]
    if any(row != drives[0] for row in drives):
        raise ValueError("outcomes: expected every policy to have driven the same drives, in one order")
    key = "earned" if name == "return" else name
    return np.array([[float(getattr(each, key)) for each in row] for row in outcomes])


def scores(outcomes: Sequence[Sequence[Outcome]]) -> dict[str, Estimate]:
    """All of FIGURES of p policies over the same drives."""
    return {name: (rate if name in RATES else mean)(table_of(outcomes, name)) for name in FIGURES}


def _table(values: npt.ArrayLike) -> Array:
    table = np.atleast_2d(np.asarray(values, np.float64))
    if table.ndim != 2 or not table.size or np.isnan(table).any():
        raise ValueError(f"expected numbers of shape (p, k) or (k,), none of them NaN, got shape {table.shape}")
    return table


def _draws(policies: int, drives: int, seed: int = SEED) -> tuple[Array, Array]:
    """How often each policy (r, p) and each drive (r, k) is drawn in each of r resamples, as shares."""
    rng = np.random.default_rng(seed)
    columns = rng.multinomial(drives, np.full(drives, 1 / drives), RESAMPLES) / drives
    return rng.multinomial(policies, np.full(policies, 1 / policies), RESAMPLES) / policies, columns


def _means(table: Array, rows: Array, columns: Array) -> Array:
    """The mean (r,) of each resample."""
    return np.einsum("rp,pk,rk->r", rows, table, columns, optimize=True)


def _estimate(value: float, resampled: Array) -> Estimate:
    low, high = np.quantile(resampled, TAILS)
    return Estimate(value, float(low), float(high))


def _wilson(share: float, trials: int) -> Estimate:
    square = NORMAL_QUANTILE**2
    middle = (share + square / (2 * trials)) / (1 + square / trials)
    reach = NORMAL_QUANTILE * math.sqrt(share * (1 - share) / trials + square / (4 * trials**2)) / (1 + square / trials)
    return Estimate(share, max(middle - reach, 0.0), min(middle + reach, 1.0))
