"""What both worlds promise alike: a policy moves between them by changing the id."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import envs  # noqa: F401 (registers)
from envs import spaces
from worldsim.types import LABEL_FIELDS

from .learned_worlds import BANK, CALM

WORLDS: dict[str, dict[str, Any]] = {
    "worldsim/RoadCam-v0": {},
    "worldsim/Drive-v0": {"world": CALM, "starts": BANK, "steps": 1},
}


@pytest.fixture(params=WORLDS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def make(name: str, **options: Any) -> gym.Env[Any, Any]:
    return gym.make(name, **{**WORLDS[name], **options})


@pytest.mark.filterwarnings("error")
def test_gymnasium_finds_nothing_to_complain_about(name: str) -> None:
    check_env(make(name, render_mode="rgb_array").unwrapped)


def test_same_spaces_and_info(name: str) -> None:
    """Keys, types and shapes are those of the other world, at reset and at every step."""
    env, other = make(name), make(next(iter(WORLDS)))
    assert env.observation_space == other.observation_space and env.action_space == other.action_space
    for (seen, info), (_, wanted) in ((env.reset(seed=0), other.reset(seed=0)), *_stepped(env, other)):
        assert env.observation_space.contains(seen)
        assert tuple(info) == spaces.INFO_KEYS == tuple(wanted)
        assert tuple(info["labels"]) == LABEL_FIELDS
        assert tuple(info["reward_terms"]) == spaces.REWARD_TERMS
        for key in spaces.INFO_KEYS:
            assert type(info[key]) is type(wanted[key]), key
            if isinstance(info[key], np.ndarray):
                assert info[key].shape == wanted[key].shape and info[key].dtype == wanted[key].dtype, key
        assert all(type(value) is float for value in (*info["labels"].values(), *info["reward_terms"].values()))


def _stepped(*pair: gym.Env[Any, Any]) -> Any:
    for _ in range(3):
        taken = [env.step(np.array([0.1, 0.2], np.float32)) for env in pair]
        assert all(type(reward) is float for _, reward, _, _, _ in taken)
        yield tuple((seen, info) for seen, _, _, _, info in taken)


def test_same_actions_give_the_same_ego(name: str) -> None:
    """Ego state and pose come from the action alone, by one definition for both worlds."""
    env, rng = make(name).unwrapped, np.random.default_rng(0)
    _, info = env.reset(seed=0)
    from envs import kinematics

    state, pose = kinematics.EgoState.from_array(info["ego"]), info["pose"]
    for _ in range(5):
        action = rng.uniform(-0.3, 0.3, 2).astype(np.float32)
        state, motion = kinematics.advance(state, action)
        pose = kinematics.compose(pose, motion)
        seen, _, _, _, info = env.step(action)
        assert np.allclose(seen["ego"], state.array(), atol=1e-4)
        assert np.allclose(info["motion"], motion, atol=1e-4) and np.allclose(info["pose"], pose, atol=1e-3)


def test_same_seed_same_rollout(name: str) -> None:
    def rollout(seed: int) -> list[np.ndarray]:
        env = make(name, scenario="any")
        frames = [env.reset(seed=seed)[0]["camera"]]
        return frames + [env.step(np.array([0.1, 0.0], np.float32))[0]["camera"] for _ in range(3)]

    first, again, other = rollout(5), rollout(5), rollout(6)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[-1], other[-1])


@pytest.mark.parametrize(
    ("action", "complaint"),
    [
        ([np.nan, 0.0], "NaN"),
        ([1.5, 0.0], "clip it"),
        ([0.0], "got shape"),
        ([[0.0, 0.0]], "got shape"),
        ("left", "expected an action"),
    ],
)
def test_bad_actions_are_refused(name: str, action: Any, complaint: str) -> None:
    env = make(name).unwrapped
    env.reset(seed=0)
    with pytest.raises(ValueError, match=complaint):
        env.step(action)
    _, _, terminated, truncated, info = env.step(np.zeros(2, np.float32))  # and the drive goes on
    assert info["step"] == 1 and not terminated and not truncated


def test_step_and_render_before_reset(name: str) -> None:
    env = make(name, render_mode="rgb_array").unwrapped
    with pytest.raises(gym.error.ResetNeeded, match=r"step\(\) was called before reset\(\)"):
        env.step(np.zeros(2, np.float32))
    with pytest.raises(gym.error.ResetNeeded, match=r"render\(\)"):
        env.render()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"scenario": "highwy"}, "did you mean 'highway'"),
        ({"weather": "snowy"}, "did you mean 'snow'"),
        ({"render_mode": "rgb"}, "did you mean 'rgb_array'"),
        ({"max_steps": 0}, "max_steps: expected"),
    ],
)
def test_bad_arguments_suggest_the_nearest(name: str, options: dict[str, Any], complaint: str) -> None:
    creator = gym.envs.registration.load_env_creator(str(gym.spec(name).entry_point))
    with pytest.raises(ValueError, match=complaint):
        creator(**{**WORLDS[name], **options})


def test_the_horizon_truncates_and_does_not_terminate(name: str) -> None:
    env = make(name, scenario="empty_road", max_steps=3)
    env.reset(seed=0)
    ends = [env.step(np.zeros(2, np.float32))[2:4] for _ in range(3)]
    assert ends == [(False, False), (False, False), (False, True)]


def test_gymnasium_wrappers(name: str) -> None:
    env = gym.wrappers.RecordEpisodeStatistics(gym.wrappers.FrameStackObservation(make(name, max_steps=3), 2))
    seen, _ = env.reset(seed=0)
    assert seen["camera"].shape == (2, 64, 128, 3) and seen["ego"].shape == (2, 4)
    rewards = [env.step(np.zeros(2, np.float32)) for _ in range(3)]
    episode = rewards[-1][-1]["episode"]
    assert episode["l"] == 3 and np.isclose(episode["r"], sum(step[1] for step in rewards), atol=1e-4)


def test_record_video(name: str, tmp_path: Path) -> None:
    pytest.importorskip("moviepy", reason="RecordVideo needs moviepy: pip install moviepy")
    import av

    env = gym.wrappers.RecordVideo(make(name, render_mode="rgb_array", max_steps=3), str(tmp_path / "videos"))
    env.reset(seed=0)
    for _ in range(3):
        env.step(np.zeros(2, np.float32))
    env.close()
    (video,) = tmp_path.glob("videos/*.mp4")
    with av.open(str(video)) as container:
        assert [(f.height, f.width) for f in container.decode(video=0)] == [(256, 512)] * 4
