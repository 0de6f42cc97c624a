"""The words, figures and pictures of what a policy learned, for the demo's page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from worldsim.serving.page import Chart, Fact, Line, Scene, Section, Table
from worldsim.world_model import WorldModel

from ..judging.evaluate import COLUMNS, cell
from .films import SCENARIOS, film
from .lesson import AFTER, BEFORE, ORDER, OUTSIDE, Lesson

SHOWN = ("return", "success", "crash", "offroad", "speed_ratio", "jerk_mps3")


def opening(lesson: Lesson, world: WorldModel, folder: Path) -> list[Section | Scene]:
    """What stands first on the page. Writes the film into ``folder``."""
    return [_section(lesson), _scene(lesson, world, folder)]


def summary(lesson: Lesson) -> str:
    """For the terminal: what was learned, and that nothing was learned outside."""
    before, after = (lesson.scores[name]["return"] for name in (BEFORE, AFTER))
    return (
        f"a policy learned in the model: {lesson.card.model_steps:,} steps there, {lesson.card.reference_steps} in the "
        f"reference world, where its return over {lesson.drives} drives went from {before.text(0)} to {after.text(0)}"
    )


def _section(lesson: Lesson) -> Section:
    card, outside = lesson.card, lesson.outside
    return Section(
        "Learned in here, driven out there",
        [
            f"A policy learned to drive for {card.seconds / 60:.1f} minutes inside the learned world, from nothing. It "
            "sees what the camera sees, its own speed and steering, and the route command. The table is from the "
            f"reference world, which it had never driven in: {lesson.drives} drives of 20 s on all kinds of roads, the "
            "same for everybody. Ranges are 95 % intervals over these drives.",
        ],
        [
            "The scripted driver sees what no camera shows: lanes, distances and the route as they are.",
            "The policy below it learned by the same method in the reference world: "
            f"{outside.reference_steps:,} steps in {outside.seconds / 60:.1f} minutes.",
            "One policy of each kind: learned again with another seed, it may turn out better or worse than its range.",
        ],
        facts=[
            Fact(f"{card.reference_steps}", "steps in the reference world that it learned from"),
            Fact(f"{card.model_steps:,}", "steps in the learned world"),
            Fact(f"{card.model_steps / max(card.seconds, 1e-9):.0f}", "of them a second, learning included"),
            Fact(f"{lesson.scores[BEFORE]['return'].value:.0f} → {lesson.scores[AFTER]['return'].value:.0f}",
                 "return in the reference world, before and after"),
        ],
        table=_table(lesson),
        charts=[_curve(lesson), *_dreamed(lesson)],
    )  # fmt: skip


def _table(lesson: Lesson) -> Table:
    rows = [
        [name, *(" ".join(cell(lesson.scores[name][key], *COLUMNS[key][1:]).splitlines()) for key in SHOWN)]
        for name in ORDER
    ]
    return Table(["who drives", *(COLUMNS[key][0] for key in SHOWN)], rows)


def _curve(lesson: Lesson) -> Chart:
    """What it earns in the reference world as it learns, between who learned nothing and who need not learn."""
    seconds = [second for second, _ in lesson.curve]
    known = {name: lesson.scores[name]["return"].value for name in ("random", OUTSIDE, "scripted")}
    lines = [
        Line("this policy", [estimate.value for _, estimate in lesson.curve], "learned"),
        Line("learned in the reference world", [known[OUTSIDE]] * len(seconds), "reference"),
        Line("scripted driver", [known["scripted"]] * len(seconds)),
        Line("random actions", [known["random"]] * len(seconds)),
    ]
    return Chart("Return in the reference world, while learning in the model", "", seconds, lines, *_ends(lines))


def _dreamed(lesson: Lesson) -> list[Chart]:
    """What the model says of the drives that it learned from, where the learner noted it."""
    seconds = [each["elapsed_s"] for each in lesson.logged]
    faults = [[each.get(key, math.nan) for each in lesson.logged] for key in ("offroad_rate", "crash_rate")]
    if len(seconds) < 2 or all(map(math.isnan, faults[0])):
        return []
    lines = [Line("off the road", faults[0], "learned"), Line("crashed", faults[1])]
    return [Chart("Share of imagined drives that ended badly, while learning", "", seconds, lines, 0.0, 1.0)]


def _scene(lesson: Lesson, world: WorldModel, folder: Path) -> Scene:
    shown, said = film(lesson.before, lesson.after, world, folder / "before-and-after")
    return Scene(
        title="Before and after", caption=f"The same policy in the reference world: {' and '.join(SCENARIOS)}.",
        video=shown.video, poster=shown.poster, sides=("before learning", "after learning"),
        filmstrip=shown.filmstrip,
        rows=[f"{scenario} {when}" for scenario in SCENARIOS for when in ("before", "after")],
        moments=[f"{second:g} s" for second in shown.moments_s], remarks=said,
    )  # fmt: skip


def _ends(lines: Sequence[Line]) -> tuple[float, float]:
    """Round numbers that hold all values."""
    values = [value for line in lines for value in line.values]
    return 20.0 * math.floor(min(0.0, *values) / 20.0), 20.0 * math.ceil(max(values) / 20.0)
