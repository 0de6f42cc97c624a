"""The report as one HTML page that holds all it shows and opens without a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worldsim.checkpoint import read_card
from worldsim.serving.page import Fact, Page, Picture, Section, Table, write_page

from . import films
from .headlines import HEADLINES, Judged, shown
from .minutes import SCENARIOS
from .plots import plots_of
from .subject import Subject
from .tables import TABLES, Rows, intro, summary

FACTS = (
    "ranking.spearman", "ranking.success_error", "counterfactuals.coasting", "calibration.auroc_offroad",
    "obedience.obeyed", "drift.distance",
)  # fmt: skip
"""Headlines that stand first on the page."""
FAR = 0.5
"""A figure that reaches less than this share of what the reference world reaches is named as a gap."""


@dataclass(frozen=True)
class Words:
    """What a section asks, and how its figures are to be read."""

    heading: str
    paragraph: str


WORDS = {
    "ranking": Words(
        "Do better policies look better?",
        "Policies of graded skill, and some that look for what a model leaves unpunished, drive the same scenarios "
        "from the same seeds in both worlds. What counts is the order: whoever picks a policy by its return in the "
        "learned world should pick the one that drives best in truth. The ceiling is the reference world against "
        "itself with other seeds.",
    ),
    "counterfactuals": Words(
        "Does an action do what it does in truth?",
        "From one moment of a held-out drive the same branches are driven in both worlds, and differ in action "
        "alone. A share says how much of the true change the learned world makes: 1 is all of it, 0 is a world "
        "that follows its own habits whatever is done. It is read by the model's own heads, and by an estimator "
        "that knows no model.",
    ),
    "calibration": Words(
        "Are its warnings right?",
        "The heads watch drives that go wrong and say how likely the road is left, or somebody is hit, within a "
        "second. Calibrated means: of all that is said with 0.3, three in ten happen. Trust should be low where "
        "the drawn frames are wrong.",
    ),
    "obedience": Words(
        "Is what is commanded to be seen?",
        "Ego motion is recovered from the frames alone, by an estimator trained on reference frames, and held "
        "against the command. The same probes on true frames are the floor.",
    ),
    "physics": Words(
        "Does it keep the laws of solid things?",
        "Probes of what video models get wrong, each with a pass or fail for every branch or staged scene that it can "
        "be asked of. "
        "Next to the model stand the reference world, which should pass nearly all, and a world that is broken on "
        "purpose, which should fail.",
    ),
    "drift": Words(
        "What does a minute do to the picture?",
        "One driver drives for a minute in closed loop, with nothing shown after the start. The distance is a "
        "kernel distance on the named features, to all reference frames of the minute; it compares with itself "
        "alone.",
    ),
    "baselines": Words(
        "Is it better than something simpler?",
        "The same branches drawn by other means: the last frame repeated, a deterministic model trained by squared "
        "error where one was given, the mean of what the model expects, and the same model at other settings. Another "
        "seed of the reference world says what a true frame of another drive would err.",
    ),
    "recorded": Words(
        "How true does it stay to recorded drives?",
        "Rolled out on held-out recorded drives: the model sees a second and a fifth of each, then the motion "
        "alone. PSNR favours a blurry mean, so read it with the sharpness.",
    ),
}  # fmt: skip
"""Section -> its words, in the order of the page."""


def write_report_page(path: Path, judged: Sequence[Judged], said: Mapping[str, Any], subject: Subject) -> Path:
    """Write the page; its clips are also written beside it, into the folder ``films``."""
    first, folder = judged[0], path.parent / "films"
    card = read_card(first.name)
    return write_page(
        path,
        Page(
            title=f"How far the world {first.label} can be trusted",
            lead=intro(judged, said),
            facts=[_fact(key, first) for key in FACTS if first.readings[key].value is not None],
            opening=[
                Section("At a glance", table=_table(summary(judged))),
                Section("Where it falls short", points=gaps(first) or ["Nowhere that was measured."]),
            ],
            after=[_section(name, judged, subject, folder) for name in WORDS if name in first.report],
            footer=(
                f"{card.name}: {card.summary} Data: {card.data}. Licence: {card.licence}. Weights {subject.digest}. "
                f"Made by `worldsim evaluate`; measuring took {_minutes(first):.1f} minutes."
            ),
        ),
    )


def gaps(judged: Judged) -> list[str]:
    """A line for every aim that is missed, and for every figure that is far below the reference world's."""
    lines = []
    for key, headline in shown([judged]):
        reading = judged.readings[key]
        assert reading.value is not None
        line = f"{headline.words[0].upper()}{headline.words[1:]}: {reading.text()}"
        if headline.meets(reading) == "no":
            lines.append(f"{line}, against an aim of {headline.aim}.")
        elif not headline.aim and reading.floor and reading.value < FAR * reading.floor:
            lines.append(f"{line}, where the reference world reaches {reading.floor_text()}.")
    return lines


def _section(name: str, judged: Sequence[Judged], subject: Subject, folder: Path) -> Section:
    words, figures = WORDS[name], judged[0].report[name]
    tables = {title: _table(rows) for title, rows in TABLES[name](figures).items()}
    there = [(each.label, each.report[name]) for each in judged if name in each.report]
    return Section(
        words.heading, [words.paragraph], points=[f"Not measured: {each}." for each in figures.get("not_measured", [])],
        plots=plots_of(name, there), details=list(tables.items()),
        **(FILMED[name](subject, figures, folder) if name in FILMED else {}),
    )  # fmt: skip


def _branches(subject: Subject, figures: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    return {"clips": films.branch_clips(subject, folder)}


def _minute(subject: Subject, figures: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    learned, reference = subject.learned_minute, subject.reference_minute
    strip = films.minute_strip(learned, reference, SCENARIOS)
    return {"clips": films.minute_clips(learned, reference, SCENARIOS, folder), "pictures": [strip]}


def _recorded(subject: Subject, figures: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    strip = Path(figures["filmstrip"])
    return {"pictures": [Picture(strip.read_bytes(), "Held-out drives, the reference above the model.")]}


FILMED = {"counterfactuals": _branches, "drift": _minute, "recorded": _recorded}
"""Section -> what is to be seen of it, as parts of its ``Section``."""


def _fact(key: str, judged: Judged) -> Fact:
    reading, headline = judged.readings[key], HEADLINES[key]
    aim = f" (aim {headline.aim})" if headline.aim else ""
    return Fact(reading.short(), f"{headline.words}{aim}")


def _minutes(judged: Judged) -> float:
    return float(sum(section.get("took_s", 0.0) for section in judged.report.values()) / 60)


def _table(rows: Rows) -> Table:
    return Table(rows[0], rows[1:])
