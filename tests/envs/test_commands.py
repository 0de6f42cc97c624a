"""The commands that need both worlds: the driver, one drive in two worlds, the demo, the rollout, the terminal."""

from __future__ import annotations

import dataclasses
import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from agents.starts import sit
from envs.commands import terminal
from envs.commands.demo import DemoConfig, demo
from envs.commands.drivers import LaneKeeper, Replayed, make_driver, read_actions
from envs.commands.measures import event, lasting, measure
from envs.commands.play import PlayConfig, Seat, Wheel, gauge, play, readings
from envs.commands.rollout import RolloutConfig, rollout
from envs.commands.twins import Track, Twins, bring_reference, choose_start, drive_twins, open_world
from envs.learned.collect_starts import drive_contexts, make_bank
from envs.reference.roadcam import RoadCamEnv
from tests.worldsim.worlds import tiny_world
from worldsim.checkpoint import ModelCard, save_world
from worldsim.engine.starts import StartBank
from worldsim.types import EGO_FIELDS, LABEL_FIELDS, LEAD_RANGE_M, CameraSpec

SMALL = {"front": CameraSpec.from_fov(32, 16)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny world with three starts beside it."""
    out, world = tmp_path_factory.mktemp("world"), tiny_world()
    save_world(out, world, ModelCard("tiny", "It knows nothing.", "none", limits=["It is <random>."]))
    contexts = drive_contexts(sit, world, ["highway", "night_rain", "two_way"], per_scenario=1, frames=6)
    make_bank(world, contexts).save(out)
    return out


def info(**changes: float) -> dict[str, Any]:
    """``info`` of a steady drive in the middle of a free lane."""
    labels = dict.fromkeys(LABEL_FIELDS, 0.0) | {"lead_distance_m": LEAD_RANGE_M}
    ego = np.zeros(len(EGO_FIELDS), np.float32)
    ego[0] = changes.pop("speed", 20.0)
    motion = np.array([2.0, 0.0, changes.pop("yaw", 0.0), 20.0], np.float32)
    return {"labels": labels | changes, "ego": ego, "motion": motion}


# --- drivers ------------------------------------------------------------------------------------------------------


def test_the_lane_keeper_corrects_towards_its_lane_and_keeps_its_distance() -> None:
    for name, value in (("lane_offset_m", 0.8), ("heading_error_rad", 0.1)):
        left, right = (LaneKeeper(20.0).act(info(**{name: sign * value})) for sign in (1, -1))
        assert left[0] < -0.01 and right[0] > 0.01
    assert LaneKeeper(20.0).act(info(speed=10.0))[1] > 0.1 > LaneKeeper(20.0).act(info())[1] > -0.1
    assert LaneKeeper(20.0).act(info(lead_distance_m=10.0, closing_speed_mps=5.0))[1] < -0.5


def test_the_lane_keeper_learns_the_bend_that_nobody_tells() -> None:
    driver = LaneKeeper(20.0)
    for _ in range(30):  # it turns left by 0.02 rad in 2 m and stays true to its lane
        steering = driver.act(info(yaw=0.02))[0]
    assert driver.curvature == pytest.approx(0.01, rel=0.02) and steering > 0.3


@pytest.mark.parametrize("scenario", ["curves", "two_way", "highway"])
def test_the_lane_keeper_stays_in_its_lane(scenario: str) -> None:
    env = RoadCamEnv(scenario, cameras=SMALL, traffic="none")
    _, seen = env.reset(seed=3)
    driver, offsets = LaneKeeper(env.scenario.target_speed_mps), []
    for _ in range(120):
        _, _, terminated, _, seen = env.step(driver.act(seen))
        assert not terminated
        offsets.append(abs(seen["labels"]["lane_offset_m"]))
    assert max(offsets) < 0.6


def test_drivers_by_name(tmp_path: Path) -> None:
    assert make_driver("left", 20.0).act(info())[0] > 0 > make_driver("right", 20.0).act(info())[0]
    with pytest.raises(ValueError, match=r"unknown driver .* 'keep-lane'.* did you mean 'keep_lane'"):
        make_driver("keep-lane", 20.0)
    path = tmp_path / "a.csv"
    path.write_text("steering,acceleration\n0.5,-1\n\n-0.25,0\n")
    driver = make_driver(f"actions={path}", 20.0)
    assert [driver.act(info()).tolist() for _ in range(3)] == [[0.5, -1.0], [-0.25, 0.0], [-0.25, 0.0]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "got none"),
        ("0,0\n0.1\n", r":2: expected steering,acceleration, got '0.1'"),
        ("0,x\n", r":1: expected steering,acceleration, got '0,x'"),
        ("0,1.5\n", r":1: expected values in \[-1, 1\], got 0,1.5"),
        ("nan,0\n", r":1: expected values in \[-1, 1\], got nan,0"),
    ],
)
def test_bad_actions_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_actions(tmp_path / "a.csv")
    with pytest.raises(ValueError, match="found none"):
        read_actions(tmp_path / "b.csv")


# --- two worlds ---------------------------------------------------------------------------------------------------


def test_both_worlds_get_the_same_start_and_the_same_actions(folder: Path) -> None:
    model, bank = open_world(str(folder))
    start = choose_start(bank, "night_rain", np.random.default_rng(0))
    assert bank.records[start].scenario == "night_rain"
    ticks: list[None] = []
    wanted = np.array([[0.1, 0.5], [-0.3, 0.2], [0.0, -1.0]], np.float32)
    twins = drive_twins(model, bank, start, Replayed(wanted), 3, passes=2, tick=lambda: ticks.append(None))
    assert (
        len(ticks) == 3
        and (twins.actions == wanted).all()
        and twins.seconds.tolist() == pytest.approx([0, 0.1, 0.2, 0.3])
    )
    for name in ("speed_mps", "steering"):
        assert twins.learned.state(name) == pytest.approx(twins.reference.state(name), abs=1e-4)
    env, observation, _ = bring_reference(model, bank, start)
    assert (twins.reference.frames[0] == observation["camera"]).all()
    assert (twins.reference.frames[-1] == [env.step(action)[0]["camera"] for action in wanted][-1]).all()
    assert not (twins.learned.frames[1] == twins.reference.frames[1]).all()


def test_the_driver_watches_the_world_it_is_told_to(folder: Path) -> None:
    model, bank = open_world(str(folder))

    class Watcher:
        def __init__(self) -> None:
            self.trust: list[float] = []

        def act(self, seen: dict[str, Any]) -> Any:
            self.trust.append(seen["labels"]["lane_offset_m"])
            return np.zeros(2, np.float32)

    seen = {}
    for sight in ("learned", "reference"):
        watcher = Watcher()
        twins = drive_twins(model, bank, 0, watcher, 2, passes=1, sight=sight)  # type: ignore[arg-type]
        seen[sight] = watcher.trust
        track = {"learned": twins.learned, "reference": twins.reference}[sight]
        assert watcher.trust == pytest.approx(track.label("lane_offset_m")[:2].tolist(), abs=1e-6)
    assert seen["learned"] != seen["reference"]


def test_a_start_that_the_reference_world_no_longer_reaches_is_refused(folder: Path) -> None:
    model, bank = open_world(str(folder))
    labels = bank.arrays.labels.clone()
    labels[:, -1, LABEL_FIELDS.index("lane_offset_m")] += 0.5
    moved = StartBank(
        dataclasses.replace(bank.arrays, labels=labels), bank.records, bank.latents_hash, bank.frame_rate_hz
    )
    with pytest.raises(ValueError, match=r"came to another place.*lane_offset_m.*make-starts"):
        bring_reference(model, moved, 0)
    logs = [dataclasses.replace(record, seed=None) for record in bank.records]
    log = StartBank(bank.arrays, logs, bank.latents_hash, bank.frame_rate_hz)
    with pytest.raises(ValueError, match="all were cut from a log"):
        choose_start(log, "highway", np.random.default_rng(0))


def track(frames: Any, **labels: Any) -> Track:
    t = len(frames)
    values = np.zeros((t, len(LABEL_FIELDS)), np.float32)
    for name, value in labels.items():
        values[:, LABEL_FIELDS.index(name)] = value
    return Track(frames, np.zeros((t, len(EGO_FIELDS)), np.float32), values, np.ones(t, np.float32))


def test_measures_of_drives_that_agree_and_that_part() -> None:
    rng, t = np.random.default_rng(0), 61
    frames = rng.integers(0, 255, (t, 8, 16, 3), dtype=np.uint8)
    reference = track(frames)

    def twins(learned: Track) -> Twins:
        return Twins("highway", "", 0, 1.2, np.zeros((t - 1, 2), np.float32), learned, reference, 15.0)

    same = measure(twins(track(frames.copy())))
    assert same.horizons_s == [0.5, 1.0, 2.0, 5.0] and min(same.psnr_db) > 100 > max(same.repeat_psnr_db)
    assert same.sharpness_ratio == pytest.approx([1.0] * 4) and same.lane_error_m == 0.0
    assert same.picture_until_s is None and same.lane_until_s is None and same.learned_offroad_s is None

    frozen = frames.copy()
    frozen[30:] = frames[0]
    offset = np.where(np.arange(t) >= 40, 1.5, 0.25)
    offroad = np.where(np.arange(t) >= 50, 0.9, 0.0)
    parted = measure(twins(track(frozen, lane_offset_m=offset, offroad=offroad)))
    assert parted.picture_until_s == 3.0 and parted.lane_until_s == 4.0 and parted.learned_offroad_s == 5.1
    assert parted.psnr_db[-1] == pytest.approx(parted.repeat_psnr_db[-1])
    assert parted.lane_error_m == pytest.approx((40 * 0.25 + 11 * 1.5) / 51)
    away = dataclasses.replace(twins(track(frames)), reference=track(frames, offroad=offroad))
    assert np.isnan(measure(away).true_lane_offset_m[-1]) and measure(away).plain()["true_lane_offset_m"][-1] is None
    assert measure(away).lane_until_s == 5.0 and measure(away).reference_offroad_s == 5.1
    assert parted.plain()["reference_offroad_s"] is None and parted.plain()["lane_until_s"] == 4.0


def test_a_blip_is_no_event() -> None:
    blip = np.zeros(30)
    blip[10] = 1.0
    assert event(track(np.zeros((30, 8, 8, 3), np.uint8), offroad=blip), "offroad") is None
    assert lasting(blip > 0) is None and lasting(np.arange(30) > 7) == 0.8 and lasting(np.ones(3, bool)) is None


# --- demo and rollout ---------------------------------------------------------------------------------------------


def decoded(path: Path) -> list[Any]:
    with av.open(str(path)) as container:
        assert container.streams.video[0].pix_fmt == "yuv420p"
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_the_demo_writes_a_page_and_says_where(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "demo"
    demo(DemoConfig(out=out, world=str(folder), scenarios=["highway", "two_way"], seconds=1.2, steps=1))
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2] == f"look at:   {(out / 'index.html').as_uri()}"
    assert lines[-1].startswith("then type: ") and lines[-1].endswith(f"play scenario=highway world={folder}")
    assert {path.name for path in out.iterdir()} == {
        "index.html", "figures.json", "1-highway.mp4", "1-highway.png", "2-two_way.mp4", "2-two_way.png",
    }  # fmt: skip
    text = (out / "index.html").read_text(encoding="utf-8")
    assert text.count("<video") == 2 and text.count("data:video/mp4;base64,") == 2
    assert "Two way" in text and "It is &lt;random&gt;." in text
    frames = decoded(out / "1-highway.mp4")
    assert len(frames) == 13 and frames[0].shape == (256 + 28, 2 * 512 + 8, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scenarios": ["highwya"]}, "unknown scenario of this world's starts 'highwya'.*did you mean 'highway'"),
        ({"scenarios": []}, "scenarios: expected at least one"),
        ({"seconds": 0.0}, "seconds: expected a number from 1 to 50"),
    ],
)
def test_a_demo_of_nothing_is_refused(folder: Path, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        demo(DemoConfig(out=tmp_path / "demo", world=str(folder), **changes))
    assert not (tmp_path / "demo").exists()


def test_a_rollout_is_a_video(folder: Path, tmp_path: Path) -> None:
    done = rollout(RolloutConfig(tmp_path / "a.mp4", world=str(folder), seconds=0.5, driver="left", readings=False))
    frames = decoded(done.wrote)
    assert (done.seconds, done.interrupted) == (0.5, False) and 0.0 < done.mean_trust <= 1.0
    assert len(frames) == 6 and frames[0].shape == (256, 512, 3)
    with pytest.raises(ValueError, match="out: expected the name of an mp4 file"):
        RolloutConfig(tmp_path / "a.gif")


def test_an_interrupted_rollout_keeps_what_was_driven(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Leaves:
        left = 3

        def act(self, seen: dict[str, Any]) -> Any:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            return np.zeros(2, np.float32)

    monkeypatch.setattr("envs.commands.rollout.make_driver", lambda name, speed: Leaves())
    done = rollout(RolloutConfig(tmp_path / "a.mp4", world=str(folder)))
    assert done.interrupted and done.seconds == 0.3 and len(decoded(tmp_path / "a.mp4")) == 4


# --- terminal -----------------------------------------------------------------------------------------------------


def test_half_blocks_show_every_pixel() -> None:
    frame = np.random.default_rng(0).integers(0, 255, (6, 5, 3), dtype=np.uint8)
    frame[:2, 1:3] = frame[0, 0]  # a run of one colour
    lines = terminal.half_blocks(frame)
    assert np.array_equal(painted(lines), frame)
    assert lines[0].count("38;") < 5
    few = terminal.half_blocks(np.array([[[0, 0, 0]], [[255, 255, 255]]], np.uint8), true_colour=False)
    assert few == [f"\x1b[38;5;16m\x1b[48;5;231m{terminal.HALF}\x1b[0m"]


def painted(lines: list[str]) -> Any:
    """The pixels that a terminal would show."""
    rows = []
    for line in lines:
        colours: dict[str, list[int]] = {}
        cells = []
        for which, code, block in re.findall(r"\x1b\[([34]8);2;([\d;]*)m|(▀)", line):
            if block:
                cells.append((colours["38"], colours["48"]))
            else:
                colours[which] = [int(value) for value in code.split(";")]
        rows += [[upper for upper, _ in cells], [lower for _, lower in cells]]
    return np.array(rows, np.uint8)


@pytest.mark.parametrize(("columns", "rows"), [(128, 32), (80, 21), (300, 90), (20, 50), (1, 1)])
def test_a_frame_fits_its_terminal(columns: int, rows: int) -> None:
    h, w = terminal.fitted(np.zeros((64, 128, 3), np.uint8), columns, rows).shape[:2]
    assert h % 2 == 0 and w <= max(columns, 2) and h // 2 <= rows and (w < 8 or abs(w / h - 2) < 0.3)


def test_keys_are_read_even_where_a_sequence_is_cut() -> None:
    assert terminal.decode_keys("aW\x1b[A\x1bOD q") == (["a", "w", "up", "left", " ", "q"], "")
    assert terminal.decode_keys("\x1b[1;5C\x1b[3~x") == (["right", "x"], "")
    for whole in ("\x1b[B", "\x1b[1;2B"):
        for cut in range(1, len(whole)):
            keys, rest = terminal.decode_keys(whole[:cut])
            assert keys == [] and terminal.decode_keys(rest + whole[cut:]) == (["down"], "")
    assert terminal.decode_keys("\x1bq") == (["q"], "")


def test_the_wheel_turns_while_a_key_holds_and_comes_back() -> None:
    wheel = Wheel()
    wheel.press("a")
    turned = [wheel.turn()[0] for _ in range(12)]
    assert 0 < turned[0] < turned[3] <= 1.0 and turned[-1] < 0.05
    wheel.press("left")
    wheel.press("right")
    assert wheel.turn()[0] < 0
    wheel.press("up")
    assert wheel.turn()[1] > 0
    wheel.press("s")
    assert wheel.turn()[1] < 0
    wheel.press("x")
    for _ in range(40):
        wheel.press("d")
        action = wheel.turn()
    assert action[0] == -1.0 and action.dtype == np.float32


def test_the_seat_shows_either_world_at_the_same_moment(folder: Path) -> None:
    seat = Seat(PlayConfig(world=str(folder), steps=1))
    for _ in range(3):
        seat.step(np.array([0.2, 0.1], np.float32))
    learned = seat.frame
    seat.change_world()
    start = seat.learned.start
    assert start is not None
    env, _, _ = bring_reference(seat.model, seat.bank, start)  # type: ignore[arg-type]
    expected = [env.step(np.array([0.2, 0.1], np.float32))[0]["camera"] for _ in range(3)][-1]
    assert (seat.frame == expected).all() and not (learned == expected).all()
    text = readings(seat, 9.9)
    assert text[0].startswith("reference") and "trust 1.00" in text[0] and "9.9 frames/s" in text[0]
    seat.change_world()
    assert (seat.frame == learned).all() and readings(seat, 9.9)[0].startswith("learned")
    seat.begin()
    assert seat.actions == [] and seat.info["step"] == 0
    assert (gauge(1.0)[0], gauge(0.0)[10], gauge(-1.0)[-1]) == ("●", "●", "●")


def test_play_needs_a_terminal(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"expected a terminal.*worldsim rollout"):
        play(PlayConfig(world=str(folder)))


@pytest.fixture
def screen() -> Iterator[tuple[int, int]]:
    """Both ends of a terminal."""
    ours, theirs = pty.openpty()
    yield ours, theirs
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize("leave", ["q", "\x03"])
def test_play_in_a_terminal_gives_it_back(folder: Path, screen: tuple[int, int], leave: str) -> None:
    ours, theirs = screen
    before = termios.tcgetattr(theirs)
    code = "import sys; from envs.commands.play import *; play(PlayConfig(world=sys.argv[1], steps=1))"
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdin=theirs, stdout=theirs, stderr=subprocess.PIPE,
        start_new_session=True, preexec_fn=lambda: terminal_of(0), env={**os.environ, "COLORTERM": "truecolor"},
    )  # fmt: skip
    try:
        seen = read_until(ours, "0.2 s", 60.0)
        assert seen.startswith(terminal.ENTER) and "▀" in seen
        os.write(ours, b"ap")
        read_until(ours, "reference", 30.0)
        os.write(ours, leave.encode())
        rest = read_until(ours, terminal.LEAVE, 30.0)
        assert child.wait(30) == 0, child.stderr and child.stderr.read().decode()
        assert rest.endswith(terminal.LEAVE) and termios.tcgetattr(theirs) == before
    finally:
        child.kill()
        child.communicate()


def terminal_of(handle: int) -> None:
    """Make the terminal at ``handle`` the one that Ctrl-C in it interrupts this process."""
    import fcntl

    fcntl.ioctl(handle, termios.TIOCSCTTY, 0)


def read_until(handle: int, text: str, seconds: float) -> str:
    """What the terminal shows, up to and with ``text``."""
    seen, end = "", time.monotonic() + seconds
    while text not in seen:
        assert time.monotonic() < end, f"waited {seconds} s for {text!r}, saw {seen[-300:]!r}"
        if select.select([handle], [], [], 1.0)[0]:
            seen += os.read(handle, 65536).decode("utf-8", "replace")
    return seen
