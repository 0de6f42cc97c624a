"""Many runs as a table: one line each as CSV, and all of them together, printed and as Markdown."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from envs.events import NOT_STAGED
from worldsim.say import say
from worldsim.schema import build
from worldsim.storage import atomic_path, read_json
from worldsim.types import SCENE_VOCABULARY

from ..judging.scores import rate
from .drive import Driven
from .verdict import Verdict

VERDICTS, SUMMARY = "verdicts.csv", "summary.md"
VIEWS = "A learned world shows the cameras that it was trained with; films and episodes hold those alone."
STAGING = "Events are staged in the reference world only; in the learned world none of them was."


@dataclass(frozen=True)
class Row:
    """One run: what scene it is of, and its verdict."""

    run: int
    seed: int
    scenario: str
    road: str | None
    weather: str | None
    time_of_day: str | None
    traffic: str | None
    lanes: int | None
    verdict: Verdict
    video: str  # path within the folder
    caption: str
    cameras_missing: str = ""  # that the scenario asks for and its world does not show, or not so

    @classmethod
    def of(cls, run: int, seed: int, driven: Driven, verdict: Verdict, video: Path) -> Row:
        """The row of a run that was driven."""
        first = driven.infos[0]
        scene = {name: getattr(first["fields"], name) for name in SCENE_VOCABULARY}
        return cls(
            run=run, seed=seed, scenario=first["scenario"], **scene, verdict=verdict, video=str(video),
            caption=driven.scenario.caption or first["caption"], cameras_missing=" ".join(first["cameras_missing"]),
        )  # fmt: skip

    @classmethod
    def read(cls, path: Path) -> Row:
        """A row that was written as JSON. ValueError where it is damaged."""
        return build(cls, read_json(path, "verdict of a run"), str(path))

    def flat(self) -> dict[str, Any]:
        """Column by column, as in the CSV file."""
        plain = asdict(self)
        verdict = plain.pop("verdict")
        return {**{k: v for k, v in plain.items() if k not in ("video", "caption")}, **verdict} | {
            "video": self.video,
            "caption": self.caption,
        }


def write_verdicts(rows: Sequence[Row], folder: Path) -> Path:
    """``verdicts.csv``: a line for each run."""
    path = folder / VERDICTS
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(rows[0].flat()), lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: int(v) if isinstance(v, bool) else v for key, v in row.flat().items()} for row in rows)
    return path


def figures(rows: Sequence[Row]) -> dict[str, str]:
    """What all runs come to: shares with 95 % intervals, medians and extremes, each under its name."""
    verdicts = [row.verdict for row in rows]

    def share(events: list[bool]) -> str:
        estimate = rate([float(event) for event in events])
        value, low, high = (100 * end for end in (estimate.value, estimate.low, estimate.high))
        return f"{sum(events)} of {len(events)} ({value:.0f} %, 95 % interval {low:.0f} to {high:.0f})"

    def spread(name: str, digits: int) -> str:
        values = np.array([getattr(verdict, name) for verdict in verdicts])
        return f"{values.min():.{digits}f} least, {np.median(values):.{digits}f} median, {values.max():.{digits}f} most"

    found = {
        "crash": share([verdict.crash for verdict in verdicts]),
        "off the road": share([verdict.offroad for verdict in verdicts]),
        "least time to collision, s": spread("least_ttc_s", 2),
        "share of hard braking": spread("hard_braking", 3),
        "least trust": spread("least_trust", 2),
        "seconds driven": spread("seconds", 1),
    }
    counts = Counter(_kind_and_state(event) for verdict in verdicts for event in _events(verdict))
    for kind in dict.fromkeys(kind for kind, _ in counts):
        became = ", ".join(f"{state} {count}" for (each, state), count in sorted(counts.items()) if each == kind)
        found[f"event {kind}"] = became
    for camera in dict.fromkeys(name for row in rows for name in row.cameras_missing.split()):
        found[f"camera {camera}"] = (
            f"not shown as asked for {sum(camera in row.cameras_missing.split() for row in rows)}"
        )
    return found


def write_summary(rows: Sequence[Row], folder: Path, title: str) -> Path:
    """``summary.md``: the figures of all runs and the verdict of each."""
    lines = [f"# {title}", "", "| figure | value |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in figures(rows).items()]
    lines += ["", *_remarks(rows), "| " + " | ".join(_COLUMNS) + " |", "|" + "---|" * len(_COLUMNS)]
    lines += ["| " + " | ".join(_cells(row)) + " |" for row in rows]
    path = folder / SUMMARY
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def show(rows: Sequence[Row], title: str) -> None:
    """Print the figures of all runs."""
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_header=False)
    for name, value in figures(rows).items():
        table.add_row(name, value)
    say(table)
    for line in filter(None, _remarks(rows)):
        say(line)


_COLUMNS = ("run", "seed", "scene", "end", "least TTC, s", "hard braking", "least trust", "events")


def _cells(row: Row) -> list[str]:
    verdict = row.verdict
    end = "crash" if verdict.crash else "off the road" if verdict.offroad else f"{verdict.seconds:.1f} s"
    scene = " ".join(str(getattr(row, name)) for name in ("road", "lanes", "traffic", "weather", "time_of_day"))
    figures = (f"{verdict.least_ttc_s:.2f}", f"{verdict.hard_braking:.3f}", f"{verdict.least_trust:.2f}")
    return [f"[{row.run}]({row.video})", str(row.seed), scene, end, *figures, verdict.events or "none"]


def _remarks(rows: Sequence[Row]) -> list[str]:
    staging = [STAGING, ""] if any(NOT_STAGED in row.verdict.events for row in rows) else []
    return staging + ([VIEWS, ""] if any(row.cameras_missing for row in rows) else [])


def _events(verdict: Verdict) -> list[str]:
    return [event for event in verdict.events.split("; ") if event]


def _kind_and_state(event: str) -> tuple[str, str]:
    kind, _, state = re.sub(r", began at .*", "", event).partition(": ")
    return kind, state
