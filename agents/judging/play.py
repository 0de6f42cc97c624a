"""Playing: an agent drives one round of the suite in either world, and what came of each drive is measured.

Axis legend: b drives of a round, t steps until the last of them has ended, e ego.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from envs import rewards
from envs.learned.settings import camera_of
from envs.learned.vector import DriveVectorEnv
from envs.reference.roadcam import RoadCamEnv
from worldsim.engine.starts import StartBank
from worldsim.types import EGO_FIELDS, FRAME_RATE_HZ, LEAD_RANGE_M
from worldsim.world_model import WorldModel

from ..agent import Agent
from ..workers import one_thread
from .suite import Case

Array = npt.NDArray[np.float64]

SPEED, YAW_RATE, ACCELERATION = (
    EGO_FIELDS.index(name) for name in ("speed_mps", "yaw_rate_radps", "acceleration_mps2")
)
HARD_BRAKING_MPS2 = 3.0
FAR_S = 10.0  # a time to collision is at most this
LEAST_SPEED_RATIO = 0.5


@dataclass(frozen=True)
class Outcome:
    """What came of one drive. Rates of a single drive are 0 or 1, means are over its steps."""

    index: int
    scenario: str
    seed: int
    steps: int
    earned: float  # the return: the sum of its rewards
    terms: dict[str, float]  # what each reward term adds to it
    success: bool  # to the end of time or road without a fault, at half the target speed or more on average
    crash: bool
    offroad: bool
    speed_ratio: float  # mean speed over the target speed
    jerk_mps3: float  # mean of its amount, lengthwise
    lateral_mps2: float  # mean of its amount
    hard_braking: float  # share of steps that brake harder than HARD_BRAKING_MPS2
    least_ttc_s: float  # least time to collision with whoever is ahead; FAR_S where it was never less
    trust: float  # mean; 1 in the reference world


class Arena(Protocol):
    """A world to play in."""

    def enter(self, cases: Sequence[Case]) -> gym.vector.VectorEnv:
        """An env with one drive for each case, not yet reset. A drive that has ended is not begun anew."""
        ...

    def target_speed_mps(self, env: gym.vector.VectorEnv) -> Array:
        """The speed (b,) that each drive rewards, once they were reset."""
        ...


class ReferenceArena:
    """The reference world, seen through the camera that ``world`` knows."""

    def __init__(self, world: WorldModel) -> None:
        self.cameras = {"front": camera_of(world)}

    def enter(self, cases: Sequence[Case]) -> gym.vector.VectorEnv:
        """RoadCam-v0, one env for each case; ValueError for a case whose scenario is unknown."""

        def make(case: Case) -> Callable[[], gym.Env[Any, Any]]:
            return lambda: _OneDrive(RoadCamEnv(case.scenario, self.cameras, max_steps=case.max_steps))

        return gym.vector.SyncVectorEnv([make(case) for case in cases])

    def target_speed_mps(self, env: gym.vector.VectorEnv) -> Array:
        """What each drive's scenario came out as, (b,)."""
        assert isinstance(env, gym.vector.SyncVectorEnv)
        return np.array([one.unwrapped.scenario.target_speed_mps for one in env.envs])  # type: ignore[attr-defined]


class LearnedArena:
    """The learned world: latents instead of pictures, since agents see no more than that."""

    def __init__(self, world: WorldModel, starts: StartBank | None = None, passes: int = 4) -> None:
        self.world, self.starts, self.passes = world, starts, passes

    def enter(self, cases: Sequence[Case]) -> gym.vector.VectorEnv:
        """Drive-v0, all cases in one batch; ValueError for cases of different lengths, or a scenario without starts."""
        (max_steps,) = {case.max_steps for case in cases}
        scenarios = [case.scenario for case in cases]
        return _OneDriveEach(
            DriveVectorEnv(
                len(cases), scenarios, world=self.world, starts=self.starts, steps=self.passes, pixels=False,
                max_steps=max_steps,
            )
        )  # fmt: skip

    def target_speed_mps(self, env: gym.vector.VectorEnv) -> Array:
        """What each drive's start was recorded with, (b,)."""
        drives = env.unwrapped
        assert isinstance(drives, DriveVectorEnv)
        return drives.save_state().target_speed


def time_to_collision_s(gap_m: Array, closing_mps: Array) -> Array:
    """Seconds until whoever is ahead is hit at these distances and closing speeds, any shape; at most FAR_S."""
    nearing = (gap_m < LEAD_RANGE_M) & (closing_mps > gap_m / FAR_S)
    return np.where(nearing, np.maximum(gap_m, 0.0) / np.where(nearing, closing_mps, 1.0), FAR_S)


class _OneDrive(gym.Wrapper[Any, Any, Any, Any]):
    """Stands still after its end: is neither stepped nor begun anew, and waits for the others of its round."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        if seed is not None:
            self.over = False
            self.last = super().reset(seed=seed, options=options)
        return self.last  # a vector env resets what has ended, without a seed

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        if self.over:
            return self.last[0], 0.0, False, False, self.last[1]
        observation, reward, terminated, truncated, info = super().step(action)
        self.last, self.over = (observation, info), terminated or truncated
        return observation, reward, terminated, truncated, info


class _OneDriveEach(gym.vector.VectorWrapper):
    """Drives on after the end in the learned world, which has no other way to wait."""

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        result = super().step(actions)
        if (result[2] | result[3]).any():
            drives = self.env
            assert isinstance(drives, DriveVectorEnv)
            drives.restore_state(drives.save_state())  # what is restored has not ended
        return result


def play(agent: Agent, arena: Arena, cases: Sequence[Case]) -> list[Outcome]:
    """Drive the cases of a round together and measure each until its own end.

    All chance of the agent comes from the seed of the first case, so that the result depends on agent, arena and cases
    alone, on one machine.
    """
    with one_thread():
        env = arena.enter(cases)
        observation, info = env.reset(seed=[case.seed for case in cases])  # type: ignore[arg-type]
        agent.begin(env, np.random.default_rng([cases[0].seed, 1]))
        log = _Log(info, arena.target_speed_mps(env))
        running = np.ones(len(cases), np.bool_)
        while running.any():
            observation, _, terminated, truncated, info = env.step(agent.act(observation, info))
            log.add(info, running, terminated)
            running = running & ~(terminated | truncated)
        env.close()
    return [log.outcome(case, row) for row, case in enumerate(cases)]


class _Log:
    """What was seen of every drive, step by step."""

    def __init__(self, info: dict[str, Any], target_speed: Array) -> None:
        self.target_speed = target_speed
        self.count = np.zeros(len(target_speed), np.int64)  # steps of each drive
        self.terminated = np.zeros(len(target_speed), np.bool_)
        self.rows = [self._row(info)]  # from the moment of the reset on

    def add(self, info: dict[str, Any], running: npt.NDArray[np.bool_], terminated: npt.NDArray[np.bool_]) -> None:
        """Note a step of the drives that are ``running`` (b,)."""
        self.rows.append(self._row(info))
        self.count += running
        self.terminated |= running & terminated

    @staticmethod
    def _row(info: dict[str, Any]) -> dict[str, Array]:
        labels, ego = info["labels"], np.asarray(info["ego"], np.float64)
        gap, closing = (np.asarray(labels[key], np.float64) for key in ("lead_distance_m", "closing_speed_mps"))
        terms = {name: np.array(info["reward_terms"][name], np.float64) for name in rewards.WEIGHTS}
        return {
            **terms,
            "earned": np.array(info["reward"], np.float64),
            "trust": np.array(info["trust"], np.float64),
            "speed": ego[:, SPEED],
            "acceleration": ego[:, ACCELERATION],
            "lateral": np.abs(ego[:, SPEED] * ego[:, YAW_RATE]),
            "ttc": time_to_collision_s(gap, closing),
        }

    def outcome(self, case: Case, row: int) -> Outcome:
        """What came of the drive in place ``row``."""
        steps = int(self.count[row])
        seen = {key: np.array([each[key][row] for each in self.rows[: steps + 1]]) for key in self.rows[0]}
        after = {key: values[1:] for key, values in seen.items()}  # each (t,), without the moment of the reset
        fault = {
            name: bool(self.terminated[row] and -after[name][-1] >= rewards.END_PROBABILITY)
            for name in ("collision", "offroad")
        }
        ratio = float(after["speed"].mean() / self.target_speed[row])
        return Outcome(
            index=case.index, scenario=case.scenario, seed=case.seed, steps=steps,
            earned=float(after["earned"].sum()),
            terms={name: weight * float(after[name].sum()) for name, weight in rewards.WEIGHTS.items()},
            success=bool(not self.terminated[row] and ratio >= LEAST_SPEED_RATIO),
            crash=fault["collision"], offroad=fault["offroad"], speed_ratio=ratio,
            jerk_mps3=float(np.abs(np.diff(seen["acceleration"])).mean() * FRAME_RATE_HZ),
            lateral_mps2=float(after["lateral"].mean()),
            hard_braking=float((after["acceleration"] < -HARD_BRAKING_MPS2).mean()),
            least_ttc_s=float(after["ttc"].min()), trust=float(after["trust"].mean()),
        )  # fmt: skip
