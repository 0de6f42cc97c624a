"""Nested dicts and lists, such as a learner's state, taken apart into named tensors and JSON and put together again."""

from __future__ import annotations

from typing import Any

from torch import Tensor

TENSOR, PAIRS = "__tensor__", "__pairs__"


def apart(value: Any, place: str = "") -> tuple[dict[str, Tensor], Any]:
    """The tensors in ``value`` by their place (a JSON pointer, RFC 6901), and the rest with places in their stead.

    Takes dicts (with keys that JSON knows: PyTorch's optimizers use whole numbers), lists, tuples and plain values.
    """
    if isinstance(value, Tensor):
        return {place: value}, {TENSOR: place}
    if isinstance(value, dict):
        parts = [apart(item, f"{place}/{_escaped(key)}") for key, item in value.items()]
        rest: Any = {PAIRS: [[key, part[1]] for key, part in zip(value, parts, strict=True)]}
    elif isinstance(value, list | tuple):
        parts = [apart(item, f"{place}/{index}") for index, item in enumerate(value)]
        rest = [part[1] for part in parts]
    else:
        return {}, value
    return {name: tensor for part in parts for name, tensor in part[0].items()}, rest


def together(tensors: dict[str, Tensor], rest: Any) -> Any:
    """The inverse of ``apart``; tuples have become lists."""
    if isinstance(rest, list):
        return [together(tensors, item) for item in rest]
    if not isinstance(rest, dict):
        return rest
    if TENSOR in rest:
        return tensors[rest[TENSOR]]
    return {key: together(tensors, item) for key, item in rest[PAIRS]}


def _escaped(key: str | int) -> str:
    return str(key).replace("~", "~0").replace("/", "~1")
