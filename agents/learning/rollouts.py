"""Rollouts in the learned world: b drives from fresh starts, and what was seen, done and earned on the way.

Axis legend: t steps of b drives, a = 2 actions.

Every rollout begins with a reset from its own seed, so that an iteration of learning depends on what was learned
before and on its number, on nothing else: a run that was interrupted goes on exactly as it would have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from envs.rewards import END_PROBABILITY
from worldsim.types import EGO_FIELDS

from ..policy.observe import Bools, PolicyInput, PolicyViewEnv

SPEED = EGO_FIELDS.index("speed_mps")

Act = Callable[[PolicyInput, Mapping[str, Any], Bools], tuple[Tensor, Tensor]]
"""(what is seen, info, which drives just began) -> the action to take and the one to remember, (b, a) each."""


@dataclass(frozen=True)
class Rollout:
    """What was lived through. Inputs have rows (t b), in the order of the other arrays flattened."""

    seen: PolicyInput
    action: Tensor  # (t, b, a) to remember
    reward: Tensor  # (t, b)
    terminated: Tensor  # (t, b) bool: nothing comes after
    ended: Tensor  # (t, b) bool: the next row is another drive's
    led_to: PolicyInput  # what was seen after each step, before any new beginning
    figures: dict[str, float]


@torch.no_grad()
def roll(env: PolicyViewEnv, act: Act, steps: int, seed: int) -> Rollout:
    """Drive from fresh starts; a drive of ``env`` (SAME_STEP autoreset) that ends begins anew at once."""
    observation, info = env.reset(seed=seed)
    began = np.ones(env.num_envs, np.bool_)
    seen: list[PolicyInput] = []
    led_to: list[PolicyInput] = []
    actions: list[Tensor] = []
    rewards: list[Tensor] = []
    over: list[Tensor] = []
    ended: list[Tensor] = []
    tally = Tally(env.num_envs)
    for _ in range(steps):
        seen.append(PolicyInput.of(observation))
        taken, remembered = act(seen[-1], info, began)
        observation, reward, terminated, truncated, info = env.step(taken.clamp(-1.0, 1.0).numpy())
        began = terminated | truncated
        tally.add(reward, terminated, began, info)
        led_to.append(PolicyInput.of(_before_reset(observation, info, began)))
        for values, value in ((actions, remembered), (rewards, reward), (over, terminated), (ended, began)):
            values.append(torch.as_tensor(value))
    return Rollout(
        joined(seen), torch.stack(actions), torch.stack(rewards).float(), torch.stack(over), torch.stack(ended),
        joined(led_to), tally.figures(),
    )  # fmt: skip


def joined(inputs: Sequence[PolicyInput]) -> PolicyInput:
    """One input of all rows, in order."""
    return PolicyInput(*(torch.cat([getattr(x, entry.name) for x in inputs]) for entry in fields(PolicyInput)))


def _before_reset(observation: Mapping[str, Any], info: Mapping[str, Any], ended: Bools) -> dict[str, npt.NDArray[Any]]:
    """The observation that the step led to, where the drive has begun anew since."""
    result = {key: np.array(values) for key, values in observation.items()}
    for row in np.flatnonzero(ended):
        for key, values in result.items():
            values[row] = info["final_obs"][row][key]
    return result


class Tally:
    """Figures of a rollout, over the first drive in each of b places."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.first = np.ones(count, np.bool_)
        self.sums = dict.fromkeys(("steps", "return", "crash", "offroad", "going", "speed", "trust"), 0.0)

    def add(self, reward: Any, terminated: Bools, ended: Bools, info: Mapping[str, Any]) -> None:
        """Count one step (SAME_STEP autoreset: where a drive ended, ``info`` is already about the next)."""
        collided = np.zeros(self.count, np.bool_)
        if terminated.any():
            collided = terminated & (info["final_info"]["reward_terms"]["collision"] <= -END_PROBABILITY)
        going = self.first & ~ended
        every = np.ones(self.count)
        counted: dict[str, tuple[Any, Bools]] = {
            "steps": (every, self.first), "return": (reward, self.first), "crash": (collided, self.first),
            "offroad": (terminated & ~collided, self.first), "going": (every, going),
            "speed": (info["ego"][:, SPEED], going), "trust": (info["trust"], going),
        }  # fmt: skip
        for name, (values, rows) in counted.items():
            self.sums[name] += float(np.asarray(values)[rows].sum())
        self.first = going

    def figures(self) -> dict[str, float]:
        """By name: sums a drive, means a step, shares of drives."""
        s, steps, going = self.sums, max(self.sums["steps"], 1.0), max(self.sums["going"], 1.0)
        return {
            "return": s["return"] / self.count, "reward": s["return"] / steps, "length": s["steps"] / self.count,
            "speed_mps": s["speed"] / going, "trust": s["trust"] / going,
            "crash_rate": s["crash"] / self.count, "offroad_rate": s["offroad"] / self.count,
        }  # fmt: skip
