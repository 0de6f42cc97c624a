"""Laws that are asked of staged scenes: who is hidden is still there, lamps before slowing, changes in the order told.

Axis legend: r scenes, t frames of a scene, h w c of a frame, p x q cells of the reader.

Each law passes or fails each scene that it can be asked of, by estimators that know no model. What lamps and skies look
like is learned from true frames of other scenes than the one that is judged, so that a scene's own truth tells nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch

from envs.learned.past import Past
from envs.scenario import describe
from worldsim.engine import Engine, RolloutState, Step
from worldsim.evaluation.metrics import auroc
from worldsim.evaluation.rollouts import Drives, scene_of
from worldsim.evaluation.scene_statistics import LinearClassifier, statistics
from worldsim.text import TextEncoder
from worldsim.types import FrameArray

from .looks import Looks
from .moments import Moment
from .physics import NEARER_M, PROBES, Verdicts, share, steady
from .staging import JUDGED, TURN_STEPS, TURNED_AT, TURNS, Staged
from .told import Rows, Told, along

Array = npt.NDArray[np.float64]

SHOWN = 0.5  # share of the cells of who was hidden in which a vehicle must be seen again
BRIGHTEST_PX = 4  # pixels of whoever is ahead that are taken for its lamps
AHEAD_CELLS = 7  # to either side of the picture's middle
SLOWED_LOG = -0.2  # of the distance to whoever is ahead: so much nearer is slower, since the ego keeps its speed
LOST_LOG = 0.6  # so much farther than at first is nobody, or somebody else
LASTS = 3  # frames for which a sky must be seen before it counts


@dataclass(frozen=True)
class Film:
    """Every scene as somebody draws it, and what is seen in it."""

    frames: FrameArray  # (r, t, h, w, 3)
    looks: Looks

    @property
    def lamps(self) -> Array:
        """How red the reddest of whoever is ahead is (r, t), in levels; 0 where nobody is."""
        return np.array([[_redness(*each) for each in zip(*row, strict=True)]
                         for row in zip(self.frames, self.looks.vehicles, strict=True)])  # fmt: skip


def _redness(frame: FrameArray, cells: npt.NDArray[np.bool_]) -> float:
    ahead, middle = np.zeros_like(cells), cells.shape[1] // 2
    ahead[:, middle - AHEAD_CELLS : middle + AHEAD_CELLS] = cells[:, middle - AHEAD_CELLS : middle + AHEAD_CELLS]
    if not ahead.any():
        return 0.0
    size = (frame.shape[1], frame.shape[0])
    mask = cv2.resize(ahead.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST).astype(bool)
    red, green, blue = np.moveaxis(frame.astype(np.int64), -1, 0)
    return float(np.sort((red - np.maximum(green, blue))[mask])[-BRIGHTEST_PX:].mean())


# --- drawing ----------------------------------------------------------------------------------------------------------


def draw_scenes(
    engine: Engine, moments: Sequence[Moment], staged: Staged, seed: int, encoder: TextEncoder | None,
    tick: Callable[[], object] = lambda: None,
) -> Told:  # fmt: skip
    """The model draws every scene from its past under its motion, and is told of what comes to the sky when it comes.

    It is told half-way through a change, as ``info["fields"]`` of the reference world is, by scene fields and caption,
    and its memory is redrawn as the cockpit does where words change a drive (``envs.learned.past``).
    """
    contexts = [moment.context for moment in moments]
    scenes = []
    for changes in (1, 2):
        fields = [replace(each.fields, **_changed(staged, row, changes)) for row, each in enumerate(contexts)]
        retold = [replace(each, fields=said, caption=describe(said))
                  for each, said in zip(contexts, fields, strict=True)]  # fmt: skip
        scenes.append(scene_of(retold, engine.world, encoder))
    turning = staged.of("turns")
    drives = Drives.of([contexts[row] for row in turning], engine.world, encoder)
    seen_before = torch.stack([drives.latents(engine.world, t) for t in range(drives.length)], dim=1)
    past = Past(seen_before, drives.motion)  # of those of a chunk whose sky turns

    def advance(state: RolloutState, rows: Rows, step: int, motion: torch.Tensor, command: torch.Tensor) -> Step:
        """A step of the drives in ``rows``; where the sky turns, the past is drawn anew in its light."""
        nonlocal past
        here = torch.from_numpy(np.flatnonzero(np.isin(rows, turning)))
        if step == 0:
            place = torch.from_numpy(np.flatnonzero(np.isin(turning, rows)))
            past = Past(seen_before[place], drives.motion[place])
        for begins, scene in zip(TURNED_AT, scenes, strict=True):
            if len(here) and step == begins + TURN_STEPS // 2:
                there = scene.select(torch.from_numpy(rows)[here])
                redrawn = past.redrawn(engine.world, state.select(here), there, command[here].numpy())
                state.put(here, redrawn.rollout)
                past = redrawn.past
        seen = engine.step(state, motion, command)
        latents = torch.cat((past.latents, seen.latents[here, None]), dim=1)[:, 1:]
        past = Past(latents, torch.cat((past.motion, motion[here, None]), dim=1)[:, 1:])
        return seen

    return along(engine, moments, staged.branches, seed, encoder, tick, advance)


def _changed(staged: Staged, row: int, changes: int) -> dict[str, Any]:
    """The fields that have changed in a scene after so many changes; none but in ``turns``."""
    if staged.branches.name[row] != "turns":
        return {}
    first = int(staged.first[row])
    return dict([TURNS[first], TURNS[1 - first]][:changes])


# --- laws -------------------------------------------------------------------------------------------------------------


def who_is_hidden_is_still_there(staged: Staged, film: Film, truth: Film) -> Verdicts:
    """Somebody who was seen, then hidden by who passes, is seen where he must be once the view is free again.

    Where whoever passes does not go on, so that the view is never free, this cannot be asked.
    """
    found: Verdicts = {}
    for row in staged.of("hidden"):
        seen = film.looks.vehicles[row, -JUDGED:]
        shown, covered = (
            np.median((cells & seen).sum(axis=(1, 2)) / np.maximum(cells.sum(axis=(1, 2)), 1))
            for cells in (staged.where[row, -JUDGED:], staged.free[row, -JUDGED:])
        )
        if covered < SHOWN:
            found[int(row)] = bool(shown >= SHOWN)
    return found


def lamps_before_slowing(staged: Staged, film: Film, truth: Film) -> Verdicts:
    """Whoever ahead lights its lamps becomes slower while they are lit, and nobody becomes slower without.

    The ego holds its speed, so whoever comes nearer has become slower. Where whoever does not brake is lost from view,
    this cannot be asked.
    """
    lamps, gap = film.lamps, steady(film.looks.lead_distance) + NEARER_M
    found: Verdicts = {}
    for row in (*staged.of("brakes"), *staged.of("steady")):
        lit = lamps[row] > lamp_threshold(staged, truth, int(row))
        nearer = np.flatnonzero(np.log(gap[row] / gap[row, 0]) < SLOWED_LOG)
        announced = len(nearer) > 0 and bool(lit[: nearer[0] + 1].mean() > 0.5)
        steadily = staged.branches.name[row] == "steady" and not len(nearer)
        if not steadily or np.log(gap[row] / gap[row, 0]).max() < LOST_LOG:
            found[int(row)] = announced or steadily
    return found


def lamp_threshold(staged: Staged, truth: Film, row: int) -> float:
    """Half-way between lamps that are lit and lamps that are not, on true frames of all scenes but ``row``."""
    lamps, others = truth.lamps, staged.lit_known & (np.arange(len(staged)) != row)[:, None]
    lit, dark = lamps[others & staged.lit], lamps[others & ~staged.lit]
    return float((np.median(lit) + np.median(dark)) / 2) if len(lit) and len(dark) else float("nan")


def changes_come_in_order(staged: Staged, film: Film, truth: Film) -> Verdicts:
    """Of two changes of the sky, both are seen, and the one that was told first is seen first."""
    found: Verdicts = {}
    for row in staged.of("turns"):
        classify = _sky_classifier(staged, truth, int(row))
        if classify is not None:
            seen = classify.predict(statistics(film.frames[row]))
            begun = [_first_seen(seen, TURNS[which][1]) for which in (staged.first[row], 1 - staged.first[row])]
            found[int(row)] = begun[0] is not None and begun[1] is not None and begun[0] < begun[1]
    return found


def _first_seen(skies: Sequence[str], what: str) -> int | None:
    """The first frame from which on a change is seen for LASTS frames."""
    seen = np.array([what in sky.split("+") for sky in skies])
    for t in range(len(seen) - LASTS + 1):
        if seen[t : t + LASTS].all():
            return t
    return None


def skies(first: int, count: int) -> list[str]:
    """What is settled in the sky of each of ``count`` frames of a scene: names joined by +, or "?" while it turns."""
    found = []
    for t in range(count):
        shares = [(t - begins) / TURN_STEPS for begins in TURNED_AT]
        names = [TURNS[which][1] for which, share in zip((first, 1 - first), shares, strict=True) if share >= 1]
        found.append("?" if any(0 < share < 1 for share in shares) else "+".join(sorted(names)))
    return found


def _sky_classifier(staged: Staged, truth: Film, row: int) -> LinearClassifier | None:
    """Told from true frames of all scenes but ``row``; None where these do not show every sky."""
    others = [int(each) for each in staged.of("turns") if each != row]
    if len({int(staged.first[each]) for each in others}) < 2:
        return None
    count = truth.frames.shape[1]
    names = [name for each in others for name in skies(int(staged.first[each]), count)]
    known = np.array([name != "?" for name in names])
    values = np.concatenate([statistics(truth.frames[each]) for each in others])
    return LinearClassifier.fit(values[known], [name for name in names if name != "?"])


@dataclass(frozen=True)
class Law:
    """A question of staged scenes, ``ask(scenes, what is judged, what is true)``; ``kind`` is where it is broken."""

    words: str
    ask: Callable[[Staged, Film, Film], Verdicts]
    kind: str


LAWS: dict[str, Law] = {
    "hidden_stays": Law("who is hidden for a moment is still there after", who_is_hidden_is_still_there, "hidden"),
    "lamps_first": Law("brake lights before slowing", lamps_before_slowing, "brakes"),
    "order": Law("of night and fog, what is told first is seen first", changes_come_in_order, "turns"),
}

QUESTIONS = {name: probe.words for name, probe in PROBES.items()} | {name: law.words for name, law in LAWS.items()}
"""Name -> words, of all that is asked of physics."""


def figures(staged: Staged, film: Film, truth: Film) -> dict[str, Any]:
    """For each law the share of scenes that pass, with its interval, and how many could be asked."""
    return {name: share(law.ask(staged, film, truth)) for name, law in LAWS.items()}


def broken_figures(staged: Staged, film: Film, truth: Film) -> dict[str, Any]:
    """The same where each law is broken, of the scenes in which it is."""
    found = {}
    for name, law in LAWS.items():
        rows = set(staged.of(law.kind).tolist())
        found[name] = share({row: fine for row, fine in law.ask(staged, film, truth).items() if row in rows})
    return found


def accuracy(staged: Staged, truth: Film) -> dict[str, Any]:
    """How well lamps and skies are told on true frames of scenes that were not learned from."""
    known, said = staged.lit_known, truth.lamps
    right = []
    for row in staged.of("turns"):
        classify = _sky_classifier(staged, truth, int(row))
        names = skies(int(staged.first[row]), truth.frames.shape[1])
        if classify is not None:
            seen = classify.predict(statistics(truth.frames[row]))
            right += [a == b for a, b in zip(seen, names, strict=True) if b != "?"]
    return {
        "auroc_brake_lamps": auroc(said[known], staged.lit[known].astype(np.float64)),
        "skies_told_right": float(np.mean(right)) if right else float("nan"),
    }
