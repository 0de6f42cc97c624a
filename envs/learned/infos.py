"""``info`` of many drives and of one, in Gymnasium's forms.

Axis legend: b drives. A batch of infos is a dict of arrays (b, ...), or of such dicts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]


def single(infos: dict[str, Any], i: int) -> dict[str, Any]:
    """The info of drive ``i``, in plain numbers; masks are left out."""
    return {
        key: single(value, i) if isinstance(value, dict) else _item(value[i])
        for key, value in infos.items()
        if not key.startswith("_")
    }


def together(info: dict[str, Any]) -> dict[str, Any]:
    """The info, or observation, of one drive as that of a batch of one: the inverse of ``single``."""
    return {key: together(value) if isinstance(value, dict) else _batch_of_one(value) for key, value in info.items()}


def masked(infos: dict[str, Any], present: Bools) -> dict[str, Any]:
    """The infos of the drives in ``present`` (b,), as ``gymnasium.vector.VectorEnv`` batches them.

    Each key has a mask ``_key`` beside it; elsewhere numbers are zero and objects None.
    """
    result: dict[str, Any] = {}
    for key, value in infos.items():
        result[key] = masked(value, present) if isinstance(value, dict) else _only(value, present)
        result[f"_{key}"] = present.copy()
    return result


def _item(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value.copy() if isinstance(value, np.ndarray) else value


def _batch_of_one(value: Any) -> npt.NDArray[Any]:
    if isinstance(value, int | float | np.generic | np.ndarray):
        return np.asarray(value)[None]
    batch = np.empty(1, dtype=object)
    batch[0] = value
    return batch


def _only(values: npt.NDArray[Any], present: Bools) -> npt.NDArray[Any]:
    if present.all():
        return values
    kept = np.full_like(values, None if values.dtype == object else 0)
    kept[present] = values[present]
    return kept
