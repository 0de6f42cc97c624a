"""Rollouts in the learned world, and returns over them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode
from torch import Tensor

from agents.learning.returns import lambda_returns
from agents.learning.rollouts import Rollout, Tally, roll
from agents.policy.observe import Bools, PolicyInput, PolicyViewEnv
from tests.envs.learned_worlds import CALM, LIVELY, drives

STEPS, COUNT = 7, 4


def view(world: Any = LIVELY, count: int = COUNT, **settings: Any) -> PolicyViewEnv:
    env = drives(count, world, pixels=False, autoreset_mode=AutoresetMode.SAME_STEP, **settings)
    return PolicyViewEnv(env, env.world, history=2)


def coast(seen: PolicyInput, info: Mapping[str, Any], began: Bools) -> tuple[Tensor, Tensor]:
    action = torch.zeros(len(seen), 2)
    return action, action + 0.5


def returns_one_by_one(reward: Tensor, after: Tensor, ended: Tensor, discount: float, mixing: float) -> Tensor:
    """By the definition, as a weighted sum of n-step returns (Sutton & Barto 2018, equation 12.3)."""
    result = torch.zeros_like(reward)
    steps, count = reward.shape
    for b in range(count):
        for t in range(steps):
            stop = next((s for s in range(t, steps) if ended[s, b] or s == steps - 1), steps - 1)
            earned, n_step = 0.0, []
            for s in range(t, stop + 1):
                earned += discount ** (s - t) * float(reward[s, b])
                n_step.append(earned + discount ** (s - t + 1) * float(after[s, b]))
            weights = [(1 - mixing) * mixing**i for i in range(len(n_step) - 1)] + [mixing ** (len(n_step) - 1)]
            result[t, b] = sum(w * g for w, g in zip(weights, n_step, strict=True))
    return result


@pytest.mark.parametrize("mixing", [0.0, 0.7, 1.0])
def test_lambda_returns_are_weighted_sums_of_n_step_returns(mixing: float) -> None:
    g = torch.Generator().manual_seed(3)
    reward, after = torch.randn(9, 5, generator=g), torch.randn(9, 5, generator=g)
    ended = torch.rand(9, 5, generator=g) < 0.2
    expected = returns_one_by_one(reward, after, ended, 0.9, mixing)
    torch.testing.assert_close(lambda_returns(reward, after, ended, 0.9, mixing), expected)


def test_a_drive_takes_nothing_from_the_one_that_follows_it() -> None:
    reward, after, ended = torch.zeros(4, 1), torch.zeros(4, 1), torch.tensor([[False], [True], [False], [False]])
    reward[2:] = 100.0
    assert lambda_returns(reward, after, ended, 0.9, 1.0)[:2].abs().max() == 0.0


def rolled(**settings: Any) -> Rollout:
    return roll(view(**settings), coast, STEPS, seed=5)


def test_each_step_leads_to_what_is_seen_next_except_where_a_drive_ends() -> None:
    rollout = rolled(max_steps=3)
    shape = (STEPS, COUNT)
    seen = rollout.seen.latents.unflatten(0, shape)
    led_to = rollout.led_to.latents.unflatten(0, shape)
    same = (led_to[:-1] == seen[1:]).flatten(2).all(dim=2)
    assert rollout.ended[2].all() and not rollout.ended[0].all()
    assert torch.equal(same, ~rollout.ended[:-1])
    past, present = seen[:, :, 0], seen[:, :, 1]
    assert torch.equal(led_to[:, :, 0], present), "what is led to remembers where it came from"
    fresh = torch.cat((torch.ones(1, COUNT, dtype=torch.bool), rollout.ended[:-1]))
    assert torch.equal((past == present).flatten(2).all(dim=2), fresh), "what began has no other past"


def test_a_rollout_repeats_by_its_seed_alone() -> None:
    env = view()
    first = roll(env, coast, STEPS, seed=5)
    other = roll(env, coast, STEPS, seed=6)
    again = roll(env, coast, STEPS, seed=5)
    assert torch.equal(first.seen.latents, again.seen.latents) and torch.equal(first.reward, again.reward)
    assert first.figures == again.figures
    assert not torch.equal(first.seen.latents, other.seen.latents)
    assert (first.action == 0.5).all(), "what is remembered need not be what was done"


def test_lost_trust_ends_a_drive_but_is_no_terminal_state() -> None:
    lost = rolled(world=CALM, min_trust=1.0)
    assert lost.ended.any() and not lost.terminated.any()
    kept = rolled(world=CALM, min_trust=0.0)
    assert not kept.ended.any()


def test_figures_are_of_the_first_drive_in_each_place() -> None:
    tally = Tally(2)
    terms = {"collision": np.array([-1.0, 0.0])}
    moving = {"ego": np.array([[10.0, 0, 0, 0], [20.0, 0, 0, 0]]), "trust": np.array([0.5, 1.0])}
    nothing = np.zeros(2, np.bool_)
    tally.add(np.array([1.0, 1.0]), nothing, nothing, moving)
    crashed = np.array([True, False])
    tally.add(np.array([-9.0, 1.0]), crashed, crashed, moving | {"final_info": {"reward_terms": terms}})
    tally.add(np.array([100.0, 1.0]), nothing, np.array([False, True]), moving)
    assert tally.figures() == {
        "return": (1 - 9 + 3) / 2, "reward": (1 - 9 + 3) / 5, "length": 2.5,
        "speed_mps": (10 + 20 + 20) / 3, "trust": (0.5 + 1 + 1) / 3, "crash_rate": 0.5, "offroad_rate": 0.0,
    }  # fmt: skip
