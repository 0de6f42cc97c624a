"""Does an action do what it does in truth? `python -m benchmarks.counterfactuals [--quick] [--world road]`

From moments of held-out reference drives (bends, straight road, a vehicle ahead) the same branches are driven in both
worlds: keep the lane, let go, swerve gently and hard to either side, brake, accelerate into whoever is ahead, each for
3 s. What the learned world makes of them is read by its own heads, from the frames that it draws; the same heads on the
true frames of the same branches are the floor. Measures are explained in ``agents.report.counterfactuals``. The
reference side is kept in the user's cache. The last line is one JSON object.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from agents.report import counterfactuals, kept
from agents.report.moments import Branches
from agents.report.progress import bar
from agents.report.tables import SHARES
from agents.report.told import Told, draw_branches, ticks_of, watch_branches
from envs.learned.settings import camera_of
from worldsim.checkpoint import load_world
from worldsim.engine import Engine, EngineConfig
from worldsim.evaluation.filmstrip import save_png, sheet
from worldsim.say import say
from worldsim.text import TextEncoder
from worldsim.types import FrameArray

from .report import begin, finish, options

COUNTS = {"bend": 24, "straight": 12, "lead": 24}
QUICK = {"bend": 6, "straight": 2, "lead": 6}
SHOWN_STEPS = (0, 10, 20, 30)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Branch both worlds from the same moments and compare what comes of it."""
    parser = options("counterfactuals", "Whether actions do in the learned world what they do in truth.")
    arguments = begin(parser, argv)
    cv2.setNumThreads(arguments.threads)
    engine = Engine(load_world(arguments.world), EngineConfig(steps=arguments.steps, start_steps=1))
    counts = QUICK if arguments.quick else COUNTS
    if arguments.episodes:
        counts = dict.fromkeys(counts, arguments.episodes)
    with bar("driving the reference", sum(counts.values())) as tick:
        moments, branches = kept.moments(counts, camera_of(engine.world), tick)
    encoder, ticks = TextEncoder(), ticks_of(branches)
    with bar("drawing branches", ticks) as tick:
        drawn = draw_branches(engine, moments, branches, arguments.seed, encoder, tick)
    with bar("watching true branches", ticks) as tick:
        watched = watch_branches(engine, moments, branches, arguments.seed, encoder, tick)
    model, floor = (counterfactuals.figures(moments, branches, told) for told in (drawn, watched))
    table(model, floor)
    picture = save_png(arguments.out / "counterfactuals.png", strip(engine, branches, drawn))
    say(f"pictures: {picture}")
    figures = {"model": model, "floor": floor, "moments": counts, "branches": len(branches)}
    seeds = [moment.seed for moment in moments]
    return finish(figures | {"sampling_steps": arguments.steps}, arguments, (min(seeds), max(seeds)))


def table(model: dict[str, Any], floor: dict[str, Any]) -> None:
    """Shares by horizon, then events."""
    say(f"{'share of the true change, after':34s}" + "".join(f"{s:g} s".rjust(9) for s in counterfactuals.HORIZONS_S))
    for key, words in SHARES.items():
        for who, made in (("model", model), ("floor", floor)):
            cells = "".join(f"{entry['value']:9.2f}" for entry in made[key].values())
            say(f"{words if who == 'model' else '':34s}{cells}  {who}")
    for event in counterfactuals.EVENTS:
        for who, made in (("model", model), ("floor", floor)):
            row = made["events"][event]
            counts = ", ".join(f"{name.replace('_', ' ')} {row[name]}" for name in list(row)[:4])
            say(f"{event if who == 'model' else '':12s}{counts}  {who}")
    coast, watched = (made["coasting_in_bends"]["leave_the_road_here"] for made in (model, floor))
    truly, of = (model["coasting_in_bends"][key] for key in ("leave_the_road_truly", "branches"))
    say(f"coasting in bends leaves the road: truly {truly}/{of}, model {coast}/{of}, heads on truth {watched}/{of}")
    say(f"low trust tells wrong branches with AUROC {model['trust_finds_wrong_branches']:.2f}")


def strip(engine: Engine, branches: Branches, told: Told, most: int = 2) -> FrameArray:
    """A few branches of each telling kind at SHOWN_STEPS: reference above model."""
    rows: list[list[FrameArray | None]] = []
    labels: list[str] = []
    for name in ("coast", "right_hard", "accelerate"):
        for row in np.flatnonzero(branches.name == name)[:most]:
            drawn = engine.decode(told.latents[row, list(SHOWN_STEPS)].float().to(engine.world.device)).cpu().numpy()
            rows += [[branches.frames[row, step] for step in SHOWN_STEPS], list(drawn)]
            labels += [name, "model"]
    return sheet(rows, [f"{step / 10:g} s" for step in SHOWN_STEPS], labels)


if __name__ == "__main__":
    main()
