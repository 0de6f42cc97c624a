"""A minute of driving in either world, by one driver on the same scenarios.

Axis legend: d drives, t sampled frames, h w c of a frame.

The driver keeps lane and distance by the labels of the world that it is in.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import torch

from worldsim.engine import Engine
from worldsim.engine.starts import StartBank
from worldsim.types import FRAME_RATE_HZ, FloatArray, FrameArray

from ..agent import Agent
from ..judging.drivers import make_agent
from ..judging.play import LearnedArena, ReferenceArena
from ..judging.suite import Case
from .progress import bar

SAMPLE_S = 0.5
DRIVER = "expert"
SCENARIOS = ("highway", "curves", "two_way", "racetrack", "fog_highway", "night_rain")
FIRST_SEED = 4_000_000


@dataclass(frozen=True)
class Minute:
    """A minute of driving, sampled every SAMPLE_S."""

    frames: FrameArray  # (d, t, h, w, 3)
    there: npt.NDArray[np.bool_]  # (d, t) whether the drive has this frame: none after its end
    trust: FloatArray  # (d, t)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """To be kept."""
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, npt.NDArray[Any]]) -> Minute:
        """As it was kept."""
        return cls(**arrays)


def learned_minute(engine: Engine, starts: StartBank | None, drives: int, seconds: float) -> Minute:
    """The learned world, on after every end."""
    env = LearnedArena(engine.world, starts, engine.config.steps).enter(cases := _cases(drives, seconds))
    agent, observation, info = _begun(env, cases)
    frames, trust = [], []
    with bar("a minute in the learned world", cases[0].max_steps - 1) as tick:
        for step in range(1, cases[0].max_steps):
            observation, _, _, _, info = env.step(agent.act(observation, info))
            if _sampled(step):
                frames.append(engine.decode(torch.from_numpy(observation["latents"]).to(engine.world.device)).cpu())
                trust.append(np.asarray(info["trust"], np.float32))
            tick()
    env.close()
    shown = torch.stack(frames, dim=1).numpy()
    return Minute(shown, np.ones(shown.shape[:2], np.bool_), np.stack(trust, axis=1))


def reference_minute(engine: Engine, drives: int, seconds: float) -> Minute:
    """The reference world as the model's camera sees it, until each drive ends."""
    env = ReferenceArena(engine.world).enter(cases := _cases(drives, seconds))
    agent, observation, info = _begun(env, cases)
    running = np.ones(drives, np.bool_)
    frames, there = [], []
    with bar("a minute in the reference world", cases[0].max_steps - 1) as tick:
        for step in range(1, cases[0].max_steps):
            observation, _, terminated, truncated, info = env.step(agent.act(observation, info))
            running &= ~(terminated | truncated)
            if _sampled(step):
                frames.append(observation["camera"].copy())
                there.append(running.copy())
            tick()
    env.close()
    known = np.stack(there, axis=1)
    return Minute(np.stack(frames, axis=1), known, np.ones(known.shape, np.float32))


def _cases(drives: int, seconds: float) -> list[Case]:
    steps = round(seconds * FRAME_RATE_HZ) + 1
    return [Case(i, SCENARIOS[i % len(SCENARIOS)], FIRST_SEED + i, steps) for i in range(drives)]


def _begun(env: gym.vector.VectorEnv, cases: list[Case]) -> tuple[Agent, Any, dict[str, Any]]:
    observation, info = env.reset(seed=[case.seed for case in cases])  # type: ignore[arg-type]
    agent = make_agent(DRIVER)
    agent.begin(env, np.random.default_rng(FIRST_SEED))
    return agent, observation, info


def _sampled(step: int) -> bool:
    return step % round(SAMPLE_S * FRAME_RATE_HZ) == 0
