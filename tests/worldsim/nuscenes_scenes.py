"""A complete nuScenes data set whose drives come from the reference world, so that the truth about them is known.

Three scenes of ``FRAMES`` pictures at 10 Hz from two cameras, all 13 tables, and
    scene-0061  curves in Singapore, CAN bus, no map expansion (official split mini_train)
    scene-0103  a straight highway in Boston, CAN bus, map expansion (mini_val)
    scene-0161  curves without CAN bus: the devkit's list says that it has none (train)
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from agents.recorder import Recorder
from agents.scripted import ScriptedDriver
from envs.reference.camera.projection import rotation
from envs.reference.roadcam import RoadCamEnv
from worldsim.data.logs.nuscenes.tables import TABLES
from worldsim.data.logs.nuscenes.traffic import AXLE_TO_CENTRE_M
from worldsim.types import CameraSpec, Episode

FRAMES, KEY_EVERY, START_US = 46, 5, 1_533_151_603_000_000
SIZE = (108, 192)
CAMERAS = {
    "CAM_FRONT": CameraSpec.from_fov(SIZE[1], SIZE[0], 70.0, position_m=(0.8, 0.0, 1.4), pitch_rad=0.06),
    "CAM_FRONT_LEFT": CameraSpec.from_fov(
        SIZE[1], SIZE[0], 70.0, position_m=(0.6, 0.4, 1.4), pitch_rad=0.05, yaw_rad=0.9
    ),
}
LATE_US = {"CAM_FRONT": 0, "CAM_FRONT_LEFT": 12_000}
SCENES = {
    "scene-0061": ("curves", "Night, rain, many curves", "n015-2018-07-24-21-22-45+0800", "singapore-onenorth"),
    "scene-0103": ("highway", "Straight on, many cars", "n008-2018-08-01-15-26-43-0400", "boston-seaport"),
    "scene-0161": ("curves", "After rain, curves", "n015-2018-07-24-11-22-45+0800", "singapore-queenstown"),
}
Rows = list[dict[str, Any]]


@dataclass
class Truth:
    """What the reference world knows of a scene: its episode, and every other vehicle at every frame."""

    episode: Episode
    others: list[dict[int, tuple[float, float, float, float, float]]] = field(default_factory=list)
    lanes: list[Any] = field(default_factory=list)


def drive(scenario: str, seed: int) -> Truth:
    """A drive of FRAMES frames with both cameras."""
    env = RoadCamEnv(scenario, cameras={name[4:].lower(): spec for name, spec in CAMERAS.items()}, weather="clear")
    recorder = Recorder(env, *env.reset(seed=seed))
    driver = ScriptedDriver()
    driver.reset(env, np.random.default_rng(seed))
    others = [_others(env)]
    weave = 0.4 if scenario == "curves" else 0.0
    for frame in range(FRAMES - 1):
        action = np.clip(driver.act() + np.array([weave * np.sin(frame / 4), 0.0]), -1, 1)
        observation, _, _, _, info = env.step(action)
        recorder.add(action, observation, info)
        others.append(_others(env))
    graph = env.road.network.graph
    lanes = [lane for edges in graph.values() for parallel in edges.values() for lane in parallel]
    return Truth(recorder.episode(driver="good", seed=seed), others, lanes)


def _others(env: RoadCamEnv) -> dict[int, tuple[float, float, float, float, float]]:
    return {
        id(v): (*map(float, v.position), float(v.heading), float(v.LENGTH), float(v.WIDTH)) for v in env.traffic.others
    }


def write_nuscenes(root: Path, names: tuple[str, ...] = tuple(SCENES)) -> dict[str, Truth]:
    """Write the data set below ``root`` and return what is true of each scene."""
    tables: dict[str, Rows] = {name: [] for name in TABLES}
    _sensors(tables)
    truths = {}
    for number, name in enumerate(names):
        scenario, description, logfile, location = SCENES[name]
        truths[name] = truth = drive(scenario, 3 + number)
        log = {"token": f"log-{name}", "logfile": logfile, "vehicle": "n015", "location": location}
        tables["log"].append(log | {"date_captured": logfile[5:15]})
        start = START_US + number * 60_000_000
        _scene(root, tables, name, description, truth, start)
        if name != "scene-0161":
            _can_bus(root / "can_bus", name, truth.episode, start)
        if location == "boston-seaport":
            _map_expansion(root / "maps" / "expansion" / f"{location}.json", truth.lanes)
    (root / "maps").mkdir(exist_ok=True, parents=True)
    cv2.imwrite(str(root / "maps" / "prior.png"), np.full((8, 8), 255, np.uint8))
    logs = [row["token"] for row in tables["log"]]
    tables["map"] = [{"token": "map", "category": "semantic_prior", "filename": "maps/prior.png", "log_tokens": logs}]
    (root / "v1.0-mini").mkdir(parents=True)
    for table, rows in tables.items():
        (root / "v1.0-mini" / f"{table}.json").write_text(json.dumps(rows))
    return truths


def _sensors(tables: dict[str, Rows]) -> None:
    tables["category"] = [{"token": "car", "name": "vehicle.car", "description": ""}]
    tables["attribute"] = [{"token": "moving", "name": "vehicle.moving", "description": ""}]
    tables["visibility"] = [{"token": "4", "level": "v80-100", "description": ""}]
    for channel, spec in CAMERAS.items():
        tables["sensor"].append({"token": channel, "channel": channel, "modality": "camera"})
        forward, left, up = rotation(spec).T
        x, y, z = spec.position_m
        tables["calibrated_sensor"].append(
            {
                "token": f"calibrated-{channel}",
                "sensor_token": channel,
                "translation": [x + AXLE_TO_CENTRE_M, y, z],
                "rotation": quaternion(np.stack([-left, -up, forward], -1)),
                "camera_intrinsic": [[spec.fx, 0, spec.cx], [0, spec.fy, spec.cy], [0, 0, 1]],
            }
        )


def quaternion(turned: np.ndarray) -> list[float]:
    """(w, x, y, z) of a rotation matrix, by the eigenvector of Bar-Itzhack's symmetric matrix."""
    (a, b, c), (d, e, f), (g, h, i) = turned
    symmetric = np.array(
        [
            [a - e - i, d + b, g + c, h - f],
            [d + b, e - a - i, h + f, c - g],
            [g + c, h + f, i - a - e, d - b],
            [h - f, c - g, d - b, a + e + i],
        ]
    )
    x, y, z, w = np.linalg.eigh(symmetric)[1][:, -1]
    return [float(w), float(x), float(y), float(z)]


def _turned(yaw: float) -> list[float]:
    return [float(np.cos(yaw / 2)), 0.0, 0.0, float(np.sin(yaw / 2))]


def _chain(rows: Rows) -> None:
    for before, after in itertools.pairwise(rows):
        before["next"], after["prev"] = after["token"], before["token"]


def _scene(root: Path, tables: dict[str, Rows], name: str, description: str, truth: Truth, start: int) -> None:
    samples = [
        {"token": f"{name}-{frame}", "timestamp": start + frame * 100_000, "scene_token": name, "prev": "", "next": ""}
        for frame in range(0, FRAMES, KEY_EVERY)
    ]
    _chain(samples)
    tables["sample"] += samples
    tables["scene"].append(
        {
            "token": name,
            "name": name,
            "description": description,
            "log_token": f"log-{name}",
            "nbr_samples": len(samples),
            "first_sample_token": samples[0]["token"],
            "last_sample_token": samples[-1]["token"],
        }
    )
    for channel in CAMERAS:
        _pictures(root, tables, name, channel, truth.episode, start + LATE_US[channel])
    _annotations(tables, name, truth, samples)


def _pictures(root: Path, tables: dict[str, Rows], name: str, channel: str, episode: Episode, start: int) -> None:
    rows: Rows = []
    for frame, picture in enumerate(episode.views[channel[4:].lower()]):
        key, token = frame % KEY_EVERY == 0, f"{name}-{channel}-{frame}"
        path = Path("samples" if key else "sweeps") / channel / f"{name}__{channel}__{start + frame * 100_000}.jpg"
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / path), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
        before, time = max(frame, 1) - 1, start + frame * 100_000
        later = LATE_US[channel] * 1e-5 * (episode.pose[before + 1] - episode.pose[before])
        x, y, yaw = map(float, episode.pose[frame] + later)
        axle = [x - AXLE_TO_CENTRE_M * np.cos(yaw), y - AXLE_TO_CENTRE_M * np.sin(yaw), 0.0]
        tables["ego_pose"].append({"token": token, "timestamp": time, "rotation": _turned(yaw), "translation": axle})
        rows.append(
            {
                "token": token, "ego_pose_token": token, "timestamp": time, "is_key_frame": key, "prev": "", "next": "",
                "sample_token": f"{name}-{frame // KEY_EVERY * KEY_EVERY}", "fileformat": "jpg",
                "calibrated_sensor_token": f"calibrated-{channel}", "height": SIZE[0], "width": SIZE[1],
                "filename": str(path),
            }
        )  # fmt: skip
    _chain(rows)
    tables["sample_data"] += rows


def _annotations(tables: dict[str, Rows], name: str, truth: Truth, samples: Rows) -> None:
    for number, key in enumerate(dict.fromkeys(key for seen in truth.others for key in seen)):
        rows: Rows = []
        for index, sample in enumerate(samples):
            if key not in (seen := truth.others[index * KEY_EVERY]):
                continue
            x, y, yaw, length, width = seen[key]
            rows.append(
                {
                    "token": f"{name}-{number}-{index}", "sample_token": sample["token"], "prev": "", "next": "",
                    "instance_token": f"{name}-{number}", "visibility_token": "4", "attribute_tokens": ["moving"],
                    "translation": [x, y, 0.8], "size": [width, length, 1.6], "rotation": _turned(yaw),
                    "num_lidar_pts": 9, "num_radar_pts": 1,
                }
            )  # fmt: skip
        if not rows:
            continue
        _chain(rows)
        tables["sample_annotation"] += rows
        ends = {"first_annotation_token": rows[0]["token"], "last_annotation_token": rows[-1]["token"]}
        instance = {"token": f"{name}-{number}", "category_token": "car", "nbr_annotations": len(rows)}
        tables["instance"].append(instance | ends)


def _can_bus(folder: Path, name: str, episode: Episode, start: int) -> None:
    """Messages at their rates, in their units, between the states that the reference world had."""
    folder.mkdir(parents=True, exist_ok=True)
    speed, rate, acceleration, steering = episode.ego.T.astype(float)
    seconds = np.arange(FRAMES) / 10

    def at(hertz: float, values: np.ndarray) -> list[tuple[int, float]]:
        moments = np.arange(0.003, seconds[-1], 1 / hertz)
        found = np.interp(moments, seconds, values)
        return [(start + round(m * 1e6), float(v)) for m, v in zip(moments, found, strict=True)]

    turned = dict(at(50, rate))
    pushed = dict(at(50, acceleration))
    messages = {
        "pose": [
            {
                "utime": time, "vel": [value, 0.0, 0.0], "rotation_rate": [0.0, 0.0, turned[time]],
                "accel": [pushed[time], 0.0, 9.81], "pos": [0.0, 0.0, 0.0], "orientation": [1.0, 0.0, 0.0, 0.0],
            }
            for time, value in at(50, speed)
        ],
        "steeranglefeedback": [{"utime": time, "value": 7.7 * value} for time, value in at(100, steering)],
        "vehicle_monitor": [{"utime": time, "vehicle_speed": 3.6 * value} for time, value in at(2, speed)],
    }  # fmt: skip
    for message, rows in messages.items():
        (folder / f"{name}_{message}.json").write_text(json.dumps(rows))


def _map_expansion(path: Path, lanes: list[Any]) -> None:
    """A map in the format of the expansion 1.3 whose lanes, straight here, are those of the reference road."""
    layers: dict[str, Any] = {
        name: []
        for name in (
            "polygon", "line", "node", "drivable_area", "road_segment", "road_block", "lane", "ped_crossing", "walkway",
            "stop_line", "carpark_area", "lane_connector", "road_divider", "lane_divider", "traffic_light",
        )
    }  # fmt: skip
    arcs = {}
    for number, lane in enumerate(lanes):
        start, end, yaw = lane.position(0, 0), lane.position(lane.length, 0), float(lane.heading_at(0))
        corners = [
            lane.position(s, o * lane.width / 2) for s, o in ((0, 1), (lane.length, 1), (lane.length, -1), (0, -1))
        ]
        nodes = [{"token": f"n{number}-{i}", "x": float(x), "y": float(y)} for i, (x, y) in enumerate(corners)]
        layers["node"] += nodes
        tokens = [node["token"] for node in nodes]
        layers["polygon"].append({"token": f"p{number}", "exterior_node_tokens": tokens, "holes": []})
        layers["lane"].append(
            {
                "token": f"l{number}", "polygon_token": f"p{number}", "lane_type": "CAR",
                "left_lane_divider_segments": [], "right_lane_divider_segments": [],
            }
        )  # fmt: skip
        straight = {"shape": "LSL", "radius": 1000.0, "segment_length": [0.0, float(lane.length), 0.0]}
        arcs[f"l{number}"] = [straight | {"start_pose": [*map(float, start), yaw], "end_pose": [*map(float, end), yaw]}]
    layers["drivable_area"] = [{"token": "d", "polygon_tokens": [row["token"] for row in layers["polygon"]]}]
    path.parent.mkdir(parents=True, exist_ok=True)
    more = {"version": "1.3", "canvas_edge": [1000.0, 1000.0], "arcline_path_3": arcs, "connectivity": {}}
    path.write_text(json.dumps(layers | more))
