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


def _only(values: npt.NDArray[Any], present: Bools) -> npt.NDArray[Any]:
    if present.all():
        return values
    kept = np.full_like(values, None if values.dtype == object else 0)
    kept[present] = values[present]
    return kept
