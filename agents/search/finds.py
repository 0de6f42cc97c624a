"""The finds of a search: which are different from each other, and what is written of them.

Axis legend: k finds, x coordinates of a scene.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from envs.commands.rollout import shot
from envs.scenario_files import write_scenario
from worldsim.serving.picture import beside
from worldsim.serving.video import open_video
from worldsim.types import FRAME_RATE_HZ, FrameArray
from worldsim.world_model import WorldModel

from ..scenes.drive import Driven
from ..scenes.verdict import Verdict
from .space import Space
from .trial import Tester, Trial

KIND_WEIGHT = 1.0  # how far a crash and leaving the road are apart, where two options of one choice are 1 apart


@dataclass(frozen=True)
class Find:
    """A failing trial and the verdict of its twin in the reference world."""

    trial: Trial
    truth: Verdict

    @property
    def confirmed(self) -> bool:
        """Whether the reference world fails too."""
        return self.truth.failed


@dataclass(frozen=True)
class Cluster:
    """A find, and how many others are most like it among those that were chosen."""

    find: Find
    members: int


def most_different(finds: Sequence[Find], space: Space, most: int) -> list[Cluster]:
    """Up to ``most`` finds: the worst that was confirmed, then each the farthest from those before it (Gonzalez 1985).

    Confirmed finds come before the others. Every find then belongs to the chosen one that it is nearest to.
    """
    if not finds:
        return []
    places = np.array([_place(find, space) for find in finds])  # (k, x)
    worth = [(find.confirmed, find.trial.badness, -find.trial.number) for find in finds]
    chosen = [max(range(len(finds)), key=lambda k: worth[k])]
    while len(chosen) < min(most, len(finds)):
        left = [k for k in range(len(finds)) if k not in chosen]
        real = [k for k in left if finds[k].confirmed] or left
        chosen.append(max(real, key=lambda k: (_apart(places, chosen, k), worth[k])))
    nearest = [min(range(len(chosen)), key=lambda c: float(_distance(places, k, chosen[c]))) for k in range(len(finds))]
    return [Cluster(finds[k], nearest.count(c)) for c, k in enumerate(chosen)]


def _place(find: Find, space: Space) -> list[float]:
    kind = KIND_WEIGHT / np.sqrt(2.0) * float(find.trial.verdict is not None and find.trial.verdict.crash)
    return [*space.coordinates(find.trial.values), kind]


def _apart(places: npt.NDArray[np.float64], chosen: Sequence[int], k: int) -> float:
    return min(float(_distance(places, k, each)) for each in chosen)


def _distance(places: npt.NDArray[np.float64], a: int, b: int) -> np.float64:
    return np.linalg.norm(places[a] - places[b])


def write_find(cluster: Cluster, place: int, tester: Tester, folder: Path) -> tuple[Path, Path]:
    """A scenario file that drives like the find, and a video: the searched world, and beside it the reference world."""
    trial = cluster.find.trial
    scenario = tester.space.at(trial.values, trial.seed)
    purpose = f"Found by search: {tester.task.agent} {_fault(trial.verdict)} in the {tester.task.place.world} world"
    if not tester.task.place.is_reference:
        purpose += f", and {_fault(cluster.find.truth)} in the reference world"
    path = write_scenario(dataclasses.replace(scenario, purpose=f"{purpose}."), folder / f"find-{place:02d}.yaml")
    video = folder / f"find-{place:02d}.mp4"
    drives = [tester.driven(scenario, trial.seed)]
    if not tester.task.place.is_reference:
        drives.append(tester.verified(scenario, trial.seed))
    shots = [_shots(driven, tester.world.model) for driven in drives]
    with open_video(video, FRAME_RATE_HZ) as film:
        for t in range(max(len(each) for each in shots)):
            pictures = [each[min(t, len(each) - 1)] for each in shots]  # who has ended, waits
            film.add(pictures[0] if len(pictures) == 1 else beside(pictures[0], pictures[1]))
    return path, video


def _fault(verdict: Verdict | None) -> str:
    if verdict is None or not verdict.failed:
        return "drives on"
    return f"{'crashes' if verdict.crash else 'leaves the road'} within {verdict.seconds:.1f} s"


def _shots(driven: Driven, model: WorldModel | None) -> list[FrameArray]:
    if "camera" in driven.observations[0]:
        frames = [seen["camera"] for seen in driven.observations]
    else:
        assert model is not None
        latents = torch.from_numpy(np.stack([seen["latents"] for seen in driven.observations]))
        with torch.no_grad():
            frames = list(model.decode(latents).cpu().numpy())
    return [shot(frame, info, strip=True) for frame, info in zip(frames, driven.infos, strict=True)]
