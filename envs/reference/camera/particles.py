"""Rain and snow in the air: few and faint, and fixed in the world, so that driving through them shows.

Axis legend: n drops.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from .look import Look
from .projection import Pinhole, ego_to_world
from .scene import Scene

Array = npt.NDArray[np.float64]
Image = npt.NDArray[np.uint8]
BOX_M = 14.0  # drops repeat in cubes of this size around the camera
DROPS = {"rain": 260, "snow": 420}
FALL_MPS = {"rain": (0.6, 0.0, -8.0), "snow": (0.9, 0.4, -1.5)}
CONTRAST = {"day": {"rain": 26, "snow": 34}, "dusk": {"rain": 24, "snow": 44}, "night": {"rain": 16, "snow": 46}}
NEAREST_M = 1.2


@lru_cache(maxsize=8)
def _drops(weather: str, seed: int) -> Array:
    """Where drops are at time 0, (n, 3) in their cube."""
    return np.random.default_rng((seed & 0xFFFFFFFF, 71)).uniform(0, BOX_M, (DROPS[weather], 3))


def fall(image: Image, camera: Pinhole, scene: Scene, look: Look, share: float = 1.0) -> Image:
    """The picture (h, w, 3) with rain streaks or snow flakes in front, ``share`` as strong as usual.

    It is unchanged where neither falls. Between two looks those of the one fade out while those of the other fade in.
    """
    if look.ends is not None:
        before, after = look.ends
        image = fall(image, camera, scene, before, share * (1 - look.share))
        return fall(image, camera, scene, after, share * look.share)
    if look.weather not in DROPS:
        return image
    start = _drops(look.weather, scene.seed)
    velocity = np.array(FALL_MPS[look.weather])
    world = ego_to_world(scene.x, scene.y, scene.yaw)
    eye = np.append(world[:2, :2] @ camera.position[:2] + world[:2, 2], camera.position[2])
    offset = (start + velocity * scene.time_s - eye + BOX_M / 2) % BOX_M - BOX_M / 2
    turn = np.eye(3)
    turn[:2, :2] = world[:2, :2]
    tail = offset - velocity * 0.03 if look.weather == "rain" else offset
    to_camera = turn @ camera.axes.T  # world offset (row vector) -> camera
    head_c, tail_c = offset @ to_camera, tail @ to_camera
    seen = np.minimum(head_c[:, 2], tail_c[:, 2]) > NEAREST_M
    head, end = camera.to_pixels(head_c[seen]) - 0.5, camera.to_pixels(tail_c[seen]) - 0.5
    veil = np.zeros(image.shape[:2], np.uint8)
    strength = share * CONTRAST[look.time_of_day][look.weather]
    fixed = np.round(np.stack([head, end], axis=1).clip(-2000, 4000) * 16).astype(np.int32)
    if look.weather == "rain":
        wide = max(1, round(camera.spec.width / 256))
        cv2.polylines(veil, list(fixed), False, (strength,), wide, cv2.LINE_AA, 4)
    else:
        size = 0.028 * camera.spec.fx / head_c[seen, 2]
        for (x, y), radius in zip(fixed[:, 0].tolist(), size.tolist(), strict=True):
            shade = (strength * min(1.0, radius / 0.7),)
            cv2.circle(veil, (x, y), max(8, round(16 * radius)), shade, -1, cv2.LINE_AA, 4)
    return np.asarray(cv2.add(image, cv2.merge([veil] * 3)), dtype=np.uint8)
