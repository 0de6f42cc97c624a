"""Learning inside the learned world: from a teacher, then by itself; the same seed learns the same."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from gymnasium.vector import AutoresetMode

from agents.learning.apprentice import ApprenticeConfig
from agents.learning.imagination import Imagination, ImaginationConfig
from agents.policy.network import Policy, PolicyConfig
from agents.policy.observe import PolicyViewEnv
from envs.reference.roadcam import RoadCamEnv
from tests.envs.learned_worlds import CALM, drives

DRIVES, STEPS = 4, 12


def learner(seed: int = 0, taught: int = DRIVES * STEPS, **settings: Any) -> Imagination:
    env = drives(DRIVES, CALM, pixels=False, autoreset_mode=AutoresetMode.SAME_STEP, max_steps=20)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        policy = Policy(PolicyConfig.of(CALM, history=2, frame_width=16, width=16))
    apprentice = ApprenticeConfig(steps=taught, updates=20, batch=32)
    config = ImaginationConfig(
        **{"drives": DRIVES, "rollout_steps": STEPS, "epochs": 2, "batch": 12, "critic_first": 0, **settings},
        apprentice=apprentice,
    )
    return Imagination(config, PolicyViewEnv(env, CALM, history=2), policy, seed)


def weights(of: Imagination) -> torch.Tensor:
    return torch.cat([value.flatten() for value in of.policy.state_dict().values()])


def test_first_it_is_taught_then_it_learns_by_itself() -> None:
    student = learner()
    assert "imitation" in student.iterate()
    alone = student.iterate()
    assert "actor" in alone and student.steps == 2 * DRIVES * STEPS


def test_a_rollout_too_short_to_be_taught_in_is_refused() -> None:
    with pytest.raises(ValueError, match="rollout_steps: expected more than"):
        learner(rollout_steps=4)


def test_what_is_taught_is_learned() -> None:
    """On what it has heard, the loss falls."""
    student = learner(taught=10 * DRIVES * STEPS).apprentice
    first = student.iterate()["imitation"]
    for _ in range(6):
        last = student.iterate()["imitation"]
    assert last < 0.7 * first


def test_who_can_drive_already_is_not_taught_and_is_held_near_what_it_was() -> None:
    free, held = learner(taught=0, prior_weight=0.0), learner(taught=0, prior_weight=30.0)
    moved = []
    for student in (free, held):
        before = weights(student)
        assert "imitation" not in student.iterate()
        student.iterate()
        x = torch.Generator().manual_seed(0)
        seen = student.env.view.look(student.env.env.reset(seed=1)[0]).blurred(0.5, x)
        with torch.no_grad():
            moved.append(float((student.policy(seen).mean - student.prior(seen).mean).abs().mean()))
        assert not torch.equal(before, weights(student))
    assert moved[1] < moved[0]


@pytest.mark.parametrize("loss", ["ppo", "pmpo"])
def test_the_same_seed_learns_the_same(loss: str) -> None:
    ends = []
    for seed in (3, 3, 4):
        student = learner(seed, loss=loss)
        for _ in range(3):
            student.iterate()
        ends.append(weights(student))
    assert torch.equal(ends[0], ends[1]) and not torch.equal(ends[0], ends[2])


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_a_run_that_was_interrupted_equals_one_that_was_not(stop: int) -> None:
    """Stopped while it is taught, between the stages, and while it learns by itself."""
    whole = learner(taught=2 * DRIVES * STEPS)
    for _ in range(4):
        whole.iterate()
    first = learner(taught=2 * DRIVES * STEPS)
    for _ in range(stop):
        first.iterate()
    second = learner(taught=2 * DRIVES * STEPS)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for _ in range(4 - stop):
        second.iterate()
    assert second.steps == whole.steps and torch.equal(weights(whole), weights(second))


def test_it_never_steps_in_the_reference_world() -> None:
    before = RoadCamEnv.steps_taken
    student = learner()
    for _ in range(2):
        student.iterate()
    assert RoadCamEnv.steps_taken == before
