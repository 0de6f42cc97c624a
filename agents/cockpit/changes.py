"""Words that change the drive under way: its weather and its time of day; where it is and how it moves stay.

Axis legend: b drives, e of their scenes' fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from envs.choices import draw
from envs.events import Event, told
from envs.learned.core import DriveCore
from envs.learned.drives import HAZARDS, READING, Drives, objects, read
from envs.learned.past import Past
from envs.scenario import describe
from envs.words import SceneWish
from worldsim.dynamics.conditioning import Scene
from worldsim.types import FRAME_RATE_HZ, SceneFields

LOOKS = ("weather", "time_of_day")
"""Scene fields that can change under way: the rest of the picture keeps its shape."""
HAPPENED = "over"  # as the reference world says of an event that is done


@dataclass(frozen=True, eq=False)
class Change:
    """After ``step`` steps these LOOKS were made to be so."""

    step: int
    looks: Mapping[str, str]


def looks_asked(wish: SceneWish, now: SceneFields, rng: np.random.Generator) -> dict[str, str]:
    """The LOOKS that words ask for, each made one value by ``rng``; "the rain stops" and "no rain" ask, too."""
    assumed = {each.key: each.value for each in wish.assumed}
    asked = {key: draw(wish.asked[key], rng) for key in LOOKS if key in wish.asked}
    for key in LOOKS:
        if getattr(now, key) in wish.excluded.get(key, ()) and key in assumed:
            asked[key] = draw(assumed[key], rng)
    return asked | {event.kind: draw(event.to, rng) for event in wish.events if event.kind in LOOKS}


def changed(core: DriveCore, past: Past, looks: Mapping[str, str]) -> tuple[Drives, Past]:
    """The drives of ``core`` as they go on once they look otherwise, and what they then have seen.

    Only what is seen changes, and what the heads make of it; ego, pose and steps stay.
    """
    drives = core.drives
    fields = [replace(each, **looks) for each in drives.fields]
    redrawn = past.redrawn(core.world, drives.rollout, _scene(core, fields), drives.command)
    step = redrawn.step
    frames = core.engine.decode(step.latents).cpu().numpy()
    reading = read(step.state)
    hazards = [READING.index(name) for name in HAZARDS]
    seconds = float(drives.step[0]) / FRAME_RATE_HZ
    happened = [told(Event(kind, at_s=seconds, to=to), HAPPENED, seconds) for kind, to in looks.items()]
    now = replace(
        drives, rollout=redrawn.rollout, latents=step.latents, frames=frames if core.world.cameras else frames[:, None],
        reading=reading, confirmed=np.minimum(reading[:, hazards], drives.reading[:, hazards]),
        trust=step.trust.cpu().numpy().astype(np.float64), fields=objects(fields),
        caption=objects([describe(each) for each in fields]),
        events=objects([[*events, *happened] for events in drives.events]),
    )  # fmt: skip
    return now, redrawn.past


def _scene(core: DriveCore, fields: list[SceneFields]) -> Scene:
    """(b, e) fields, and captions where the bank knows them."""
    scene = Scene.unknown(len(fields), core.world.config.dynamics.text_dim, core.world.device)
    scene.fields[:] = torch.tensor([each.codes() for each in fields])
    for row, each in enumerate(fields):
        text = core.bank.embedding(describe(each)) if core.bank is not None else None
        if text is not None:
            scene.text[row], scene.text_known[row] = text, True
    return scene
