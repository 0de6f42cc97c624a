"""Words in: shorthand, as engineers jot it down: "3L", "RHS", "x2", "0:05"."""

from __future__ import annotations

from typing import Any

import pytest

from .readings import asked, told


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4L motorway, LHS cut-in, van, t=8s", ("cut_in", 8.0, "left", "van")),
        ("hwy 3L, wet, cut-in by truck, RHS, t=6 s", ("cut_in", 6.0, "right", "truck")),
        ("VRU (ped) crossing L->R at 7s, rural two-way", ("pedestrian", 7.0, "left", None)),
        ("@5s: cut in (right, van)", ("cut_in", 5.0, "right", "van")),
        ("slow mover ahead (truck) at 9 s", ("slow_vehicle", 9.0, None, "truck")),
        ("cyc from the RHS at 6s on a B road", ("cyclist", 6.0, "right", None)),
        ("0:05 truck cuts in from left", ("cut_in", 5.0, "left", "truck")),
        ("Event → cut-in, left, truck, 5 s", ("cut_in", 5.0, "left", "truck")),
        ("① 黄昏 ② 雪 ③ 5秒货车左侧切入", ("cut_in", 5.0, "left", "truck")),
        ("第１０秒，卡车从左侧切入", ("cut_in", 10.0, "left", "truck")),
        ("切入，右侧，小轿车，8秒", ("cut_in", 8.0, "right", "car")),
    ],
)
def test_shorthand_of_events(text: str, expected: tuple[Any, ...]) -> None:
    assert told(text, "kind", "at_s", "side", "vehicle") == [expected]


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("4L motorway", "lanes", 4),
        ("M25 in the rain", "road", "highway"),
        ("ego spd 50 km/h, xing", "road", "intersection"),
        ("ego 20 m/s; wx: snow; tod: night", "time_of_day", "night"),
        ("roundabout, 1:30 min", "horizon_s", 90.0),
        ("1 min 30 s, roundabout", "horizon_s", 90.0),
        ("总长一分十秒", "horizon_s", 70.0),
        ("1m30s of highway driving", "horizon_s", 90.0),
        ("高速上跑一百二", "target_speed_mps", 33.333),
        ("limit is 100", "target_speed_mps", 27.778),
        ("23时15分", "time_of_day", "night"),
        ("half past eleven at night", "time_of_day", "night"),
        ("at 2 in the morning", "time_of_day", "night"),
        ("能见度只有五十米", "weather", "fog"),
        ("t<16s晴，t≥16s雪", "weather", "clear"),
    ],
)
def test_shorthand_of_values(text: str, key: str, value: Any) -> None:
    assert asked(text)[key] == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Lead decel event x2 @ 5 s and @ 15 s.", [(5.0, None), (15.0, None)]),
        ("前车刹车x2：5秒、12秒", [(5.0, None), (12.0, None)]),
        ("ped x2 from L @ 4s and R @ 9s, junction", [(4.0, "left"), (9.0, "right")]),
        ("2x cut-ins: one LHS @ 5 s, one RHS @ 11 s", [(5.0, "left"), (11.0, "right")]),
        ("路口，行人×2，左4s，右9s", [(4.0, "left"), (9.0, "right")]),
        ("t+3 s cyclist L, t+6 s pedestrian R", [(3.0, "left"), (6.0, "right")]),
    ],
)
def test_shorthand_of_several(text: str, expected: list[tuple[Any, ...]]) -> None:
    assert told(text, "at_s", "side") == expected


def test_a_length_beside_a_vehicle_is_not_that_of_the_drive() -> None:
    assert "horizon_s" not in asked("sunset highway, van left 5s, truck right 10s")
