"""Proximal policy optimisation (Schulman et al. 2017) by stable-baselines3, in either world.

Axis legend: b drives, t steps of each in an iteration.

An iteration begins every drive anew, with seeds that follow from the run's seed and the iteration's number. So weights,
moments and that number are all there is to a run: it goes on exactly after an interruption, in a world whose state
nobody can save as well as in one where that is a value.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import torch

from worldsim.schema import option

from ..policy.network import Critic, Policy
from ..policy.observe import PolicyViewEnv
from .rollouts import Tally

SEEDS = 1_000_000
"""Drives are trained on with seeds below this."""


@dataclass
class PPOConfig:
    """How to drive and how to learn from it."""

    drives: int = option(16, "drives at a time")
    rollout_steps: int = option(128, "steps of each drive in an iteration, 10 are a second")
    passes: int = option(1, "sampling passes a frame in the learned world: 1, 2, 4, ...")
    min_trust: float = option(0.3, "in the learned world a drive is cut short when trust, over 0.5 s, falls below")
    epochs: int = option(5, "passes over what was collected")
    batch: int = option(256, "steps in a gradient step")
    learning_rate: float = option(3e-4, "of Adam")
    discount: float = option(0.97, "of the reward a step later")
    mixing: float = option(0.95, "lambda of the generalised advantage estimate")
    clip: float = option(0.2, "how far the odds of an action may move in an iteration")
    entropy_weight: float = option(0.0, "of the bonus for chance in actions")
    target_kl: float = option(0.03, "an iteration stops learning when the policy has moved about so far; 0: never")
    critic_first: int = option(0, "first iterations in which only the critic learns, for a policy that drives already")

    def __post_init__(self) -> None:
        if min(self.drives, self.rollout_steps, self.epochs) < 1 or self.batch < 2:
            raise ValueError(
                "ppo: expected drives, rollout_steps and epochs of at least 1 and a batch of at least 2, got "
                f"{self.drives}, {self.rollout_steps}, {self.epochs} and {self.batch}"
            )
        if not (0 < self.discount < 1 and 0 <= self.mixing <= 1):
            raise ValueError(
                f"ppo: expected discount in (0, 1) and mixing in [0, 1], got {self.discount} and {self.mixing}"
            )


class PPO:
    """A learner that improves ``policy`` in place by driving ``env``, which resets in the same step.

    Rewards are scaled by 1 - discount, so that values are of order one whatever the discount. Raises ImportError, with
    what to install, where stable-baselines3 is missing.
    """

    def __init__(self, config: PPOConfig, env: PolicyViewEnv, policy: Policy, seed: int) -> None:
        from stable_baselines3 import PPO as Algorithm
        from stable_baselines3.common.logger import Logger

        from envs.wrappers.sb3 import SB3VecEnv

        from .sb3_policy import DrivingPolicy

        self.config, self.policy, self.seed = config, policy.requires_grad_(True), seed
        self.tallied = _Tallied(env, 1 - config.discount)
        with global_chance(seed):
            critic = Critic(policy.config)
        actor_critic: Any = DrivingPolicy  # answers all that PPO asks of an ActorCriticPolicy
        self.algorithm = Algorithm(
            actor_critic, SB3VecEnv(self.tallied), config.learning_rate, config.rollout_steps, config.batch,
            config.epochs, config.discount, config.mixing, config.clip, ent_coef=config.entropy_weight,
            target_kl=config.target_kl or None, policy_kwargs={"policy": policy, "critic": critic},
            device=next(policy.parameters()).device,
        )  # fmt: skip
        self.algorithm.set_logger(Logger(folder=None, output_formats=[]))
        self.iteration = 0

    @property
    def steps(self) -> int:
        """Steps of all drives so far."""
        return self.iteration * self.config.drives * self.config.rollout_steps

    def iterate(self) -> dict[str, float]:
        """Drive ``rollout_steps`` in each drive, then learn; the figures are those of the first drive in each place."""
        c, rng = self.config, np.random.default_rng((self.seed, self.iteration))
        self.policy.requires_grad_(self.iteration >= c.critic_first)
        assert self.algorithm.env is not None
        self.algorithm.env.seed(int(rng.integers(SEEDS - c.drives)))
        with global_chance(int(rng.integers(2**31))):
            # one rollout, from a reset; not a line of its own log, which would forget what is read below
            self.algorithm.learn(c.drives * c.rollout_steps, log_interval=2)
        self.iteration += 1
        said = self.algorithm.logger.name_to_value
        learned = {name: float(said[f"train/{key}"]) for name, key in _SAID.items()}
        deviations = self.policy.log_std.detach().exp().tolist()
        return self.tallied.figures() | learned | {"steering_std": deviations[0], "pedal_std": deviations[1]}

    def state_dict(self) -> dict[str, Any]:
        """Weights, moments and the iteration's number."""
        networks = self.algorithm.policy
        moments = networks.optimizer.state_dict()
        return {"iteration": self.iteration, "networks": networks.state_dict(), "optimizer": moments}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state``. Raises as torch does where it does not fit."""
        networks = self.algorithm.policy
        networks.load_state_dict(state["networks"])
        networks.optimizer.load_state_dict(state["optimizer"])
        self.iteration = int(state["iteration"])


_SAID = {
    "critic_loss": "value_loss", "actor_loss": "policy_gradient_loss", "kl": "approx_kl",
    "clipped": "clip_fraction", "explained": "explained_variance",
}  # fmt: skip
"""Name of a figure -> what stable-baselines3 calls it."""


class _Tallied(gym.vector.VectorWrapper):
    """Counts what happens in ``env``, and the drives that begin, since it was last reset as a whole; scales rewards."""

    def __init__(self, env: gym.vector.VectorEnv[Any, Any, Any], scale: float) -> None:
        super().__init__(env)
        self.scale = scale

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        self.tally, self.episodes = Tally(self.num_envs), self.num_envs
        return self.env.reset(seed=seed, options=options)

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        observation, reward, terminated, truncated, info = self.env.step(actions)
        ended = terminated | truncated
        self.tally.add(reward, terminated, ended, info)
        self.episodes += int(ended.sum())
        return observation, reward * self.scale, terminated, truncated, info

    def figures(self) -> dict[str, float]:
        return self.tally.figures() | {"episodes": self.episodes}


@contextlib.contextmanager
def global_chance(seed: int) -> Iterator[None]:
    """The global generators, which stable-baselines3 draws from, seeded within the block and untouched after it."""
    outside = np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng():
        np.random.seed(seed % 2**32)  # noqa: NPY002
        torch.manual_seed(seed)
        try:
            yield
        finally:
            np.random.set_state(outside)  # noqa: NPY002
