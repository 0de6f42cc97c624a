"""Does the picture do what the controls say? Six probes from one start, judged by what they did to what is seen.

Axis legend: k starts. ``turn`` (k, 3) is the yaw rate seen under the probes left, straight, right; ``speed`` (k, 3) the
forward speed seen under brake, hold, accelerate, each averaged over the later part of the probe.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

TURNS = ("left", "straight", "right")
PEDALS = ("brake", "hold", "accelerate")
PROBES = (*TURNS, *PEDALS)


def judge(turn: npt.ArrayLike, speed: npt.ArrayLike) -> dict[str, Any]:
    """``obeyed``: the share of probes that came out right; ``by_probe``; ``left_right_swaps``, a count of starts.

    Left is right if it turned left (positive) and further left than straight; right is its mirror image; straight if
    it lies between the two. Brake is right if slower than hold, accelerate if faster, hold if between. A start is
    swapped where the probe to the left turned right of the probe to the right.
    """
    turn, speed = np.asarray(turn, np.float64), np.asarray(speed, np.float64)
    if turn.ndim != 2 or turn.shape[1] != 3 or turn.shape != speed.shape or not len(turn):
        raise ValueError(f"judge: expected turn and speed of shape (k, 3), got {turn.shape} and {speed.shape}")
    left, straight, right = turn.T
    brake, hold, accelerate = speed.T
    fine = {
        "left": (left > 0) & (left > straight),
        "straight": (right < straight) & (straight < left),
        "right": (right < 0) & (right < straight),
        "brake": brake < hold,
        "hold": (brake < hold) & (hold < accelerate),
        "accelerate": hold < accelerate,
    }
    return {
        "obeyed": float(np.mean([fine[name] for name in PROBES])),
        "by_probe": {name: float(fine[name].mean()) for name in PROBES},
        "left_right_swaps": int((left < right).sum()),
    }
