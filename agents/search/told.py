"""What a search says in the end: failures per model step against chance, how many were real, and the finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from worldsim.say import say
from worldsim.schema import plain
from worldsim.storage import atomic_path, write_json

from ..judging.scores import Estimate, rate
from ..scenes.verdict import Verdict
from ..scenes.worlds import REFERENCE_NAMES
from .finds import Cluster, Find
from .trial import Trial

COLUMNS = ("arm", "trials", "model steps", "failures", "per 1,000 steps", "confirmed")


@dataclass(frozen=True)
class Report:
    """All that is known at the end of a search."""

    scenario: str
    agent: str
    world: str
    trials: Mapping[str, Sequence[Trial]]
    finds: Mapping[str, Sequence[Find]]
    controls: Sequence[Verdict]  # of drives by chance that went well in the searched world
    clusters: Sequence[Cluster]
    dropped: Sequence[str]  # events that the searched world does not stage, in words

    @property
    def title(self) -> str:
        """What was searched for whom."""
        return f"{self.agent} in {self.scenario}, searched in the {self.world} world"

    def steps(self, arm: str) -> int:
        """Steps of the searched world that an arm took."""
        return sum(trial.steps for trial in self.trials[arm])

    def per_thousand(self, arm: str) -> float:
        """Failures for each 1,000 of them."""
        return 1000 * len(self.finds[arm]) / self.steps(arm)

    def confirmed(self, arm: str) -> Estimate | None:
        """The share of its failures that the reference world confirms; None where there was none."""
        found = self.finds[arm]
        return rate([float(find.confirmed) for find in found]) if found else None

    def cells(self, arm: str) -> list[str]:
        """One row of the table."""
        share, found = self.confirmed(arm), self.finds[arm]
        real = "-" if share is None else f"{sum(f.confirmed for f in found)} of {len(found)} ({_percent(share)})"
        figures = (str(len(self.trials[arm])), str(self.steps(arm)), str(len(found)), f"{self.per_thousand(arm):.2f}")
        return [arm, *figures, real]

    def remarks(self) -> list[str]:
        """What must be known to read the table."""
        lines = []
        if self.world not in REFERENCE_NAMES:
            failing = sum(verdict.failed for verdict in self.controls)
            lines.append(
                f"Beside the finds, {len(self.controls)} drives by chance that went well in the searched world were "
                f"driven in the reference world: {failing} of them failed there."
            )
        else:
            lines.append("The searched world is the reference world itself, so every find is real.")
        if self.dropped:
            lines.append(
                "Events are staged in the reference world only and were left out of the search: "
                + "; ".join(self.dropped) + "."
            )  # fmt: skip
        return lines

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        arms = {
            arm: {
                "trials": len(self.trials[arm]),
                "model_steps": self.steps(arm),
                "failures": len(self.finds[arm]),
                "failures_per_1000_steps": round(self.per_thousand(arm), 3),
                "confirmed": sum(find.confirmed for find in self.finds[arm]),
                "confirmed_share": None if (share := self.confirmed(arm)) is None else asdict(share),
            }
            for arm in self.trials
        }
        controls = {"driven": len(self.controls), "failed": sum(verdict.failed for verdict in self.controls)}
        finds = [
            {"members": c.members, "confirmed": c.find.confirmed, **plain(c.find.trial), "truth": plain(c.find.truth)}
            for c in self.clusters
        ]
        about = {"agent": self.agent, "scenario": self.scenario, "world": self.world, "left_out": list(self.dropped)}
        return about | {"arms": arms, "controls": controls, "finds": finds}


def show(report: Report) -> None:
    """Print the table."""
    table = Table(title=report.title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for place, name in enumerate(COLUMNS):
        table.add_column(name, justify="right" if place else "left")
    for arm in report.trials:
        table.add_row(*report.cells(arm))
    say(table)
    for line in report.remarks():
        say(line)


def write_report(report: Report, folder: Path) -> Path:
    """``report.json``, and the same for people as ``report.md``; returns the latter."""
    write_json(folder / "report.json", report.plain())
    lines = [f"# {report.title}", "", "| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join(report.cells(arm)) + " |" for arm in report.trials]
    lines += ["", *report.remarks(), "", "| find | like it | what was chosen | in the searched world | in truth |"]
    lines += ["|---|---|---|---|---|"]
    for place, cluster in enumerate(report.clusters):
        trial, stem = cluster.find.trial, f"finds/find-{place:02d}"
        values = ", ".join(f"{key}: {value:.4g}" if isinstance(value, float) else f"{key}: {value}"
                           for key, value in trial.values.items())  # fmt: skip
        assert trial.verdict is not None
        ends = f"{end(trial.verdict)} | {end(cluster.find.truth)}"
        lines.append(f"| [{place}]({stem}.yaml), [video]({stem}.mp4) | {cluster.members} | {values} | {ends} |")
    path = folder / "report.md"
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def end(verdict: Verdict) -> str:
    """How a drive ended."""
    kind = "crash" if verdict.crash else "off the road" if verdict.offroad else "no fault"
    return f"{kind}, {verdict.seconds:.1f} s"


def _percent(share: Estimate) -> str:
    return f"{100 * share.value:.0f} %, {100 * share.low:.0f} to {100 * share.high:.0f}"
