"""The hot paths from end to end on every device: training, encoding, streaming, the env, judging.

``pytest -m gpu`` runs them on a GPU; without that, on the CPU.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from envs.learned.drives import Drives
from tests.envs.learned_worlds import drives, world_saying
from tests.worldsim.data_episodes import make_episode
from tests.worldsim.test_evaluation_rollouts import drive as recorded
from tests.worldsim.test_presets import inputs
from tests.worldsim.worlds import tiny_world
from worldsim.checkpoint import ModelCard, load_world, save_world
from worldsim.data.clips import ClipShape
from worldsim.data.latents import LatentStore
from worldsim.data.writer import write_episode
from worldsim.engine import Engine, EngineConfig
from worldsim.evaluation.evaluate import held_out, judge_heads, judge_rollouts
from worldsim.tokenizer import load_tokenizer, tokenizer_hash
from worldsim.training.dynamics import TrainDynamicsConfig, train_dynamics
from worldsim.training.ego_warp import EgoWarpConfig
from worldsim.training.encode import EncodeConfig, encode
from worldsim.training.loop import LoopConfig
from worldsim.training.tokenizer import TrainTokenizerConfig, train_tokenizer
from worldsim.types import MOTION_FIELDS


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny world and a data set."""
    folder = tmp_path_factory.mktemp("hot")
    save_world(folder / "world", tiny_world(), ModelCard("tiny", "A test.", "none"))
    for seed in (0, 1, 3):  # two to train on, one held out
        write_episode(folder / "data", make_episode(seed=seed, size=(64, 128)))
    return folder


def loop(out: Path, steps: int) -> LoopConfig:
    return LoopConfig(str(out), steps=steps, minutes=0, threads=1, progress=False)


def test_training_the_tokenizer(place: Path, tmp_path: Path, device: str) -> None:
    """It trains, goes on from its own checkpoint, and what it writes is read on a CPU."""
    for steps in (2, 3):
        result = train_tokenizer(
            TrainTokenizerConfig(
                data=str(place / "data"), tokenizer=tiny_world().config.tokenizer, loop=loop(tmp_path, steps),
                batch=4, validation_frames=8, device=device,
            )
        )  # fmt: skip
        assert result.step == steps and result.metrics["psnr_db"] > 4
    assert load_tokenizer(tmp_path).device.type == "cpu"


def test_encoding_and_training_the_dynamics(place: Path, tmp_path: Path, device: str) -> None:
    """Latents are those of the CPU; plain steps, large steps and an own past all run, and a run goes on."""
    data, world = tmp_path / "data", load_world(place / "world")
    for seed in (0, 1, 3):
        episode = make_episode(seed=seed, size=(64, 128))
        write_episode(data, episode)
    encode(EncodeConfig(str(data), str(place / "world"), progress=False, threads=1, device=device))
    kept = LatentStore.open(data, tokenizer_hash(world.tokenizer))[2].astype(np.float32)
    assert np.allclose(kept, world.tokenizer.encode(episode.frames).numpy(), atol=0.02)
    settings = TrainDynamicsConfig(
        data=str(data), tokenizer=str(place / "world"), dynamics=world.config.dynamics,
        loop=loop(tmp_path / "run", 2), shapes=[ClipShape(8, 4), ClipShape(4, 8), ClipShape(8, 1)],
        validation=ClipShape(4, 4), phrasings=0, device=device,
        ego_warp=EgoWarpConfig(steps=3, batch=4, pairs=8, frames=4),
    )  # fmt: skip
    settings.objective.bootstrap_after = 1
    for steps in (2, 4):
        settings.loop.steps = steps
        result = train_dynamics(settings)
        assert result.step == steps and np.isfinite(result.metrics["val/picture"])
    assert load_world(tmp_path / "run" / "world").device.type == "cpu"


def test_the_network_says_the_same_as_on_a_cpu(device: str) -> None:
    world = tiny_world()
    latents, condition, scene = inputs(world.config.dynamics, 2, 7)
    with torch.no_grad():
        expected = world.predict(latents, condition, scene)
        world.to(device)
        moved = [type(part)(*(x.to(device) for x in vars(part).values())) for part in (condition, scene)]
        seen = world.predict(latents.to(device), *moved)
    for mine, theirs in ((seen.latents, expected.latents), (seen.state, expected.state)):
        assert mine.device.type == device and torch.allclose(mine.cpu(), theirs, atol=2e-3)


def test_streaming(device: str) -> None:
    """Read a start, draw on past the window, branch; equal states have equal futures."""
    world = tiny_world().to(device)
    engine = Engine(world, EngineConfig(steps=2, start_steps=2))
    c = world.config.dynamics
    latents, _, scene = inputs(c, 3, 4)
    scene = replace(scene, fields=scene.fields + 1)
    scene = type(scene)(*(x.to(device) for x in vars(scene).values()))
    motion = torch.zeros(3, 4, len(MOTION_FIELDS))
    state, _ = engine.start(latents.to(device), motion.to(device), scene, [0, 1, 2])
    for _ in range(c.context_frames + 2):
        step = engine.step(state, motion[:, 0])
    assert step.latents.device.type == device and bool(torch.isfinite(step.latents).all())
    branch = state.clone()
    first, again = engine.step(state, motion[:, 0]), engine.step(branch, motion[:, 0])
    assert torch.allclose(first.latents, again.latents, atol=1e-5)
    state.put(torch.tensor([1]), branch.select(torch.tensor([0])))
    assert torch.allclose(state.previous.latents[1], branch.previous.latents[0])
    assert engine.decode(first.latents).shape == (3, 64, 128, 3)
    _, imagined = engine.imagine(scene, [0, 1, 2])
    assert bool((imagined.trust > 0).all())


@pytest.mark.parametrize("pixels", [True, False])
def test_the_env(device: str, pixels: bool) -> None:
    """It steps, goes back to a saved state, and begins drives anew, with all that it returns on the host."""
    calm = world_saying(offroad=-9.0, collision=-9.0)
    env = drives(3, calm, device=device, pixels=pixels, max_steps=4, scenario=["highway", "night_rain"])
    seen, _ = env.reset(seed=0)
    assert env.observation_space.contains(seen)
    action = np.zeros((3, 2), np.float32)
    env.step(action)
    saved = env.save_state()
    assert isinstance(saved, Drives) and saved.latents.device.type == device
    futures = []
    for _ in range(2):
        env.restore_state(saved)
        futures.append([env.step(action) for _ in range(3)])
    for (seen, reward, *_, info), (other, same, *_) in zip(*futures, strict=True):
        assert env.observation_space.contains(seen) and np.allclose(reward, same, atol=1e-3)
        assert isinstance(info["trust"], np.ndarray)
        for key, value in seen.items():
            assert np.abs(value.astype(np.float64) - other[key]).max() <= (2 if value.dtype == np.uint8 else 1e-3), key
    assert futures[0][-1][3].all() and (env.step(action)[-1]["step"] == 0).all()


def test_judging(place: Path, tmp_path: Path, device: str) -> None:
    data, episode = tmp_path / "data", recorded(24, 0)
    episode.split, episode.caption = "val", ""
    write_episode(data, episode)
    engine = Engine(load_world(place / "world", device), EngineConfig(steps=1, start_steps=1))
    rollout, strip = judge_rollouts(engine, held_out(data, 1), 0)
    assert rollout["psnr_db"]["0.5"] > 0 and strip.ndim == 3
    assert judge_heads(engine, held_out(data, 1), 0)["frames"] == 24
