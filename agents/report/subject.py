"""What is judged: a world model at so many sampling passes, by so much of everything; and what its measures share.

Axis legend: r branches, t frames of a branch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from envs.learned.settings import DriveSettings, camera_of
from worldsim.checkpoint import FILE_NAME as WORLD_FILE
from worldsim.checkpoint import load_world, world_folder
from worldsim.engine import Engine, EngineConfig
from worldsim.engine.starts import StartBank
from worldsim.storage import atomic_path
from worldsim.text import TextEncoder
from worldsim.world_model import WorldModel

from . import kept
from .laws import Film, draw_scenes
from .looks import Looks, look_at
from .minutes import Minute, learned_minute, reference_minute
from .moments import BRANCH_STEPS, Branches, Moment
from .progress import bar
from .staging import KINDS, Staged
from .told import Told, draw_branches, ticks_of, watch_branches


@dataclass(frozen=True)
class Sizes:
    """How much of everything. ``QUICK`` ends in 4 minutes on two cores, ``FULL`` in 30."""

    moments: dict[str, int] = field(default_factory=lambda: {"bend": 32, "straight": 18, "lead": 16})
    drives: int = 16  # of each policy in each world
    drive_steps: int = 100
    watched: int = 40  # drives that the heads watch
    watched_steps: int = 150
    baseline_moments: int = 6  # of each kind
    drift_drives: int = 6
    drift_s: float = 60.0
    other_passes: tuple[int, ...] = (1, 2, 4, 8)  # of the model among the baselines
    staged: int = 16  # scenes of each kind


FULL = Sizes()
QUICK = Sizes({"bend": 3, "straight": 2, "lead": 2}, 8, 25, 12, 90, 1, 3, other_passes=(1, 2), staged=3)


class Subject:
    """One world model to judge. What several measures need is made once, and kept in ``folder``.

    Raises ValueError for an unknown or damaged world.
    """

    def __init__(
        self, model: str, folder: Path, sizes: Sizes, passes: int = 4, seed: int = 0, device: str = "cpu"
    ) -> None:
        self.model, self.folder, self.sizes, self.passes, self.seed = model, Path(folder), sizes, passes, seed
        self.world: WorldModel = load_world(model, device)
        self.digest = hashlib.sha256((world_folder(model) / WORLD_FILE).read_bytes()).hexdigest()[:16]
        self.engine = Engine(self.world, EngineConfig(steps=passes, start_steps=1))
        self.encoder = TextEncoder()

    @property
    def plain(self) -> dict[str, Any]:
        """What every figure depends on, the code of the measure apart."""
        return {"model": self.digest, "passes": self.passes, "seed": self.seed, "sizes": asdict(self.sizes)}

    @cached_property
    def starts(self) -> StartBank | None:
        """Where its drives begin. ValueError for a world that is not of the reference world's frame rate."""
        return DriveSettings(world=self.model).open()[1]

    @cached_property
    def _driven(self) -> tuple[list[Moment], Branches]:
        counts = self.sizes.moments
        with bar("driving the reference", sum(counts.values())) as tick:
            return kept.moments(counts, camera_of(self.world), tick)

    @property
    def moments(self) -> list[Moment]:
        """Where futures part."""
        return self._driven[0]

    @property
    def branches(self) -> Branches:
        """The true futures."""
        return self._driven[1]

    @cached_property
    def drawn(self) -> Told:
        """The same futures as the model draws them."""
        return self._kept("drawn", lambda: self.draw(self.engine, self.moments, self.branches), Told)

    @cached_property
    def watched(self) -> Told:
        """The true futures as the model's heads read them."""

        def make() -> Told:
            with bar("watching true branches", ticks_of(self.branches)) as tick:
                return watch_branches(self.engine, self.moments, self.branches, self.seed, self.encoder, tick)

        return self._kept("watched", make, Told)

    @cached_property
    def drawn_looks(self) -> Looks:
        """What the drawn frames show to estimators that know no model."""

        def frames(rows: slice) -> np.ndarray:
            with torch.no_grad():
                return self.engine.decode(self.drawn.latents[rows].float().to(self.world.device)).cpu().numpy()

        return self._kept("drawn-looks", lambda: self._look(frames, "looking at drawn frames"), Looks)

    @cached_property
    def true_looks(self) -> Looks:
        """What the true frames show to the same estimators: the floor."""
        made = self._look
        return self._kept("true-looks", lambda: made(lambda rows: self.branches.frames[rows], "looking"), Looks)

    @cached_property
    def _staged(self) -> tuple[list[Moment], Staged]:
        count = self.sizes.staged
        with bar("staging scenes", count * len(KINDS)) as tick:
            return kept.staged(count, camera_of(self.world), tick)

    @property
    def staged(self) -> Staged:
        """Scenes that are set up on purpose."""
        return self._staged[1]

    @cached_property
    def drawn_film(self) -> Film:
        """These scenes as the model draws them."""

        def make() -> Told:
            with bar("drawing staged scenes", ticks_of(self.staged.branches)) as tick:
                return draw_scenes(self.engine, *self._staged, self.seed, self.encoder, tick)

        latents = self._kept("staged-drawn", make, Told).latents
        with torch.no_grad():
            parts = [self.engine.decode(row.float().to(self.world.device)).cpu().numpy() for row in latents]
        return self.film(np.stack(parts))

    @cached_property
    def true_film(self) -> Film:
        """These scenes as they truly are."""
        return self.film(self.staged.branches.frames)

    def film(self, frames: np.ndarray) -> Film:
        """Frames of staged scenes (r, t, h, w, 3), looked at."""
        with bar("looking at staged scenes", len(frames)) as tick:
            return Film(frames, look_at(lambda rows: frames[rows], len(frames), tick))

    @cached_property
    def learned_minute(self) -> Minute:
        """A minute of driving in the learned world."""
        drives, seconds = self.sizes.drift_drives, self.sizes.drift_s
        return self._kept("learned-minute", lambda: learned_minute(self.engine, self.starts, drives, seconds), Minute)

    @cached_property
    def reference_minute(self) -> Minute:
        """The same in the reference world."""
        drives, seconds = self.sizes.drift_drives, self.sizes.drift_s
        return self._kept("reference-minute", lambda: reference_minute(self.engine, drives, seconds), Minute)

    def draw(self, engine: Engine, moments: list[Moment], branches: Branches, name: str = "drawing branches") -> Told:
        """Branches as ``engine`` draws them."""
        with bar(name, ticks_of(branches)) as tick:
            return draw_branches(engine, moments, branches, self.seed, self.encoder, tick)

    def _look(self, frames: Callable[[slice], np.ndarray], name: str) -> Looks:
        with bar(name, len(self.branches)) as tick:
            return look_at(frames, len(self.branches), tick)

    def _kept(self, name: str, make: Callable[[], Any], kind: type[Any]) -> Any:
        code = kept.look_digest() if kind is Looks else kept.drive_digest()
        asked = {"what": name, "steps": BRANCH_STEPS, "code": code, **self.plain}
        key = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:12]
        path = self.folder / "kept" / f"{name}-{key}.npz"
        if path.is_file():
            with np.load(path, allow_pickle=False) as arrays:
                return kind.from_arrays(dict(arrays))
        made = make()
        with atomic_path(path) as temporary:
            np.savez(temporary, **made.arrays())
        return made
