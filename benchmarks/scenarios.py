"""Do words make the scenario, is it drawn, and which fail? `python -m benchmarks.scenarios [--quick] [--prompts FILE]`

Prompts of ``benchmarks/data/prompts_9.jsonl``, in English and Chinese, are read by the scene parser and compared with
what their writer says that they ask for (the first line of each file says who had seen it when; on the eight others the
grammar was improved): values of the scene, events (kind, side, vehicle, time, order), and the parts
that cannot be had and must be reported. A value counts wherever the prompt asks for it or the parser says that it
does, so that neither a miss nor an invention goes unseen. Then scenes are searched for in which an agent fails
(``--search``), and start frames are looked at for the road, lanes and traffic that they were asked for (``--scenes``).
The last line is one JSON object.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from envs.choices import possible
from envs.words import GrammarParser, SceneWish
from envs.words.neighbours import ByLetters
from worldsim.say import say

from .asked_scenes import scene_figures
from .report import ROOT, begin, finish, options
from .searching import search_figures

PROMPTS = ROOT / "benchmarks" / "data" / "prompts_9.jsonl"
CLOSE_S = 0.051
AIM = 0.95
SEARCH_STEPS = 6000
SCENES = 1200


@dataclass
class Tally:
    """How many of what was asked for or found is right."""

    right: int = 0
    of: int = 0
    wrong: list[str] = field(default_factory=list)

    def count(self, is_right: bool, what: str) -> None:
        """One more; ``what`` says it, in case it is wrong."""
        self.of += 1
        self.right += is_right
        if not is_right:
            self.wrong.append(what)

    @property
    def share(self) -> float:
        """Right ones among all; 1 of none."""
        return self.right / self.of if self.of else 1.0


@dataclass
class Score:
    """Tallies over prompts."""

    fields: Tally = field(default_factory=Tally)
    events: Tally = field(default_factory=Tally)
    order: Tally = field(default_factory=Tally)
    unsupported: Tally = field(default_factory=Tally)
    drivable: Tally = field(default_factory=Tally)
    prompts: Tally = field(default_factory=Tally)

    def add(self, expected: Mapping[str, Any], wish: SceneWish) -> None:
        """Compare one wish with what was expected of its prompt."""
        parts = [Tally() for _ in range(5)]
        compare_fields(expected, wish, parts[0])
        compare_events(expected, wish, parts[1], parts[2])
        compare_unsupported(expected, wish, parts[3])
        try:
            wish.scenario()
            parts[4].count(True, "")
        except ValueError as error:
            parts[4].count(False, f"no scenario: {error}")
        totals = (self.fields, self.events, self.order, self.unsupported, self.drivable)
        for total, part in zip(totals, parts, strict=True):
            for name in ("right", "of", "wrong"):
                setattr(total, name, getattr(total, name) + getattr(part, name))
        faults = [each for part in parts for each in part.wrong]
        self.prompts.count(not faults, f"{expected['text']}\n    " + "\n    ".join(faults))

    def shares(self) -> dict[str, float]:
        """Every tally's share, by name."""
        return {item.name: getattr(self, item.name).share for item in dataclasses.fields(self)}


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Read every prompt, compare, and print what was wrong."""
    parser = options("scenarios", "Whether words are read as what they ask for.")
    parser.add_argument("--prompts", type=Path, default=PROMPTS, help="prompts and what they ask for, as JSON lines")
    parser.add_argument("--faults", action="store_true", help="print every prompt that is not read exactly")
    parser.add_argument(
        "--search", type=int, help="model steps that the search for failures and chance may each spend; 0: no search "
        f"(default: {SEARCH_STEPS}, with --quick 0)",
    )  # fmt: skip
    parser.add_argument(
        "--scenes", type=int, help="reference scenes for what is said of drawn ones; 0: none are drawn "
        f"(default: {SCENES}, with --quick 0)",
    )  # fmt: skip
    arguments = begin(parser, argv)
    about, prompts = load(arguments.prompts)
    scores = measure(prompts)
    for name, score in scores.items():
        shares = ", ".join(f"{part} {share:.3f}" for part, share in score.shares().items())
        say(f"{name}: {score.prompts.of} prompts; right: {shares}")
    if arguments.faults:
        for fault in scores["all"].prompts.wrong:
            say(fault)
    figures = {
        "parser": {name: score.shares() for name, score in scores.items()},
        "parser_first": about.get("first"),
        "prompts": len(prompts),
        "prompts_status": about["status"],
        "aim": AIM,
    }
    steps = arguments.search if arguments.search is not None else 0 if arguments.quick else SEARCH_STEPS
    if steps:
        figures["search"] = search_figures(arguments, steps)
    scenes = arguments.scenes if arguments.scenes is not None else 0 if arguments.quick else SCENES
    if scenes:
        figures["scenes"] = scene_figures(arguments, scenes)
    return finish(figures, arguments, None)


def load(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What a file of prompts says about itself, and its prompts."""
    about, *prompts = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return about, prompts


def measure(prompts: Sequence[Mapping[str, Any]]) -> dict[str, Score]:
    """Scores of all prompts, and of each language, by the grammar alone."""
    parser, scores = GrammarParser(ByLetters()), {"all": Score()}
    for expected in prompts:
        wish = parser.parse(expected["text"])
        scores["all"].add(expected, wish)
        scores.setdefault(expected["language"], Score()).add(expected, wish)
    return scores


# --- comparing --------------------------------------------------------------------------------------------------


def compare_fields(expected: Mapping[str, Any], wish: SceneWish, tally: Tally) -> None:
    """Every key that was asked for, or that the wish holds; either way of an optional one goes uncounted."""
    optional, asked = expected.get("optional", ()), expected["asked"]
    for key in sorted({*asked, *wish.asked}):
        wanted, got = asked.get(key), wish.asked.get(key)
        if key not in optional:
            tally.count(same(wanted, got), f"{key}: expected {wanted}, got {got}")
    for key in sorted({*expected.get("excluded", {}), *wish.excluded}):
        wanted, got = expected.get("excluded", {}).get(key), wish.excluded.get(key)
        if f"x.{key}" not in optional:
            tally.count(same(wanted, got), f"without {key}: expected {wanted}, got {got}")


def same(wanted: Any, got: Any) -> bool:
    """Whether two values, or sets of alternatives, agree; numbers to a hundredth."""
    if wanted is None or got is None:
        return wanted is got
    rounded = [{round(v, 2) if isinstance(v, float) else v for v in possible(tuple_of(each))} for each in (wanted, got)]
    return rounded[0] == rounded[1]


def tuple_of(value: Any) -> Any:
    """A list from JSON as a tuple."""
    return tuple(value) if isinstance(value, list) else value


def compare_events(expected: Mapping[str, Any], wish: SceneWish, tally: Tally, order: Tally) -> None:
    """Each expected event against the first of its kind that is left; what is left over was invented."""
    left = sorted(wish.events, key=lambda event: min(possible(event.at)))
    matched = []
    for wanted in expected.get("events", ()):
        found = next((event for event in left if same(wanted["kind"], event.kind)), None)
        if found is not None:
            left.remove(found)
            fault = event_fault(wanted, found, matched[-1][1] if matched else None)
            matched.append((wanted, found))
            if not (fault and wanted.get("optional")):
                tally.count(not fault, fault)
        elif not wanted.get("optional"):
            tally.count(False, f"no event {wanted}")
    for event in left:
        tally.count(False, f"invented {event}")
    for clock in ("at_s", "at_m"):  # seconds and metres are not compared
        times = [min(possible(event.at)) for _, event in matched if event.clock == clock]
        if len(times) > 1:
            order.count(times == sorted(times), f"order of events: {times}")


def event_fault(wanted: Mapping[str, Any], got: Any, last: Any) -> str:
    """What is wrong with an event, or ""."""
    for key in ("side", "vehicle", "to"):
        if key not in wanted.get("free", ()) and not same(wanted.get(key), getattr(got, key)):
            return f"{got.kind}: {key}: expected {wanted.get(key)}, got {getattr(got, key)}"
    for key in ("at_s", "at_m"):
        if key in wanted:
            time = wanted[key]
            ends = [time["min"], time["max"]] if isinstance(time, Mapping) else [time]
            found = [] if getattr(got, key) is None else possible(getattr(got, key))
            if len(ends) != len(found) or any(abs(a - b) > CLOSE_S for a, b in zip(ends, found, strict=True)):
                return f"{got.kind}: {key}: expected {time}, got {got.clock} {got.at}"
    if "after_last_s" in wanted:
        gap = None if last is None else max(possible(got.at)) - max(possible(last.at))
        if gap is None or abs(gap - wanted["after_last_s"]) > CLOSE_S:
            return f"{got.kind}: expected {wanted['after_last_s']} s after the event before, got {gap}"
    return ""


def compare_unsupported(expected: Mapping[str, Any], wish: SceneWish, tally: Tally) -> None:
    """Every part that cannot be had must overlap one that is reported."""
    text = expected["text"].lower()
    for part in expected.get("unsupported", ()):
        start = text.index(part.lower())
        reported = any(each.start < start + len(part) and start < each.end for each in wish.unsupported)
        tally.count(reported, f"not reported: {part!r}")


if __name__ == "__main__":
    main()
