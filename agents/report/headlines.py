"""The figures that matter most, by name: for tables, for two models side by side, and for thresholds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from worldsim.errors import choose

from .laws import QUESTIONS

Report = Mapping[str, Any]
"""Section -> its figures, as ``sections.measure`` returns them."""


@dataclass(frozen=True)
class Headline:
    """One figure. ``least`` or ``most`` is what this project aims at; ``floor`` is what the reference world reaches."""

    words: str
    value: Callable[[Report], Any]
    floor: Callable[[Report], Any] = lambda report: None
    least: float | None = None
    most: float | None = None
    digits: int = 2

    @property
    def aim(self) -> str:
        """As it is read; nothing where there is none."""
        if self.least is not None:
            return f"≥ {self.least:g}"
        return f"≤ {self.most:g}" if self.most is not None else ""

    def meets(self, reading: Reading) -> str:
        """Whether the aim is met: "yes", "no", or nothing where there is no aim."""
        if not self.aim:
            return ""
        value = reading.value
        low, high = (self.least, self.most)
        fine = value is not None and (low is None or value >= low) and (high is None or value <= high)
        return "yes" if fine else "no"


@dataclass(frozen=True)
class Reading:
    """A headline of one report; None is "not measured"."""

    value: float | None
    low: float | None = None
    high: float | None = None
    floor: float | None = None
    digits: int = 2

    def text(self) -> str:
        """As it is read, with its interval."""
        spread = f" [{self._read(self.low)}, {self._read(self.high)}]" if None not in (self.low, self.high) else ""
        return f"{self._read(self.value)}{spread}"

    def floor_text(self) -> str:
        """What the reference world reaches, as it is read."""
        return self._read(self.floor)

    def short(self) -> str:
        """As it is read, without its interval."""
        return self._read(self.value)

    def _read(self, value: float | None) -> str:
        return "–" if value is None else f"{value:.{self.digits}f}"


def _at(*path: str) -> Callable[[Report], Any]:
    """What lies at ``path``, or None."""

    def get(report: Report) -> Any:
        value: Any = report
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    return get


def _share(name: str, seconds: str, who: str) -> Callable[[Report], Any]:
    return _at("counterfactuals", who, name, seconds)


def _rate(event: str, who: str, of: tuple[str, str]) -> Callable[[Report], Any]:
    """The first of two counts of an event as a share of both."""

    def get(report: Report) -> Any:
        row = _at("counterfactuals", who, "events", event)(report) or {}
        counted = [row.get(name, 0) for name in of]
        return counted[0] / sum(counted) if sum(counted) else None

    return get


def _coasting(who: str) -> Callable[[Report], Any]:
    def get(report: Report) -> Any:
        row = _at("counterfactuals", who, "coasting_in_bends")(report) or {}
        truly = row.get("leave_the_road_truly", 0)
        return row["leave_the_road_here"] / truly if truly else None

    return get


def _against_repeating(report: Report) -> Any:
    table = _at("baselines", "table")(report) or {}
    if "model" not in table:
        return None
    return table["model"]["latent_error"]["value"] / table["repeat_last_frame"]["latent_error"]["value"]


_HITS, _ALARMS = ("hits", "misses"), ("false_alarms", "correct_rejections")

HEADLINES: dict[str, Headline] = {
    "ranking.spearman": Headline(
        "ranking of policies by return, Spearman", _at("ranking", "model", "return", "spearman"),
        _at("ranking", "ceiling", "return", "spearman"), least=0.9,
    ),
    "ranking.kendall": Headline(
        "ranking of policies by return, Kendall", _at("ranking", "model", "return", "kendall"),
        _at("ranking", "ceiling", "return", "kendall"),
    ),
    "ranking.spearman_faults": Headline(
        "ranking by crashes and roads left, Spearman", _at("ranking", "model", "faults", "spearman"),
        _at("ranking", "ceiling", "faults", "spearman"),
    ),
    "ranking.success_error": Headline(
        "error of success rates, mean over policies", _at("ranking", "model", "success_error", "mean"),
        _at("ranking", "ceiling", "success_error", "mean"), most=0.05,
    ),
    "counterfactuals.coasting": Headline(
        "coasting in bends that leaves the road, of those that truly do", _coasting("model"), _coasting("floor"),
    ),
    "counterfactuals.lane_turns_coasting": Headline(
        "lane turns against who coasts in a bend, 2 s, share of truth",
        _share("lane_turns_when_coasting_in_bends", "2", "model"),
        _share("lane_turns_when_coasting_in_bends", "2", "floor"),
    ),
    "counterfactuals.lane_turns_swerves": Headline(
        "lane turns against who swerves, 1 s, share of truth", _share("lane_turns_in_swerves", "1", "model"),
        _share("lane_turns_in_swerves", "1", "floor"),
    ),
    "counterfactuals.lane_turns_swerves_reader": Headline(
        "lane turns against who swerves, 1 s, read from single frames", _share("lane_turns_in_swerves", "1", "reader"),
        _share("lane_turns_in_swerves", "1", "reader_floor"),
    ),
    "counterfactuals.lead": Headline(
        "gap to the vehicle ahead under pedals, 2 s, share of truth",
        _share("lead_nears_or_leaves_with_pedals", "2", "model"),
        _share("lead_nears_or_leaves_with_pedals", "2", "floor"),
    ),
    "counterfactuals.offroad_hits": Headline(
        "branches that leave the road, found", _rate("offroad", "model", _HITS), _rate("offroad", "floor", _HITS),
    ),
    "counterfactuals.offroad_false_alarms": Headline(
        "branches that do not, alarmed", _rate("offroad", "model", _ALARMS), _rate("offroad", "floor", _ALARMS),
        most=0.1,
    ),
    "counterfactuals.closes_hits": Headline(
        "branches that close on the vehicle ahead, found", _rate("closes", "model", _HITS),
        _rate("closes", "floor", _HITS),
    ),
    "calibration.auroc_offroad": Headline(
        "leaving the road within 1 s, AUROC", _at("calibration", "watched", "offroad", "1", "auroc"), least=0.95,
    ),
    "calibration.auroc_collision": Headline(
        "collision within 1 s, AUROC", _at("calibration", "watched", "collision", "1", "auroc"), least=0.95,
    ),
    "calibration.error_offroad": Headline(
        "leaving the road within 1 s, calibration error",
        _at("calibration", "watched", "offroad", "1", "calibration_error"),
        most=0.05,
    ),
    "calibration.error_collision": Headline(
        "collision within 1 s, calibration error", _at("calibration", "watched", "collision", "1", "calibration_error"),
        most=0.05,
    ),
    "calibration.auroc_offroad_drawn": Headline(
        "leaving the road within 1 s, in its own frames, AUROC", _at("calibration", "drawn", "offroad", "1", "auroc"),
    ),
    "calibration.trust": Headline(
        "low trust where frames are wrong, rank correlation", _at("calibration", "trust", "rank_correlation"),
    ),
    "obedience.obeyed": Headline(
        "probes obeyed", _at("obedience", "model", "obeyed"), _at("obedience", "floor", "obeyed"), least=0.95,
    ),
    "obedience.swaps": Headline(
        "left and right swapped, count", _at("obedience", "model", "left_right_swaps"),
        _at("obedience", "floor", "left_right_swaps"), most=0, digits=0,
    ),
    "obedience.obeyed_unseen": Headline(
        "actions outside the training mixture obeyed", _at("obedience", "model", "obeyed_unseen"),
        _at("obedience", "floor", "obeyed_unseen"),
    ),
    **{
        f"physics.{name}": Headline(words, _at("physics", "model", name), _at("physics", "reference", name))
        for name, words in QUESTIONS.items()
    },
    "drift.distance": Headline(
        "distance of frames to the reference, last 5 s of 60 over first", _at("drift", "ratio", "distance"),
        _at("drift", "reference_ratio", "distance"), most=1.5,
    ),
    "drift.sharpness": Headline(
        "sharpness, last over first", _at("drift", "ratio", "sharpness"), _at("drift", "reference_ratio", "sharpness"),
    ),
    "drift.vehicles": Headline(
        "vehicles in view, last over first", _at("drift", "ratio", "vehicles"),
        _at("drift", "reference_ratio", "vehicles"),
    ),
    **{
        f"recorded.psnr_{seconds}": Headline(
            f"recorded drives, PSNR after {seconds} s (reference column: the last frame repeated)",
            _at("recorded", "rollout", "psnr_db", seconds),
            _at("recorded", "rollout", "baselines", "repeat_last_frame", "psnr_db", seconds),
        )
        for seconds in ("1", "5")
    },
    "recorded.sharpness": Headline(
        "recorded drives, sharpness after 1 s, of the reference's", _at("recorded", "rollout", "sharpness_ratio", "1"),
    ),
    "recorded.auroc_offroad": Headline(
        "recorded drives, leaving the road within 1 s, AUROC", _at("recorded", "heads", "auroc_offroad"),
    ),
    "recorded.auroc_collision": Headline(
        "recorded drives, collision within 1 s, AUROC", _at("recorded", "heads", "auroc_collision"),
    ),
    "recorded.error_lane_offset": Headline(
        "recorded drives, error of lane offset (m)", _at("recorded", "heads", "error_lane_offset_m"),
    ),
    "baselines.error": Headline("error after 1 s, over that of the last frame repeated", _against_repeating, most=1.0),
}  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """A world and what was measured of it."""

    name: str
    report: Report

    @cached_property
    def readings(self) -> dict[str, Reading]:
        """Every headline."""
        return {key: _reading(self.report, headline) for key, headline in HEADLINES.items()}

    @property
    def label(self) -> str:
        """Its name where there is little room: of a folder the last two parts."""
        return "/".join(Path(self.name).parts[-2:])


def _reading(report: Report, headline: Headline) -> Reading:
    value, floor = headline.value(report), _number(headline.floor(report))
    ends = (value.get("low"), value.get("high")) if isinstance(value, Mapping) else (None, None)  # of an estimate
    return Reading(_number(value), *ends, floor, headline.digits)


def _number(value: Any) -> float | None:
    if isinstance(value, Mapping):
        value = value.get("value")
    return None if value is None else float(value)


def shown(judged: Sequence[Judged]) -> Iterator[tuple[str, Headline]]:
    """The headlines that were measured of any of the worlds."""
    for key, headline in HEADLINES.items():
        if any(each.readings[key].value is not None for each in judged):
            yield key, headline


# --- thresholds -------------------------------------------------------------------------------------------------------


def load_thresholds(path: Path) -> dict[str, dict[str, float]]:
    """Headline -> {"min": x} and/or {"max": x}, from a YAML file. ValueError for anything else in it."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(f"thresholds: expected a file at {path}, found none") from error
    except yaml.YAMLError as error:
        raise ValueError(f"thresholds: {path} is not valid YAML ({error})") from error
    if not isinstance(values, dict) or not values:
        raise ValueError(f"thresholds: {path}: expected headlines with min or max, got {values!r}")
    for key, ends in values.items():
        choose(str(key), HEADLINES, f"headline in {path}")
        if not isinstance(ends, dict) or not ends or not all(isinstance(end, int | float) for end in ends.values()):
            raise ValueError(f"thresholds: {path}: {key}: expected `min: NUMBER` or `max: NUMBER`, got {ends!r}")
        for end in ends:
            choose(str(end), ("min", "max"), f"key of {key} in {path}")
    return values


def aims() -> dict[str, dict[str, float]]:
    """What this project aims at, as thresholds."""
    ends = {key: {"min": each.least, "max": each.most} for key, each in HEADLINES.items()}
    kept = {key: {end: value for end, value in each.items() if value is not None} for key, each in ends.items()}
    return {key: each for key, each in kept.items() if each}


def failures(readings: Mapping[str, Reading], thresholds: Mapping[str, Mapping[str, float]]) -> list[str]:
    """A line for each threshold that is not met; what was not measured does not meet any."""
    lines = []
    for key, ends in thresholds.items():
        value = readings[key].value
        if value is None:
            lines.append(f"{key}: not measured")
        elif value < ends.get("min", value):
            lines.append(f"{key}: {value:.4g} is below {ends['min']:g}")
        elif value > ends.get("max", value):
            lines.append(f"{key}: {value:.4g} is above {ends['max']:g}")
    return lines
