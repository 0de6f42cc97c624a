"""The reference camera: geometry, determinism, what weather and light do, and bad input.

Axis legend: h w image rows and columns, k boxes (x0, y0, x1, y1, distance).
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.camera import ribbon, traffic
from envs.reference.camera import EgoCamera, RoadMap, Scene, VehicleView
from envs.reference.camera.projection import Pinhole, clip_near
from envs.reference.camera.roadside import Roadside
from worldsim.types import TIMES, WEATHERS, CameraSpec

STRAIGHT, CENTRE = ribbon(700.0)
CURVE, BEND = ribbon(500.0, 0.012)
LOOKS = list(itertools.product(WEATHERS, TIMES))


@pytest.fixture(scope="module")
def camera() -> EgoCamera:
    return EgoCamera()


def scene(*vehicles: VehicleView, **changes: object) -> Scene:
    return replace(Scene(STRAIGHT, 100.0, 0.0, 0.0, vehicles, seed=3), **changes)


def car(ahead: float, left: float = 0.0, **changes: object) -> VehicleView:
    return replace(VehicleView(100.0 + ahead, left, 0.0), **changes)


def busy(**changes: object) -> Scene:
    return scene(*traffic(CENTRE, 100.0), **changes)


def crop(image: np.ndarray, box: np.ndarray) -> np.ndarray:
    x0, y0 = np.floor(box[:2]).astype(int)
    x1, y1 = np.ceil(box[2:4]).astype(int)
    return image[y0:y1, x0:x1].astype(float)


def test_picture_is_fresh_rgb_of_the_asked_size(camera: EgoCamera) -> None:
    first, second = camera.render(busy()), camera.render(busy())
    assert first.shape == (64, 128, 3) and first.dtype == np.uint8
    assert first is not second and not np.shares_memory(first, second)
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("weather", WEATHERS)
def test_same_scene_same_picture_whatever_was_drawn_before(camera: EgoCamera, weather: str) -> None:
    target = busy(weather=weather, time_s=2.3)
    road, centre = CURVE, BEND
    for at in range(60, 300, 60):
        x, y, yaw = centre[at].tolist()
        camera.render(Scene(road, x, y, yaw, (), "snow", "night", seed=at))
        camera.render(scene(x=100.0 + at, seed=target.seed))
    np.testing.assert_array_equal(camera.render(target), EgoCamera().render(target))


def test_seed_changes_the_roadside_and_only_falling_things_change_with_time(camera: EgoCamera) -> None:
    assert (camera.render(busy()) != camera.render(busy(seed=4))).mean() > 0.1
    for weather in WEATHERS:
        moved = (camera.render(busy(weather=weather)) != camera.render(busy(weather=weather, time_s=0.4))).any()
        assert moved == (weather in ("rain", "snow"))


def test_every_weather_and_time_separates_by_simple_statistics(camera: EgoCamera) -> None:
    """Nearest class mean over six numbers of a picture names weather and time on other roads, poses and seeds."""

    def statistics(picture: np.ndarray) -> np.ndarray:
        sky, ground = picture[:16].mean((0, 1)), picture[44:].mean((0, 1))
        return np.concatenate([sky, ground, [picture[20:44].std()]])

    def sample(look: tuple[str, str], seed: int) -> np.ndarray:
        x = 60.0 + 97.0 * seed % 400
        shown = Scene(STRAIGHT, x, 0.0, 0.0, traffic(CENTRE, x), *look, seed=seed)
        return statistics(camera.render(shown))

    drawn = np.array([[sample(look, seed) for look in LOOKS] for seed in (0, 1, 2, 11, 12)])
    means, others = drawn[:3].mean(0), drawn[3:]
    named = ((others[:, :, None] - means) ** 2).sum(-1).argmin(-1)
    right = named == np.arange(len(LOOKS))
    assert np.mean(right) >= 0.9


def test_brightness_falls_from_day_to_night_and_fog_hides_what_is_far(camera: EgoCamera) -> None:
    for weather in WEATHERS:
        day, dusk, night = (camera.render(busy(weather=weather, time_of_day=t)).mean() for t in TIMES)
        assert day > dusk > night
    far = car(45.0, colour=(240, 20, 20))

    def contrast(weather: str) -> float:
        (box,) = camera.boxes(scene(far, weather=weather))[:1]
        with_car, without = (camera.render(scene(*v, weather=weather)).astype(float) for v in ((far,), ()))
        return float(np.abs(crop(with_car, box) - crop(without, box)).mean())

    assert contrast("fog") < 0.2 * contrast("clear")


def test_box_follows_the_pinhole_model(camera: EgoCamera) -> None:
    spec = camera.spec
    widths = []
    for ahead in (12.0, 24.0, 48.0):
        vehicle = car(ahead)
        (box,) = camera.boxes(scene(vehicle))
        rear = np.array([[ahead - vehicle.length / 2, y, z] for y in (-1.0, 1.0) for z in (0.0, vehicle.height)])
        lens = Pinhole(spec)
        pixels = lens.to_pixels(lens.to_camera(rear))
        np.testing.assert_allclose(box[[0, 2]], [pixels[:, 0].min(), pixels[:, 0].max()], atol=0.01)
        assert box[1] <= pixels[:, 1].min() + 0.01 and abs(box[3] - pixels[:, 1].max()) < 0.01
        assert box[4] == pytest.approx(ahead - spec.position_m[0], abs=1e-3)
        assert (box[0] + box[2]) / 2 == pytest.approx(64.0, abs=0.01)
        widths.append((box[2] - box[0]) * (ahead - vehicle.length / 2 - spec.position_m[0]))
    np.testing.assert_allclose(widths, widths[0], rtol=0.01)  # width times distance stays


def test_boxes_leave_out_what_is_hidden_far_or_behind(camera: EgoCamera) -> None:
    truck = car(12.0, kind="truck", length=9.0, width=2.5, height=3.3)
    assert len(camera.boxes(scene(truck, car(30.0), car(-10.0), car(95.0, 4.0)))) == 1
    seen = camera.boxes(scene(car(40.0), car(15.0, 4.0)))
    assert len(seen) == 2 and seen[0, 4] < seen[1, 4] and seen.dtype == np.float32
    assert camera.boxes(scene()).shape == (0, 5)
    van = car(70.0, kind="van", height=2.1, width=2.3)
    assert len(camera.boxes(scene(van))) == 1
    assert len(camera.boxes(scene(van, weather="fog"))) == 0
    assert len(camera.boxes(scene(car(78.0)))) == 0  # smaller than 3 px


def test_the_box_is_where_the_car_is_drawn(camera: EgoCamera) -> None:
    for vehicle in (car(10.0), car(20.0, -4.0), car(30.0, 4.0, kind="truck", length=9.0, width=2.5, height=3.3)):
        (box,) = camera.boxes(scene(vehicle, weather="fog"))
        clear = {"weather": "rain"}  # no sun, so no long shadow; the same streaks in both
        changed = camera.render(scene(vehicle, **clear)).astype(int) - camera.render(scene(**clear)).astype(int)
        rows, cols = np.nonzero(np.abs(changed).max(2) > 25)
        drawn = np.array([cols.min(), rows.min(), cols.max() + 1, rows.max() + 1])
        np.testing.assert_allclose(drawn, box[:4], atol=2.1)


@pytest.mark.parametrize("look", LOOKS)
def test_braking_lights_up(camera: EgoCamera, look: tuple[str, str]) -> None:
    calm = car(9.0, colour=(40, 90, 200))
    weather, time_of_day = look

    def red(vehicle: VehicleView) -> float:
        shown = scene(vehicle, weather=weather, time_of_day=time_of_day)
        patch = crop(camera.render(shown), camera.boxes(shown)[0])
        return float((patch[..., 0] - patch[..., 1:].max(2)).clip(0).mean())

    assert red(replace(calm, braking=True)) > 1.6 * red(calm) + 2.0


def test_left_is_left(camera: EgoCamera) -> None:
    for left, half in ((4.0, slice(0, 64)), (-4.0, slice(64, 128))):
        vehicle = car(14.0, left, colour=(250, 20, 20))
        box = camera.boxes(scene(vehicle))[0]
        assert (box[0] + box[2]) / 2 < 64 if left > 0 else (box[0] + box[2]) / 2 > 64
        changed = np.abs(camera.render(scene(vehicle)).astype(int) - camera.render(scene()).astype(int)).max(2) > 40
        assert changed[:, half].sum() > 0.95 * changed.sum() > 0


def test_turning_left_moves_the_horizon_right() -> None:
    nowhere = RoadMap((), (), (), (0.0, 0.0, 1.0, 1.0))  # bare land, so that nothing hides the horizon
    camera = EgoCamera()
    turn = 0.12

    def band(yaw: float) -> np.ndarray:
        return camera.render(Scene(nowhere, 0.0, 0.0, yaw, seed=5))[10:26].astype(float).mean(0)

    before, after = band(0.4), band(0.4 + turn)
    shifts = range(-20, 21)
    errors = [np.abs(after[20 + s : 108 + s] - before[20:108]).mean() for s in shifts]
    assert shifts[int(np.argmin(errors))] == pytest.approx(turn * camera.spec.fx, abs=2.0)


def test_resolution_keeps_the_view() -> None:
    small = CameraSpec()
    shown = busy()
    coarse = EgoCamera(small).render(shown).astype(float)
    for factor in (2, 4):
        camera = EgoCamera(small.resized(128 * factor, 64 * factor))
        fine = camera.render(shown).astype(float)
        pooled = fine.reshape(64, factor, 128, factor, 3).mean((1, 3))
        assert np.abs(pooled - coarse).mean() < 6.0
        np.testing.assert_allclose(camera.boxes(shown)[0, :4] / factor, EgoCamera(small).boxes(shown)[0, :4], atol=0.05)


@pytest.mark.parametrize(("yaw", "vehicle"), [(np.pi / 2, car(0.0, 9.0)), (-np.pi / 2, car(0.0, -9.0)),
                                              (np.pi, car(-12.0))])  # fmt: skip
def test_other_mountings_see_their_own_side(yaw: float, vehicle: VehicleView) -> None:
    spec = CameraSpec.from_fov(96, 64, 90.0, position_m=(0.0, 0.0, 1.5), yaw_rad=float(yaw), pitch_rad=0.05)
    camera, front = EgoCamera(spec), EgoCamera()
    (box,) = camera.boxes(scene(vehicle))
    assert (box[0] + box[2]) / 2 == pytest.approx(48.0, abs=1.0)
    assert len(front.boxes(scene(vehicle))) == 0
    assert (camera.render(scene(vehicle)) != camera.render(scene())).mean() > 0.02


def test_left_camera_sees_what_is_further_ahead_further_right() -> None:
    spec = CameraSpec.from_fov(96, 64, 90.0, position_m=(0.0, 0.0, 1.5), yaw_rad=np.pi / 2)
    boxes = EgoCamera(spec).boxes(scene(car(5.0, 9.0, length=3.0)))
    assert (boxes[0, 0] + boxes[0, 2]) / 2 > 60


def test_roll_tips_the_horizon_by_the_right_hand_rule() -> None:
    spec = replace(CameraSpec(), roll_rad=0.2)  # left side up: the horizon falls to the left of the picture
    picture = EgoCamera(spec).render(scene(weather="snow", time_of_day="night"))
    assert picture.shape == (64, 128, 3)
    rays = Pinhole(spec).rays(np.array([0.0, 128.0]), np.array([32.0, 32.0]))
    assert rays[0, 2] > rays[1, 2]


@pytest.mark.parametrize("left", [-3.0, 0.0, 2.2, 4.0])
def test_cars_beside_and_around_the_camera_are_cut_off_cleanly(camera: EgoCamera, left: float) -> None:
    for ahead in np.arange(-6.0, 6.0, 0.35):
        vehicle = car(float(ahead), left, colour=(250, 20, 20))
        picture = camera.render(scene(vehicle))
        boxes = camera.boxes(scene(vehicle))
        assert (boxes[:, :4] >= 0).all() and (boxes[:, :4] <= [128, 64, 128, 64]).all()
        if abs(left) >= 3.0:  # a lane away it never hides more than its own side of the picture
            far_side = picture[:, 70:] if left > 0 else picture[:, :58]
            empty = camera.render(scene())[:, 70:] if left > 0 else camera.render(scene())[:, :58]
            assert (np.abs(far_side.astype(int) - empty).max(2) > 60).mean() < 0.02


def test_near_clipping_keeps_the_part_in_front() -> None:
    square = np.array([[-1.0, 0, -1], [1, 0, -1], [1, 0, 3], [-1, 0, 3]])
    kept = clip_near(square, 1.0)
    assert sorted(map(tuple, kept)) == [(-1, 0, 1), (-1, 0, 3), (1, 0, 1), (1, 0, 3)]
    assert len(clip_near(square - [0, 0, 9], 1.0)) == 0


@pytest.mark.parametrize(("road", "centre"), [(STRAIGHT, CENTRE), (CURVE, BEND)])
def test_roadside_is_dense_and_never_on_asphalt(road: RoadMap, centre: np.ndarray) -> None:
    planted = Roadside.plant(road, 9)
    away = np.linalg.norm(planted.place[:, None] - centre[None, :, :2], axis=2).min(1)
    assert away.min() > 6.0  # half of three lanes
    for at in range(50, len(centre) - 100, 25):
        near = np.linalg.norm(planted.place - centre[at, :2], axis=1) < 60
        assert near.sum() >= 12
    again = Roadside.plant(road, 9)
    np.testing.assert_array_equal(planted.place, again.place)


def test_motion_shows_in_every_look(camera: EgoCamera) -> None:
    for weather, time_of_day in LOOKS:
        pictures = [
            camera.render(scene(x=100.0 + x, weather=weather, time_of_day=time_of_day)).astype(int) for x in (0.0, 2.5)
        ]
        changed = np.abs(pictures[0] - pictures[1]).max(2)
        assert (changed > 6).mean() > 0.03, (weather, time_of_day)


def test_lane_lines_are_where_the_map_has_them(camera: EgoCamera) -> None:
    picture = camera.render(scene()).astype(float)
    lens = Pinhole(camera.spec)
    points = np.array([[x, 5.8, 0.0] for x in np.linspace(11.0, 16.0, 12)])  # the yellow line at the left edge
    cols, rows = np.floor(lens.to_pixels(lens.to_camera(points))).astype(int).T
    yellow = picture[rows, cols, 0] - picture[rows, cols, 2]
    assert np.median(yellow) > 40


@pytest.mark.parametrize("field", ["x", "y", "yaw", "time_s"])
def test_pose_that_is_not_finite_is_refused(camera: EgoCamera, field: str) -> None:
    for method in (camera.render, camera.boxes):
        with pytest.raises(ValueError, match="finite"):
            method(scene(**{field: float("nan")}))
    with pytest.raises(ValueError, match="finite"):
        camera.render(scene(car(float("nan"))))


def test_unknown_names_suggest_the_nearest(camera: EgoCamera) -> None:
    with pytest.raises(ValueError, match="did you mean 'rain'"):
        camera.render(scene(weather="rian"))
    with pytest.raises(ValueError, match="did you mean 'night'"):
        camera.render(scene(time_of_day="nigth"))
    with pytest.raises(ValueError, match="did you mean 'truck'"):
        camera.render(scene(car(9.0, kind="truk")))
    with pytest.raises(ValueError, match="above the ground"):
        EgoCamera(replace(CameraSpec(), position_m=(0.0, 0.0, 0.0)))
