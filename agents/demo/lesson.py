"""A policy learns in the learned world for minutes, another in the reference world for as many steps; a verdict."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from envs.learned.settings import DriveSettings
from worldsim.chance import drawn_from
from worldsim.schema import build, plain
from worldsim.storage import write_json
from worldsim.tokenizer import tokenizer_hash
from worldsim.training.metrics_log import FILE_NAME as METRICS_NAME

from ..judging.judge import LEARNED, REFERENCE, Judge
from ..judging.scores import Estimate, scores
from ..learning.imagination import ImaginationConfig
from ..learning.settings import TrainAgentConfig
from ..learning.train import train_agent
from ..policy.checkpoint import CARD_FILE, PolicyCard, load_policy, save_policy
from ..policy.checkpoint import FILE_NAME as POLICY_FILE
from ..policy.network import Policy, PolicyConfig

SHARES = (0.25, 0.5, 1.0)
"""Of the time to learn, after which the policy is judged."""
BEFORE, AFTER, OUTSIDE = "before it learned", "learned in the model", "learned in the reference world, as many steps"
POLL_S = 2.0
INSIDE, OUTSIDE_NAME, FIGURES_NAME = "in_the_model", "in_the_reference_world", "scores.json"
ORDER = ("random", BEFORE, AFTER, OUTSIDE, "scripted")


@dataclass(frozen=True)
class Lesson:
    """What came of it."""

    drives: int  # by which each policy was judged
    scores: dict[str, dict[str, Estimate]]  # in the reference world, by the names in ORDER
    curve: list[tuple[float, Estimate]]  # seconds of learning in the model, return in the reference world
    logged: list[dict[str, float]]  # figures of each iteration in the model
    before: Path  # folders of policies
    after: Path
    card: PolicyCard  # of the policy that learned in the model
    outside: PolicyCard  # of the one that learned in the reference world


class School:
    """Where policies learn and are judged; what ``folder`` holds already is kept.

    ``judge`` sees the reference world through the model that is learned in, and judges each policy by ``drives``.
    """

    def __init__(self, folder: Path, judge: Judge, drives: int, how: ImaginationConfig) -> None:
        self.folder, self.judge, self.drives, self.how = folder, judge, drives, how
        self.stages: list[Path] = []

    def teach_inside(self, minutes: float) -> None:
        """Learn in the model, from nothing. KeyboardInterrupt where a signal asked to stop."""
        self.stages = [_untrained(self.folder / "before", self.judge.venue.model)]
        for share in SHARES:
            at = self.folder / INSIDE / "at" / f"{share * minutes:g}"
            if not (at / CARD_FILE).is_file():
                if train_agent(self._plan(LEARNED, INSIDE, minutes=share * minutes)).interrupted:
                    raise KeyboardInterrupt
                _keep(self.folder / INSIDE, at)
            self.stages.append(at)

    @contextmanager
    def teach_outside(self) -> Iterator[BaseProcess]:
        """As many steps in the reference world, in another process, while this one does other things in one thread."""
        plan = self._plan(REFERENCE, OUTSIDE_NAME, steps=self._card.model_steps, minutes=0.0, threads=1, progress=False)
        process, threads = get_context("spawn").Process(target=train_agent, args=(plan,)), torch.get_num_threads()
        torch.set_num_threads(1)
        process.start()
        try:
            yield process
        finally:
            if process.is_alive():  # something went wrong here, or Ctrl-C: what was learned is saved
                process.terminate()
            process.join()
            torch.set_num_threads(threads)

    def judge_inside(self) -> None:
        """Judge all but the policy that learns outside."""
        alone = Judge(self.judge.venue, self.judge.folder, self.judge.suite, workers=1)
        alone.outcomes(["random", "scripted", *map(str, self.stages)], self.drives)

    def verdict(self, outside: BaseProcess) -> Lesson:
        """What came of it, once the policy outside has learned as much."""
        self._wait(outside)
        before, after, policy = self.stages[0], self.stages[-1], self.folder / OUTSIDE_NAME
        named = dict(zip(ORDER, ("random", str(before), str(after), str(policy), "scripted"), strict=True))
        played = self.judge.outcomes([*named.values(), *map(str, self.stages)], self.drives)
        measured = {name: scores([played[agent]]) for name, agent in named.items()}
        curve = [(load_policy(each)[1].seconds, scores([played[str(each)]])["return"]) for each in self.stages]
        logged = _logged(self.folder / INSIDE)
        lesson = Lesson(self.drives, measured, curve, logged, before, after, self._card, load_policy(policy)[1])
        write_json(self.folder / FIGURES_NAME, figures(lesson))
        return lesson

    def _wait(self, outside: BaseProcess) -> None:
        steps = self._card.model_steps
        with tqdm(total=steps, desc="learning in the reference world", unit=" steps") as bar:
            while outside.is_alive():
                outside.join(POLL_S)
                logged = _logged(self.folder / OUTSIDE_NAME)
                bar.update(int(logged[-1]["step"]) - bar.n if logged else 0)
        if outside.exitcode != 0 or load_policy(self.folder / OUTSIDE_NAME)[1].reference_steps < steps:
            raise OSError(
                "the process that learned in the reference world was stopped, perhaps for want of memory; what was "
                "finished is kept: run the same command again"
            )

    @property
    def _card(self) -> PolicyCard:
        return load_policy(self.stages[-1])[1]

    def _plan(self, world: str, out: str, **budget: float) -> TrainAgentConfig:
        where = {"world": world, "model": self.judge.venue.model, "out": str(self.folder / out), "film_s": 0.0}
        how = {"imagination": plain(self.how), "precision": "auto"}
        return build(TrainAgentConfig, {**where, **how, **budget})


def figures(lesson: Lesson) -> dict[str, Any]:
    """For JSON."""
    return {
        "drives": lesson.drives,
        "scores": {name: {key: asdict(each) for key, each in row.items()} for name, row in lesson.scores.items()},
        "curve": [{"seconds": seconds, "return": asdict(earned)} for seconds, earned in lesson.curve],
        "learned_in_the_model": asdict(lesson.card),
        "learned_in_the_reference_world": asdict(lesson.outside),
    }


def _untrained(folder: Path, world: str) -> Path:
    """The policy that learning begins with."""
    if not (folder / CARD_FILE).is_file():
        model, _ = DriveSettings(world=world).open()
        with drawn_from(torch.Generator().manual_seed(TrainAgentConfig().seed)):
            policy = Policy(PolicyConfig.of(model))
        save_policy(folder, policy, PolicyCard("before", "none", LEARNED, world, tokenizer_hash(model.tokenizer)))
    return folder


def _keep(run: Path, at: Path) -> None:
    """A copy of the policy in ``run``, which will go on learning."""
    at.mkdir(parents=True, exist_ok=True)
    for name in (POLICY_FILE, CARD_FILE):  # the card last: with it the copy is there
        shutil.copyfile(run / name, at / name)


def _logged(run: Path) -> list[dict[str, float]]:
    file = run / METRICS_NAME
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True) if file.is_file() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]  # the last one may be half-written
