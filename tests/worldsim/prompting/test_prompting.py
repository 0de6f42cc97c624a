"""Prompting a tiny world: each way gives what was asked for, the same for the same seed, and keeps what was given."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from tests.worldsim.data_episodes import make_episode
from tests.worldsim.worlds import tiny_world
from worldsim.dynamics.conditioning import Scene
from worldsim.engine import Engine, EngineConfig
from worldsim.prompting import (
    Clip,
    Planned,
    animate,
    connect,
    draw_image,
    draw_video,
    edit,
    extend_backward,
    extend_forward,
)
from worldsim.prompting.connecting import between
from worldsim.prompting.motion import turned_around
from worldsim.types import MOTION_FIELDS, SceneFields

AHEAD = np.array([[1.0, 0.0, 0.02, 10.0]], np.float32)
M = len(MOTION_FIELDS)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(tiny_world(5), EngineConfig(steps=2, start_steps=8))


def scene(weather: str = "clear") -> Scene:
    empty = Scene.unknown(1, 384)
    empty.fields[:] = torch.tensor([SceneFields(weather=weather).codes()])
    return empty


def clip(frames: int = 7, seed: int = 0) -> Clip:
    episode = make_episode(frames, seed, size=(64, 128))
    return Clip(episode.frames, 0.2 * np.abs(episode.motion), episode.fields, episode.caption)


WAYS: dict[str, Callable[[Engine, int], Clip]] = {
    "video": lambda engine, seed: draw_video(engine, scene(), 4, Planned(AHEAD), seed),
    "animate": lambda engine, seed: animate(engine, clip().frames[0], scene(), 3, Planned(AHEAD), seed),
    "forward": lambda engine, seed: extend_forward(engine, clip(), scene(), 3, Planned(AHEAD), seed),
    "backward": lambda engine, seed: extend_backward(engine, clip(), scene(), AHEAD.repeat(3, 0), seed),
    "edit": lambda engine, seed: edit(engine, clip(), scene(), scene("snow"), seed, keep=0.5),
    "connect": lambda engine, seed: connect(engine, clip(), clip(6, 1), (scene(), scene("snow")), 3, seed),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_seed_decides(engine: Engine, way: str) -> None:
    before = torch.get_rng_state()
    first, again, other = (WAYS[way](engine, seed) for seed in (3, 3, 4))
    assert np.array_equal(first.frames, again.frames) and not np.array_equal(first.frames, other.frames)
    assert torch.equal(before, torch.get_rng_state())
    assert first.motion.shape == (len(first), M) and np.isnan(first.motion[-1]).all()


def test_a_picture_is_the_first_frame_of_the_video(engine: Engine) -> None:
    picture = draw_image(engine, scene(), 3)
    assert picture.shape == (64, 128, 3) and np.array_equal(picture, WAYS["video"](engine, 3).frames[0])
    assert not np.array_equal(picture, draw_image(engine, scene("snow"), 3))


def test_what_was_given_is_kept_and_time_runs_on(engine: Engine) -> None:
    given, second = clip(), clip(6, 1)
    forward, backward, both = (WAYS[way](engine, 0) for way in ("forward", "backward", "connect"))
    assert np.array_equal(forward.frames[:7], given.frames) and len(forward) == 10
    assert np.array_equal(forward.motion[:6], given.motion[:6]) and (forward.motion[6:9] == AHEAD).all()
    assert np.array_equal(backward.frames[3:], given.frames) and (backward.motion[:3] == AHEAD).all()
    assert np.array_equal(backward.motion[3:9], given.motion[:6]) and backward.fields == given.fields
    assert np.array_equal(both.frames[:7], given.frames) and np.array_equal(both.frames[-6:], second.frames)
    assert len(both) == 16 and np.array_equal(both.motion[-6:-1], second.motion[:-1])


def test_the_past_is_the_future_of_the_clip_played_backwards(engine: Engine) -> None:
    motion = np.abs(0.3 * np.random.default_rng(0).normal(size=(3, M))).astype(np.float32)
    past = extend_backward(engine, clip(), scene(), motion, 5)
    future = extend_forward(engine, clip().backwards(), scene(), 3, Planned(turned_around(motion)), 5)
    assert np.array_equal(past.frames[:3], future.frames[:-4:-1])


def test_motion_turned_around_twice_is_itself_and_leads_back() -> None:
    motion = np.array([[1.0, 0.1, 0.2, 10.0], [1.2, 0.0, -0.1, 12.0], [0.9, 0.2, 0.3, 9.0]], np.float32)
    back = turned_around(motion)
    pose = np.zeros(3)
    for forward, left, yaw, _ in np.concatenate([motion, back]):
        cos, sin = np.cos(pose[2]), np.sin(pose[2])
        pose += (cos * forward - sin * left, sin * forward + cos * left, yaw)
    assert np.allclose(pose, 0, atol=1e-5)
    assert back[:, 3].tolist() == [-12.0, -10.0, -10.0]  # speeds at which each step began; of the first: its own
    assert np.allclose(turned_around(back)[:, :3], motion[:, :3], atol=1e-6)
    unknown = turned_around(np.concatenate([motion, np.full((1, M), np.nan, np.float32)]))
    assert np.isnan(unknown[0]).any() and not np.isnan(unknown[1:]).any()


def test_an_edit_follows_the_scene_and_keeps_the_motion(engine: Engine) -> None:
    given = clip()
    edited = {after: edit(engine, given, scene(), scene(after), 0) for after in ("clear", "snow")}
    assert not np.array_equal(edited["clear"].frames, edited["snow"].frames)
    for each in edited.values():
        assert np.array_equal(each.motion, given.motion, equal_nan=True) and len(each) == len(given)


def test_motion_goes_over_evenly_from_one_clip_to_the_other() -> None:
    slow, fast, nothing = AHEAD.repeat(2, 0), 3 * AHEAD.repeat(2, 0), np.full((2, M), np.nan, np.float32)
    way = between(slow, fast, 3)
    assert way.shape == (4, M) and np.allclose(way[:, 0], [1, 5 / 3, 7 / 3, 3])
    assert np.allclose(between(nothing, fast, 3), fast[0]) and np.allclose(between(slow, nothing, 3), slow[0])
    assert np.isnan(between(nothing, nothing, 3)).all()


def test_unknown_motion_is_allowed(engine: Engine) -> None:
    silent = Clip.silent(clip().frames)
    for drawn in (
        extend_forward(engine, silent, scene(), 2, Planned(AHEAD), 0),
        extend_backward(engine, silent, scene(), AHEAD.repeat(2, 0), 0),
        edit(engine, silent, scene(), scene("snow"), 0),
        connect(engine, silent, silent, (scene(), scene()), 2, 0),
    ):
        assert drawn.frames.std() > 0


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda e: edit(e, clip(), scene(), scene(), 0, keep=1.0), r"keep, a signal level in \[0, 1\), got 1.0"),
        (lambda e: extend_forward(e, clip(), scene(), 0, Planned(AHEAD), 0), "at least one frame"),
        (lambda e: extend_backward(e, clip(), scene(), AHEAD[:0], 0), "at least one frame"),
        (lambda e: connect(e, clip(), clip(), (scene(), scene()), 0, 0), "at least one frame"),
        (lambda e: Planned(np.zeros((3, 2), np.float32)), r"motion: expected \(k, 4\)"),
        (lambda e: Clip(clip().frames, AHEAD), r"clip: expected motion \(7, 4\), got \(1, 4\)"),
        (lambda e: Clip.silent(clip().frames[:0]), "at least one"),
    ],
)
def test_what_cannot_be_is_refused(engine: Engine, wrong: Callable[[Engine], object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        wrong(engine)
