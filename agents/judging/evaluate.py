"""``worldsim eval-agent``: who drives how well, over a fixed list of drives, as a table with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from rich.box import SIMPLE_HEAD
from rich.table import Table

from worldsim.checkpoint import DEFAULT_WORLD
from worldsim.say import say
from worldsim.schema import option
from worldsim.storage import write_json

from .judge import Judge, Venue
from .play import Outcome
from .scores import Estimate, scores
from .suite import FIRST_SEED, MAX_STEPS, Suite

FILE_NAME = "scores.json"
COLUMNS: dict[str, tuple[str, float, int]] = {
    "return": ("return", 1, 1),
    "success": ("success %", 100, 0),
    "crash": ("crash %", 100, 0),
    "offroad": ("off road %", 100, 0),
    "speed_ratio": ("speed", 1, 2),
    "jerk_mps3": ("jerk", 1, 1),
    "trust": ("trust", 1, 2),
}
"""What the table shows of all figures: heading, what it is multiplied by to be read, digits."""
LEGEND = (
    "success: no fault until the end, at half the target speed or more; speed: of the target; jerk in m/s³, lengthwise;"
    " more figures in the file"
)


@dataclass
class EvalAgentConfig:
    """Who is judged, where, and by how many drives."""

    agents: list[str] = option(
        factory=lambda: ["scripted", "random"], help="who drives: names (see the error for a wrong one) or folders"
    )
    world: Literal["RoadCam-v0", "Drive-v0"] = option("RoadCam-v0", "world to drive in: the reference or the learned")
    model: str = option(DEFAULT_WORLD, "world model to drive in, or to see the reference through: a name or a folder")
    episodes: int = option(40, "drives of each agent; the first 40 are the same however many follow")
    out: Path = option(Path("runs/judging"), "folder of outcomes and scores; rounds that are there are kept")
    scenarios: list[str] = option(factory=list, help="scenarios in turn; none: one for each kind of road")
    first_seed: int = option(FIRST_SEED, "seed of drive 0; drive k has first_seed + k")
    max_steps: int = option(MAX_STEPS, "steps of a drive at most (10 are a second)")
    steps: int = option(4, "sampling passes a frame in the learned world: 1, 2, 4, ...; fewer are faster")
    workers: int = option(0, "processes; 0: one a core")

    def __post_init__(self) -> None:
        if not self.agents:
            raise ValueError("agents: expected at least one, got none")


def run(config: EvalAgentConfig) -> Path:
    """Judge the agents, print the table, write it as JSON and return that file.

    Raises ValueError for an unknown agent, world or scenario, or an agent that cannot drive there.
    """
    suite = Suite(tuple(config.scenarios) or Suite().scenarios, config.first_seed, config.max_steps)
    judge = Judge(Venue(config.world, config.model, config.steps), config.out, suite, config.workers)
    outcomes = judge.outcomes(config.agents, config.episodes)
    measured = {name: scores([played]) for name, played in outcomes.items()}
    say(score_table(measured, f"{config.world}, {config.episodes} drives, 95 % intervals"))
    path = config.out / config.world / FILE_NAME
    write_json(path, report(config, outcomes, measured))
    return path


def score_table(measured: Mapping[str, Mapping[str, Estimate]], title: str) -> Table:
    """A row for each agent, in the order given."""
    table = Table(title=title, caption=LEGEND, caption_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("agent", overflow="fold")
    for heading, _, _ in COLUMNS.values():
        table.add_column(heading, justify="right", no_wrap=True)
    for name, figures in measured.items():
        table.add_row(name, *(cell(figures[key], *COLUMNS[key][1:]) for key in COLUMNS))
    return table


def cell(estimate: Estimate, scale: float, digits: int) -> str:
    """The value, and below it the ends of its interval."""
    value, low, high = (f"{scale * end:.{digits}f}" for end in (estimate.value, estimate.low, estimate.high))
    return f"{value}\n{low}..{high}"


def report(
    config: EvalAgentConfig, outcomes: Mapping[str, Sequence[Outcome]], measured: Mapping[str, Mapping[str, Estimate]]
) -> dict[str, Any]:
    """For JSON: every figure with its interval, and every drive."""
    return {
        "world": config.world,
        "model": config.model,
        "episodes": config.episodes,
        "scores": {name: {key: asdict(each) for key, each in row.items()} for name, row in measured.items()},
        "drives": {name: [asdict(outcome) for outcome in played] for name, played in outcomes.items()},
    }
