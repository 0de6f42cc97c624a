"""Our policy and critic as a policy of stable-baselines3: the same modules, so that what it learns is in them.

Axis legend: b drives or steps, a = 2 actions. Needs the extra ``rl``; importing this module imports it.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import torch
from torch import Tensor
from torch.distributions import Independent

from ..policy.network import Critic, Policy
from ..policy.observe import PolicyInput

try:
    from stable_baselines3.common.policies import BasePolicy
    from stable_baselines3.common.type_aliases import PyTorchObs, Schedule
except ImportError as error:
    raise ImportError(f"stable-baselines3 cannot be imported ({error}): pip install 'worldsim[rl]'") from error


class DrivingPolicy(BasePolicy):
    """Holds ``policy`` and ``critic`` themselves, and answers what PPO asks of an actor-critic."""

    optimizer: torch.optim.Optimizer

    def __init__(
        self,
        observation_space: gym.Space[Any],
        action_space: gym.spaces.Box,
        schedule: Schedule,
        use_sde: bool = False,
        *,
        policy: Policy,
        critic: Critic,
    ) -> None:
        super().__init__(observation_space, action_space)
        assert not use_sde
        self.actor, self.critic = policy, critic
        self.optimizer = torch.optim.Adam(self.parameters(), schedule(1), eps=1e-5)

    def forward(self, obs: PyTorchObs, deterministic: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        """Actions (b, a), values (b, 1), log probabilities (b,)."""
        distribution = self.distribution(obs)
        action = distribution.mean if deterministic else distribution.sample()
        return action, self.predict_values(obs), distribution.log_prob(action)

    def evaluate_actions(self, obs: PyTorchObs, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Values (b, 1), log probabilities (b,) and entropies (b,)."""
        distribution = self.distribution(obs)
        return self.predict_values(obs), distribution.log_prob(actions), distribution.entropy()

    def predict_values(self, obs: PyTorchObs) -> Tensor:
        """Values (b, 1)."""
        return self.critic(_seen(obs))[:, None]

    def distribution(self, obs: PyTorchObs) -> Independent:
        """Of actions (b, a)."""
        return self.actor(_seen(obs))

    def _predict(self, observation: PyTorchObs, deterministic: bool = False) -> Tensor:
        distribution = self.distribution(observation)
        return distribution.mean if deterministic else distribution.sample()


def _seen(obs: PyTorchObs) -> PolicyInput:
    """stable-baselines3 keeps a command as (b, 1)."""
    assert isinstance(obs, dict)
    return PolicyInput.of({**obs, "command": obs["command"].reshape(-1)})
