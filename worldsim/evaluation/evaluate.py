"""Judging a world model on held-out drives: what ``worldsim evaluate`` and the benchmarks do.

Axis legend: b drives, t frames, h w c of a frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from worldsim.data.store import EpisodeStore
from worldsim.engine import Engine
from worldsim.evaluation import forecasts, horizons
from worldsim.evaluation.filmstrip import sheet
from worldsim.evaluation.perceptual import perceptual_distance
from worldsim.evaluation.rollouts import CONTEXT_FRAMES, Drives, Progress, excerpt, roll_out
from worldsim.text import TextEncoder
from worldsim.types import Episode, FrameArray

SHOWN_S = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
LONGEST_S, STRETCH_S, STRETCH_EVERY_S = 20.0, 2.0, 4.0
BATCH, WATCHED = 16, 32
Strip = list[list[FrameArray | None]]
Bars = Callable[[str], Progress]


def bars(what: str) -> Progress:
    """A progress bar named ``what``."""
    return partial(_bar, what)


def _bar(what: str, items: Iterator[Any]) -> Iterator[Any]:
    return iter(tqdm(list(items), desc=what, leave=False, mininterval=0.5))


def judge_rollouts(
    engine: Engine, episodes: Sequence[Episode], seed: int, encoder: TextEncoder | None = None, progress: Bars = bars
) -> tuple[dict[str, Any], FrameArray]:
    """Roll out on every drive; figures by horizon (see ``horizons.summary``), and a filmstrip (h, w, 3).

    Whole drives of up to LONGEST_S, and short stretches from within them, so that short horizons are seen often.
    """
    distance, rate = perceptual_distance(), engine.world.config.frame_rate_hz
    steps = horizons.steps_of(horizons.HORIZONS_S, rate)
    shown = {0.0: 0} | horizons.steps_of(SHOWN_S[1:], rate)
    parts: list[horizons.Scores] = []
    strip: Strip = []
    for batch in _batches(episodes, rate):
        drives = Drives.of(batch, engine.world, encoder)
        streams = [seed + i for i in range(len(batch))]
        keep = {*steps.values(), *shown.values()}
        drawn = roll_out(engine, drives, streams, CONTEXT_FRAMES, keep, progress("rolling out"))
        parts.append(horizons.score(drawn, drives, CONTEXT_FRAMES, distance, partial(_reconstruct, engine), steps))
        strip = strip or _film(drawn, drives, shown)
    figures = horizons.summary(horizons.merged(parts)) | {"perceptual_distance": distance.name, "drives": len(episodes)}
    return figures, sheet(strip, [f"{s:g} s" for s in SHOWN_S], ["reference", "model"] * (len(strip) // 2))


def judge_heads(
    engine: Engine, episodes: Sequence[Episode], seed: int, encoder: TextEncoder | None = None, progress: Bars = bars
) -> dict[str, float | int]:
    """Watch every drive; figures of ``forecasts.head_figures``."""
    ordered, parts = sorted(episodes, key=len), []  # batches of like length
    for first in range(0, len(ordered), WATCHED):
        batch = ordered[first : first + WATCHED]
        drives = Drives.of(batch, engine.world, encoder)
        streams = [seed + first + i for i in range(len(batch))]
        parts.append(forecasts.read_heads(engine, batch, drives, streams, progress("watching")))
    figures = forecasts.head_figures(forecasts.merged(parts))
    return figures | {"drives": len(episodes), "frames": sum(map(len, episodes))}


def held_out(data: Path, episodes: int) -> list[Episode]:
    """At most ``episodes`` drives of the split val of a folder. ValueError where there are none."""
    if episodes < 1:
        raise ValueError(f"episodes: expected a whole number of at least 1, got {episodes}")
    store = EpisodeStore(data)
    records = store.select(split="val")[:episodes]
    if not records:
        raise ValueError(f"{data}: expected episodes in the split 'val', got none of {len(store)}")
    return [episode for _, episode in store.iterate(records)]


def _batches(episodes: Sequence[Episode], rate: float) -> Iterator[list[Episode]]:
    """Whole drives, then stretches from within them, at most BATCH at a time."""
    longest, stretch = (CONTEXT_FRAMES + round(s * rate) for s in (LONGEST_S, STRETCH_S))
    every = round(STRETCH_EVERY_S * rate)
    whole = [excerpt(episode, 0, longest) for episode in episodes if len(episode) > CONTEXT_FRAMES]
    stretches = [
        excerpt(episode, start, start + stretch)
        for episode in episodes
        for start in range(every, len(episode) - stretch, every)
    ]
    if not whole:
        raise ValueError(
            f"evaluation: expected drives of more than {CONTEXT_FRAMES} frames, got {sorted(map(len, episodes))}"
        )
    for cuts in (whole, stretches):
        yield from (cuts[first : first + BATCH] for first in range(0, len(cuts), BATCH))


@torch.no_grad()
def _reconstruct(engine: Engine, frames: FrameArray) -> FrameArray:
    """True frames through the tokenizer."""
    return engine.decode(engine.world.encode(torch.from_numpy(frames))).cpu().numpy()


def _film(drawn: dict[int, FrameArray], drives: Drives, shown: dict[float, int], most: int = 6) -> Strip:
    """For the longest drives of a batch, the rows "reference" and "model" at the times shown."""
    rows: Strip = []
    for row in np.argsort([-len(frames) for frames in drives.frames], kind="stable")[:most]:
        true, last = drives.frames[row], CONTEXT_FRAMES - 1
        there = [step if last + step < len(true) else None for step in shown.values()]
        rows.append([None if step is None else true[last + step] for step in there])
        rows.append([None if step is None else drawn[step][row] for step in there])
    return rows
