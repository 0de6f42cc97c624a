"""How long does a rollout stay true? `python -m benchmarks.rollout [--quick] [--world road] [--data PATH] [--out DIR]`

The model sees twelve true frames of a held-out drive, then only the motion that was driven, and is compared with what
the camera saw: to the end of every drive, and over short stretches that begin within it. Beside it stand the last frame
repeated, the mean of the context frames, and the true frames through the tokenizer. Writes a filmstrip. The last line
is one JSON object.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from worldsim.checkpoint import load_world
from worldsim.engine import Engine, EngineConfig
from worldsim.evaluation.evaluate import LONGEST_S, judge_rollouts
from worldsim.evaluation.filmstrip import save_png
from worldsim.evaluation.rollouts import CONTEXT_FRAMES
from worldsim.say import say
from worldsim.text import TextEncoder
from worldsim.types import FRAME_RATE_HZ

from .held_out import held_out
from .report import begin, finish, options

SOBER = {"good": 0.5, "noisy": 0.3, "aggressive": 0.1, "wild": 0.1}
"""Who drives the fresh drives: mostly those who last for 20 s."""


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Roll out on held-out drives, score every horizon, write the filmstrip."""
    parser = options("rollout", "How long a rollout stays true to a held-out drive under the same motion.")
    arguments = begin(parser, argv)
    engine = Engine(load_world(arguments.world), EngineConfig(steps=arguments.steps, start_steps=1))
    steps = CONTEXT_FRAMES + round(LONGEST_S * FRAME_RATE_HZ)
    episodes, seeds = held_out(arguments, 4 if arguments.quick else 40, steps, SOBER, least=CONTEXT_FRAMES + 2)
    figures, strip = judge_rollouts(engine, episodes, arguments.seed, TextEncoder())
    table(figures)
    picture = save_png(arguments.out / "rollout.png", strip)
    say(f"filmstrip: {picture}")
    return finish(figures | {"filmstrip": str(picture), "sampling_steps": arguments.steps}, arguments, seeds)


def table(figures: dict[str, Any]) -> None:
    """Horizons as columns; each measure of the model and of what stands beside it."""
    say(f"{'seconds':20s}" + "".join(f"{seconds:>8s}" for seconds in figures["n"]))
    say(f"{'drives':20s}" + "".join(f"{count:8d}" for count in figures["n"].values()))
    for measure in ("psnr_db", "perceptual", "sharpness_ratio"):
        say(f"{measure} ({figures['perceptual_distance']})" if measure == "perceptual" else measure)
        for name, values in {"model": figures, **figures["baselines"]}.items():
            say(f"  {name:18s}" + "".join(f"{value:8.3f}" for value in values[measure].values()))


if __name__ == "__main__":
    main()
