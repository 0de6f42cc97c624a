"""Made-up episodes for the tests of worldsim.data: every field is filled, with NaN where the contract allows it."""

from __future__ import annotations

import numpy as np

from worldsim.types import EGO_FIELDS, LABEL_FIELDS, MOTION_FIELDS, CameraSpec, Episode, Happening, SceneFields


def make_episode(
    t: int = 20,
    seed: int = 0,
    size: tuple[int, int] = (32, 64),
    cameras: tuple[str, ...] = ("front",),
    fps: float = 10.0,
) -> Episode:
    """A drive past posts towards a car with brake lights, from ``seed`` alone."""
    rng = np.random.default_rng(seed)
    h, w = size

    def draw(width: int, missing: float = 0.2) -> np.ndarray:
        values = rng.normal(size=(t, width)).astype(np.float32)
        values[rng.random((t, width)) < missing] = np.nan
        return values

    motion, action = draw(len(MOTION_FIELDS), 0.0), np.clip(draw(2), -1, 1)
    motion[-1], action[-1] = np.nan, np.nan
    return Episode(
        views={name: _pictures(t, h, w, rng) for name in cameras},
        motion=motion,
        ego=draw(len(EGO_FIELDS)),
        timestamps=np.arange(t) / fps + np.concatenate([[0.0], rng.uniform(-1e-3, 1e-3, t - 1)]),
        action=action,
        labels=draw(len(LABEL_FIELDS)),
        pose=draw(3),
        command=rng.integers(0, 4, t),
        rewards={"progress": draw(1)[:, 0], "collision": draw(1)[:, 0]},
        boxes=[rng.normal(size=(int(k), 5)).astype(np.float32) for k in rng.integers(0, 3, t)],
        cameras={
            name: CameraSpec(w, h, 40.0, 41.0, w / 2, h / 2, (0.1, 0.2, 1.3), 0.05, yaw)
            for yaw, name in enumerate(cameras)
        },
        fields=SceneFields(road="highway", weather="rain", lanes=int(rng.integers(1, 6))),
        happenings=(Happening("cut_in", 0.5, "left", "truck"), Happening("weather", 1.0, to="fog")),
        caption=f"a wet highway, number {seed % 3}",
        scenario=("highway", "merge")[seed % 2],
        driver="noisy",
        seed=seed,
        split="val" if seed % 4 == 3 else "train",
        source="made up",
        licence="CC0-1.0",
    )


def _pictures(t: int, h: int, w: int, rng: np.random.Generator) -> np.ndarray:
    frames = np.empty((t, h, w, 3), np.uint8)
    frames[:, : h // 2], frames[:, h // 2 :] = (130, 170, 220), (80, 82, 84)
    tone = rng.integers(0, 40, 3)
    for i in range(t):
        frames[i, h // 4 : h // 2, (3 * i) % w] = np.array((60, 90, 40)) + tone
        x = w // 4 + i % (w // 4)
        frames[i, h // 2 : h // 2 + 6, x : x + 10] = (30, 60, 150)
        frames[i, h // 2 + 3 : h // 2 + 5, [x, x + 1, x + 8, x + 9]] = (255, 20, 20)
    return frames
