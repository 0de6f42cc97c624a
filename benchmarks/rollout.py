"""How long does a rollout stay true? `python -m benchmarks.rollout [--quick] [--world road] [--data PATH] [--out DIR]`

The model sees CONTEXT_FRAMES true frames of a held-out drive, then only the motion that was driven, and is compared
with what the camera saw: to the end of every drive, and over short stretches that begin within it. Beside it stand the
last frame repeated, the mean of the context frames, and the true frames through the tokenizer. Writes a filmstrip. The
last line is one JSON object.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from worldsim.checkpoint import load_world
from worldsim.engine import Engine, EngineConfig
from worldsim.evaluation.filmstrip import save_png, sheet
from worldsim.evaluation.horizons import HORIZONS_S, merged, score, steps_of, summary
from worldsim.evaluation.perceptual import perceptual_distance
from worldsim.evaluation.rollouts import CONTEXT_FRAMES, Drives, excerpt, roll_out
from worldsim.text import TextEncoder
from worldsim.types import FRAME_RATE_HZ, Episode, FrameArray

from .held_out import held_out
from .report import begin, finish, options, progress, say

SHOWN_S = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
LONGEST_STEPS = 200
STRETCH_EVERY, STRETCH_STEPS = 40, 20
BATCH = 16


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Roll out on held-out drives, score every horizon, write the filmstrip."""
    parser = options("rollout", "How long a rollout stays true to a held-out drive under the same motion.")
    arguments = begin(parser, argv)
    engine = Engine(load_world(arguments.world), EngineConfig(steps=arguments.steps, start_steps=1))
    count = 5 if arguments.quick else 40
    episodes, seeds = held_out(arguments, count, CONTEXT_FRAMES + LONGEST_STEPS, SOBER, least=CONTEXT_FRAMES + 2)
    distance = perceptual_distance()
    steps = steps_of(HORIZONS_S, FRAME_RATE_HZ)
    shown = steps_of(SHOWN_S[1:], FRAME_RATE_HZ) | {0.0: 0}
    keep = {*steps.values(), *shown.values()}
    encoder, parts, strip = TextEncoder(), [], []
    for batch in batches(episodes, arguments.quick):
        drives = Drives.of(batch, engine.world, encoder)
        streams = [arguments.seed + i for i in range(len(batch))]
        drawn = roll_out(engine, drives, streams, CONTEXT_FRAMES, keep, progress("rolling out"))
        parts.append(score(drawn, drives, CONTEXT_FRAMES, distance, reconstruction(engine), steps))
        if drives.length > CONTEXT_FRAMES + STRETCH_STEPS and len(strip) < 6:
            strip += film(drawn, drives, shown)
    figures = {**summary(merged(parts)), "perceptual_distance": distance.name, "drives": len(episodes)}
    picture = save_filmstrip(arguments, strip)
    report(figures)
    say(f"filmstrip: {picture}")
    return finish(figures | {"filmstrip": str(picture), "sampling_steps": arguments.steps}, arguments, seeds)


SOBER = {"good": 0.5, "noisy": 0.3, "aggressive": 0.1, "wild": 0.1}
"""Who drives the fresh drives: mostly those who last for 20 s."""


def batches(episodes: Sequence[Episode], quick: bool) -> list[list[Episode]]:
    """Whole drives, at most BATCH at a time; then short stretches from within them, for the short horizons."""
    length = CONTEXT_FRAMES + LONGEST_STEPS
    whole = [excerpt(episode, 0, length) for episode in episodes]
    stretches = [
        excerpt(episode, start, start + CONTEXT_FRAMES + STRETCH_STEPS)
        for episode in episodes
        for start in range(STRETCH_EVERY, len(episode) - CONTEXT_FRAMES - STRETCH_STEPS, STRETCH_EVERY)
    ]
    return [
        cuts[first : first + BATCH] for cuts in (whole, stretches) for first in range(0, len(cuts), BATCH)
    ]  # fmt: skip


def reconstruction(engine: Engine) -> Any:
    """True frames through the tokenizer."""

    @torch.no_grad()
    def reconstruct(frames: FrameArray) -> FrameArray:
        return engine.decode(engine.world.encode(torch.from_numpy(frames))).cpu().numpy()

    return reconstruct


def film(drawn: dict[int, FrameArray], drives: Drives, shown: dict[float, int]) -> list[list[FrameArray | None]]:
    """For up to six drives, the rows "reference" and "model" at the times shown."""
    times = sorted(shown)
    rows: list[list[FrameArray | None]] = []
    order = np.argsort([-len(frames) for frames in drives.frames], kind="stable")[:6]
    for row in order:
        true, last = drives.frames[row], CONTEXT_FRAMES - 1
        there = [shown[s] if last + shown[s] < len(true) else None for s in times]
        rows.append([None if step is None else true[last + step] for step in there])
        rows.append([None if step is None or step not in drawn else drawn[step][row] for step in there])
    return rows


def save_filmstrip(arguments: Namespace, rows: list[list[FrameArray | None]]) -> Path:
    """Reference above model, drive by drive."""
    page = sheet(rows, [f"{s:g} s" for s in SHOWN_S], ["reference", "model"] * (len(rows) // 2))
    return save_png(arguments.out / "rollout.png", page)


def report(figures: dict[str, Any]) -> None:
    """A table of horizons."""
    say(f"{'seconds':18s}" + "".join(f"{s:>8s}" for s in figures["n"]))
    say(f"{'drives':18s}" + "".join(f"{n:8d}" for n in figures["n"].values()))
    for measure in ("psnr_db", "perceptual", "sharpness_ratio"):
        say(f"{measure} ({figures['perceptual_distance']})" if measure == "perceptual" else measure)
        for name, values in {"model": figures, **figures["baselines"]}.items():
            say(f"  {name:16s}" + "".join(f"{value:8.3f}" for value in values[measure].values()))


if __name__ == "__main__":
    main()
