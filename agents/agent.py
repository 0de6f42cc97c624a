"""What an agent is: whoever drives a batch of cars by what both worlds offer.

Axis legend: b drives.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import gymnasium as gym
import numpy as np

from worldsim.types import FloatArray


class Agent(Protocol):
    """Drives b cars at once, from the moment that all of them were reset until the last has ended.

    ``observation`` and ``info`` have Gymnasium's vector form: arrays (b, ...) and dicts of them. Policies look at
    ``observation`` alone; scripted agents may look at ``info["labels"]`` and ``info["ego"]``, which the reference
    world knows and the learned one predicts.
    """

    name: str

    def begin(self, env: gym.vector.VectorEnv, rng: np.random.Generator) -> None:
        """Take a seat in every drive of ``env``, just reset; all the agent's chance comes from ``rng``."""
        ...

    def act(self, observation: Mapping[str, Any], info: Mapping[str, Any]) -> FloatArray:
        """Actions (b, 2) float32 in [-1, 1]: steering, acceleration."""
        ...
