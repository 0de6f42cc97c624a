"""One trial: a scene of the searched space, driven once, and how badly it went."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from envs.rewards import HALF_LANE_M
from envs.scenario import Scenario
from worldsim.types import FRAME_RATE_HZ, CameraSpec

from ..judging.play import FAR_S
from ..policy.checkpoint import policy_folder
from ..scenes.drive import Driven, drive
from ..scenes.verdict import Verdict, verdict_of
from ..scenes.worlds import Begun, LearnedWorld, Place, ReferenceWorld, agent_called
from ..workers import one_thread
from .space import Space, Values

FEW_PIXELS = CameraSpec.from_fov(16, 8)
NEARLY = 0.99  # the most that a drive without a fault counts


@dataclass(frozen=True)
class Trial:
    """What was tried and what came of it. ``verdict`` None: the values contradict each other, nothing was driven."""

    number: int
    seed: int
    values: Values
    steps: int  # of the world that was searched
    badness: float
    verdict: Verdict | None

    @property
    def failed(self) -> bool:
        """Whether the drive crashed or left the road."""
        return self.verdict is not None and self.verdict.failed


def badness(verdict: Verdict, seconds: float) -> float:
    """How bad a drive is: from 1 to 2 with a fault, the sooner the worse; below 1 without.

    Without a fault it is the greater of two shares: of FAR_S seconds that were missing to a collision at the worst
    moment, and of half a lane that was missing to its edge.
    """
    if verdict.failed:
        return 1.0 + max(1.0 - verdict.seconds / seconds, 0.0)
    close, aside = 1.0 - verdict.least_ttc_s / FAR_S, 1.0 - verdict.least_edge_m / HALF_LANE_M
    return NEARLY * min(max(close, aside, 0.0), 1.0)


@dataclass(frozen=True)
class Task:
    """What a process needs to know to drive any trial."""

    scenario: Scenario
    place: Place
    agent: str
    seconds: float

    @property
    def steps(self) -> int:
        """Steps of a trial at most."""
        return round(self.seconds * FRAME_RATE_HZ)

    @property
    def space(self) -> Space:
        """Where is searched."""
        return Space.of(self.scenario, self.seconds)


class Tester:
    """Drives trials, and their twins in the reference world, in one process.

    The reference world draws no more than a few pixels unless they are looked at: by a policy, or in a film.
    """

    def __init__(self, task: Task, filming: bool = False) -> None:
        self.task, self.space = task, task.space
        looked_at = filming or policy_folder(task.agent) is not None
        self.world: ReferenceWorld | LearnedWorld
        if task.place.is_reference:
            self.world = self.truth = ReferenceWorld(None if looked_at else FEW_PIXELS)
        else:
            self.world = LearnedWorld(task.place)
            self.truth = ReferenceWorld(next(iter(self.world.road.cameras.values())) if looked_at else FEW_PIXELS)

    def attempt(self, number: int, seed: int, values: Values) -> Trial:
        """Drive one trial."""
        try:
            scenario = self.space.at(values, seed)
        except ValueError:
            return Trial(number, seed, values, 0, 0.0, None)
        driven = self.driven(scenario, seed)
        verdict = verdict_of(driven)
        return Trial(number, seed, values, len(driven.actions), badness(verdict, self.task.seconds), verdict)

    def driven(self, scenario: Scenario, seed: int) -> Driven:
        """A drive in the world that is searched."""
        with one_thread():
            return self._drive(self.world.begin(scenario, seed), seed)

    def verified(self, scenario: Scenario, seed: int) -> Driven:
        """The same drive in the reference world: same scenario, same seed, same driver, from the same moment on."""
        with one_thread():
            if self.task.place.is_reference:
                return self.driven(scenario, seed)
            return self._drive(self.truth.begin_after_run_up(scenario, seed), seed)

    def _drive(self, begun: Begun, seed: int) -> Driven:
        agent = agent_called(self.task.agent, self.world.model)
        return drive(begun, agent, self.task.steps, np.random.default_rng([seed, 2]))


def testing(task: Task) -> Callable[[tuple[str, Any]], Any]:
    """What a process does: ("try", (number, seed, values)) is a Trial, ("verify", (key, values, seed)) a Verdict."""
    tester = Tester(task)

    def work(job: tuple[str, Any]) -> Any:
        kind, arguments = job
        if kind == "try":
            return tester.attempt(*arguments)
        _, values, seed = arguments
        return verdict_of(tester.verified(tester.space.at(values, seed), seed))

    return work
