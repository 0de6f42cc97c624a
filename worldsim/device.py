"""What there is to compute on: a device by name, refused in words before anything is allocated for it, and cores."""

from __future__ import annotations

import os

import torch


def cores() -> int:
    """How many cores this process may use; of systems that do not say, how many there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_device(name: torch.device | str) -> torch.device:
    """The device called ``name``: "cpu", "cuda", "cuda:1", ...

    Raises ValueError for a name that torch does not know, or a device that this machine or this torch does not have.
    """
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"device: expected cpu, cuda or cuda:N, got {name!r}") from error
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device.type == "cpu" or (device.type == "cuda" and (device.index or 0) < count):
        return device
    found = ", ".join(f"cuda:{i}" for i in range(count)) or "none"
    raise ValueError(
        f"device: expected cpu or a GPU that torch {torch.__version__} can use here ({found}), got {str(device)!r}; "
        "say device=cpu, or install a torch that was built for your GPU and its driver"
    )
