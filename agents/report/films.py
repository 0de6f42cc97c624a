"""What the report shows in motion: branches and a minute, the learned world beside the reference world.

Axis legend: r branches, t frames, h w c of a frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from worldsim.evaluation.filmstrip import sheet
from worldsim.serving.page import Clip, Picture
from worldsim.serving.picture import Readings, beside, enlarge, factor_for, png, with_strip
from worldsim.serving.video import open_video
from worldsim.types import FRAME_RATE_HZ, MOTION_FIELDS, FrameArray

from .minutes import SAMPLE_S, Minute
from .subject import Subject
from .tables import action_words

BRANCHES = {
    "coast": "let go of the wheel in a bend: truly the car leaves the road",
    "right_hard": "steer hard to the right on straight road",
    "accelerate": "accelerate into the vehicle ahead",
    "brake": "brake behind the vehicle ahead",
}
"""Branches that are shown, the first of each name, and what is done in them."""
DIMMED = 0.45
STRIP_S, STRIP_ROWS = (0.5, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0), 3
MINUTES = 2


def branch_clips(subject: Subject, folder: Path) -> list[Clip]:
    """One clip for each of BRANCHES that there is. Written into ``folder``."""
    clips = []
    for name, words in BRANCHES.items():
        rows = np.flatnonzero(subject.branches.name == name)
        if len(rows):
            frames = list(_branch(subject, int(rows[0])))
            title = f"{action_words(name).capitalize()}: {words}. Left the learned world, right the reference world."
            clips.append(_clip(folder / f"{name}.mp4", frames, FRAME_RATE_HZ, title))
    return clips


def _branch(subject: Subject, row: int) -> Iterator[FrameArray]:
    branches, told = subject.branches, subject.drawn
    with torch.no_grad():
        drawn = subject.engine.decode(told.latents[row].float().to(subject.world.device)).cpu().numpy()
    speed = branches.motion[row, :, MOTION_FIELDS.index("forward_m")] * FRAME_RATE_HZ
    for t in range(len(drawn)):
        step = min(t, len(speed) - 1)
        steering = float(branches.action[row, step, 0])
        readings = Readings(t / FRAME_RATE_HZ, float(speed[step]), steering, float(told.trust[row, t]))
        yield _pair(drawn[t], branches.frames[row, t], readings)


def minute_clips(learned: Minute, reference: Minute, scenarios: Sequence[str], folder: Path) -> list[Clip]:
    """The first MINUTES drives in both worlds, five times as fast. Written into ``folder``."""
    clips = []
    for row in range(min(MINUTES, len(learned.frames))):
        name = scenarios[row % len(scenarios)]
        frames = [beside(_large(left), _large(right)) for left, right in _minute(learned, reference, row)]
        words = (
            f"{name.replace('_', ' ').capitalize()}: a minute in closed loop, {FRAME_RATE_HZ * SAMPLE_S:g} times as "
            "fast. Left the learned world, right the reference world; a drive that has ended there stands dimmed."
        )
        clips.append(_clip(folder / f"minute-{row}.mp4", frames, FRAME_RATE_HZ, words))
    return clips


def minute_strip(learned: Minute, reference: Minute, scenarios: Sequence[str]) -> Picture:
    """Frames of some drives at STRIP_S, the learned world above the reference world."""
    count = learned.frames.shape[1]
    seconds = [second for second in STRIP_S if round(second / SAMPLE_S) <= count]
    rows: list[list[FrameArray | None]] = []
    names: list[str] = []
    for row in range(min(STRIP_ROWS, len(learned.frames))):
        at = [round(second / SAMPLE_S) - 1 for second in seconds]
        rows.append([learned.frames[row, t] for t in at])
        rows.append([reference.frames[row, t] if reference.there[row, t] else None for t in at])
        names += [f"{scenarios[row % len(scenarios)]}\nlearned", "reference"]
    titles = [f"{second:g} s" for second in seconds]
    return Picture(png(sheet(rows, titles, names)), "The minute in pictures. Grey: the reference drive has ended.")


def _minute(learned: Minute, reference: Minute, row: int) -> Iterator[tuple[FrameArray, FrameArray]]:
    last = reference.frames[row, 0]
    for t in range(learned.frames.shape[1]):
        if reference.there[row, t]:
            last = reference.frames[row, t]
        there = last if reference.there[row, t] else (last * DIMMED).astype(np.uint8)
        yield learned.frames[row, t], there


def _pair(left: FrameArray, right: FrameArray, readings: Readings) -> FrameArray:
    return with_strip(beside(_large(left), _large(right)), readings)


def _large(frame: FrameArray) -> FrameArray:
    return enlarge(frame, factor_for(frame.shape[1], 384))


def _clip(path: Path, frames: Sequence[FrameArray], fps: float, words: str) -> Clip:
    with open_video(path, fps) as writer:
        for frame in frames:
            writer.add(frame)
    return Clip(path.read_bytes(), png(frames[len(frames) * 2 // 3]), words)
