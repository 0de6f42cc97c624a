"""What everybody is judged by: a fixed, seeded list of drives, the same for all agents and for both worlds."""

from __future__ import annotations

from dataclasses import dataclass

from envs.scenario import load_scenario
from worldsim.types import ROADS

FIRST_SEED = 2_000_000
"""Agents learn with seeds below 1,000,000, so that no drive of the suite was ever trained on."""
MAX_STEPS = 200
TOGETHER = 8
"""Drives of a round. A drive is always played in the company of its round, however many are played, by however many
processes: neither the chance that agents draw nor the last bits of a product of matrices depends on anything else."""


@dataclass(frozen=True)
class Case:
    """One drive of the suite."""

    index: int
    scenario: str
    seed: int
    max_steps: int  # 10 are a second


@dataclass(frozen=True)
class Suite:
    """Drive ``k`` is in scenario ``k`` modulo their number, with seed ``first_seed + k``.

    Raises ValueError for an unknown scenario, with the nearest, and for numbers that make no drive.
    """

    scenarios: tuple[str, ...] = ROADS  # the scenarios that are named like the eight kinds of road
    first_seed: int = FIRST_SEED
    max_steps: int = MAX_STEPS

    def __post_init__(self) -> None:
        if not self.scenarios:
            raise ValueError("scenarios: expected at least one, got none")
        for name in self.scenarios:
            load_scenario(name)
        if self.max_steps < 1 or self.first_seed < 0:
            raise ValueError(
                f"suite: expected max_steps of at least 1 and first_seed of at least 0, got {self.max_steps} and "
                f"{self.first_seed}"
            )

    def case(self, index: int) -> Case:
        """Drive ``index``."""
        scenario = self.scenarios[index % len(self.scenarios)]
        return Case(index, scenario, self.first_seed + index, self.max_steps)

    def round(self, number: int) -> tuple[Case, ...]:
        """The drives that are played together as round ``number``."""
        return tuple(self.case(index) for index in range(number * TOGETHER, (number + 1) * TOGETHER))


def rounds_of(episodes: int) -> range:
    """The rounds that hold the first ``episodes`` drives."""
    return range(-(-episodes // TOGETHER))
