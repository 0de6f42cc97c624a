"""Learning to drive from nothing: a lane keeper that reads the model's heads is cloned inside the model.

DAgger (Ross et al. 2011, algorithm 3.1): the teacher drives some of the drives and the policy ever more of them, the
teacher says at every moment what to do, and the policy learns from all that was said so far. The teacher knows lane
offset, heading error and who is ahead, the policy sees latents: what it learns is to see.

Axis legend: t steps of b drives, j moments learned from, a = 2 actions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from worldsim.schema import option

from ..policy.network import Policy
from ..policy.observe import Bools, PolicyInput, PolicyViewEnv
from .rollouts import joined, roll
from .teacher import FEELS_FIRST_STEPS, Teacher


@dataclass
class ApprenticeConfig:
    """How long, and how hard, to learn from the teacher."""

    steps: int = option(8000, "in the model; 0: the policy can drive already")
    teacher_share: float = option(0.7, "of the drives that the teacher drives, and each iteration this much less")
    sway_m: float = option(1.4, "how far the teacher drives to either side of its lane's middle at most")
    updates: int = option(200, "gradient steps an iteration")
    batch: int = option(256, "moments of a gradient step")
    learning_rate: float = option(1e-3, "of AdamW")
    weight_decay: float = option(0.05, "of AdamW")
    latent_noise: float = option(0.7, "most noise on latents, in standard deviations, so that small errors are no news")


class Apprentice:
    """A learner that clones the teacher into ``policy``, in drives of ``env``."""

    def __init__(
        self, config: ApprenticeConfig, env: PolicyViewEnv, policy: Policy, rollout_steps: int, seed: int
    ) -> None:
        if rollout_steps <= FEELS_FIRST_STEPS and config.steps:
            raise ValueError(
                f"rollout_steps: expected more than {FEELS_FIRST_STEPS}, since a teacher must first feel "
                f"the road before it says anything, got {rollout_steps}"
            )
        self.config, self.env, self.policy = config, env, policy.requires_grad_(True)
        self.rollout_steps, self.seed, self.iteration = rollout_steps, seed, 0
        self.optimizer = torch.optim.AdamW(policy.parameters(), config.learning_rate, weight_decay=config.weight_decay)
        self.heard: list[tuple[PolicyInput, Tensor]] = []  # what was seen (j,), what was said (j, a)

    @property
    def steps(self) -> int:
        """Steps taken in the model."""
        return self.iteration * self.rollout_steps * self.env.num_envs

    @property
    def done(self) -> bool:
        """Whether there is nothing more to learn here."""
        return self.steps >= self.config.steps

    def iterate(self) -> dict[str, float]:
        """Drive, listen, learn."""
        c, count = self.config, self.env.num_envs
        rng = np.random.default_rng((self.seed, self.iteration, 0))
        teacher, taught = Teacher(count, c.sway_m, rng), rng.random(count) < c.teacher_share ** (self.iteration + 1)

        def act(seen: PolicyInput, info: Mapping[str, Any], began: Bools) -> tuple[Tensor, Tensor]:
            done, said = (torch.from_numpy(action) for action in teacher.act(info, began))
            return torch.where(torch.from_numpy(taught)[:, None], done, self.policy.act(seen)), said

        rollout = roll(self.env, act, self.rollout_steps, int(rng.integers(2**31)))
        said = rollout.action.flatten(0, 1)
        known = said.isfinite().all(dim=1)
        self.heard.append((rollout.seen.select(known), said[known]))
        loss = self._learn(torch.Generator().manual_seed(int(rng.integers(2**31))))
        self.iteration += 1
        if self.done:
            self.heard.clear()
        return rollout.figures | {"imitation": loss}

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on but the policy, which is the caller's."""
        heard = [[seen.latents, seen.ego, seen.command, said] for seen, said in self.heard]
        return {"optimizer": self.optimizer.state_dict(), "iteration": self.iteration, "heard": heard}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state``. Raises as torch does where it does not fit."""
        self.optimizer.load_state_dict(state["optimizer"])
        self.iteration = int(state["iteration"])
        self.heard = [(PolicyInput(latents, ego, command), said) for latents, ego, command, said in state["heard"]]

    def _learn(self, generator: torch.Generator) -> float:
        """Gradient steps on all that was heard; their mean loss."""
        c, total = self.config, 0.0
        seen, said = joined([x for x, _ in self.heard]), torch.cat([y for _, y in self.heard])
        for _ in range(c.updates):
            rows = torch.randint(len(said), (c.batch,), generator=generator)
            x = seen.select(rows).blurred(c.latent_noise, generator)
            loss = F.smooth_l1_loss(self.policy(x).mean, said[rows], beta=0.1)
            self.optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.policy.parameters(), 1.0)
            self.optimizer.step()
            total += float(loss.detach())
        return total / c.updates
