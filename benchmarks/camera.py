"""How fast the reference camera draws on one core: `python -m benchmarks.camera [--quick]`.

The last line is one JSON object. Frames are timed on a drive of new poses, so the ground that comes into view is
drawn too; the clock counts this process's own CPU seconds, so that other work on the machine does not enter.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from envs.reference.camera import EgoCamera, LaneLine, RoadMap, Scene, VehicleView
from worldsim.say import say
from worldsim.types import TIMES, WEATHERS, CameraSpec

Array = npt.NDArray[np.float64]
SEED = 7
STEP_M = 2.5  # ego motion of one frame: 25 m/s at 10 frames/s
COLOURS = ((200, 40, 40), (40, 90, 200), (235, 235, 235), (240, 190, 30), (40, 160, 80), (30, 30, 34), (130, 60, 170))
SIZES = {"car": (4.8, 2.0, 1.5), "van": (5.2, 2.1, 2.1), "truck": (9.0, 2.5, 3.3)}


def ribbon(length_m: float, curvature: float = 0.0, lanes: int = 3, lane_m: float = 4.0) -> tuple[RoadMap, Array]:
    """A road that starts at the origin along +x and bends left by ``curvature`` (1/m) after 100 m, at most by 4 rad.

    Returns the map and its centre line (k, 3) as x, y, yaw, a metre apart.
    """
    along = np.arange(0.0, length_m + 1.0)
    yaw = np.clip((along - 100.0) * np.sign(curvature), 0, None) * np.sign(curvature) * abs(curvature)
    yaw = np.clip(yaw, -4.0, 4.0)
    centre = np.stack([np.cumsum(np.cos(yaw)) - 1.0, np.cumsum(np.sin(yaw))], axis=1)
    left = np.stack([-np.sin(yaw), np.cos(yaw)], axis=1)
    half = lanes * lane_m / 2
    west, east = centre + left * half, centre - left * half
    dashed = [LaneLine(centre + left * (half - lane_m * i), "dashed") for i in range(1, lanes)]
    solid = [LaneLine(west - 0.2 * left, "solid", "yellow"), LaneLine(east + 0.2 * left, "solid", "white")]
    everything = np.concatenate([west, east])
    x0, y0, x1, y1 = *everything.min(0).tolist(), *everything.max(0).tolist()
    road = RoadMap((np.concatenate([west, east[::-1]]),), (*solid, *dashed), (west, east[::-1]), (x0, y0, x1, y1))
    return road, np.column_stack([centre, yaw])


def traffic(centre: Array, at_m: float, count: int = 10, lane_m: float = 4.0) -> tuple[VehicleView, ...]:
    """Vehicles of every kind ahead of, beside and behind a place on the road."""
    ahead = (9.0, 16.0, 24.0, 34.0, 45.0, 3.0, 60.0, 80.0, 55.0, -12.0)
    vehicles = []
    for index in range(count):
        where = float(np.clip(at_m + ahead[index % len(ahead)], 0, len(centre) - 1.0))
        x, y, yaw = (float(np.interp(where, np.arange(len(centre)), column)) for column in centre.T)
        side = lane_m * ((index % 3) - 1) if index != 5 else -lane_m
        kind = ("car", "car", "truck", "van")[index % 4]
        vehicles.append(
            VehicleView(x - side * np.sin(yaw), y + side * np.cos(yaw), yaw, *SIZES[kind], kind,
                        COLOURS[index % len(COLOURS)], braking=index % 2 == 1)
        )  # fmt: skip
    return tuple(vehicles)


def drive(frames: int, weather: str, time_of_day: str, curvature: float) -> list[Scene]:
    """Scenes of an ego that follows a road among ten vehicles."""
    road, centre = ribbon(frames * STEP_M + 260.0, curvature)
    scenes = []
    for frame in range(frames):
        at = 60.0 + frame * STEP_M
        x, y, yaw = (float(np.interp(at, np.arange(len(centre)), column)) for column in centre.T)
        scenes.append(Scene(road, x, y, yaw, traffic(centre, at), weather, time_of_day, SEED, frame / 10))
    return scenes


def frames_per_second(spec: CameraSpec, scenes: list[Scene]) -> float:
    """Pictures drawn in a CPU second, after the first few have filled the caches of a new road."""
    camera = EgoCamera(spec)
    for scene in scenes[:10]:
        camera.render(scene)
    start = time.process_time()
    for scene in scenes[10:]:
        camera.render(scene)
    return (len(scenes) - 10) / (time.process_time() - start)


def first_frame_s(spec: CameraSpec, scene: Scene) -> float:
    """CPU seconds of the first picture of a new road and seed: planting the roadside, paving, painting the sky."""
    camera = EgoCamera(spec)
    start = time.process_time()
    camera.render(replace(scene, seed=scene.seed + 1))
    return time.process_time() - start


def main(argv: list[str] | None = None) -> None:
    """Measure and print, the JSON object last."""
    parser = argparse.ArgumentParser(description="Measure how fast the reference camera draws on one core.")
    parser.add_argument("--quick", action="store_true", help="fewer frames; ends within a minute")
    arguments = parser.parse_args(argv)
    cv2.setNumThreads(1)
    frames = 120 if arguments.quick else 400
    small, large = CameraSpec(), CameraSpec.from_fov(512, 256)
    rates = {}
    for weather in WEATHERS:
        for time_of_day in TIMES:
            scenes = drive(frames, weather, time_of_day, 0.004)
            rates[f"{weather} {time_of_day}"] = rate = frames_per_second(small, scenes)
            say(f"64x128, {weather:>5} {time_of_day:>5}: {rate:6.0f} frames/s")
    scenes = drive(60, "clear", "day", 0.004)
    large_rate, first = frames_per_second(large, scenes), first_frame_s(small, scenes[0])
    say(f"256x512, clear day: {large_rate:.0f} frames/s; first frame of a new road: {first * 1000:.0f} ms")
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    overall = len(rates) / sum(1 / rate for rate in rates.values())
    result = {
        "camera_frames_per_s": round(overall, 1),
        "slowest": min(rates, key=lambda name: rates[name]),
        "slowest_frames_per_s": round(min(rates.values()), 1),
        "frames_per_s_256x512": round(large_rate, 1),
        "first_frame_ms": round(first * 1000, 1),
        "clock": "process CPU time",
        "vehicles": 10,
        "threads": cv2.getNumThreads(),
        "seeds": [SEED],
        "command": "python -m benchmarks.camera" + (" --quick" if arguments.quick else ""),
        "commit": commit.stdout.strip() or None,
    }
    say(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1:])
