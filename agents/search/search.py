"""``worldsim search``: the scenes in which an agent fails, looked for in the learned world, checked in the reference.

Two arms spend the same number of model steps: one proposes scenes by what went badly before, the other by chance.
Trial ``k`` of either has seed ``seed + k`` and lies in ``ARM/trial-000000.json``; proposals come in fours, so that the
outcome does not depend on how many processes drive. What is there is not driven again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from envs.scenario_files import plain_scenario
from worldsim.schema import build, option
from worldsim.storage import read_json, write_json

from ..judging.judge import fingerprint_of
from ..scenes.claims import claim, hold
from ..scenes.generate import scenario_of
from ..scenes.verdict import Verdict
from ..scenes.worlds import LEARNED, Place, agent_called
from ..workers import Crew
from .finds import Cluster, Find, most_different, write_find
from .samplers import ByChance, ByParzen, Sampler
from .space import Values
from .told import Report, show, write_report
from .trial import Task, Tester, Trial, testing

ARMS = ("search", "random")
TOGETHER = 4
LEAST_CONTROLS = 8


@dataclass
class SearchConfig:
    """Whose failures are looked for, among which scenes, and for how long."""

    out: Path = option(help="folder to write; trials that are there are kept")
    agent: str = option("expert", "who drives: a policy's folder, or an agent's name as in eval-agent")
    scenario: str = option("any", "scenario whose lists and ranges are searched, or the path of its YAML file")
    change: dict[str, Any] = option(factory=dict, help="keys of the scenario to set anew, as in generate")
    world: str = option(LEARNED, "learned, another world that ships, a folder of one, or reference to search directly")
    steps: int = option(6000, "steps of the searched world that each of the two arms may spend")
    seconds: float = option(15.0, "seconds of a trial at most")
    finds: int = option(10, "finds that are written, at most; the most different ones")
    passes: int = option(4, "sampling passes a frame in the learned world: 1, 2, 4, ...; fewer are faster")
    seed: int = option(0, "seed of trial 0; trial k has seed + k")
    workers: int = option(0, "processes; 0: one a core")

    def __post_init__(self) -> None:
        for key, low in (("steps", 1), ("finds", 1), ("passes", 1), ("seed", 0), ("workers", 0)):
            if getattr(self, key) < low:
                raise ValueError(f"{key}: expected a whole number of at least {low}, got {getattr(self, key)}")
        if not 1.0 <= self.seconds <= 600.0:
            raise ValueError(f"seconds: expected a number from 1 to 600, got {self.seconds:g}")


@dataclass(frozen=True)
class Searched:
    """What was written."""

    wrote: Path
    finds: int
    confirmed: int
    report: Path


def search(config: SearchConfig) -> Searched:
    """Search, verify, cluster and write.

    Ctrl-C keeps what was driven. Raises ValueError for an unknown agent, world or scenario, one that leaves nothing
    open, and a folder that holds another search; SearchMissing without the extra ``search``.
    """
    task, dropped = _task(config)
    with hold(config.out), Crew(testing, task, config.workers) as crew:
        claim(config.out / "search.json", _settings(config, task))
        samplers: dict[str, Sampler] = {
            "search": ByParzen(task.space, config.seed), "random": ByChance(task.space, config.seed)
        }  # fmt: skip
        trials = {arm: _arm(arm, samplers[arm], crew, config) for arm in ARMS}
        truths = _verified(trials, crew, config, task)
    finds = {arm: [Find(t, truths[arm, t.number]) for t in trials[arm] if t.failed] for arm in ARMS}
    controls = [truths["random", t.number] for t in _controls(trials)]
    clusters = most_different(finds["search"], task.space, config.finds)
    report = Report(config.scenario, config.agent, config.world, trials, finds, controls, clusters, dropped)
    _write(clusters, task, config.out / "finds")
    show(report)
    path = write_report(report, config.out)
    found = finds["search"]
    return Searched(config.out, len(found), sum(find.confirmed for find in found), path)


def _task(config: SearchConfig) -> tuple[Task, tuple[str, ...]]:
    """What is searched, and the events that had to be left out of it."""
    place = Place(config.world, passes=config.passes, pixels=False)
    scenario = scenario_of(config.scenario, None, config.change)
    dropped: tuple[str, ...] = ()
    if not place.is_reference and scenario.events:
        dropped = tuple(event.words() for event in scenario.events)
        scenario = replace(scenario, events=())
    task = Task(scenario, place, config.agent, config.seconds)
    task.space  # noqa: B018 (raises where nothing is open)
    agent_called(config.agent)
    return task, dropped


def _settings(config: SearchConfig, task: Task) -> dict[str, Any]:
    same = {key: getattr(config, key) for key in ("agent", "seconds", "seed")}
    same |= {"scenario": plain_scenario(task.scenario), "agent_is": fingerprint_of(config.agent)}
    return same | {"place": asdict(task.place), "source": task.place.source, "together": TOGETHER}


def _arm(arm: str, sampler: Sampler, crew: Crew, config: SearchConfig) -> list[Trial]:
    """Trials until the budget is spent, in the order of their proposals."""
    trials: list[Trial] = []
    with tqdm(total=config.steps, desc=f"{arm:>6}", unit=" steps") as bar:
        while (spent := sum(trial.steps for trial in trials)) < config.steps:
            proposed = dict(enumerate(sampler.ask(TOGETHER), len(trials)))
            batch = _tried(arm, proposed, crew, config)
            sampler.tell([trial.badness for trial in batch])
            trials += batch
            if not any(trial.steps for trial in trials):
                raise ValueError(
                    f"scenario {config.scenario!r}: expected values that go together, got none in {len(trials)} tries"
                )
            bar.update(min(sum(trial.steps for trial in trials), config.steps) - min(spent, config.steps))
            bar.set_postfix(failures=sum(trial.failed for trial in trials))
    return trials


def _tried(arm: str, proposed: Mapping[int, Values], crew: Crew, config: SearchConfig) -> list[Trial]:
    """The trials of proposals, by number; those that lie in the folder are read."""
    files = {number: config.out / arm / f"trial-{number:06d}.json" for number in proposed}
    jobs = [
        ("try", (number, config.seed + number, values))
        for number, values in proposed.items()
        if not files[number].is_file()
    ]
    for _, trial in crew.work(jobs):
        write_json(files[trial.number], asdict(trial))
    trials = [build(Trial, read_json(files[number], "trial of a search"), str(files[number])) for number in proposed]
    for trial in trials:
        if trial.values != proposed[trial.number]:
            raise ValueError(
                f"{files[trial.number]}: expected a trial of {proposed[trial.number]}, got one of {trial.values}; it "
                "was made by another release of worldsim or optuna: choose another `out`"
            )
    return trials


def _controls(trials: Mapping[str, Sequence[Trial]]) -> list[Trial]:
    """Trials by chance without a fault, as many as there are finds: what "confirmed" is worth beside them."""
    wanted = max(sum(trial.failed for trial in trials["search"]), LEAST_CONTROLS)
    return [trial for trial in trials["random"] if trial.verdict is not None and not trial.failed][:wanted]


def _verified(
    trials: Mapping[str, Sequence[Trial]], crew: Crew, config: SearchConfig, task: Task
) -> dict[tuple[str, int], Verdict]:
    """What the reference world makes of every failing trial, and of the controls."""
    wanted = {(arm, trial.number): trial for arm in ARMS for trial in trials[arm] if trial.failed}
    wanted |= {("random", trial.number): trial for trial in _controls(trials)}
    if task.place.is_reference:
        return {key: trial.verdict for key, trial in wanted.items() if trial.verdict is not None}
    files = {key: config.out / "verified" / f"{key[0]}-{key[1]:06d}.json" for key in wanted}
    jobs = [("verify", (key, t.values, t.seed)) for key, t in wanted.items() if not files[key].is_file()]
    for job, verdict in tqdm(crew.work(jobs), total=len(jobs), desc="verify", unit=" drives"):
        write_json(files[job[1][0]], asdict(verdict))
    return {key: build(Verdict, read_json(file, "verdict"), str(file)) for key, file in files.items()}


def _write(clusters: Sequence[Cluster], task: Task, folder: Path) -> None:
    if not clusters:
        return
    tester = Tester(task, filming=True)
    for place, cluster in enumerate(tqdm(clusters, desc=" write", unit=" finds")):
        write_find(cluster, place, tester, folder)
