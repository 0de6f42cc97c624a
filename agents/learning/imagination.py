"""Reinforcement learning inside the learned world: an actor and a critic on latents, held near what they began as.

Axis legend: t steps of b drives, j = t b rows, a = 2 actions.

Where nothing can be trusted there is nothing to earn: a drive is cut short when the model loses trust, and what would
have come then is the critic's guess from before, not what the model goes on to say.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import kl_divergence

from worldsim.chance import drawn_from
from worldsim.schema import option

from ..policy.network import Critic, Policy
from ..policy.observe import Bools, PolicyInput, PolicyViewEnv
from .apprentice import Apprentice, ApprenticeConfig
from .returns import lambda_returns
from .rollouts import Rollout, roll


@dataclass
class ImaginationConfig:
    """How a policy learns in the model."""

    drives: int = option(32, "drives at a time")
    rollout_steps: int = option(50, "steps of each drive in an iteration, 10 are a second")
    passes: int = option(1, "sampling passes a frame: 1, 2, 4, ...")
    min_trust: float = option(0.3, "a drive is cut short when trust, over 0.5 s, falls below")
    apprentice: ApprenticeConfig = option(factory=ApprenticeConfig, help="the stage before, for who cannot drive yet")
    epochs: int = option(6, "passes over a rollout")
    batch: int = option(400, "steps in a gradient step")
    learning_rate: float = option(3e-4, "of Adam, for the policy; the critic's is 3 times that")
    discount: float = option(0.97, "of the reward a step later")
    mixing: float = option(0.95, "lambda: 0 believes the critic after one step, 1 only where a rollout stops")
    loss: Literal["ppo", "pmpo"] = option("ppo", "the clipped ratio of PPO, or the sign of the advantage (PMPO)")
    clip: float = option(0.2, "how far the odds of an action may move in an iteration")
    prior_weight: float = option(0.1, "of the KL divergence from the policy that it began as")
    critic_first: int = option(2, "first iterations in which only the critic learns")
    latent_noise: float = option(0.3, "most noise on latents, in standard deviations, so that small errors are no news")


class Imagination:
    """A learner that improves ``policy`` in place by driving ``env``, drives of the learned world."""

    def __init__(self, config: ImaginationConfig, env: PolicyViewEnv, policy: Policy, seed: int) -> None:
        self.config, self.env, self.policy, self.seed = config, env, policy.requires_grad_(True), seed
        self.apprentice = Apprentice(config.apprentice, env, policy, config.rollout_steps, seed)
        with drawn_from(torch.Generator().manual_seed(seed)):
            self.critic = Critic(policy.config)
        self.prior = copy.deepcopy(policy).requires_grad_(False)
        self.actor_optimizer = torch.optim.Adam(policy.parameters(), config.learning_rate)
        self.critic_optimizer = torch.optim.Adam(self.critic.parameters(), 3 * config.learning_rate)
        self.iteration = 0

    @property
    def steps(self) -> int:
        """Steps taken in the model, of both stages."""
        return self.apprentice.steps + self.iteration * self.config.rollout_steps * self.env.num_envs

    def iterate(self) -> dict[str, float]:
        """Drive, and learn from it."""
        if not self.apprentice.done:
            figures = self.apprentice.iterate()
            self.prior.load_state_dict(self.policy.state_dict())
            return figures
        rng = np.random.default_rng((self.seed, self.iteration, 1))
        g = torch.Generator().manual_seed(int(rng.integers(2**31)))

        def act(seen: PolicyInput, info: Mapping[str, Any], began: Bools) -> tuple[Tensor, Tensor]:
            action = self.policy.act(seen, g)
            return action, action

        rollout = roll(self.env, act, self.config.rollout_steps, int(rng.integers(2**31)))
        learned = self._learn(rollout, g)
        self.iteration += 1
        return rollout.figures | learned | {"std": float(self.policy.log_std.detach().exp().mean())}

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on as if there had been no stop."""
        parts = ("policy", "critic", "prior", "actor_optimizer", "critic_optimizer", "apprentice")
        return {name: getattr(self, name).state_dict() for name in parts} | {"iteration": self.iteration}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state``. Raises as torch does where it does not fit."""
        for name in state:
            if name != "iteration":
                getattr(self, name).load_state_dict(state[name])
        self.iteration = int(state["iteration"])

    def _learn(self, rollout: Rollout, g: torch.Generator) -> dict[str, float]:
        c, action = self.config, rollout.action.flatten(0, 1)
        with torch.no_grad():
            after = self.critic(rollout.led_to).view(rollout.reward.shape) * ~rollout.terminated
            reward = (1 - c.discount) * rollout.reward
            returns = lambda_returns(reward, after, rollout.ended, c.discount, c.mixing).flatten()
            advantage = returns - self.critic(rollout.seen)
            old = self.policy(rollout.seen).log_prob(action)
        explained = 1 - float(advantage.var() / returns.var())
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-6)
        sums = {"critic": 0.0, "actor": 0.0, "kl": 0.0}
        n = 0
        for _ in range(c.epochs):
            for rows in torch.randperm(len(returns), generator=g).split(c.batch):
                n += 1
                x = rollout.seen.select(rows).blurred(c.latent_noise, g)
                loss = F.mse_loss(self.critic(x), returns[rows])
                self._descend(self.critic_optimizer, loss)
                sums["critic"] += float(loss.detach())
                if self.iteration < c.critic_first:
                    continue
                d = self.policy(x)
                with torch.no_grad():
                    prior = self.prior(x)
                kl = kl_divergence(d, prior).mean()
                lp = d.log_prob(action[rows])
                if c.loss == "ppo":
                    a, ratio = advantage[rows], (lp - old[rows]).exp()
                    gain = -torch.minimum(ratio * a, ratio.clamp(1 - c.clip, 1 + c.clip) * a).mean()
                else:
                    good = advantage[rows] >= 0
                    gain = 0.5 * lp[~good].mean() - 0.5 * lp[good].mean()
                self._descend(self.actor_optimizer, gain + c.prior_weight * kl)
                sums["actor"] += float(gain.detach())
                sums["kl"] += float(kl.detach())
        return {k: v / n for k, v in sums.items()} | {"explained": explained}

    @staticmethod
    def _descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(optimizer.param_groups[0]["params"], 0.5)
        optimizer.step()
