"""``worldsim evaluate``: how far a learned world can be trusted, as JSON, Markdown and one page of HTML."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.box import SIMPLE_HEAD
from rich.table import Table

from worldsim.checkpoint import DEFAULT_WORLD, read_card
from worldsim.device import check_device
from worldsim.errors import choose
from worldsim.say import say
from worldsim.schema import option
from worldsim.storage import write_json

from ..judging.drivers import make_agent
from .baselines import least_squares
from .headlines import Judged, aims, failures, load_thresholds
from .markdown import write_markdown
from .page import write_report_page
from .sections import RECORDED, REFERENCE_SECTIONS, SECTIONS, Help, measure
from .subject import FULL, QUICK, Subject
from .tables import summary


@dataclass
class EvaluateConfig:
    """Which world is judged, how thoroughly, and against what."""

    world: str = option(DEFAULT_WORLD, "a world that ships, or the folder of one")
    out: Path = option(Path("runs/evaluation"), "folder of the report; what is measured is kept there")
    quick: bool = option(False, "less of everything: at most 4 minutes on two cores instead of 30, wider intervals")
    data: Path | None = option(None, "folder of recorded episodes: those held out are judged, alone or with `sections`")
    against: str = option("", "another world, to be judged in the same way and shown beside it")
    thresholds: Path | None = option(None, "YAML file of headlines with min or max; exit code 1 where one is not met")
    sections: list[str] = option(
        factory=list, help=f"what to measure, of {', '.join(SECTIONS)}; empty: all, or with data `{RECORDED}` alone"
    )
    policies: list[str] = option(factory=list, help="folders of policies to rank beside the scripted ones")
    baseline: str = option("", "folder of a world of the same size that was trained by squared error, to compare with")
    episodes: int = option(16, "recorded drives at most")
    steps: int = option(4, "sampling passes a frame: 1, 2, 4, ...; fewer are faster")
    seed: int = option(0, "of the model's own chance")
    workers: int = option(0, "processes that drive; 0: one a core")
    device: str = option("cpu", "where the model runs, the ranking apart: cpu, cuda, cuda:1, ...")
    threads: int = option(0, "of torch; 0 leaves its own choice")

    def __post_init__(self) -> None:
        for name in self.sections:
            choose(name, SECTIONS, "section")
        if self.episodes < 1:
            raise ValueError(f"episodes: expected a whole number of at least 1, got {self.episodes}")

    @property
    def chosen(self) -> tuple[str, ...]:
        """The sections that are measured."""
        return tuple(self.sections) or ((RECORDED,) if self.data else REFERENCE_SECTIONS)


def evaluate(config: EvaluateConfig) -> int:
    """Measure what is not kept yet, write the report, print its headlines; 1 where a threshold is not met, else 0.

    Raises ValueError for an unknown world, policy or device, or a bad threshold file, before anything is measured.
    """
    began = time.perf_counter()
    check_device(config.device)
    thresholds = load_thresholds(config.thresholds) if config.thresholds else None
    if config.threads:
        torch.set_num_threads(config.threads)
    subjects = _subjects(config)
    help = Help(tuple(config.policies), config.workers, config.data, config.episodes, config.baseline)
    judged = []
    for subject in subjects:
        say(f"judging {subject.model}")
        judged.append(Judged(subject.model, measure(subject, config.chosen, help, say)))
    say(_table(summary(judged)))
    missed = failures(judged[0].readings, aims() if thresholds is None else thresholds)
    said = {
        "world": config.world, "card": read_card(config.world).name, "quick": config.quick, "steps": config.steps,
        "against": config.against or None, "minutes": round((time.perf_counter() - began) / 60, 1),
        "missed": missed, "thresholds": str(config.thresholds) if config.thresholds else None,
    }  # fmt: skip
    _write(config.out, judged, said, subjects[0])
    say(f"wrote {config.out / 'report.html'}, report.md and report.json")
    if thresholds is None:
        return 0
    for line in missed:
        say(f"threshold not met: {line}")
    return int(bool(missed))


def _subjects(config: EvaluateConfig) -> list[Subject]:
    """The world, and the other one. ValueError for whatever the chosen sections could not be measured of."""
    sizes = QUICK if config.quick else FULL
    subjects = [
        Subject(name, config.out, sizes, config.steps, config.seed, config.device)
        for name in (config.world, config.against) if name
    ]  # fmt: skip
    for subject in subjects:
        if set(config.chosen) - {RECORDED}:
            _ = subject.starts  # a world of another frame rate says so now
        for policy in config.policies:
            make_agent(policy, subject.world)
        if config.baseline:
            least_squares(config.baseline, subject.world)
    return subjects


def _write(folder: Path, judged: Sequence[Judged], said: Mapping[str, Any], subject: Subject) -> None:
    both = [
        {"world": each.name, "headlines": {key: vars(reading) for key, reading in each.readings.items()}, **each.report}
        for each in judged
    ]  # fmt: skip
    write_json(folder / "report.json", {**said, "report": both[0], "other": both[1] if len(both) > 1 else None})
    write_markdown(folder / "report.md", judged, said)
    write_report_page(folder / "report.html", judged, said, subject)


def _table(rows: Sequence[Sequence[str]]) -> Table:
    head, *body = rows
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for place, name in enumerate(head):
        table.add_column(name, justify="right" if place else "left", overflow="fold", no_wrap=bool(place))
    for row in body:
        table.add_row(*row)
    return table
