"""A clip drawn anew in another scene: day becomes night, a dry road snow, and who drives where stays.

Noise alone does not do it. SDEdit (Meng et al. 2021) noises a frame and draws it anew under the new description, but
how bright a sky is outlasts any noise that leaves the road in place: by day stays by day. So the sketch that is noised
is painted first: what the model expects of this moment in the new scene, and to it what the clip shows beyond what the
model expected in its own (``Engine.redraw``). Both memories grow frame by frame, the clip's and the edited one's.
"""

from __future__ import annotations

from dataclasses import replace

from worldsim.dynamics.conditioning import Scene
from worldsim.engine import Engine
from worldsim.prompting.clip import Clip
from worldsim.prompting.drawing import Progress, decoded

KEEP = 0.75
"""Signal level from which frames are drawn anew: see docs/prompting.md for what others do."""


def edit(
    engine: Engine, clip: Clip, before: Scene, after: Scene, seed: int, keep: float = KEEP, progress: Progress = iter
) -> Clip:
    """The clip as scene ``after``, with its own motion; ``before`` is the scene that it shows, as far as is known.

    ``keep`` in [0, 1) is how much of each frame survives: more holds the geometry, less the style. ValueError for
    another ``keep``.
    """
    latents, motion = clip.latents(engine.world), clip.motion_into
    state, source = engine.empty(after, [seed]), engine.empty(before, [seed])
    drawn = []
    for t in progress(iter(range(len(clip)))):
        drawn.append(engine.redraw(state, source, latents[:, t], motion[:, t], keep).latents)
    return replace(clip, frames=decoded(engine, drawn))
