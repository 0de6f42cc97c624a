"""Every section as tables of text, the same for Markdown and for the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .counterfactuals import EVENTS
from .headlines import Judged, shown
from .laws import QUESTIONS

Rows = list[list[str]]
"""The first is the head."""
Figures = Mapping[str, Any]

SHARES = {
    "lane_turns_when_coasting_in_bends": "lane turns, coasting in bends",
    "lane_turns_in_swerves": "lane turns, swerves",
    "lane_shifts_when_coasting_in_bends": "lane shifts, coasting in bends",
    "lane_shifts_in_swerves": "lane shifts, swerves",
    "lead_nears_or_leaves_with_pedals": "lead nears or leaves, pedals",
}
HAZARDS = {"offroad": "leaving the road", "collision": "a collision"}
WHO = {
    "model": "model, by its heads",
    "floor": "true frames, by the same heads",
    "reader": "model, by the scene reader",
    "reader_floor": "true frames, by the scene reader",
}


def action_words(name: str) -> str:
    """A branch's name as it is read."""
    return name.replace("_", ", ")


def number(value: Any, digits: int = 2) -> str:
    """A figure as it is read; an estimate with its interval; a dash where nothing is known."""
    if isinstance(value, Mapping):
        middle = number(value.get("value"), digits)
        low, high = value.get("low"), value.get("high")
        return middle if low is None or high is None else f"{middle} [{low:.{digits}f}, {high:.{digits}f}]"
    if value is None:
        return "–"
    return f"{value}" if isinstance(value, int | str) else f"{value:.{digits}f}"


def intro(judged: Sequence[Judged], said: Figures) -> str:
    """What was judged, in a sentence or two."""
    quick = "A quick report: few drives, wide intervals. " if said["quick"] else ""
    against = f", beside {judged[1].name}" if len(judged) > 1 else ""
    return (
        f"{quick}World {judged[0].name}{against}, {said['steps']} sampling passes a frame. Ranges are 95 % intervals. "
        "The column 'reference' is what the reference world itself reaches by the same measure; a dash means that "
        "something was not measured or could not be."
    )


def summary(judged: Sequence[Judged]) -> Rows:
    """Every headline that was measured: each world, the reference world, the aim and whether the first meets it."""
    rows: Rows = [["figure", *(each.label for each in judged), "reference", "aim", "met"]]
    for key, headline in shown(judged):
        first = judged[0].readings[key]
        cells = [each.readings[key].text() for each in judged]
        rows.append([headline.words, *cells, first.floor_text(), headline.aim, headline.meets(first)])
    return rows


def ranking(figures: Figures) -> dict[str, Rows]:
    """Policies in both worlds, and how well the orders agree."""
    rows: Rows = [["policy", "kind", "return, learned", "return, reference", "crash or off road, learned", "reference"]]
    learned, reference = (figures["policies"][place] for place in ("learned", "reference"))
    for name in sorted(reference, key=lambda each: -reference[each]["return"]["value"]):
        faults = [sum(place[name][key]["value"] for key in ("crash", "offroad")) for place in (learned, reference)]
        earned = [number(place[name]["return"], 1) for place in (learned, reference)]
        rows.append([short(name), figures["kinds"][name], *earned, *(number(min(each, 1.0)) for each in faults)])
    agree: Rows = [["agreement with the reference world", "learned world", "reference world, other seeds"]]
    for key, words in (("return", "returns"), ("faults", "crashes and roads left")):
        for measure in ("spearman", "kendall"):
            cells = [number(figures[who][key][measure]) for who in ("model", "ceiling")]
            agree.append([f"{words}, {measure.capitalize()}", *cells])
    for key, words in (("mean", "error of success rate, mean"), ("worst", "error of success rate, worst policy")):
        agree.append([words, *(number(figures[who]["success_error"][key]) for who in ("model", "ceiling"))])
    drives = f"{figures['drives']} drives of {figures['seconds']:g} s each"
    return {"Ranking of policies": agree, f"Policies, {drives}": rows}


def short(policy: str) -> str:
    """A policy's name where there is little room: of a folder the last part."""
    return policy.rstrip("/").rsplit("/", 1)[-1]


def counterfactuals(figures: Figures) -> dict[str, Rows]:
    """Shares of true changes by horizon, and events."""
    horizons = list(figures["model"]["lane_turns_in_swerves"])
    shares: Rows = [["share of the true change, after", "who says", *(f"{s} s" for s in horizons)]]
    for key, words in SHARES.items():
        for who, name in WHO.items():
            shares.append([words, name, *(number(figures[who][key][s]) for s in horizons)])
    events: Rows = [["event within 3 s", "who says", "hits", "misses", "false alarms", "correct rejections"]]
    for event in EVENTS:
        for who in ("model", "floor"):
            row = figures[who]["events"][event]
            counts = [str(row[key]) for key in ("hits", "misses", "false_alarms", "correct_rejections")]
            events.append([event, WHO[who], *counts])
    return {"Counterfactuals: how much of a true change": shares, "Counterfactuals: which branches end badly": events}


def calibration(figures: Figures) -> dict[str, Rows]:
    """Hazards by horizon, and trust."""
    rows: Rows = [["hazard", "within", "AUROC", "average precision", "calibration error", "frames where it comes"]]
    for where, words in (("watched", "true"), ("drawn", "its own")):
        for hazard, by_horizon in figures[where].items():
            for seconds, row in by_horizon.items():
                cells = [number(row["auroc"], 3), number(row["average_precision"])]
                counted = f"{row['positives']} of {row['frames']}, {row['drives_with_positives']} drives"
                error = number(row.get("calibration_error"), 3)
                rows.append([f"{HAZARDS[hazard]}, {words} frames", f"{seconds} s", *cells, error, counted])
    trust = figures["trust"]
    told: Rows = [
        ["trust against error of drawn frames", ""],
        ["rank correlation of low trust and error", number(trust["rank_correlation"])],
        ["AUROC at finding the worst tenth", number(trust["finds_worst_tenth"])],
        ["mean error of the most trusted half, over that of all",
         number(trust["risk"]["0.5"] / trust["risk"]["1"])],
        ["the same, had trust known the error", number(trust["best_risk"]["0.5"] / trust["best_risk"]["1"])],
    ]  # fmt: skip
    return {"Hazards": rows, "Trust": told}


def obedience(figures: Figures) -> dict[str, Rows]:
    """Probes by action."""
    model, floor = figures["model"], figures["floor"]
    rows: Rows = [["probe", "model", "true frames", "probes"]]
    for name, row in model["by_action"].items():
        cells = [number(each["by_action"][name]) for each in (model, floor)]
        rows.append([action_words(name), *cells, str(row["probes"])])
    for key, words in (("obeyed", "all usual actions"), ("obeyed_unseen", "actions outside the training mixture"),
                       ("left_right_swaps", "left and right swapped"), ("turn_correlation", "correlation of turning"),
                       ("speed_correlation", "correlation of speed")):  # fmt: skip
        probes = str(model["swap_probes"]) if key == "left_right_swaps" else ""
        rows.append([words, number(model[key]), number(floor[key]), probes])
    return {"Obedience": rows, "The estimator of motion, on held-out reference frames": _accuracy(figures["estimator"])}


def physics(figures: Figures) -> dict[str, Rows]:
    """Probes of physics in the model, the reference world and a broken one."""
    worlds = ("model", "reference", "broken")
    rows: Rows = [["share that passes", "model", "reference world", "broken on purpose", "asked of, in this order"]]
    for name, words in QUESTIONS.items():
        cells = [number(figures[who][name]) for who in worlds]
        rows.append([words, *cells, ", ".join(str(figures[who][name]["branches"]) for who in worlds)])
    return {
        "Physics and permanence": rows,
        "The reader of frames, on held-out reference frames": _accuracy(figures["reader"]),
    }


def _accuracy(made: Figures) -> Rows:
    """How well an estimator does on reference frames that it was not trained on, as its own file says."""
    rows: Rows = [["accuracy", "held-out reference frames"]]
    rows += [[key.replace("_", " "), number(value, 3)] for key, value in made.items() if isinstance(value, float)]
    return [*rows, ["made by", str(made.get("command", "–"))]]


def drift(figures: Figures) -> dict[str, Rows]:
    """First and last window, and their ratio."""
    rows: Rows = [["in windows of 5 s", "first", "last", "ratio", "ratio, reference world"]]
    for name, values in figures["model"].items():
        ratios = [number(figures[key][name]) for key in ("ratio", "reference_ratio")]
        rows.append([name, *(number(values[i]["value"], 3) for i in (0, -1)), *ratios])
    return {f"Drift over a minute, {figures['drives']} drives": rows}


def baselines(figures: Figures) -> dict[str, Rows]:
    """The same branches as others draw them."""
    rows: Rows = [["who draws", "latent error after 1 s", "lane turns in swerves, 1 s", "gap under pedals, 2 s",
                   "roads left: hits", "false alarms"]]  # fmt: skip
    for row in figures["table"].values():
        events = row["events"]["offroad"]
        rows.append([
            row["words"], number(row["latent_error"], 3), number(row["lane_turns_in_swerves"]["1"]),
            number(row["lead_nears_or_leaves_with_pedals"]["2"]),
            f"{events['hits']} of {events['hits'] + events['misses']}",
            f"{events['false_alarms']} of {events['false_alarms'] + events['correct_rejections']}",
        ])  # fmt: skip
    return {f"Baselines, on {figures['branches']} branches": rows}


def recorded(figures: Figures) -> dict[str, Rows]:
    """Rollouts by horizon beside what stands still, and what the heads foresee."""
    rollout, heads = figures["rollout"], figures["heads"]
    horizons = [s for s, count in rollout["n"].items() if count]
    rows: Rows = [["after", *(f"{s} s" for s in horizons)]]
    last = rollout["baselines"]["repeat_last_frame"]
    for words, by_horizon in (
        ("PSNR (dB)", rollout["psnr_db"]), ("PSNR of the last frame repeated (dB)", last["psnr_db"]),
        (f"distance by {rollout['perceptual_distance']}", rollout["perceptual"]),
        ("the same of the last frame repeated", last["perceptual"]),
        ("sharpness, of the reference's", rollout["sharpness_ratio"]), ("drives", rollout["n"]),
    ):  # fmt: skip
        rows.append([words, *(number(by_horizon[s]) for s in horizons)])
    told: Rows = [["its heads on these drives", ""]]
    told += [[key.replace("_", " "), number(value, 3)] for key, value in heads.items()]
    return {f"Rollouts on {rollout['drives']} held-out drives": rows, "State heads": told}


TABLES: dict[str, Callable[[Figures], dict[str, Rows]]] = {
    "ranking": ranking, "counterfactuals": counterfactuals, "calibration": calibration, "obedience": obedience,
    "physics": physics, "drift": drift, "baselines": baselines,
    "recorded": recorded,
}  # fmt: skip
"""Section -> its tables by title, in the order of the report."""
