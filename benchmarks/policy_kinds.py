"""The kinds of policies that ``benchmarks.policies`` compares, and their training: in stages, in parallel, resumable.

A run lies in ``OUT/training/KIND/SEED``, what it had learned after a stage in ``.../at/STEPS``. A stage that is there
is not trained again.
"""

from __future__ import annotations

import shutil
from argparse import Namespace
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from agents.judging.judge import LEARNED, REFERENCE, Judge, Venue
from agents.judging.suite import Suite
from agents.learning.settings import TrainAgentConfig
from agents.learning.train import train_agent
from agents.policy.checkpoint import CARD_FILE
from agents.policy.checkpoint import FILE_NAME as POLICY_FILE
from worldsim.errors import choose
from worldsim.schema import build

MODEL, SAME, CONVERGED = "model: imagination", "reference: imagination", "reference: converged"
CLONED, TAUGHT = "cloned", "taught on recorded drives"
"""Kinds that others refer to. Those of the model begin with "model:"."""
SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
"""Of a kind's steps, after which its policy is kept to be judged later."""
DOUBLINGS, TRYOUTS = 5, 32
GAIN = 0.02
"""A policy has converged when twice the steps earn less than this much more."""
TRYOUT_SEED = 1_500_000
"""Of the drives by which convergence is decided: none that is trained on or judged by, and as long as those."""


@dataclass(frozen=True)
class Kind:
    """How a policy comes to be."""

    name: str
    steps: int  # as ``TrainAgentConfig`` counts them
    settings: dict[str, Any]  # of ``TrainAgentConfig``
    shares: tuple[float, ...] = SHARES
    begins_as: str = ""  # the kind whose policy of the same seed it starts from
    part_of: str = ""  # the kind whose training begins with its own, so that its policy is a stage of that one
    tried_out_by: int = 0  # drives by which it is decided, after each doubling of the steps, whether it has converged


@dataclass(frozen=True)
class Trained:
    """A policy of one seed."""

    kind: Kind
    seed: int
    stages: dict[int, Path] = field(default_factory=dict)  # steps -> folder of the policy after so many

    @property
    def folder(self) -> Path:
        """The finished policy's."""
        return self.stages[max(self.stages)]


def kinds_of(arguments: Namespace) -> list[Kind]:
    """All kinds that the arguments allow; with ``--quick`` three of them, as quick as they go."""
    steps, how = arguments.train_steps, {"method": "imagination"}
    if arguments.quick:
        how["imagination"] = {"drives": 8, "rollout_steps": 25, "apprentice": {"steps": steps // 2, "updates": 50}}
        return [
            Kind(MODEL, steps, how | {"world": LEARNED}, (1.0,)),
            Kind(SAME, steps, how | {"world": REFERENCE}, (1.0,)),
            Kind(CONVERGED, 2 * steps, how | {"world": REFERENCE}, (1.0,)),
        ]
    kinds = [
        Kind("model: apprentice", steps, how | {"world": LEARNED, "imagination": {"apprentice": {"steps": steps}}}),
        Kind(MODEL, steps, how | {"world": LEARNED}),
        Kind("model: ppo", steps, {"method": "ppo", "world": LEARNED}),
        Kind(SAME, steps, how | {"world": REFERENCE}, part_of=CONVERGED),
        Kind("reference: ppo", steps, {"method": "ppo", "world": REFERENCE}),
        Kind(CONVERGED, steps, how | {"world": REFERENCE}, tried_out_by=TRYOUTS),
    ]
    if arguments.data is not None:
        improved = how | {"world": LEARNED, "imagination": {"apprentice": {"steps": 0}}}
        recorded = {"data": str(arguments.data)}
        taught = recorded | {"taught_by": "lane_keeper", "drivers": []}
        kinds += [
            Kind(CLONED, arguments.clone_steps, {"method": "imitation", "imitation": recorded}),
            Kind(TAUGHT, arguments.clone_steps, {"method": "imitation", "imitation": taught}),
            Kind("model: imagination from a clone", steps, improved, begins_as=CLONED),
            Kind("model: imagination from what was taught", steps, improved, begins_as=TAUGHT),
        ]
    wanted = {*(arguments.kinds or [each.name for each in kinds]), MODEL, SAME, CONVERGED}
    for name in wanted:
        choose(name, [each.name for each in kinds], "kind of policy")
    wanted |= {each.begins_as for each in kinds if each.name in wanted}
    return [each for each in kinds if each.name in wanted]


def train_all(kinds: Sequence[Kind], arguments: Namespace) -> dict[str, list[Trained]]:
    """Every kind with seeds from ``arguments.seed`` on; what is trained already is not trained again."""
    seeds = range(arguments.seed, arguments.seed + arguments.policies)
    tryout = Suite(first_seed=TRYOUT_SEED, max_steps=arguments.max_steps)
    runs = [Run(kind, seed, arguments.out / "training", arguments.world, tryout, arguments.threads == 1)
            for kind in kinds if not kind.part_of for seed in seeds]  # fmt: skip
    done: dict[tuple[str, int], Trained] = {}
    with tqdm(total=len(runs), desc="training", unit=" policies") as bar:
        for later in (False, True):  # those that begin as another come after it
            for trained in _trained([run for run in runs if bool(run.kind.begins_as) == later], arguments.threads):
                done[trained.kind.name, trained.seed] = trained
                bar.set_postfix_str(f"{trained.kind.name}, seed {trained.seed}")
                bar.update()
    for kind in kinds:
        if kind.part_of:
            for seed in seeds:
                whole = done[kind.part_of, seed].stages
                stages = {steps: folder for steps, folder in whole.items() if steps <= kind.steps}
                done[kind.name, seed] = Trained(kind, seed, stages)
    return {kind.name: [done[kind.name, seed] for seed in seeds] for kind in kinds}


@dataclass(frozen=True)
class Run:
    """The training of one policy."""

    kind: Kind
    seed: int
    root: Path
    world: str
    tryout: Suite
    progress: bool

    def __call__(self) -> Trained:
        """Train what is missing. KeyboardInterrupt where a signal asked to stop; all is kept."""
        torch.set_num_threads(1)
        stages: dict[int, Path] = {}
        best, kind = -np.inf, self.kind
        for steps in self._budgets():
            stages[steps] = self._stage(steps)
            if kind.tried_out_by and steps >= kind.steps:
                earned = self._tried_out(stages[steps])
                if earned < best + GAIN * abs(best):
                    del stages[steps]  # no better than before: that was it
                    break
                best = earned
        return Trained(kind, self.seed, stages)

    def _budgets(self) -> list[int]:
        kind = self.kind
        first = [max(1, round(share * kind.steps)) for share in kind.shares]
        return first + [kind.steps * 2**n for n in range(1, DOUBLINGS + 1)] * bool(kind.tried_out_by)

    def _stage(self, steps: int) -> Path:
        """The folder of the policy after so many steps."""
        out, at = self._folder(self.kind.name), self._folder(self.kind.name) / "at" / str(steps)
        if (at / CARD_FILE).is_file():
            return at
        begins_as = self.kind.begins_as and str(self._folder(self.kind.begins_as))
        result = train_agent(
            build(
                TrainAgentConfig,
                {
                    **self.kind.settings, "out": str(out), "steps": steps, "minutes": 0.0, "seed": self.seed,
                    "model": self.world, "start_from": begins_as, "film_s": 0.0, "threads": 1,
                    "progress": self.progress,
                },
            )
        )  # fmt: skip
        if result.interrupted:
            raise KeyboardInterrupt
        at.mkdir(parents=True, exist_ok=True)
        for name in (POLICY_FILE, CARD_FILE):  # the card last: with it the stage is there
            shutil.copyfile(out / name, at / name)
        return at

    def _tried_out(self, policy: Path) -> float:
        """What the policy earns on the drives that convergence is decided by."""
        judge = Judge(Venue(REFERENCE, self.world), self.root / "try-outs", self.tryout, workers=1)
        played = judge.outcomes([str(policy)], self.kind.tried_out_by)[str(policy)]
        return float(np.mean([outcome.earned for outcome in played]))

    def _folder(self, kind: str) -> Path:
        return self.root / kind.replace(": ", "-").replace(", ", "-").replace(" ", "_") / str(self.seed)


def _trained(runs: Sequence[Run], workers: int) -> Iterator[Trained]:
    """The policies as they are finished, in any order."""
    if workers == 1 or len(runs) < 2:
        yield from (run() for run in runs)
        return
    executor = ProcessPoolExecutor(min(workers, len(runs)), get_context("spawn"))
    try:
        for future in as_completed([executor.submit(run) for run in runs]):
            yield future.result()
    finally:  # at Ctrl-C the runs hear it too, and save themselves
        executor.shutdown(wait=True, cancel_futures=True)
