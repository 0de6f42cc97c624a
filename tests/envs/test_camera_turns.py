"""What the reference camera shows of weather and light on the way, and of people.

Axis legend: h w image rows and columns, k boxes (x0, y0, x1, y1, distance).
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from benchmarks.camera import ribbon, traffic
from envs.reference.camera import EgoCamera, Scene, VehicleView
from envs.reference.camera.people import SIZES
from envs.reference.camera.scene import Turn

STRAIGHT, CENTRE = ribbon(700.0)
SHARES = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)


@pytest.fixture(scope="module")
def camera() -> EgoCamera:
    return EgoCamera()


def scene(*vehicles: VehicleView, **changes: object) -> Scene:
    return replace(Scene(STRAIGHT, 100.0, 0.0, 0.0, vehicles, seed=3, time_s=1.7), **changes)


def busy(**changes: object) -> Scene:
    return scene(*traffic(CENTRE, 100.0), **changes)


def somebody(kind: str, ahead: float, left: float = 0.0, **changes: object) -> VehicleView:
    length, width, height = SIZES[kind]
    return VehicleView(100.0 + ahead, left, np.pi / 2, length, width, height, kind, **changes)


@pytest.mark.parametrize(
    ("field", "before", "after", "other"),
    [
        ("weather", "clear", "fog", {}),
        ("weather", "rain", "snow", {"time_of_day": "night"}),
        ("weather", "snow", "clear", {}),
        ("time_of_day", "day", "dusk", {}),
        ("time_of_day", "dusk", "night", {"weather": "rain"}),
        ("time_of_day", "night", "day", {"weather": Turn("clear", "rain", 0.5)}),
    ],
)
def test_a_turn_leads_from_one_look_to_the_other_in_small_steps(
    camera: EgoCamera, field: str, before: str, after: str, other: dict
) -> None:
    def shown(value: object) -> np.ndarray:
        return camera.render(busy(**{field: value}, **other)).astype(float)

    way = [shown(Turn(before, after, share)) for share in SHARES]
    np.testing.assert_array_equal(way[0], shown(before))
    np.testing.assert_array_equal(way[-1], shown(after))
    whole = np.abs(way[-1] - way[0]).mean()
    from_start = [np.abs(picture - way[0]).mean() for picture in way]
    assert all(first < second for first, second in pairwise(from_start)), "it never turns back"
    assert max(np.abs(b - a).mean() for a, b in pairwise(way)) < 0.45 * whole, "it never jumps"


def test_what_is_far_goes_first_in_rising_fog_and_brightness_falls_with_dusk(camera: EgoCamera) -> None:
    cars = [VehicleView(100.0 + ahead, 0.0, 0.0, colour=(240, 20, 20)) for ahead in (12.0, 55.0)]

    def seen(share: float) -> list[int]:
        return [len(camera.boxes(scene(car, weather=Turn("clear", "fog", share)))) for car in cars]

    assert seen(0.0) == [1, 1] and seen(1.0) == [1, 0]
    light = [camera.render(busy(time_of_day=Turn("day", "night", share))).mean() for share in SHARES]
    assert all(brighter > darker for brighter, darker in pairwise(light))


def test_rain_fades_in(camera: EgoCamera) -> None:
    def streaks(share: float) -> float:
        now, later = (
            camera.render(scene(weather=Turn("clear", "rain", share), time_s=time)).astype(float)
            for time in (1.0, 1.05)
        )
        return float(np.abs(now - later).sum())

    assert streaks(0.0) == 0.0 and 0.0 < streaks(0.4) < streaks(1.0)


@pytest.mark.parametrize("kind", list(SIZES))
def test_somebody_is_drawn_in_their_box_and_moves_their_legs(camera: EgoCamera, kind: str) -> None:
    clear = {"weather": "rain"}  # no sun, so no long shadow; the same streaks in both
    empty = camera.render(scene(**clear)).astype(int)
    for ahead, left in ((9.0, 1.0), (14.0, -3.0), (25.0, 0.0)):
        person = somebody(kind, ahead, left, colour=(240, 30, 30))
        (box,) = camera.boxes(scene(person, **clear))
        rows, cols = np.nonzero(np.abs(camera.render(scene(person, **clear)).astype(int) - empty).max(2) > 30)
        drawn = np.array([cols.min(), rows.min(), cols.max() + 1, rows.max() + 1])
        assert (drawn[:2] >= box[:2] - 2.1).all() and (drawn[2:] <= box[2:4] + 2.1).all()
        assert drawn[3] - drawn[1] > 0.8 * (box[3] - box[1])
        assert box[4] == pytest.approx(np.hypot(ahead - 0.8, left), abs=1e-3)
    poses = [camera.render(scene(somebody(kind, 9.0, phase=phase))) for phase in (0.0, 0.25, 1.0)]
    assert (poses[0] != poses[1]).any()
    np.testing.assert_array_equal(poses[0], poses[2])
