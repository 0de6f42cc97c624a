"""Drive-v0 at another size and through several cameras: the observation, its starts, and what cannot be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env

from agents.starts import sit
from envs.commands.rollout import RolloutConfig, rollout
from envs.learned.collect_starts import drive_contexts, log_contexts, make_bank
from envs.spaces import side_by_side
from tests.worldsim.data_episodes import make_episode
from tests.worldsim.worlds import CAMERAS, tiny_world
from worldsim.checkpoint import ModelCard, save_world
from worldsim.data.store import EpisodeStore
from worldsim.data.video import decode_video
from worldsim.data.writer import EpisodeWriter
from worldsim.engine.starts import StartBank
from worldsim.types import CameraSpec
from worldsim.world_model import WorldModel

from .learned_worlds import BANK, WORLD, drive, drives

STILL = np.zeros(2, np.float32)


@pytest.fixture(scope="module")
def two() -> tuple[WorldModel, StartBank]:
    """A world of two cameras, and starts that were driven in the reference world through both."""
    world = tiny_world(cameras=CAMERAS)
    return world, make_bank(world, drive_contexts(sit, world, ["highway"], per_scenario=1, frames=3))


@pytest.mark.parametrize("start", ["bank", "imagine"])
def test_another_size(start: str) -> None:
    """The bank beside the world does for any size of it."""
    env = drive(size=(96, 160), start=start)
    observation, info = env.reset(seed=0)
    assert observation["camera"].shape == (96, 160, 3) and env.cameras["front"].height == 96
    observation, *_ = env.step(STILL)
    assert env.observation_space.contains(observation) and 0 < info["trust"] <= 1
    assert (env.start is None) == (start == "imagine")


def test_a_start_of_another_size_shows_what_the_start_shows() -> None:
    """Its frames are those of the native world, resized, as the tokenizer gives them back."""
    large = WORLD.at((128, 256))
    latents, motion = BANK.seen_at(WORLD, large).context(np.array([0, 3]))
    native, same = BANK.context(np.array([0, 3]))
    assert latents.shape == (2, 4, 128, 4) and torch.equal(motion.nan_to_num(), same.nan_to_num())
    frames = WORLD.decode(native).float()
    grown = torch.nn.functional.interpolate(frames.flatten(0, 1).movedim(-1, 1), (128, 256), mode="bilinear")
    expected = large.encode(grown.round().clamp(0, 255).to(torch.uint8).movedim(1, -1))
    assert torch.allclose(latents.flatten(0, 1), expected, atol=0.2)
    assert torch.equal(BANK.context(np.array([0, 3]))[0], native)  # the bank itself is as it was


def test_many_drives_of_another_size_equal_one_alone() -> None:
    many, one = drives(2, size=(32, 64)), drive(size=(32, 64))
    many.reset(seed=4)
    one.reset(seed=5)
    seen, *_ = many.step(np.zeros((2, 2), np.float32))
    alone, *_ = one.step(STILL)
    assert np.abs(seen["camera"][1].astype(int) - alone["camera"]).max() <= 1


def test_several_cameras_are_observed_by_name(two: tuple[WorldModel, StartBank]) -> None:
    world, bank = two
    env = drive(world=world, starts=bank, start="bank", render_mode="rgb_array")
    check_env(env, skip_render_check=True)
    observation, _ = env.reset(seed=0)
    assert set(observation) == {"camera", "camera_left", "ego", "command"} and list(env.cameras) == ["front", "left"]
    decoded = world.decode(bank.context(np.array([0]))[0][:, -1])[0].numpy()
    assert np.abs(observation["camera"].astype(int) - decoded[0]).max() <= 1
    assert np.abs(observation["camera_left"].astype(int) - decoded[1]).max() <= 1
    drawn = env.render()
    assert drawn is not None and drawn.shape == (64 * 4, 2 * 128 * 4, 3)
    blind = drive(world=world, starts=bank, pixels=False)
    assert set(blind.observation_space) == {"latents", "ego", "command"} and blind.reset(seed=0)
    assert blind.observation_space["latents"].shape == (64, 4)


def test_the_left_camera_is_shown_on_the_left() -> None:
    front, left = (np.full((2, 3, 3), tone, np.uint8) for tone in (1, 2))
    assert side_by_side([front, left], CAMERAS)[0, :, 0].tolist() == [2, 2, 2, 1, 1, 1]
    assert side_by_side([front], {"front": CameraSpec()}) is front


def test_starts_of_a_log_with_two_cameras(tmp_path: Path) -> None:
    episode = replace(make_episode(8, seed=3, size=(64, 128), cameras=("front", "left")), split="val")
    EpisodeWriter(tmp_path).write(episode)
    store, world = EpisodeStore(tmp_path), tiny_world(cameras=CAMERAS)
    (context, *_) = log_contexts(store, 4, cameras=["front", "left"])
    assert context.frames.shape == (4, 2, 64, 128, 3)
    assert make_bank(world, [context]).arrays.latents.shape == (1, 4, 64, 4)
    with pytest.raises(ValueError, match=r"unknown camera 'lef'.*did you mean 'left'"):
        list(log_contexts(store, 4, cameras=["front", "lef"]))


def test_the_rollout_command_takes_a_size(two: tuple[WorldModel, StartBank], tmp_path: Path) -> None:
    save_world(tmp_path / "world", two[0], ModelCard("tiny", "A test.", "none"))
    two[1].save(tmp_path / "world")
    out = tmp_path / "drive.mp4"
    rollout(RolloutConfig(out, seconds=0.2, world=str(tmp_path / "world"), size=(32, 64), steps=1, readings=False))
    frames = decode_video(out)
    assert len(frames) == 3 and frames.shape[2] == 4 * frames.shape[1]  # two pictures of 1:2 beside each other


def test_what_cannot_be_is_named(two: tuple[WorldModel, StartBank]) -> None:
    with pytest.raises(ValueError, match="divisible by patch=16, got 100x200"):
        drive(size=(100, 200))
    with pytest.raises(ValueError, match="frames of 32 tokens, but this world's are of 64"):
        drive(world=two[0].at(cameras=CAMERAS), starts=StartBank(BANK.arrays, BANK.records, two[1].latents_hash, 10.0))
