"""``worldsim/RoadCam-v0``: the reference world seen through a camera.

Axis legend: h, w, c of a frame. highway-env moves the traffic, ``envs.kinematics`` the ego, ``camera`` draws, ``truth``
says what is so. A step is 0.1 s. The same seed and actions give the same frames and states.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import cv2
import gymnasium as gym
import numpy as np

from worldsim.errors import choose
from worldsim.types import (
    FRAME_RATE_HZ,
    LABEL_FIELDS,
    MOTION_FIELDS,
    SCENE_VOCABULARY,
    CameraSpec,
    FrameArray,
    SceneFields,
)

from .. import kinematics, rewards, spaces
from ..cameras import missing, specs
from ..events import told
from ..scenario import Scenario, load_scenario
from .camera.ego_camera import EgoCamera
from .camera.scene import Scene
from .director import Director, Sky, Staged, lanes_for, starts_for
from .roads import build_road
from .traffic import Traffic
from .truth import Truth
from .vehicles import EgoVehicle

SUBSTEPS = 2
_VIEW_SCALE = 4
_START_OFFSET_M = 0.25
_START_HEADING_RAD = 0.02


class RoadCamEnv(gym.Env[dict[str, Any], np.ndarray]):
    """Drive in the reference world.

    Args:
        scenario: name of a shipped scenario, path of a YAML file, or a Scenario.
        cameras: name -> CameraSpec; the first is the main view. Default: those of the scenario.
        render_mode: None or "rgb_array" (the main view, enlarged). A window: ``gym.make(..., render_mode="human")``.
        weather, time_of_day, traffic: override the scenario's.
        max_steps: truncate after so many steps instead of the scenario's horizon.
        grace_steps: steps to go on after a collision or off the road before ``terminated``; None never ends.
            Coming back to the road in time starts the count anew. Data collection uses it to show bad driving.
        size: (h, w) of the picture of every camera of the scenario; None: 64x128.

    ``reset(options={"scenario": ...})`` changes the scenario; the option "grace_steps" changes that. Which cameras
    there are is settled when the env is made, for that is its observation space: a scenario that comes later says how
    they are mounted, and ``info["cameras_missing"]`` names those of its cameras that are not there. The attribute
    ``truth`` (a ``Truth``) is privileged: scripted drivers may look at it, policies may not.

    ``RoadCamEnv.steps_taken`` counts the steps of every such env of this process, first to last and never back: two
    readings say how many steps of the reference world lie between them. Other processes count their own.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": int(FRAME_RATE_HZ)}  # noqa: RUF012 (gymnasium's form)

    steps_taken: ClassVar[int] = 0
    truth: Truth

    def __init__(
        self,
        scenario: str | Scenario = "highway",
        cameras: dict[str, CameraSpec] | None = None,
        render_mode: str | None = None,
        weather: str | None = None,
        time_of_day: str | None = None,
        traffic: str | None = None,
        max_steps: int | None = None,
        grace_steps: int | None = 0,
        size: tuple[int, int] | None = None,
    ) -> None:
        if render_mode is not None:
            choose(render_mode, self.metadata["render_modes"], "render_mode")
        if max_steps is not None and max_steps < 1:
            raise ValueError(f"max_steps: expected a whole number of at least 1, got {max_steps}")
        overrides = {"weather": weather, "time_of_day": time_of_day, "traffic": traffic}
        self._overrides = {key: value for key, value in overrides.items() if value is not None}
        for key, value in self._overrides.items():
            choose(value, SCENE_VOCABULARY[key], key)
        self.render_mode, self.max_steps, self.grace_steps = render_mode, max_steps, grace_steps
        if cameras is not None and size is not None:
            raise ValueError(f"size: expected none beside cameras, which have their own sizes, got {size}")
        self._template = self._resolve(scenario)
        self._size, self._told = size, cameras is not None
        self.cameras = dict(cameras) if cameras is not None else specs(self._template.cameras, size)
        self._made_with = dict(self.cameras)
        self.observation_space = spaces.observation_space(self.cameras)
        self.action_space = spaces.action_space()
        self._eyes = {name: EgoCamera(spec) for name, spec in self.cameras.items()}
        self._state = "new"

    def _resolve(self, scenario: str | Scenario) -> Scenario:
        return scenario if isinstance(scenario, Scenario) else load_scenario(scenario)

    # --- Gymnasium ----------------------------------------------------------------------------------------------

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin an episode. Options: "scenario", "grace_steps"."""
        super().reset(seed=seed)
        for key in options or {}:
            choose(key, ("scenario", "grace_steps"), "reset option")
        options = options or {}
        self.grace_steps = options.get("grace_steps", self.grace_steps)
        if "scenario" in options:
            self._template = self._resolve(options["scenario"])
        rng = self.np_random if self._template.seed is None else np.random.default_rng(self._template.seed)
        self.scenario = Scenario(**{**vars(self._template), **self._overrides}).concretise(rng)
        self._mount()
        self._horizon = self.max_steps or round(self.scenario.horizon_s * FRAME_RATE_HZ)
        self._scene_seed = int(rng.integers(2**31 - 1))
        self._populate(rng)
        self._step, self._driven_m, self._ended_for, self._state = 0, 0.0, 0, "running"
        self._motion = np.full(len(MOTION_FIELDS), np.nan, dtype=np.float32)
        self.truth.update(self.ego, self.traffic)
        self._set_the_scene()
        return self._observe()

    def _mount(self) -> None:
        """Mount the cameras as the scenario of this episode says."""
        if not self._told:
            asked = specs(self.scenario.cameras, self._size) if self.scenario.cameras else {}
            self.cameras = {name: asked.get(name, spec) for name, spec in self._made_with.items()}
        for name, spec in self.cameras.items():
            if self._eyes[name].spec != spec:
                self._eyes[name] = EgoCamera(spec)

    def _set_the_scene(self) -> None:
        """Appoint a director, who may place vehicles now that nothing has been seen."""
        scenario = self.scenario
        sky = Sky(scenario.weather, scenario.time_of_day)
        self._director = Director(
            scenario.events, sky, self.truth, self.traffic, scenario.target_speed_mps, self._scene_seed
        )
        if scenario.events:
            self._director.open()
            self.truth.update(self.ego, self.traffic)

    def _populate(self, rng: np.random.Generator) -> None:
        scenario = self.scenario
        length = self._horizon / FRAME_RATE_HZ * min(1.3 * scenario.target_speed_mps + 4, 40.0) + 200.0
        self.road = build_road(scenario.road, scenario.lanes, length, rng)
        starts = starts_for(self.road, scenario.events)
        edge, low, high = starts[int(rng.integers(len(starts)))]
        lanes = lanes_for(len(self.road.network.graph[edge[0]][edge[1]]), scenario.events)
        lane_id = lanes[int(rng.integers(len(lanes)))]
        lane = self.road.network.get_lane((*edge, lane_id))
        station = float(rng.uniform(low, min(high, lane.length - 5.0)))
        start = lane.position(station, float(rng.uniform(-_START_OFFSET_M, _START_OFFSET_M)))
        yaw = lane.heading_at(station) + float(rng.uniform(-_START_HEADING_RAD, _START_HEADING_RAD))
        speed = min(scenario.ego_speed_mps, lane.comfort_speed_at(station))
        self.traffic = Traffic(self.road, scenario.traffic, rng, scenario.drivers)
        self.ego = EgoVehicle(
            self.traffic.world, np.array([*start, kinematics.wrap(yaw)]), kinematics.EgoState.at_speed(speed)
        )
        self.truth = Truth(self.road, edge, rng, scenario.command)
        self.traffic.start(self.ego)

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Take an action (2,): steering, acceleration. After a contact the vehicle only brakes."""
        over = self._advance(action)
        observation, info = self._observe()
        terminated = over and self.grace_steps is not None and self._ended_for > self.grace_steps
        truncated = not terminated and self._out_of_time()
        return observation, info["reward"], terminated, truncated, info

    def skip(self, action: Any) -> bool:
        """Take an action as ``step`` does, unseen: nothing is drawn or reported. Whether time or road have run out.

        For who looks for a moment, by ``truth``, before a picture is worth its price.
        """
        self._advance(action)
        return self._out_of_time()

    def _advance(self, action: Any) -> bool:
        """Move everybody; whether the drive is in a state that ends it."""
        if self._state == "new":
            raise gym.error.ResetNeeded(spaces.STEP_BEFORE_RESET)
        values = spaces.check_action(action).astype(np.float64)
        RoadCamEnv.steps_taken += 1
        if self.truth.collided:
            values = np.array([self.ego.state.steering, -1.0])
        state, self._motion = kinematics.advance(self.ego.state, values)
        pose = kinematics.compose(self.ego.pose, self._motion)
        self._director.advance(self._step, self._driven_m)
        self._driven_m += float(self._motion[0])
        self.ego.prepare(values)
        self.traffic.advance(SUBSTEPS)
        self.ego.place(pose, state)
        self.truth.update(self.ego, self.traffic)
        self._step += 1
        over = bool(rewards.ended(self._drive_state()))
        self._ended_for = self._ended_for + 1 if over else 0
        return over

    def _out_of_time(self) -> bool:
        return self._step >= self._horizon or self.truth.at_end

    def render(self) -> FrameArray | None:  # type: ignore[override]
        """The main view enlarged, (h, w, 3), in mode "rgb_array"."""
        if self.render_mode is None:
            return None
        if self._state == "new":
            raise gym.error.ResetNeeded(spaces.STEP_BEFORE_RESET.replace("step()", "render()"))
        frame = self._frames[0]
        size = (frame.shape[1] * _VIEW_SCALE, frame.shape[0] * _VIEW_SCALE)
        return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_CUBIC), dtype=np.uint8)

    # --- what is seen -------------------------------------------------------------------------------------------

    @property
    def fields(self) -> SceneFields:
        """The scene's fields now: weather and time of day may have turned."""
        sky = self._director.sky
        return dataclasses.replace(
            self.scenario.fields, weather=sky.settled("weather"), time_of_day=sky.settled("time_of_day")
        )

    @property
    def timeline(self) -> tuple[Staged, ...]:
        """The scenario's events and what has become of each; privileged, as ``truth`` is."""
        return tuple(dataclasses.replace(staged) for staged in self._director.timeline)

    def scene(self) -> Scene:
        """What the camera is shown now."""
        x, y, yaw = self.ego.pose
        return Scene(
            road=self.road.picture, x=float(x), y=float(y), yaw=float(yaw),
            vehicles=tuple(vehicle.view() for vehicle in self.traffic.others),
            weather=self._director.sky["weather"], time_of_day=self._director.sky["time_of_day"],
            seed=self._scene_seed, time_s=self._step / FRAME_RATE_HZ,
        )  # fmt: skip

    def _observe(self) -> tuple[dict[str, Any], dict[str, Any]]:
        scene = self.scene()
        self._frames = [eye.render(scene) for eye in self._eyes.values()]
        observation: dict[str, Any] = dict(zip(spaces.camera_keys(self.cameras), self._frames, strict=True))
        ego = self.ego.state.array()
        observation["ego"] = ego
        observation["command"] = self.truth.command
        terms = {name: float(value) for name, value in rewards.terms(self._drive_state()).items()}
        info = {
            "step": self._step,
            "scenario": self.scenario.name,
            "fields": self.fields,
            "caption": self.scenario.caption,
            "command": self.truth.command,
            "pose": self.ego.pose.copy(),
            "motion": self._motion.copy(),
            "ego": ego.copy(),
            "labels": dict(zip(LABEL_FIELDS, map(float, self.truth.labels), strict=True)),
            "events": self._events(),
            "cameras_missing": missing(self.scenario.cameras, self.cameras),
            "boxes": next(iter(self._eyes.values())).boxes(scene).tolist(),
            "reward_terms": terms,
            "reward": float(rewards.total(terms)),  # type: ignore[arg-type]
            "trust": 1.0,
        }
        return observation, info

    def _events(self) -> list[dict[str, Any]]:
        return [
            told(staged.event, staged.state, None if staged.began is None else staged.began / FRAME_RATE_HZ)
            for staged in self._director.timeline
        ]

    def _drive_state(self) -> rewards.DriveState:
        truth, state = self.truth, self.ego.state
        return rewards.DriveState(
            speed=state.speed, acceleration=state.acceleration, yaw_rate=state.yaw_rate, steering=state.steering,
            lane_offset=np.asarray(truth.lateral), heading_error=np.asarray(truth.heading_error),
            offroad=np.asarray(float(truth.offroad)), collision=np.asarray(float(truth.collided)),
            lead_distance=np.asarray(truth.lead_distance), closing_speed=np.asarray(truth.closing_speed),
            target_speed=np.asarray(self.scenario.target_speed_mps),
        )  # fmt: skip
