"""PPO by stable-baselines3: the policy it trains is ours, its curve follows from the seed, and it can learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip("stable_baselines3", reason="needs the extra `rl`: pip install 'worldsim[rl]'")

from agents.learning.place import LEARNED, REFERENCE, Place
from agents.learning.ppo import PPO, PPOConfig
from agents.policy.network import Policy, PolicyConfig
from agents.policy.observe import PolicyInput, PolicyViewEnv
from envs.reference.roadcam import RoadCamEnv
from tests.envs.learned_worlds import BANK
from tests.worldsim.worlds import tiny_world

SMALL = PPOConfig(drives=4, rollout_steps=16, batch=32, epochs=2, min_trust=0.0)

WORLD = tiny_world(warp_width=0)
"""Drives last long enough here for something to be learned."""


def learner(name: str = LEARNED, config: PPOConfig = SMALL, seed: int = 0, parallel: bool = False) -> PPO:
    place = Place(name, WORLD, BANK, ["highway", "roundabout"])
    env = place.drives(config.drives, config.rollout_steps + 1, min_trust=config.min_trust, parallel=parallel)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        policy = Policy(PolicyConfig.of(WORLD, history=2, frame_width=16, width=32))
    return PPO(config, PolicyViewEnv(env, WORLD, policy.config.history), policy, seed)


def weights(of: PPO) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in of.algorithm.policy.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("name", [LEARNED, REFERENCE])
def test_what_stable_baselines3_trains_is_our_policy(name: str) -> None:
    ppo = learner(name)
    before, taken = ppo.policy.mean.weight.clone(), RoadCamEnv.steps_taken
    figures = ppo.iterate()
    assert not torch.equal(before, ppo.policy.mean.weight)
    assert ppo.steps == 64 and RoadCamEnv.steps_taken - taken == (64 if name == REFERENCE else 0)
    assert {"return", "episodes", "speed_mps", "trust", "crash_rate", "offroad_rate"} <= figures.keys()
    assert all(np.isfinite(value) for value in figures.values())
    assert ppo.algorithm.env is not None
    observation = ppo.algorithm.env.reset()
    assert isinstance(observation, dict)
    with torch.no_grad():
        ppo.policy.mean.bias.copy_(torch.tensor([0.3, -2.0]))  # beyond what an action can be
    theirs, _ = ppo.algorithm.predict(observation, deterministic=True)
    ours = ppo.policy.act(PolicyInput.of(observation)).numpy()
    assert np.array_equal(theirs, ours) and (ours[:, 1] == -1.0).all() and len(np.unique(ours[:, 0])) > 1


def test_the_same_seed_gives_the_same_curve_and_leaves_global_chance_alone() -> None:
    curves = []
    for seed in (0, 0, 1):
        torch.manual_seed(len(curves))
        ppo = learner(seed=seed)
        state = torch.get_rng_state()
        curves.append(([ppo.iterate() for _ in range(2)], weights(ppo)))
        assert torch.equal(state, torch.get_rng_state())
    assert curves[0][0] == curves[1][0] and same(curves[0][1], curves[1][1])
    assert curves[0][0] != curves[2][0]


@pytest.mark.parametrize("name", [LEARNED, REFERENCE])
def test_going_on_from_a_state_equals_not_having_stopped(name: str) -> None:
    config = PPOConfig(drives=2, rollout_steps=6, batch=12, epochs=1, min_trust=0.0)
    whole, first, rest = (learner(name, config) for _ in range(3))
    for _ in range(2):
        whole.iterate()
    first.iterate()
    rest.load_state_dict(first.state_dict())
    rest.iterate()
    assert same(weights(whole), weights(rest)) and rest.steps == whole.steps


def test_processes_drive_as_one_process_does() -> None:
    config = PPOConfig(drives=2, rollout_steps=6, batch=12, epochs=1)
    together, apart = learner(REFERENCE, config), learner(REFERENCE, config, parallel=True)
    try:
        assert together.iterate() == apart.iterate() and same(weights(together), weights(apart))
    finally:
        apart.tallied.close()


def test_it_learns_what_is_rewarded() -> None:
    """In the tiny world nothing is to be seen, but driving faster is paid, and that is soon found out."""
    config = PPOConfig(drives=8, rollout_steps=16, batch=64, epochs=6, learning_rate=3e-3, target_kl=0.0, min_trust=0.0)
    ppo = learner(config=config)
    with torch.no_grad():
        ppo.policy.log_std.fill_(-0.7)
    returns = [ppo.iterate()["return"] for _ in range(8)]
    assert np.mean(returns[-2:]) > np.mean(returns[:2]) + 1.0


def test_at_first_the_critic_learns_alone() -> None:
    ppo = learner(config=PPOConfig(drives=2, rollout_steps=8, batch=16, epochs=1, critic_first=1, min_trust=0.0))
    before = weights(ppo)
    ppo.iterate()
    after = weights(ppo)
    assert all(torch.equal(before[name], after[name]) == name.startswith("actor.") for name in before)
    ppo.iterate()
    assert not torch.equal(weights(ppo)["actor.mean.weight"], before["actor.mean.weight"])


def test_what_cannot_be_is_said() -> None:
    place = Place(LEARNED, WORLD, BANK, ["highway", "roundabout"])
    with pytest.raises(ValueError, match="a list of 1 to 1"):
        place.drives(1, 10)
    with pytest.raises(ValueError, match="parallel: expected world=RoadCam-v0"):
        place.drives(2, 10, parallel=True)
    with pytest.raises(ValueError, match="a batch of at least 2"):
        PPOConfig(batch=1)
