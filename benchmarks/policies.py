"""Do policies that learned in the model drive outside it? `python -m benchmarks.policies [--quick] [--world road]`

Trains policies of several kinds, over seeds, and has all of them drive the suite of ``agents.judging`` in the reference
world, beside random and scripted drivers. Those of the kinds "model: ..." never took a step there; their cards say so,
and ``reference_steps_used`` is the sum. ``transfer_ratio`` is the mean return of the best such kind over that of the
kind that trained in the reference world until it got no better.

Trained policies and judged rounds are kept under ``--out``: interrupted, it goes on where it was; a changed world
needs another ``--out``. With ``--data`` (episodes encoded with the world's tokenizer) clones are judged as well. The
last line is one JSON object.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from agents.judging.evaluate import score_table
from agents.judging.judge import REFERENCE, Judge, Venue, fingerprint_of
from agents.judging.play import Outcome
from agents.judging.scores import Estimate, ratio, scores, table_of
from agents.judging.suite import Suite
from agents.policy.checkpoint import PolicyCard, load_policy
from worldsim.say import say
from worldsim.storage import write_json
from worldsim.types import FRAME_RATE_HZ

from .policy_gap import gap_table
from .policy_kinds import CONVERGED, Trained, kinds_of, train_all
from .report import begin, finish, options, plain

SCRIPTED = ("random", "scripted")
SKILLED = 0.8
"""Who earns this share of what the scripted driver earns keeps to its lane."""


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Train, judge, compare."""
    arguments = _filled(begin(_options(), argv))
    if arguments.quick:
        say(
            "--quick: three kinds, one seed, seconds of training instead of hours and eight drives of 4 s each: it "
            "shows that everything runs; what it measures means little"
        )
    kinds = kinds_of(arguments)
    trained = train_all(kinds, arguments)
    judge = Judge(
        Venue(REFERENCE, arguments.world), arguments.out / "judging", Suite(max_steps=arguments.max_steps),
        arguments.threads,
    )  # fmt: skip
    everybody = [*SCRIPTED, *(str(each.folder) for runs in trained.values() for each in runs)]
    played = judge.outcomes(everybody, arguments.episodes)
    groups = {name: [played[name]] for name in SCRIPTED} | {
        name: [played[str(each.folder)] for each in runs] for name, runs in trained.items()
    }
    measured = {name: scores(group) for name, group in groups.items()}
    title = f"{REFERENCE}: {arguments.episodes} drives of each policy, 95 % intervals over policies and drives"
    say(score_table(measured, title))
    cards = {name: [load_policy(each.folder)[1] for each in runs] for name, runs in trained.items()}
    figures = headline(groups, measured, cards) | {
        "table": {name: _row(measured[name], cards.get(name, [])) for name in measured},
        "skill": skill(trained, judge, played["scripted"], arguments),
        "gap": gap_table(trained, judge, arguments) if arguments.gap else [],
        "episodes": arguments.episodes,
        "train_steps": arguments.train_steps,
        "drive_s": arguments.max_steps / FRAME_RATE_HZ,
    }
    write_json(arguments.out / "policies.json", plain(figures))
    say(f"stored: {arguments.out / 'policies.json'}")
    return finish(figures, arguments, (judge.suite.first_seed, judge.suite.first_seed + arguments.episodes - 1))


def headline(
    groups: Mapping[str, Sequence[Sequence[Outcome]]],
    measured: Mapping[str, Mapping[str, Estimate]],
    cards: Mapping[str, Sequence[PolicyCard]],
) -> dict[str, Any]:
    """The ratio and its interval, which kinds stand in it, and what the model-trained ones took from outside.

    Beside it the ratio of the best kind that never took a step in the reference world, wherever it learned: recorded
    drives may teach more than the model does.
    """
    inside = [name for name in cards if name.startswith("model:")]
    best, transfer = _best(inside, groups, measured)
    outsider, offline = _best([n for n in cards if not any(c.reference_steps for c in cards[n])], groups, measured)
    used = sum(card.reference_steps for name in inside for card in cards[name])
    learned_there = [card for name in inside for card in cards[name] if card.seconds and not card.demonstration_frames]
    rates = [card.model_steps / card.seconds for card in learned_there]  # seconds with demonstrations are of both
    say(f"{best} earns {transfer.text()} of what {CONVERGED!r} earns; it took {used} steps in the reference world")
    say(f"of all that took none, {outsider} earns most: {offline.text()}")
    return {
        "transfer_ratio": transfer.value, "interval": [transfer.low, transfer.high], "above": best,
        "below": CONVERGED, "reference_steps_used": used, "model_steps_per_s": float(np.mean(rates)),
        "offline": outsider, "offline_ratio": offline.value, "offline_interval": [offline.low, offline.high],
    }  # fmt: skip


def _best(
    names: Sequence[str],
    groups: Mapping[str, Sequence[Sequence[Outcome]]],
    measured: Mapping[str, Mapping[str, Estimate]],
) -> tuple[str, Estimate]:
    """Who of ``names`` earns most, and what share that is of what the converged kind earns."""
    best = max(names, key=lambda name: measured[name]["return"].value)
    return best, ratio(table_of(groups[best], "return"), table_of(groups[CONVERGED], "return"))


def skill(
    trained: Mapping[str, Sequence[Trained]], judge: Judge, scripted: Sequence[Outcome], arguments: Namespace
) -> dict[str, Any]:
    """How soon the first policy of each kind keeps to its lane: what it earns after each stage of its training.

    Seconds are those of learning, in one thread.
    """
    drives = min(arguments.episodes, 16)
    wanted = SKILLED * float(np.mean([outcome.earned for outcome in scripted[:drives]]))
    result: dict[str, Any] = {"return_wanted": wanted, "drives": drives}
    for name, runs in trained.items():
        first: dict[str, tuple[int, str]] = {}  # of stages within one iteration, which are one policy
        for steps, folder in runs[0].stages.items():
            first.setdefault(fingerprint_of(str(folder)), (steps, str(folder)))
        stages = dict(first.values())
        played = judge.outcomes(list(stages.values()), drives)
        curve = []
        for steps, folder in stages.items():
            earned = float(np.mean([outcome.earned for outcome in played[folder]]))
            curve.append({"steps": steps, "seconds": load_policy(folder)[1].seconds, "return": earned})
        reached = next((each["seconds"] for each in curve if each["return"] >= wanted), None)
        result[name] = {"seconds": reached, "curve": curve}
        say(f"{name:32s} lane keeping after " + (f"{reached:.0f} s" if reached is not None else "more than it had"))
    return result


def _row(measured: Mapping[str, Estimate], cards: Sequence[PolicyCard]) -> dict[str, Any]:
    """For JSON: figures with their intervals, and what the policies cost on average."""
    costs = {
        key: float(np.mean([getattr(card, key) for card in cards]))
        for key in ("model_steps", "reference_steps", "demonstration_frames", "seconds")
        if cards
    }
    return {key: asdict(estimate) for key, estimate in measured.items()} | {"policies": len(cards) or 1} | costs


def _options() -> ArgumentParser:
    parser = options("policies", "Whether policies trained in the model drive in the reference world.")
    parser.set_defaults(out=Path("runs/benchmarks/policies"))
    parser.add_argument("--policies", type=int, help="of each kind, with seeds from --seed on (default 5)")
    parser.add_argument("--train-steps", type=int, help="in either world (default 60,000)")
    parser.add_argument("--clone-steps", type=int, help="recorded moments that a clone learns from, with repeats")
    parser.add_argument("--max-steps", type=int, help="of a judged drive (default 200)")
    parser.add_argument("--gap", action="store_true", help="find where the gap comes from, part by part (as in full)")
    parser.add_argument("--kinds", nargs="*", default=[], help="only these kinds (default: all)")
    return parser


def _filled(arguments: Namespace) -> Namespace:
    """The arguments with what was left to --quick or its absence."""
    quick = {"policies": 1, "episodes": 8, "train_steps": 600, "clone_steps": 20_000, "max_steps": 40}
    full = {"policies": 5, "episodes": 100, "train_steps": 60_000, "clone_steps": 500_000, "max_steps": 200}
    for key, value in (quick if arguments.quick else full).items():
        if getattr(arguments, key) is None:
            setattr(arguments, key, value)
    arguments.gap |= not arguments.quick and not arguments.kinds
    return arguments


if __name__ == "__main__":
    main()
