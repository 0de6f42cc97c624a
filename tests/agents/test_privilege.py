"""No policy gets to see more than both worlds offer a driver: camera (or its latents), ego, command."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from agents.judging.drivers import ScriptedAgent
from agents.policy.checkpoint import PolicyCard
from agents.policy.driver import PolicyAgent
from agents.policy.network import Policy, PolicyConfig
from agents.policy.observe import PolicyViewEnv
from envs.learned.settings import camera_of
from envs.learned.vector import DriveVectorEnv
from envs.reference.roadcam import RoadCamEnv
from tests.envs.learned_worlds import WORLD, drives
from worldsim.tokenizer import tokenizer_hash

COUNT = 2
OFFERED = {"camera", "ego", "command"}


class Forbidden:
    """Fails whoever looks at it in any way."""

    def _touched(self, *args: Any) -> Any:
        raise AssertionError("a policy looked at what it must not see")

    __getattr__ = __getitem__ = __iter__ = __len__ = __contains__ = __bool__ = __array__ = _touched


def reference() -> gym.vector.SyncVectorEnv:
    """The reference world as the tiny world's camera sees it."""
    cameras = {"front": camera_of(WORLD)}
    return gym.vector.SyncVectorEnv([lambda: RoadCamEnv("curves", cameras=cameras)] * COUNT)


def learned() -> DriveVectorEnv:
    return drives(COUNT, scenario="curves")


def latent() -> DriveVectorEnv:
    return drives(COUNT, scenario="curves", pixels=False)


WORLDS = {"reference": reference, "learned": learned, "learned, as latents": latent}


def policy_agent() -> PolicyAgent:
    """A policy that cares about all it sees."""
    torch.manual_seed(0)
    policy = Policy(PolicyConfig.of(WORLD)).eval().requires_grad_(False)
    policy.mean.weight.mul_(30.0)
    return PolicyAgent(policy, PolicyCard("p", "imitation", "episodes", "tiny", tokenizer_hash(WORLD.tokenizer)), WORLD)


def test_both_worlds_offer_the_same_and_nothing_else() -> None:
    spaces = [WORLDS[name]().single_observation_space for name in ("reference", "learned")]
    assert spaces[0] == spaces[1] and set(spaces[0].spaces) == OFFERED
    assert set(latent().single_observation_space.spaces) == OFFERED - {"camera"} | {"latents"}
    assert RoadCamEnv().observation_space == DriveVectorEnv(1, world="road", pixels=True).single_observation_space
    viewed = [PolicyViewEnv(make(), WORLD).single_observation_space for make in WORLDS.values()]
    assert viewed[0] == viewed[1] == viewed[2] and set(viewed[0].spaces) == OFFERED - {"camera"} | {"latents"}


@pytest.mark.parametrize("name", WORLDS)
def test_a_policy_looks_at_neither_info_nor_truth_nor_readings(name: str) -> None:
    actions = [drive(name, hidden) for hidden in (False, True)]
    np.testing.assert_array_equal(*actions)
    assert np.unique(actions[0][:, 0], axis=0).shape[0] > 1, "the policy must react to what it sees"


def drive(name: str, hidden: bool) -> np.ndarray:
    """Actions (t, b, 2) of the policy; ``hidden`` takes all that is privileged away while it acts."""
    env, agent, actions = WORLDS[name](), policy_agent(), []
    observation, info = env.reset(seed=3)
    agent.begin(env, np.random.default_rng(0))
    holders = [(one.unwrapped, "truth") for one in getattr(env, "envs", [])] or [(env._core, "drives")]  # type: ignore[attr-defined]
    for _ in range(4):
        kept = [getattr(holder, attribute) for holder, attribute in holders]
        if hidden:
            for holder, attribute in holders:
                setattr(holder, attribute, Forbidden())
        actions.append(agent.act(observation, Forbidden() if hidden else info))  # type: ignore[arg-type]
        for (holder, attribute), value in zip(holders, kept, strict=True):
            setattr(holder, attribute, value)
        observation, *_, info = env.step(actions[-1])
    return np.array(actions)


def test_the_privileged_driver_does_look() -> None:
    """So the test above can fail."""
    env, agent = reference(), ScriptedAgent()
    observation, info = env.reset(seed=3)
    agent.begin(env, np.random.default_rng(0))
    for one in env.envs:
        one.unwrapped.truth = Forbidden()
    with pytest.raises(AssertionError, match="must not see"):
        agent.act(observation, info)


@pytest.mark.parametrize("name", WORLDS)
def test_everything_that_is_offered_counts(name: str) -> None:
    observation, _ = WORLDS[name]().reset(seed=3)
    before = first_action(observation)
    for key, value in observation.items():
        changed = dict(observation)
        if key == "command":
            changed[key] = (value + 1) % 4
        elif key == "camera":
            changed[key] = 255 - value
        else:
            changed[key] = value + 0.5
        after = first_action(changed)
        assert (np.abs(after - before) > 1e-4).any(axis=-1).all(), key


def first_action(observation: dict[str, Any]) -> np.ndarray:
    agent = policy_agent()
    agent.begin(latent(), np.random.default_rng(0))
    return agent.act(observation, Forbidden())  # type: ignore[arg-type]
