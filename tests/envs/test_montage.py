"""Films of several cameras: what is shown when, and where."""

from __future__ import annotations

import numpy as np

from envs.cameras import Shot, read_cameras, specs
from envs.montage import Montage
from worldsim.types import CameraSpec

FOUR = specs(read_cameras(["front", "left", "right", "rear"]))
TONES = {"camera": 40, "camera_left": 80, "camera_right": 120, "camera_rear": 160}
SEEN = {key: np.full((64, 128, 3), tone, np.uint8) for key, tone in TONES.items()}


def tone(picture: np.ndarray, row: float, column: float) -> int:
    """The brightness at a place of a picture, in shares of its height and width."""
    return int(picture[int(row * picture.shape[0]), int(column * picture.shape[1]), 0])


def test_all_cameras_are_laid_out_as_one_turns_the_head() -> None:
    film = Montage(FOUR, (), 4.0)
    picture = film.frame(SEEN, 1.0)
    assert picture.shape == (*film.size, 3) and film.shown(3.0) == "all"
    assert [tone(picture, 0.25, column) for column in (0.15, 0.5, 0.85)] == [80, 40, 120]
    assert tone(picture, 0.75, 0.5) == 160 and tone(picture, 0.75, 0.1) not in TONES.values()
    back = specs(
        read_cameras({"back": {"yaw_deg": 180}, "back_right": {"yaw_deg": -120}, "back_left": {"yaw_deg": 120}})
    )
    seen = {
        "camera": SEEN["camera"],
        "camera_back_right": SEEN["camera_right"],
        "camera_back_left": SEEN["camera_left"],
    }
    assert [tone(Montage(back, (), 1.0).frame(seen, 0.0), 0.5, c) for c in (0.2, 0.5, 0.9)] == [80, 40, 120]


def test_cuts_come_when_they_were_asked_for() -> None:
    film = Montage(FOUR, (Shot("rear", 0), Shot("left", 1.5), Shot("all", 3)), 5.0)
    shown = [film.shown(t / 10) for t in range(50)]
    assert shown == ["rear"] * 15 + ["left"] * 15 + ["all"] * 20
    frames = [film.frame(SEEN, time) for time in (0.0, 1.4, 1.5, 3.0)]
    assert len({frame.shape for frame in frames}) == 1
    assert [tone(frame, 0.4, 0.5) for frame in frames[:3]] == [160, 160, 80]
    equal = Montage(FOUR, (Shot("front"), Shot("left"), Shot("right"), Shot("rear")), 8.0)
    assert equal.cuts == [(0.0, "front"), (2.0, "left"), (4.0, "right"), (6.0, "rear")]
    picture = equal.frame(SEEN, 5.0)
    assert picture.shape == (256, 512, 3) and (picture[40:] == 120).all(), "one camera at a time fills the film"


def test_what_is_not_there_is_left_out() -> None:
    shots = (Shot("left", 0), Shot("front", 1), Shot("rear", 2), Shot("all", 3))
    film = Montage({"front": CameraSpec()}, shots, 4.0)
    assert film.cuts == [(0.0, "front"), (1.0, "front"), (3.0, "all")]
    picture = film.frame(SEEN, 3.5)
    assert picture.shape == (256, 512, 3) and (picture == 40).all(), "nor is a name needed"
