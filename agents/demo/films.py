"""One policy before and after it learned, on the same drives of the reference world, side by side.

Axis legend: t steps of a drive, h w c of a frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from envs.commands.film import Film
from worldsim.serving.picture import Readings, beside, enlarge, factor_for, filmstrip, png, with_strip
from worldsim.serving.video import open_video
from worldsim.storage import atomic_path
from worldsim.types import EGO_FIELDS, FRAME_RATE_HZ, FloatArray, FrameArray
from worldsim.world_model import WorldModel

from ..judging.drivers import make_agent
from ..judging.play import ReferenceArena
from ..judging.suite import Case
from ..learning.films import FILM_SEED

SCENARIOS = ("curves", "intersection")
SECONDS = 12.0
STRIP_S = (0.0, 1.0, 2.0, 4.0, 8.0, 12.0)
DIMMED = 0.45
SPEED, STEERING = EGO_FIELDS.index("speed_mps"), EGO_FIELDS.index("steering")


@dataclass(frozen=True)
class Take:
    """One drive of one policy, frame by frame; frame 0 is the start."""

    frames: list[FrameArray]  # t + 1 of (h, w, 3)
    ego: list[FloatArray]  # t + 1 of (e,) in the order of EGO_FIELDS
    end: str  # why it ended early; empty: it did not

    def shot(self, t: int) -> FrameArray:
        """The picture at step ``t``, with readings above; after the end the last one, dimmed."""
        last = min(t, len(self.frames) - 1)
        frame = enlarge(self.frames[last], factor_for(self.frames[last].shape[1]))
        if t > last:
            frame = (frame * DIMMED).astype(np.uint8)
        speed, steering = (float(self.ego[last][place]) for place in (SPEED, STEERING))
        return with_strip(frame, Readings(last / FRAME_RATE_HZ, speed, steering, 1.0))

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return (len(self.frames) - 1) / FRAME_RATE_HZ


def film(before: Path, after: Path, world: WorldModel, stem: Path, seconds: float = SECONDS) -> tuple[Film, list[str]]:
    """Write ``stem``.mp4 and ``stem``.png, and return what is in them and how the drives ended, in words."""
    steps = round(seconds * FRAME_RATE_HZ)
    pairs = [[_take(policy, scenario, world, steps) for policy in (before, after)] for scenario in SCENARIOS]
    moments = [moment for moment in STRIP_S if moment <= seconds]
    with open_video(stem.with_suffix(".mp4"), FRAME_RATE_HZ) as writer:
        for left, right in pairs:
            for t in range(steps + 1):
                writer.add(beside(left.shot(t), right.shot(t)))
    places = [round(moment * FRAME_RATE_HZ) for moment in moments]
    rows = [[take.frames[min(t, len(take.frames) - 1)] for t in places] for pair in pairs for take in pair]
    pictures = png(filmstrip(rows))
    with atomic_path(stem.with_suffix(".png")) as temporary:
        temporary.write_bytes(pictures)
    poster = png(beside(pairs[0][0].shot(0), pairs[0][1].shot(0)))
    said = [
        f"{scenario.capitalize()}, {when} learning: {take.end} after {take.seconds:.1f} s."
        for scenario, pair in zip(SCENARIOS, pairs, strict=True)
        for when, take in zip(("before", "after"), pair, strict=True)
        if take.end
    ]
    return Film(stem.with_suffix(".mp4").read_bytes(), poster, pictures, moments), said


def _take(policy: Path, scenario: str, world: WorldModel, steps: int) -> Take:
    agent = make_agent(str(policy), world)
    env = ReferenceArena(world).enter([Case(0, scenario, FILM_SEED, steps)])
    observation, info = env.reset(seed=[FILM_SEED])  # type: ignore[arg-type]
    agent.begin(env, np.random.default_rng(FILM_SEED))
    frames, ego, end = [observation["camera"][0]], [info["ego"][0]], ""
    over = False
    while not over:
        observation, _, terminated, truncated, info = env.step(agent.act(observation, info))
        frames.append(observation["camera"][0])
        ego.append(info["ego"][0])
        over = bool(terminated[0] or truncated[0])
    if terminated[0]:
        end = "it touched another vehicle" if info["labels"]["collision"][0] >= 0.5 else "it left the road"
    env.close()
    return Take(frames, ego, end)
