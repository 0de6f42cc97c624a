"""Plots of the report as SVG: one message each, labelled axes with units, intervals.

Axis legend: p policies, r rows of a plot.

Every function takes ``shown``, one or two pairs of a world's name and its section's figures: the first is judged, the
second stands beside it. What the reference world reaches is the same for both and is taken from the first.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from textwrap import fill
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from worldsim.serving.page import Plot

from .laws import QUESTIONS
from .tables import HAZARDS, SHARES, action_words, number, short

Figures = Mapping[str, Any]
Shown = Sequence[tuple[str, Figures]]
Array = npt.NDArray[np.float64]

COLOURS = ("#0f7b6c", "#4a63c8")  # of the judged world, of the one beside it
REFERENCE, BROKEN, INK, GRID = "#b4541f", "#9a9a94", "#5c636f", "#ebebe6"
STYLE: Any = {
    "font.size": 9.5, "font.family": "sans-serif", "axes.edgecolor": INK, "axes.labelcolor": INK, "text.color": INK,
    "xtick.color": INK, "ytick.color": INK, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
    "grid.color": GRID, "grid.linewidth": 0.8, "axes.axisbelow": True, "legend.frameon": False,
    "legend.fontsize": 8.5, "svg.fonttype": "none", "svg.hashsalt": "worldsim",
}  # fmt: skip
SIZE = (5.4, 3.8)  # inches; the page scales it
CHANGES = {"lane_turns_in_swerves": "the lane turns against who swerves",
           "lead_nears_or_leaves_with_pedals": "the gap answers the pedals"}  # fmt: skip
DRIFTING = {
    "distance": (
        "distance to the reference frames (no unit)",
        "Frames that stay like the reference keep it low",
    ),
    "sharpness": ("gradient energy (squared levels)", "Frames that blur lose gradient energy"),
    "brightness": ("mean brightness (0 to 1)", "Frames that fade or darken leave the reference's brightness"),
    "vehicles": ("vehicles in view (count)", "Others should neither vanish nor multiply"),
    "trust": ("trust (0 to 1)", "Trust should fall where the picture falls apart"),
}
TRUE = ("true_frames", "other_seed")


# --- ranking ----------------------------------------------------------------------------------------------------------


def ranking(shown: Shown) -> list[Plot]:
    """Returns of every policy in both worlds."""
    figure, axes = _canvas((5.4, 4.4))
    names = list(shown[0][1]["policies"]["reference"])
    tops: list[tuple[float, float, str]] = []
    for place, (world, figures) in enumerate(shown):
        learned, reference = (figures["policies"][key] for key in ("learned", "reference"))
        x, y = (_columns([of[name]["return"] for name in names]) for of in (reference, learned))
        axes.errorbar(
            x[0], y[0], xerr=_reach(x), yerr=_reach(y), fmt="o", ms=4.5, lw=0.9, color=COLOURS[place], label=world,
        )  # fmt: skip
        if place == 0:
            tops = list(zip(x[0], y[0], map(short, names), strict=True))
    _named(axes, tops)
    axes.set_xlabel("return in the reference world, sum of rewards over a drive")
    axes.set_ylabel("return in the learned world, sum of rewards")
    if len(shown) > 1:
        axes.legend(loc="lower right")
    agree = number(shown[0][1]["model"]["return"]["spearman"])
    return [
        Plot(
            _svg(figure),
            f"Policies by what they earn: Spearman {agree}. Where the learned world ranks as the "
            "reference world does, dots climb from left to right. Bars are 95 % intervals over drives.",
        )
    ]


def _named(axes: Axes, tops: Sequence[tuple[float, float, str]]) -> None:
    """Names in a column at the right, each as near to its dot's height as the others leave it, with a line to it."""
    low, high = axes.get_ylim()
    right = axes.get_xlim()[1]
    ordered = sorted(tops, key=lambda each: each[1])
    gap = (high - low) / max(22, len(ordered))
    places: list[float] = []
    for _, y, _ in ordered:
        places.append(max(y, places[-1] + gap) if places else y)
    over = max(places[-1] - high, 0.0)
    for i in reversed(range(len(places))):  # what was pushed over the top pushes back
        places[i] = min(places[i], (places[i + 1] - gap) if i + 1 < len(places) else places[i] - over)
    for (x, y, name), place in zip(ordered, places, strict=True):
        axes.annotate(
            name, (x, y), (right, place), annotation_clip=False, va="center", fontsize=8,
            arrowprops={"arrowstyle": "-", "lw": 0.5, "color": BROKEN, "shrinkB": 3},
        )  # fmt: skip


# --- counterfactuals, obedience, physics: rows of dots ----------------------------------------------------------------


def counterfactuals(shown: Shown) -> list[Plot]:
    """Shares of true changes against time since the moment."""
    plots = []
    for key, words in CHANGES.items():
        figure, axes = _canvas()
        axes.axhline(1.0, color=REFERENCE, lw=1.2, ls="--", label="what truly happens")
        for place, (world, figures) in enumerate(shown):
            _curve(axes, figures["model"][key], COLOURS[place], f"{world}, by its heads", "o-")
        _curve(axes, shown[0][1]["floor"][key], REFERENCE, "the same heads on true frames", "s:")
        axes.axhline(0.0, color=INK, lw=0.8)
        axes.set_xlabel("time since the branches part (s)")
        axes.set_ylabel("share of the true change")
        axes.set_ylim(min(-0.5, axes.get_ylim()[0]), max(1.5, min(axes.get_ylim()[1], 2.5)))
        axes.legend(loc="upper left", ncols=1)
        plots.append(Plot(_svg(figure), f"How far {words} ({SHARES[key]}): 1 as in truth, 0 not at all. "
                          "Bars are 95 % intervals over moments."))  # fmt: skip
    return plots


def _curve(axes: Axes, by_horizon: Figures, colour: str, label: str, style: str) -> None:
    seconds = [float(s) for s, each in by_horizon.items() if each["value"] is not None]
    values = _columns([each for each in by_horizon.values() if each["value"] is not None])
    if seconds:
        axes.errorbar(seconds, values[0], yerr=_reach(values), fmt=style, ms=4, lw=1.4, color=colour, label=label)


def obedience(shown: Shown) -> list[Plot]:
    """Share of probes obeyed, by action."""
    actions = list(shown[0][1]["model"]["by_action"])
    series = [(world, COLOURS[i], [figures["model"]["by_action"].get(each) for each in actions])
              for i, (world, figures) in enumerate(shown)]  # fmt: skip
    series.append(("true frames", REFERENCE, [shown[0][1]["floor"]["by_action"].get(each) for each in actions]))
    figure = _dots([action_words(each) for each in actions], series, "share of probes obeyed")
    return [Plot(_svg(figure), "Is what is commanded to be seen in the frames? Bars are 95 % intervals over probes.")]


def physics(shown: Shown) -> list[Plot]:
    """Share of branches that pass each probe."""
    series = [(world, COLOURS[i], [figures["model"][each] for each in QUESTIONS])
              for i, (world, figures) in enumerate(shown)]  # fmt: skip
    for who, colour, words in (("reference", REFERENCE, "reference world"), ("broken", BROKEN, "broken on purpose")):
        series.append((words, colour, [shown[0][1][who][each] for each in QUESTIONS]))
    asked = {name: shown[0][1]["model"][name]["branches"] for name in QUESTIONS}
    rows = [fill(f"{words} ({asked[name]})", 30) for name, words in QUESTIONS.items()]
    figure = _dots(rows, series, "share of branches or scenes that pass")
    return [Plot(_svg(figure), "A probe is worth something where the reference world passes it and a broken one fails. "
                 "In brackets how many branches or scenes of the model it could be asked of; bars are 95 % intervals "
                 "over them.")]  # fmt: skip


def _dots(rows: Sequence[str], series: Sequence[tuple[str, str, Sequence[Figures | None]]], label: str) -> Figure:
    """For each row a dot with its interval for each series, from 0 to 1."""
    figure, axes = _canvas((5.4, 1.3 + 0.15 * len(rows) * (len(series) + 0.6)))
    for place, (name, colour, estimates) in enumerate(series):
        there = [i for i, each in enumerate(estimates) if each is not None and each["value"] is not None]
        values = _columns([estimates[i] for i in there])  # type: ignore[misc]
        y = np.array(there) + 0.22 * (place - (len(series) - 1) / 2)
        if there:
            axes.errorbar(values[0], y, xerr=_reach(values), fmt="o", ms=4.5, lw=1.2, color=colour, label=name)
    axes.set_yticks(range(len(rows)), rows)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(-0.03, 1.03)
    axes.set_xlabel(label)
    axes.grid(axis="y", visible=False)
    axes.legend(
        loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=len(series) if len(series) < 4 else 2, columnspacing=1.0
    )
    return figure


# --- calibration ------------------------------------------------------------------------------------------------------


def calibration(shown: Shown) -> list[Plot]:
    """Reliability of each hazard, and what trust is worth."""
    return [*(_reliability(shown, hazard) for hazard in HAZARDS), _coverage(shown)]


def _reliability(shown: Shown, hazard: str) -> Plot:
    figure, axes = _canvas()
    axes.plot([0, 1], [0, 1], color=REFERENCE, lw=1.2, ls="--", label="calibrated")
    for place, (world, figures) in enumerate(shown):
        rows = figures["watched"][hazard]["1"]["reliability"]
        values = _columns([{"value": row["happened"], **row} for row in rows])
        axes.errorbar(
            [row["forecast"] for row in rows], values[0], yerr=_reach(values), fmt="o", ms=4, lw=1.2,
            color=COLOURS[place], label=world,
        )  # fmt: skip
        if place == 0:
            for row in rows:
                axes.annotate(f"{row['frames']}", (row["forecast"], row["happened"]), (5, -9),
                              textcoords="offset points", fontsize=7.5, color=INK)  # fmt: skip
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel("probability that the head says, within 1 s")
    axes.set_ylabel("how often it happens (share of frames)")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=1 + len(shown))
    return Plot(_svg(figure), f"{HAZARDS[hazard].capitalize()} within 1 s: said and done, on true frames of drives "
                "that go wrong. Small numbers are frames in a bin; bars are 95 % intervals over drives, none "
                "where all frames are of one drive.")  # fmt: skip


def _coverage(shown: Shown) -> Plot:
    figure, axes = _canvas()
    for place, (world, figures) in enumerate(shown):
        trust = figures["trust"]
        shares = [100 * float(share) for share in trust["risk"]]
        axes.plot(shares, list(trust["risk"].values()), "o-", ms=4, lw=1.4, color=COLOURS[place],
                  label=f"{world}, by trust")  # fmt: skip
        low, high = np.array(list(trust["risk_interval"].values()), np.float64).T
        axes.fill_between(shares, low, high, color=COLOURS[place], alpha=0.14, lw=0)
        axes.plot(shares, list(trust["best_risk"].values()), ":", lw=1.4, color=COLOURS[place],
                  label=f"{world}, had it known the error")  # fmt: skip
        axes.axhline(trust["risk"]["1"], color=COLOURS[place], lw=0.7)
    axes.set_xlabel("most trusted share of drawn frames (%)")
    axes.set_ylabel("mean error (rms of standardised latents)")
    axes.set_ylim(bottom=0)
    axes.legend(loc="lower right")
    return Plot(_svg(figure), "What trust is worth: error of the frames that are kept, if only the most trusted are. "
                "A flat line would be trust that says nothing; dotted is the best there can be. Bands are 95 % "
                "intervals over moments.")  # fmt: skip


# --- drift, baselines -------------------------------------------------------------------------------------------------


def drift(shown: Shown) -> list[Plot]:
    """Each measure over the minute."""
    plots = []
    for name, (label, message) in DRIFTING.items():
        figure, axes = _canvas()
        lines = [(world, COLOURS[i], figures["model"][name]) for i, (world, figures) in enumerate(shown)]
        if name != "trust":
            lines.append(("reference world", REFERENCE, shown[0][1]["reference"][name]))
        for world, colour, windows in lines:
            values = _columns(windows)
            seconds = shown[0][1]["window_s"] * (np.arange(len(windows)) + 0.5)
            axes.plot(seconds, values[0], "o-", ms=3.5, lw=1.4, color=colour, label=world)
            axes.fill_between(seconds, values[1], values[2], color=colour, alpha=0.14, lw=0)
        axes.set_xlabel("time in closed loop (s)")
        axes.set_ylabel(label)
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
        axes.legend(loc="best")
        plots.append(Plot(_svg(figure), f"{message}. Windows of 5 s; bands are 95 % intervals over drives."))
    return plots


def baselines(shown: Shown) -> list[Plot]:
    """Error of a frame after a second, for whoever draws."""
    table = shown[0][1]["table"]
    figure, axes = _canvas((5.4, 1.0 + 0.44 * len(table)))
    errors = _columns([row["latent_error"] for row in table.values()])
    colours = [COLOURS[0] if name == "model" else REFERENCE if name in TRUE else BROKEN for name in table]
    axes.barh(range(len(table)), errors[0], xerr=_reach(errors), color=colours, ecolor=INK, height=0.6)
    axes.set_yticks(range(len(table)), [fill(row["words"], 28) for row in table.values()])
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("rms error of standardised latents")
    return [Plot(_svg(figure), "Who is how far from the true frame after 1 s, on the same branches. A soft picture "
                 "errs less than a sharp one that is wrong in detail: read it with the shares in the table. Bars are "
                 "95 % intervals over moments.")]  # fmt: skip


# --- drawing ----------------------------------------------------------------------------------------------------------


def _canvas(size: tuple[float, float] = SIZE) -> tuple[Figure, Axes]:
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasSVG(figure)
    return figure, figure.add_subplot()


def _svg(figure: Figure) -> str:
    """SVG text from ``<svg`` on, the same for the same figures, scaled by whoever shows it."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def _columns(estimates: Sequence[Figures]) -> Array:
    """(3, r): value, low, high of estimates; NaN where nothing is known."""
    rows = [[each.get(key) for key in ("value", "low", "high")] for each in estimates]
    return np.array(rows, np.float64).reshape(-1, 3).T


def _reach(columns: Array) -> Array:
    """(2, r): how far an interval reaches to either side of the value; nothing where it is not known."""
    value, low, high = columns
    return np.nan_to_num(np.maximum(np.stack([value - low, high - value]), 0.0))


PLOTS: dict[str, Callable[[Shown], list[Plot]]] = {
    "ranking": ranking, "counterfactuals": counterfactuals, "calibration": calibration, "obedience": obedience,
    "physics": physics, "drift": drift, "baselines": baselines,
}  # fmt: skip
"""Section -> its plots, from the figures of one or two worlds."""


def plots_of(section: str, shown: Shown) -> list[Plot]:
    """The plots of a section; none where it has none."""
    with mpl.rc_context(STYLE):
        return PLOTS[section](shown) if section in PLOTS else []
