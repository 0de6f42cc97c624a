"""Scenes that are staged in the reference world because ordinary drives seldom show them: who is where, and what comes.

Axis legend: r scenes, t frames of a scene from its moment on (the moment is frame 0), h w c of a frame, p x q cells.

The ego holds its lane and its speed on a straight highway, without traffic but for the cast. Each scene is filmed
twice: as it is, and as it would be in a world in which one law does not hold, from the same moment on or from before.
Places are from centre to centre, ahead positive, speeds against the ego's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from envs.reference.camera.ego_camera import EgoCamera
from envs.reference.camera.scene import Scene, Turn
from envs.reference.roadcam import RoadCamEnv
from envs.reference.vehicles import Orders, TrafficVehicle
from envs.scenario import Scenario
from worldsim.evaluation.rollouts import CONTEXT_FRAMES, excerpt
from worldsim.evaluation.scene_reader import CELL
from worldsim.types import LABEL_FIELDS, CameraSpec, Episode, FloatArray, FrameArray

from ..recorder import Recorder
from ..scripted import ScriptedDriver, Style
from .moments import Branches, Moment

Cells = npt.NDArray[np.bool_]

STEPS = 30
FIRST_SEED = 3_500_000
SCENARIO = Scenario(name="staged", road="highway", lanes=4, traffic="none", weather="clear", time_of_day="day")
COLOURS = ((235, 235, 235), (30, 60, 170), (30, 130, 60), (25, 25, 30), (0, 150, 170))
"""Of the cast: none is red, as lamps are."""
SLOWER_MPS = 4.0
"""By how much whoever brakes becomes slower; its lamps are lit for 1.5 s."""
TURNS = (("time_of_day", "night"), ("weather", "fog"))
TURNED_AT, TURN_STEPS = (6, 18), 8
"""Steps at which the first and the second change begin, and how long each takes."""
FILMED = 40
"""Levels of 255 by which a pixel must differ where somebody is left out, to show that he was there."""
LEAST_PX = 30
_CALM = Style(speed=(1.0, 1.0), lane_changes_per_s=0.0)


@dataclass(frozen=True)
class Part:
    """Somebody of the cast."""

    aside: int  # lanes beside the ego's, on the side that has room
    ahead_m: tuple[float, float]  # drawn between these
    faster_mps: tuple[float, float]
    kind: str = "car"
    brakes_at: int | None = None  # step of the drive


KINDS: dict[str, tuple[Part, ...]] = {
    "hidden": (Part(2, (19.0, 22.0), (-1.5, 0.0)), Part(1, (-4.5, -3.0), (6.0, 7.0), "van")),
    "passed": (Part(1, (20.0, 24.0), (-7.0, -6.0)),),
    "brakes": (Part(0, (16.0, 18.0), (0.0, 0.0), brakes_at=13),),
    "steady": (Part(0, (12.0, 18.0), (0.0, 0.0)),),
    "turns": (Part(1, (14.0, 30.0), (0.0, 0.0)),),
}
"""Kind of scene -> its cast. ``hidden``: somebody passes between the ego and the first of the cast, who is seen before
and after. ``passed``: the ego passes somebody, who leaves the picture. ``brakes``: whoever is ahead brakes, and lights
its lamps. ``steady``: it does not. ``turns``: night falls and fog comes, one after the other, by turns."""
MOMENT = 15
"""The step of a drive at which its scene begins, but for ``hidden``, which begins when he is hidden."""
LATE = 20  # steps for which a scene ``hidden`` may begin later
JUDGED = 6
"""Frames at the end of a scene ``hidden`` in which the hidden one must be in full view again."""
_SEEDS_EACH = 40


@dataclass(frozen=True)
class Staged:
    """Scenes row by row."""

    branches: Branches  # one of each moment, named by its kind
    broken: FrameArray  # (r, t, h, w, 3) where the law does not hold
    before: FrameArray  # (r, CONTEXT_FRAMES, h, w, 3) that lead to ``broken``; its last is the moment
    where: Cells  # (r, t, p, q) ``hidden``: cells in which the hidden one alone is to be seen
    free: Cells  # (r, t, p, q) ``hidden``: cells that who passes covered at the moment, and nobody does any more
    lit: npt.NDArray[np.bool_]  # (r, t) whether the lamps of whoever is ahead are lit
    lit_known: npt.NDArray[np.bool_]  # (r, t) whether somebody is ahead by day and in clear weather
    first: npt.NDArray[np.int64]  # (r,) ``turns``: which of TURNS comes first

    def __len__(self) -> int:
        return len(self.branches)

    def of(self, kind: str) -> npt.NDArray[np.int64]:
        """The rows of a kind."""
        return np.flatnonzero(self.branches.name == kind)


def stage_scenes(
    count: int, camera: CameraSpec, tick: Callable[[], object] = lambda: None, first_seed: int = FIRST_SEED
) -> tuple[list[Moment], Staged]:
    """``count`` scenes of each kind. ``tick`` is called after each. Raises ValueError where one cannot be staged."""
    moments, takes = [], []
    for place, kind in enumerate(KINDS):
        seed = first_seed + 1000 * place
        for number in range(count):
            found, last = None, seed + _SEEDS_EACH
            while found is None:
                if seed >= last:
                    raise ValueError(f"staging: no scene {kind!r} came about within {_SEEDS_EACH} drives")
                found = _Play(kind, seed, number, camera).take()
                seed += 1
            moment, take = found
            moments.append(moment)
            takes.append(take)
            tick()
    rows = np.arange(len(moments))
    columns = {entry.name: np.stack([getattr(take, entry.name) for take in takes]) for entry in fields(_Take)}
    names = np.array([moment.kind for moment in moments])
    columns["branches"] = Branches(rows, names, *(columns.pop(key) for key in ("action", "motion", "labels", "frames")))
    return moments, Staged(**columns)


@dataclass(frozen=True)
class _Take:
    """One scene."""

    action: FloatArray
    motion: FloatArray
    labels: FloatArray
    frames: FrameArray
    broken: FrameArray
    before: FrameArray
    where: Cells
    free: Cells
    lit: npt.NDArray[np.bool_]
    lit_known: npt.NDArray[np.bool_]
    first: int


@dataclass
class _Play:
    """One drive with its cast, to its end."""

    kind: str
    seed: int
    number: int
    camera: CameraSpec
    scenes: list[Scene] = field(default_factory=list)
    cast_views: list[list[int]] = field(default_factory=list)  # for each frame the cast's places in its scene
    at: int | None = MOMENT

    def take(self) -> tuple[Moment, _Take] | None:
        """The scene, or None where this seed does not give it."""
        episode = self._drive()
        if episode is None:
            return None
        eye = EgoCamera(self.camera)
        self.first = self.number % 2
        if self.kind == "turns":
            self.scenes = [replace(scene, **sky(t - MOMENT, self.first)) for t, scene in enumerate(self.scenes)]
            episode.views["front"] = np.stack([eye.render(scene) for scene in self.scenes])
        if self.kind == "hidden":
            self.at = self._hidden_from(eye)
        if self.at is None or self.at + STEPS >= len(episode):
            return None
        at, span = self.at, slice(self.at, self.at + STEPS + 1)
        broken = np.stack([eye.render(self._broken(t)) for t in range(at - CONTEXT_FRAMES + 1, at + STEPS + 1)])
        past = excerpt(episode, at - CONTEXT_FRAMES + 1, at + 1)
        where, free = self._where(eye, at) if self.kind == "hidden" else np.zeros((2, STEPS + 1, *self._grid), np.bool_)
        if self.kind == "hidden" and not where[-JUDGED:].any(axis=(1, 2)).all():
            return None
        ahead = np.full(STEPS + 1, self.kind in ("brakes", "steady"))
        lit = np.array([self._braking(t) for t in range(at, at + STEPS + 1)]) & ahead
        take = _Take(
            episode.action[span][:-1], episode.motion[span][:-1], episode.labels[span], episode.frames[span],
            broken[CONTEXT_FRAMES - 1 :], broken[:CONTEXT_FRAMES], where, free, lit, ahead, self.first,
        )  # fmt: skip
        return Moment(self.kind, SCENARIO.name, self.seed, past), take

    # --- driving ------------------------------------------------------------------------------------------------

    def _drive(self) -> Episode | None:
        env = RoadCamEnv(SCENARIO, {"front": self.camera}, max_steps=80, grace_steps=None)
        observation, info = env.reset(seed=self.seed)
        rng = np.random.default_rng([self.seed, 7])
        driver = ScriptedDriver(_CALM)
        driver.reset(env, rng)
        cast = [self._enter(env, part, rng) for part in KINDS[self.kind]]
        recorder: Recorder | None = None  # the first frame was drawn before the cast came
        for step in range(MOMENT + STEPS + 1 + (LATE if self.kind == "hidden" else 0)):
            for vehicle, part in zip(cast, KINDS[self.kind], strict=True):
                if part.brakes_at == step:
                    vehicle.obey(Orders(vehicle.speed - SLOWER_MPS))
            action = np.array([driver.act()[0], 0.0], np.float32)
            observation, _, _, _, info = env.step(action)
            if recorder is None:
                recorder = Recorder(env, observation, info)
            else:
                recorder.add(action, observation, info)
            self.scenes.append(env.scene())
            self.cast_views.append([env.traffic.others.index(each) for each in cast if each in env.traffic.others])
        assert recorder is not None
        episode = recorder.episode(seed=self.seed, split="val")
        fault = episode.labels[:, [LABEL_FIELDS.index(name) for name in ("offroad", "collision")]].any()
        return None if fault else episode

    @staticmethod
    def _enter(env: RoadCamEnv, part: Part, rng: np.random.Generator) -> TrafficVehicle:
        edge, lane_id = env.truth.index[:2], env.truth.index[2]
        side = 1 if lane_id < SCENARIO.lanes // 2 else -1
        index = (*edge, lane_id + side * part.aside)
        station = env.truth.station + float(rng.uniform(*part.ahead_m))
        vehicle = TrafficVehicle(env.traffic.world, index, station, rng, part.kind)
        vehicle.colour = COLOURS[int(rng.integers(len(COLOURS)))]
        vehicle.speed = env.ego.speed + float(rng.uniform(*part.faster_mps))
        vehicle.obey(Orders(vehicle.speed))
        env.traffic.world.vehicles.append(vehicle)
        return vehicle

    # --- filming ------------------------------------------------------------------------------------------------

    @property
    def _grid(self) -> tuple[int, int]:
        return self.camera.height // CELL, self.camera.width // CELL

    def _without(self, t: int, member: int) -> Scene:
        """A frame's scene without one of the cast."""
        gone = self.cast_views[t][member]
        kept = tuple(view for i, view in enumerate(self.scenes[t].vehicles) if i != gone)
        return replace(self.scenes[t], vehicles=kept)

    def _braking(self, t: int) -> bool:
        """Whether the first of the cast, if it is there, brakes."""
        places = self.cast_views[t]
        return bool(places) and self.scenes[t].vehicles[places[0]].braking

    def _shown(self, eye: EgoCamera, t: int, member: int) -> npt.NDArray[np.bool_]:
        """Pixels (h, w) in which one of the cast is to be seen."""
        there, gone = (eye.render(scene).astype(int) for scene in (self.scenes[t], self._without(t, member)))
        return np.asarray(np.abs(there - gone).max(axis=-1) > FILMED)

    def _hidden_from(self, eye: EgoCamera) -> int | None:
        """The first frame in which the first of the cast, who was to be seen, is hidden altogether."""
        shown = [int(self._shown(eye, t, 0).sum()) for t in range(len(self.scenes))]
        for t in range(CONTEXT_FRAMES, len(shown)):
            if shown[t] == 0 and np.sum(np.array(shown[t - CONTEXT_FRAMES + 1 : t]) > LEAST_PX) >= 4:
                return t
        return None

    def _where(self, eye: EgoCamera, at: int) -> tuple[Cells, Cells]:
        """Cells (t, p, q) in which the first of the cast alone is to be seen; and those that are free again."""
        where, free = [], []
        covered = _in_cells(self._shown(eye, at, 1), self._grid) > 0.5
        for t in range(at, at + STEPS + 1):
            pixels = [self._shown(eye, t, member) for member in (0, 1)]
            mine, theirs = (_in_cells(each, self._grid) for each in pixels)
            where.append((mine >= 0.5) & (theirs == 0.0) & bool(pixels[0].sum() >= LEAST_PX))
            free.append(covered & (mine == 0.0) & (theirs == 0.0))
        return np.stack(where), np.stack(free)

    def _broken(self, t: int) -> Scene:
        """A frame's scene where the law does not hold."""
        scene = self.scenes[t]
        if self.kind == "hidden" and self.at is not None and t >= self.at:  # what is hidden is gone
            return self._without(t, 0)
        if self.kind == "brakes":  # no lamps
            return replace(scene, vehicles=tuple(replace(view, braking=False) for view in scene.vehicles))
        if self.kind == "turns":  # the other way round
            return replace(scene, **sky(t - MOMENT, 1 - self.first))
        return scene


def sky(step: int, first: int) -> dict[str, Any]:
    """Weather and time of day of a scene ``turns``, ``step`` steps after its moment."""
    found: dict[str, Any] = {"weather": SCENARIO.weather, "time_of_day": SCENARIO.time_of_day}
    for begins, which in zip(TURNED_AT, (first, 1 - first), strict=True):
        name, to = TURNS[which]
        share = (step - begins) / TURN_STEPS
        if share > 0:
            found[name] = to if share >= 1 else Turn(str(getattr(SCENARIO, name)), to, share)
    return found


def _in_cells(pixels: npt.NDArray[np.bool_], grid: tuple[int, int]) -> npt.NDArray[np.float64]:
    """The share (p, q) of each cell that is set."""
    rows, columns = grid
    return np.asarray(pixels[: rows * CELL, : columns * CELL].reshape(rows, CELL, columns, CELL).mean(axis=(1, 3)))
