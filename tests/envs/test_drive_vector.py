"""DriveVectorEnv behaves as Gymnasium's own SyncVectorEnv of DriveEnv does, in every autoreset mode."""

from __future__ import annotations

import functools
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import envs  # noqa: F401 (registers)
from envs.learned.vector import DriveVectorEnv

from .learned_worlds import BANK, CALM, LIVELY, WORLD, drive, drives

COUNT = 3
MODES = list(AutoresetMode)
SETTINGS: dict[str, Any] = {"scenario": "any", "max_steps": 6}


def pair(mode: AutoresetMode, **settings: Any) -> tuple[DriveVectorEnv, SyncVectorEnv]:
    settings = {**SETTINGS, **settings}
    plain = SyncVectorEnv([lambda: drive(LIVELY, **settings)] * COUNT, autoreset_mode=mode)
    return drives(COUNT, LIVELY, autoreset_mode=mode, **settings), plain


def actions(steps: int, count: int = COUNT) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.5, 0.5, (steps, count, 2)).astype(np.float32)


def assert_same(ours: Any, theirs: Any, at: str = "") -> None:
    """The same structure and types; numbers within what batching changes."""
    if isinstance(theirs, dict):
        assert set(ours) == set(theirs), at
        for key in theirs:
            assert_same(ours[key], theirs[key], f"{at}.{key}")
    elif isinstance(theirs, np.ndarray) and theirs.dtype != object:
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape, at
        if theirs.dtype == np.uint8:
            assert np.abs(ours.astype(int) - theirs).max(initial=0) <= 2, at
        else:
            assert np.allclose(ours, theirs, atol=2e-3, equal_nan=True), at
    elif isinstance(theirs, np.ndarray | list | tuple):
        assert len(ours) == len(theirs), at
        for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            assert_same(a, b, f"{at}[{i}]")
    else:
        assert type(ours) is type(theirs) and ours == theirs, at


@pytest.mark.parametrize("mode", MODES)
def test_same_as_gymnasiums_own(mode: AutoresetMode) -> None:
    ours, theirs = pair(mode)
    assert ours.metadata == theirs.metadata and ours.autoreset_mode == theirs.autoreset_mode == mode
    for name in ("observation_space", "action_space", "single_observation_space", "single_action_space"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert_same(ours.reset(seed=7), theirs.reset(seed=7))
    assert ours.np_random_seed == theirs.np_random_seed == (7, 8, 9)
    kinds = np.zeros(2, int)
    for action in actions(16):
        mine, other = ours.step(action), theirs.step(action)
        assert_same(mine, other)
        assert ours.observation_space.contains(mine[0])
        terminated, truncated = other[2], other[3]
        kinds += [terminated.sum(), truncated.sum()]
        if mode == AutoresetMode.DISABLED and (terminated | truncated).any():
            mask = terminated | truncated
            assert_same(
                ours.reset(options={"reset_mask": mask.copy()}), theirs.reset(options={"reset_mask": mask.copy()})
            )
    assert (kinds > 0).all(), "the drives should have ended in both ways"


def test_next_step_begins_anew_whatever_the_action() -> None:
    env = drives(2, CALM, max_steps=2)
    env.reset(seed=0)
    env.step(actions(1, 2)[0])
    _, _, _, truncated, info = env.step(actions(1, 2)[0])
    assert truncated.all() and (info["step"] == 2).all()
    seen, reward, terminated, truncated, info = env.step(actions(1, 2)[0])
    assert (info["step"] == 0).all() and not reward.any() and not terminated.any() and not truncated.any()
    assert np.isnan(info["motion"]).all() and np.array_equal(seen["ego"], info["ego"])
    assert (env.step(actions(1, 2)[0])[-1]["step"] == 1).all()


def test_same_step_keeps_the_end() -> None:
    env = drives(2, CALM, max_steps=2, autoreset_mode="SameStep")
    env.reset(seed=0)
    env.step(actions(1, 2)[0])
    seen, reward, _, truncated, info = env.step(actions(1, 2)[0])
    assert truncated.all() and reward.all()
    assert (info["step"] == 0).all() and (info["final_info"]["step"] == 2).all()
    assert np.allclose(info["final_info"]["reward"], reward)
    for i in range(2):
        last = info["final_obs"][i]
        assert env.single_observation_space.contains(last)
        assert not np.array_equal(last["camera"], seen["camera"][i])


def test_disabled_asks_for_the_reset() -> None:
    env = drives(2, CALM, max_steps=2, autoreset_mode=AutoresetMode.DISABLED)
    env.reset(seed=0)
    for action in actions(2, 2):
        env.step(action)
    with pytest.raises(gym.error.ResetNeeded, match="reset_mask"):
        env.step(actions(1, 2)[0])
    options = {"reset_mask": np.array([False, True])}
    _, info = env.reset(options=options)
    assert info["_step"].tolist() == [False, True] and list(options) == ["reset_mask"]
    with pytest.raises(gym.error.ResetNeeded, match=r"drives \[0\]"):
        env.step(actions(1, 2)[0])
    env.reset(options={"reset_mask": np.array([True, False])})
    assert (env.step(actions(1, 2)[0])[-1]["step"] == 1).all()


def test_what_is_returned_is_the_callers_own() -> None:
    """Scribbling over an observation and an info changes nothing in the drive."""
    scribbled, clean = drives(2, CALM), drives(2, CALM)
    for env in (scribbled, clean):
        env.reset(seed=0)
    for action in actions(4, 2):
        mine, other = scribbled.step(action), clean.step(action)
        assert_same(mine, other)
        for value in (*mine[0].values(), mine[1], mine[2], mine[3], mine[4]["pose"], mine[4]["reward"]):
            value[...] = 1
        for nested in (mine[4]["labels"], mine[4]["reward_terms"]):
            for value in nested.values():
                value[...] = 1


def test_seeds_and_options_reach_each_drive() -> None:
    env = drives(3, scenario="any")
    first, _ = env.reset(seed=[3, 3, 4])
    assert np.array_equal(first["camera"][0], first["camera"][1])
    assert not np.array_equal(first["camera"][0], first["camera"][2])
    env.reset(options={"start": [0, 4, 2]})
    assert env.starts.tolist() == [0, 4, 2]
    env.reset(options={"start": 5})
    assert env.starts.tolist() == [5, 5, 5]
    with pytest.raises(ValueError, match="expected one for each of num_envs=3, got 2"):
        env.reset(seed=[1, 2])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("start", ["auto", "imagine"])
def test_scenarios_are_dealt_to_the_drives_in_turn(start: str, mode: AutoresetMode) -> None:
    """Drive i is that of a DriveEnv in scenario i % n with seed s + i, and stays in it when it begins anew."""
    names = ("highway", "night_rain")
    settings: dict[str, Any] = {"start": start, "max_steps": 2}
    ours = drives(COUNT, CALM, scenario=names, autoreset_mode=mode, **settings)
    makers = [functools.partial(drive, CALM, scenario=names[i % 2], **settings) for i in range(COUNT)]
    theirs = SyncVectorEnv(makers, autoreset_mode=mode)
    assert_same(ours.reset(seed=5), theirs.reset(seed=5))
    for action in actions(2):
        assert_same(ours.step(action), theirs.step(action))
    if mode == AutoresetMode.DISABLED:
        options = {"reset_mask": np.array([False, True, True])}
        (_, info), other = ours.reset(options=dict(options)), theirs.reset(options=dict(options))
        assert_same(info["scenario"], other[1]["scenario"])
        assert info["scenario"].tolist()[1:] == ["night_rain", "highway"]
        return
    *_, info = last = ours.step(actions(1)[0])
    assert_same(last, theirs.step(actions(1)[0]))
    assert info["scenario"].tolist() == ["highway", "night_rain", "highway"]


def test_scenarios_can_be_dealt_at_reset() -> None:
    env = drives(3, CALM, max_steps=1)
    for scenario, expected in (
        (["night_rain", "highway"], ["night_rain", "highway", "night_rain"]),
        (None, ["night_rain", "highway", "night_rain"]),
        ("highway", ["highway"] * 3),
    ):
        _, info = env.reset(seed=0, options={} if scenario is None else {"scenario": scenario})
        assert info["scenario"].tolist() == expected
    with pytest.raises(ValueError, match="did you mean 'highway'"):
        env.reset(options={"scenario": ["night_rain", "higway"]})
    _, info = env.reset(seed=0)
    assert info["scenario"].tolist() == ["highway"] * 3, "a refused reset changed the scenario"
    with pytest.raises(ValueError, match=r"a list of 1 to 3 \(the number of drives\), got 4 of them"):
        drives(3, scenario=["highway"] * 4)
    with pytest.raises(ValueError, match="got 0 of them"):
        env.reset(options={"scenario": []})
    with pytest.raises(ValueError, match="a list of 1 to 1"):
        drive(scenario=["highway", "night_rain"])


@pytest.mark.parametrize(
    ("mask", "error"),
    [
        ([True, True], TypeError),
        (np.ones(2), TypeError),
        (np.ones(3, bool), ValueError),
        (np.zeros(2, bool), ValueError),
    ],
)
def test_bad_reset_masks(mask: Any, error: type[Exception]) -> None:
    env = drives(2)
    env.reset(seed=0)
    with pytest.raises(error, match="reset_mask"):
        env.reset(options={"reset_mask": mask})


def test_bad_calls() -> None:
    env = drives(2, render_mode="rgb_array")
    with pytest.raises(gym.error.ResetNeeded):
        env.step(np.zeros((2, 2), np.float32))
    with pytest.raises(gym.error.ResetNeeded):
        env.render()
    with pytest.raises(gym.error.ResetNeeded):
        env.reset(options={"reset_mask": np.array([True, False])})
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"expected an action of shape \(2, 2\)"):
        env.step(np.zeros(2, np.float32))
    with pytest.raises(ValueError, match="NaN"):
        env.step(np.full((2, 2), np.nan))
    with pytest.raises(ValueError, match="did you mean 'SameStep'"):
        drives(2, autoreset_mode="same_step")
    with pytest.raises(ValueError, match="num_envs"):
        drives(0)


def test_one_state_branches_into_all() -> None:
    single = drive(CALM)
    single.reset(seed=0)
    single.step(np.array([0.2, 0.0], np.float32))
    env = drives(3, CALM)
    env.restore_state(single.save_state())
    turned = np.array([[-0.5, 0], [0, 0], [0.5, 0]], np.float32)
    for _ in range(3):
        seen, *_, info = env.step(turned)
    assert (np.diff(info["pose"][:, 2]) > 0).all() and not np.array_equal(seen["camera"][0], seen["camera"][2])
    saved = env.save_state()
    a = env.step(turned)
    env.restore_state(saved)
    assert_same(env.step(turned), a)


def test_make_vec_render_and_statistics() -> None:
    env = gym.make_vec(
        "worldsim/Drive-v0", num_envs=2, world=WORLD, starts=BANK, steps=1, max_steps=3, render_mode="rgb_array"
    )
    assert isinstance(env.unwrapped, DriveVectorEnv) and env.spec is not None
    counted = gym.wrappers.vector.RecordEpisodeStatistics(env)
    counted.reset(seed=0)
    for action in actions(4, 2):
        *_, info = counted.step(action)
        if "episode" in info:
            break
    assert "episode" in info
    pictures = env.render()
    assert pictures is not None and len(pictures) == 2 and pictures[0].shape == (256, 512, 3)
    counted.close()
