"""A trained policy as an agent: it sees a batch of drives through a world's tokenizer and drives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np

from worldsim.types import FloatArray
from worldsim.world_model import WorldModel

from .checkpoint import PolicyCard, check_fits
from .network import Policy
from .observe import PolicyView


class PolicyAgent:
    """Drives by the mean of a policy's distribution. It looks at observations alone.

    Raises ValueError for a world whose tokenizer is not the one that the policy learned to see through.
    """

    def __init__(self, policy: Policy, card: PolicyCard, world: WorldModel) -> None:
        check_fits(card, world)
        self.name, self.policy, self.world = card.name, policy, world

    def begin(self, env: gym.vector.VectorEnv, rng: np.random.Generator) -> None:
        """Forget what was seen; nothing is left to chance."""
        self.view = PolicyView(self.world, env.num_envs, self.policy.config.history)

    def act(self, observation: Mapping[str, Any], info: Mapping[str, Any]) -> FloatArray:
        """Actions (b, 2) float32; ``info`` is not looked at."""
        return self.policy.act(self.view.look(observation)).numpy().astype(np.float32)
