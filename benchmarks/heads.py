"""Do the state heads see trouble coming? `python -m benchmarks.heads [--quick] [--world road] [--data PATH]`

The model watches held-out drives frame by frame; at each frame its hazard heads say how likely the ego is off the road,
or in contact, within the next second. Judged are the frames at which it is not so yet. Fresh drives are by bad drivers
in traffic more often than in training, so that there is something to see. The last line is one JSON object.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from worldsim.checkpoint import load_world
from worldsim.engine import Engine, EngineConfig
from worldsim.evaluation.evaluate import judge_heads
from worldsim.say import say
from worldsim.text import TextEncoder

from .held_out import held_out
from .report import begin, finish, options

BAD = {"good": 0.15, "noisy": 0.1, "wild": 0.1, "offroad": 0.2, "crasher": 0.45}
CROWDED = ("highway_dense", "any", "highway", "merge", "two_way", "any")


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Watch held-out drives and report how well the heads foresaw what happened."""
    arguments = begin(options("heads", "How well the state heads foresee leaving the road and collisions."), argv)
    engine = Engine(load_world(arguments.world), EngineConfig(steps=1, start_steps=1))
    episodes, seeds = held_out(arguments, *((18, 140) if arguments.quick else (120, 200)), BAD, CROWDED)
    figures: dict[str, Any] = judge_heads(engine, episodes, arguments.seed, TextEncoder())
    for name in ("offroad", "collision"):
        say(
            f"{name:9s} one second ahead: AUROC {figures[f'auroc_{name}']:.3f}, average precision "
            f"{figures[f'average_precision_{name}']:.3f} (chance {_share(figures, name):.3f}), calibration error "
            f"{figures[f'calibration_error_{name}']:.3f}; {figures[f'positives_{name}']} positive and "
            f"{figures[f'negatives_{name}']} negative frames; seen at present: {figures[f'auroc_{name}_now']:.3f}"
        )
    for name in ("lane_offset_m", "heading_error_rad", "lead_distance_m", "closing_speed_mps"):
        say(f"{name:17s} mean error {figures[f'error_{name}']:.3f} (a constant: {figures[f'spread_{name}']:.3f})")
    return finish(figures, arguments, seeds)


def _share(figures: dict[str, Any], name: str) -> float:
    """The share of positives, which is what average precision is by chance."""
    return figures[f"positives_{name}"] / max(1, figures[f"positives_{name}"] + figures[f"negatives_{name}"])


if __name__ == "__main__":
    main()
