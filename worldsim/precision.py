"""Which number format to compute in: measured on the machine at hand, because CPUs differ by a factor of ten."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F

from worldsim.errors import choose

logger = logging.getLogger(__name__)

FORMATS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
PRECISIONS = ("auto", *FORMATS)


def pick_precision(choice: str = "auto", device: torch.device | str = "cpu") -> torch.dtype:
    """The dtype to run convolutions and matrix products in.

    ``choice`` is "float32", "bfloat16", or "auto": bfloat16 on CUDA, and on a CPU whichever ran one
    small convolution and one matrix product faster just now (a few milliseconds).
    Raises ValueError for another name.
    """
    choose(choice, PRECISIONS, "precision")
    if choice != "auto":
        return FORMATS[choice]
    if torch.device(device).type != "cpu":
        return torch.bfloat16
    took = {name: _probe_seconds(dtype) for name, dtype in FORMATS.items()}
    best = min(took, key=lambda name: took[name])
    logger.info("precision: %s (%s)", best, ", ".join(f"{name} {1e3 * s:.2f} ms" for name, s in took.items()))
    return FORMATS[best]


def autocast(dtype: torch.dtype, device: torch.device | str = "cpu") -> contextlib.AbstractContextManager[None]:
    """A context that runs convolutions and matrix products in ``dtype``; nothing at all for float32."""
    if dtype == torch.float32:
        return contextlib.nullcontext()
    return torch.autocast(torch.device(device).type, dtype=dtype)


def _probe_seconds(dtype: torch.dtype) -> float:
    image = torch.ones(4, 64, 16, 32, dtype=dtype).contiguous(memory_format=torch.channels_last)
    kernel = torch.ones(64, 64, 3, 3, dtype=dtype)
    rows, columns = torch.ones(256, 256, dtype=dtype), torch.ones(256, 512, dtype=dtype)
    with torch.no_grad():
        return _fastest(lambda: F.conv2d(image, kernel, padding=1)) + _fastest(lambda: rows @ columns)


def _fastest(work: Callable[[], torch.Tensor], repeats: int = 5) -> float:
    """Seconds of the fastest of a few runs; the first run pays for set-up."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best
