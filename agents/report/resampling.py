"""Intervals by drawing groups anew: frames of one drive, or branches of one moment, are no independent trials.

Axis legend: k values, g groups.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..judging.scores import NORMAL_QUANTILE, TAILS, Estimate

RESAMPLES, SEED = 200, 0


def over_groups(
    measure: Callable[..., float], groups: npt.NDArray[Any], *arrays: npt.NDArray[Any], resamples: int = RESAMPLES
) -> Estimate:
    """``measure(*arrays)``, each array (k, ...), with a 95 % interval from a bootstrap over ``groups`` (k,).

    Resamples in which the measure is not known (NaN) are left out; the interval is NaN where more than half are not,
    and with fewer than two groups.
    """
    value = measure(*arrays)
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    if len(members) < 2:
        return Estimate(value, float("nan"), float("nan"))
    rng = np.random.default_rng(SEED)
    again = np.empty(resamples)
    for i in range(resamples):
        rows = np.concatenate([members[g] for g in rng.integers(len(members), size=len(members))])
        again[i] = measure(*(array[rows] for array in arrays))
    known = again[~np.isnan(again)]
    if 2 * len(known) < resamples:
        return Estimate(value, float("nan"), float("nan"))
    low, high = np.quantile(known, TAILS)
    return Estimate(value, float(low), float(high))


def leave_one_out(measure: Callable[..., float], groups: npt.NDArray[Any], *arrays: npt.NDArray[Any]) -> Estimate:
    """As ``over_groups``, by the jackknife (Tukey 1958), for measures that a row drawn twice would upset.

    The interval is NaN with fewer than three groups, or where the measure is not known without one of them.
    """
    value, names = measure(*arrays), np.unique(groups)
    without = np.array([measure(*(array[groups != name] for array in arrays)) for name in names])
    if len(names) < 3 or np.isnan(without).any():
        return Estimate(value, float("nan"), float("nan"))
    reach = NORMAL_QUANTILE * float(np.sqrt((len(names) - 1) * without.var()))
    return Estimate(value, value - reach, value + reach)
