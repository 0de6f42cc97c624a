"""The one implementation behind ``Drive-v0``: b drives that advance together in the learned world.

Axis legend: b drives, k of them, v views, h w c of a picture, n latent tokens, d latent channels.

A step: the action becomes ego motion (exactly, ``envs.kinematics``), the engine draws the next frame under that motion,
its heads say where the vehicle is, and rewards and ends follow from that (``envs.rewards``). A hazard counts, in reward
and in end, when two frames in a row show it: a blip of a single frame ends no episode.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import gymnasium as gym
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from worldsim.dynamics.conditioning import Scene
from worldsim.engine import Engine, EngineConfig
from worldsim.errors import choose
from worldsim.types import (
    COMMANDS,
    FRAME_RATE_HZ,
    LABEL_FIELDS,
    MOTION_FIELDS,
    FloatArray,
    FrameArray,
)

from .. import kinematics, rewards, spaces
from ..cameras import missing
from ..events import NOT_STAGED, told
from .drives import HAZARDS, READING, Drives, Index, objects, read
from .plan import Plan, Planner
from .settings import DriveSettings, cameras_of

Bools = npt.NDArray[np.bool_]

COMMAND_REACH_M = 60.0  # a command is given about 30 m before its junction, and is done about 30 m after
TRUST_AVERAGE_S = 0.5
LATENT_RANGE = 10.0  # standard deviations; observed latents are clipped to it
RESET_OPTIONS = ("scenario", "start", "command")
VIEW_SCALE = 4


class DriveCore:
    """The drives of one batch: ``begin`` them, then ``step``; ``observe``, ``info`` and ``ends`` after either."""

    drives: Drives

    def __init__(self, settings: DriveSettings, count: int) -> None:
        self.settings = settings
        self.world, self.bank = settings.open()
        c = self.world.config
        start_steps = min(16, c.dynamics.finest_steps)
        self.engine = Engine(self.world, EngineConfig(settings.steps, start_steps, precision=settings.precision))
        self.planner = Planner(settings, self.bank)
        self.scenarios = self.planner.templates(settings.scenario, count)
        self.cameras = cameras_of(self.world)
        self.keys = spaces.camera_keys(self.cameras)
        self.observation_space = spaces.observation_space(self.cameras)
        if not settings.pixels:
            shape = (c.dynamics.n_tokens, c.dynamics.latent_dim)
            latents = gym.spaces.Box(-LATENT_RANGE, LATENT_RANGE, shape, np.float32)
            kept = {key: space for key, space in self.observation_space.items() if key not in self.keys}
            self.observation_space = gym.spaces.Dict({"latents": latents, **kept})
        shape = (c.tokenizer.height, c.tokenizer.width) if settings.pixels else (0, 0)
        self.drives = Drives.blank(self.engine, count, (len(self.cameras), *shape))
        self.began = False

    # --- advancing ----------------------------------------------------------------------------------------------

    def begin(self, index: Index, rngs: Sequence[np.random.Generator], options: dict[str, Any] | None = None) -> None:
        """Begin anew the drives at ``index`` (k,), each by its own generator; see RESET_OPTIONS for ``options``."""
        options = options or {}
        for key in options:
            choose(key, RESET_OPTIONS, "reset option")
        count, scenarios = len(self.drives), self.scenarios
        if "scenario" in options:
            scenarios = self.planner.templates(options["scenario"], count)
        starts = np.broadcast_to(np.asarray(options.get("start"), dtype=object), count)
        plans = [self.planner.plan(scenarios[i], rng, starts[i]) for i, rng in zip(index, rngs, strict=True)]
        self.scenarios = scenarios
        banked = np.array([plan.row >= 0 for plan in plans])
        for chosen in (banked, ~banked):
            if chosen.any():
                self.drives.put(index[chosen], self._fresh([plans[i] for i in np.flatnonzero(chosen)]))
        if "command" in options:
            self.instruct(index, options["command"])
        self.began = True

    def instruct(self, index: Index, command: str) -> None:
        """Give the drives at ``index`` a route command; it holds for COMMAND_REACH_M, then it is "follow" again."""
        self.drives.command[index] = COMMANDS.index(choose(command, COMMANDS, "command"))
        self.drives.driven_m[index] = 0.0

    @torch.no_grad()
    def step(self, actions: FloatArray) -> None:
        """Advance every drive by ``actions`` (b, 2), checked before."""
        d = self.drives
        ego, d.motion = kinematics.advance(kinematics.EgoState.from_array(d.ego), actions, d.wheelbase)
        d.ego = _rows(ego)
        d.pose = kinematics.compose(d.pose, d.motion)
        d.driven_m = d.driven_m + d.motion[:, 0]
        d.command = np.where(d.driven_m > COMMAND_REACH_M, 0, d.command)
        drawn = self.engine.step(d.rollout, torch.from_numpy(d.motion), torch.from_numpy(d.command))
        before, d.reading = d.reading, read(drawn.state)
        hazards = [READING.index(name) for name in HAZARDS]
        d.confirmed = np.minimum(d.reading[:, hazards], before[:, hazards])
        d.trust = drawn.trust.cpu().numpy().astype(np.float64)
        d.steady_trust = d.steady_trust + (d.trust - d.steady_trust) / (TRUST_AVERAGE_S * FRAME_RATE_HZ)
        d.latents, d.frames = drawn.latents, self._frames(drawn.latents)
        d.step = d.step + 1

    def restore(self, state: Drives) -> None:
        """Go on from a copy of ``state``: of as many drives, or of one, which all then branch from."""
        if not isinstance(state, Drives) or len(state) not in (1, len(self.drives)):
            got = f"{len(state)} drives" if isinstance(state, Drives) else type(state).__name__
            raise ValueError(f"state: expected a value of save_state() of 1 or {len(self.drives)} drives, got {got}")
        if (
            state.latents.shape[1:] != self.drives.latents.shape[1:]
            or state.frames.shape[1:] != self.drives.frames.shape[1:]
        ):
            raise ValueError("state: expected one of the same world and the same `pixels`, got other shapes")
        self.drives = state.select(np.arange(len(self.drives)) % len(state))
        self.began = True

    def _fresh(self, plans: list[Plan]) -> Drives:
        """Drives of k plans that all begin from the bank, or are all imagined."""
        k, rows = len(plans), np.array([plan.row for plan in plans])
        scene, seeds = self._scene(plans), [plan.seed for plan in plans]
        command = np.array([plan.command for plan in plans])
        if rows[0] >= 0:
            assert self.bank is not None
            index = torch.from_numpy(rows)
            command = self.bank.arrays.command[index, -1].numpy()
            ego = self.bank.arrays.ego[index, -1].numpy().astype(np.float64)
            ego[:, 0] = np.where(np.isnan(ego[:, 0]), [plan.target_speed for plan in plans], ego[:, 0])
            ego = np.nan_to_num(ego)
            latents, motion = (x.to(self.world.device) for x in self.bank.context(rows))
            rollout, seen = self.engine.start(latents, motion, scene, seeds, torch.from_numpy(command))
        else:
            ego = _rows(kinematics.EgoState.at_speed([plan.ego_speed for plan in plans]))
            rollout, seen = self.engine.imagine(scene, seeds)
        return Drives(
            rollout=rollout, latents=seen.latents, frames=self._frames(seen.latents), ego=ego, pose=np.zeros((k, 3)),
            motion=np.full((k, len(MOTION_FIELDS)), np.nan, np.float32), command=command, driven_m=np.zeros(k),
            reading=read(seen.state), confirmed=np.zeros((k, len(HAZARDS))),
            trust=seen.trust.cpu().numpy().astype(np.float64), steady_trust=np.ones(k),
            step=np.zeros(k, np.int64), horizon=np.array([plan.horizon for plan in plans]),
            target_speed=np.array([plan.target_speed for plan in plans]),
            wheelbase=np.array([plan.wheelbase for plan in plans]), start=rows,
            scenario=objects([plan.scenario for plan in plans]), fields=objects([plan.fields for plan in plans]),
            caption=objects([plan.caption for plan in plans]),
            events=objects([[told(event, NOT_STAGED) for event in plan.events] for plan in plans]),
            cameras_missing=objects([missing(plan.cameras, self.cameras) for plan in plans]),
        )  # fmt: skip

    def _scene(self, plans: list[Plan]) -> Scene:
        nothing = torch.zeros(self.world.config.dynamics.text_dim)
        fields = torch.tensor([plan.fields.codes() for plan in plans])
        text = torch.stack([nothing if plan.text is None else plan.text for plan in plans])
        known = torch.tensor([plan.text is not None for plan in plans])
        return Scene(*(x.to(self.world.device) for x in (fields, text, known)))

    def _frames(self, latents: Tensor) -> FrameArray:
        """(k, v, h, w, 3); no pixels where none are wanted."""
        if not self.settings.pixels:
            return np.zeros((len(latents), len(self.cameras), 0, 0, 3), np.uint8)
        return self._decoded(latents)

    def _decoded(self, latents: Tensor) -> FrameArray:
        frames = self.engine.decode(latents).cpu().numpy()
        return frames if self.world.cameras else frames[:, None]

    # --- what is seen -------------------------------------------------------------------------------------------

    def observe(self) -> dict[str, Any]:
        """The observation of every drive, arrays (b, ...) of their own."""
        d = self.drives
        if self.settings.pixels:
            seen: dict[str, Any] = {key: d.frames[:, view].copy() for view, key in enumerate(self.keys)}
        else:
            seen = {"latents": d.latents.float().clamp(-LATENT_RANGE, LATENT_RANGE).cpu().numpy()}
        return seen | {"ego": d.ego.astype(np.float32), "command": d.command.copy()}

    def info(self) -> dict[str, Any]:
        """``spaces.INFO_KEYS`` of every drive: arrays (b, ...), or a dict of them. Labels are what the heads say."""
        d = self.drives
        terms = rewards.terms(self.drive_state())
        return {
            "step": d.step.copy(),
            "scenario": d.scenario.copy(),
            "fields": d.fields.copy(),
            "caption": d.caption.copy(),
            "command": d.command.copy(),
            "pose": d.pose.copy(),
            "motion": d.motion.copy(),
            "ego": d.ego.astype(np.float32),
            "labels": {name: d.said(name).copy() for name in LABEL_FIELDS},
            "events": objects([[dict(each) for each in events] for events in d.events]),
            "cameras_missing": objects([list(names) for names in d.cameras_missing]),
            "boxes": objects([[] for _ in range(len(d))]),
            "reward_terms": terms,
            "reward": rewards.total(terms),
            "trust": d.trust.copy(),
        }

    def ends(self) -> tuple[Bools, Bools]:
        """Which drives are terminated (collision, off the road) and which truncated (horizon, lost trust), (b,)."""
        d = self.drives
        terminated = rewards.ended(self.drive_state())
        return terminated, ~terminated & ((d.step >= d.horizon) | (d.steady_trust < self.settings.min_trust))

    def drive_state(self) -> rewards.DriveState:
        """What rewards look at: the ego exactly, the rest as the heads say, hazards confirmed by two frames."""
        d = self.drives
        speed, yaw_rate, acceleration, steering = d.ego.T
        offroad, collision = d.confirmed.T
        return rewards.DriveState(
            speed=speed, acceleration=acceleration, yaw_rate=yaw_rate, steering=steering,
            lane_offset=d.said("lane_offset_m"), heading_error=d.said("heading_error_rad"),
            offroad=offroad, collision=collision,
            lead_distance=d.said("lead_distance_m"), closing_speed=d.said("closing_speed_mps"),
            target_speed=d.target_speed,
        )  # fmt: skip

    def hazards(self) -> dict[str, npt.NDArray[np.float64]]:
        """Probabilities (b,) that the ego leaves the road, or collides, within the next second."""
        return {name: self.drives.said(name).copy() for name in ("offroad_soon", "collision_soon")}

    def pictures(self) -> list[FrameArray]:
        """Each drive's present frame, enlarged, (h, w, 3); several views side by side."""
        d = self.drives
        views = d.frames if self.settings.pixels else self._decoded(d.latents)
        frames = spaces.side_by_side(list(views.swapaxes(0, 1)), self.cameras)
        size = (frames.shape[2] * VIEW_SCALE, frames.shape[1] * VIEW_SCALE)
        return [np.asarray(cv2.resize(f, size, interpolation=cv2.INTER_CUBIC), np.uint8) for f in frames]


def _rows(ego: kinematics.EgoState) -> npt.NDArray[np.float64]:
    """(b, e) in the order of EGO_FIELDS, in double precision."""
    return np.stack([ego.speed, ego.yaw_rate, ego.acceleration, ego.steering], axis=-1)
