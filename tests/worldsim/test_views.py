"""Other sizes and several cameras: the same weights, streaming equals recomputing, and old worlds are unchanged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from worldsim.checkpoint import ModelCard, load_world, save_world
from worldsim.diffusion.path import noisy
from worldsim.dynamics.conditioning import FrameCondition, Scene
from worldsim.dynamics.places import view_features
from worldsim.engine import Engine, EngineConfig
from worldsim.engine.starts import latents_hash
from worldsim.tokenizer import tokenizer_hash
from worldsim.types import MOTION_FIELDS
from worldsim.views import Views
from worldsim.world_model import WorldModel

from .worlds import CAMERAS, tiny_world

CONTEXT = 5
CARD = ModelCard("tiny", "A test.", "none")

WORLDS = {
    "wide": tiny_world(CONTEXT).at((64, 192)),
    "large": tiny_world(CONTEXT).at((128, 256)),
    "two cameras": tiny_world(CONTEXT, cameras=CAMERAS),
    "two cameras, small": tiny_world(CONTEXT, cameras=CAMERAS).at((32, 64)),
}


def motion_of(frames: int, batch: int = 1) -> torch.Tensor:
    return 0.3 * torch.randn(batch, frames, len(MOTION_FIELDS), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", WORLDS)
def test_streaming_equals_full_recompute(name: str) -> None:
    """Well past the window: what the ring buffer gives frame by frame is what one pass over all frames gives."""
    world, frames = WORLDS[name], 2 * CONTEXT + 1
    c = world.config.dynamics
    latents = torch.randn(1, frames, c.n_tokens, c.latent_dim, generator=torch.Generator().manual_seed(1))
    motion, engine = motion_of(frames), Engine(world, EngineConfig(steps=1, start_steps=1))
    state = engine.empty(Scene.unknown(1, c.text_dim), seeds=[3])
    streamed, kept = [], []
    with torch.no_grad():
        for t in range(frames):
            condition = engine._condition(motion[:, t], None)
            kept.append(noisy(latents[:, t : t + 1], engine._noise(state.generators), condition.signal))
            frame = engine.stream.frame(condition, state.scene, state.previous, state.cache)
            streamed.append(frame.read(kept[-1], condition.signal, condition.step)[0])
            state.cache.advance()
            state.previous = type(state.previous)(kept[-1][:, 0], condition.signal[:, 0])
        zeros = torch.zeros(1, frames, dtype=torch.int64)
        condition = FrameCondition(torch.full((1, frames), 0.9), zeros, motion, zeros == 0, zeros)
        whole = world.predict(torch.cat(kept, 1), condition, state.scene)
    assert torch.allclose(torch.cat([s.latents for s in streamed], 1), whole.latents, atol=5e-4)
    assert torch.allclose(torch.cat([s.state for s in streamed], 1), whole.state, atol=5e-4)


@pytest.mark.parametrize("name", WORLDS)
def test_rolls_out_in_pictures_of_its_size(name: str) -> None:
    world = WORLDS[name]
    size = (world.config.tokenizer.height, world.config.tokenizer.width)
    shape = (1, 2, *([len(world.cameras)] if world.cameras else []), *size, 3)
    frames = torch.randint(0, 256, shape, dtype=torch.uint8)
    engine = Engine(world, EngineConfig(steps=1, start_steps=1))
    state, _ = engine.start(world.encode(frames), motion_of(2), Scene.unknown(1, 384), [0])
    drawn = engine.decode(engine.step(state, motion_of(1)[:, 0]).latents)
    assert drawn.shape == (shape[0], *shape[2:]) and drawn.dtype == torch.uint8


def test_another_size_is_the_same_weights() -> None:
    """Nothing is copied, the world asked stays as it was, and latents of two sizes are never taken for equal."""
    world = tiny_world()
    large = world.at((128, 256))
    assert large.config.dynamics.n_tokens == 128 and world.config.dynamics.n_tokens == 32
    assert all(a is b for a, b in zip(world.parameters(), large.parameters(), strict=True))
    assert latents_hash(large) != latents_hash(world)
    back = large.at((64, 128))
    assert back.config == world.config and tokenizer_hash(back.tokenizer) == tokenizer_hash(world.tokenizer)


def test_every_view_reads_the_others_and_its_own_past() -> None:
    """Changing the left picture changes what is drawn in front, but nothing of any earlier frame."""
    world, frames = WORLDS["two cameras"], 4
    c = world.config.dynamics
    latents = torch.randn(1, frames, c.n_tokens, c.latent_dim, generator=torch.Generator().manual_seed(2))
    zeros = torch.zeros(1, frames, dtype=torch.int64)
    condition = FrameCondition(torch.full((1, frames), 0.7), zeros, motion_of(frames), zeros == 0, zeros)
    changed = latents.clone()
    changed[:, 2, 32:] += 1.0
    with torch.no_grad():
        before, after = (world.predict(x, condition, Scene.unknown(1, 384)).latents for x in (latents, changed))
    assert torch.equal(before[:, :2], after[:, :2])
    assert not torch.allclose(before[:, 2, :32], after[:, 2, :32], atol=1e-3)


def test_views_are_told_apart_by_their_cameras() -> None:
    """Two views of one picture are drawn differently for their cameras alone; a camera not told adds nothing."""
    world = WORLDS["two cameras"]
    same = world.at(cameras={"a": CAMERAS["front"], "b": CAMERAS["front"]})
    c = world.config.dynamics
    latents = torch.randn(1, 1, 32, c.latent_dim, generator=torch.Generator().manual_seed(3)).repeat(1, 1, 2, 1)
    zeros = torch.zeros(1, 1, dtype=torch.int64)
    condition = FrameCondition(torch.full((1, 1), 0.7), zeros, torch.zeros(1, 1, 4), zeros == 1, zeros)
    with torch.no_grad():
        apart, alike = (w.predict(latents, condition, Scene.unknown(1, 384)).latents[0, 0] for w in (world, same))
    assert torch.allclose(alike[:32], alike[32:], atol=1e-5)
    assert not torch.allclose(apart[:32], apart[32:], atol=1e-2)
    untold = view_features(Views(4, 8), torch.device("cpu"))
    assert untold[0, 16:].abs().max() == 0


def test_a_world_of_several_cameras_makes_the_round_trip(tmp_path: Path) -> None:
    world = WORLDS["two cameras"]
    save_world(tmp_path, world, CARD)
    again = load_world(tmp_path)
    assert again.config == world.config and list(again.cameras) == ["front", "left"]
    for (name, a), (other, b) in zip(world.state_dict().items(), again.state_dict().items(), strict=True):
        assert name == other and torch.equal(a, b), name
    assert "Cameras: front, left" in (tmp_path / "MODEL_CARD.md").read_text()


def test_a_file_from_before_there_were_cameras_says_what_it_said(tmp_path: Path) -> None:
    """Its header has neither key; what it draws is what the world drew that was saved, to the last bit."""
    old = tiny_world()
    path = save_world(tmp_path, old, CARD)
    with safe_open(path, framework="pt") as handle:
        header = json.loads(handle.metadata()["world"])
    for key in ("cameras", "any_view"):
        del header["config"]["dynamics"][key]
    save_file(load_file(path), path, metadata={"world": json.dumps(header)})
    again = load_world(tmp_path)
    assert again.config == old.config and torch.equal(drawn_by(again), drawn_by(old))


def test_being_told_of_views_changes_nothing_at_first() -> None:
    """A world that is told, with what it is told still unread, draws as the same world did that is not."""
    old = tiny_world()
    told = WorldModel(replace(old.config, dynamics=replace(old.config.dynamics, any_view=True))).eval()
    missing, unexpected = told.load_state_dict(old.state_dict(), strict=False)
    assert missing == ["dynamics.warp.view.weight", "dynamics.view.weight"] and not unexpected
    assert torch.allclose(drawn_by(told), drawn_by(old), atol=1e-5)


def drawn_by(world: WorldModel) -> torch.Tensor:
    c, g = world.config.dynamics, torch.Generator().manual_seed(1)
    motion, engine = motion_of(8), Engine(world, EngineConfig(steps=2, start_steps=1))
    context = torch.randn(1, 4, c.n_tokens, c.latent_dim, generator=g)
    state, _ = engine.start(context, motion[:, :4], Scene.unknown(1, c.text_dim), [3])
    return torch.stack([engine.step(state, motion[:, t]).latents for t in range(4, 8)])


@pytest.mark.parametrize("size", [(60, 128), (64, 100), (0, 128)])
def test_a_size_that_tokens_do_not_divide_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=rf"divisible by patch=16, got {size[0]}x{size[1]}"):
        tiny_world().at(size)


def test_a_world_of_one_view_is_refused_two() -> None:
    with pytest.raises(ValueError, match=r"has one view and is not told of cameras, so it cannot have \['front', 'le"):
        tiny_world().at(cameras=CAMERAS)
    with pytest.raises(ValueError, match=r"n_tokens = grid_height \* grid_width of 2 views"):
        replace(WORLDS["two cameras"].config.dynamics, n_tokens=32)


def test_frames_without_an_axis_of_views_are_refused() -> None:
    world: WorldModel = WORLDS["two cameras"]
    with pytest.raises(ValueError, match=r"\(..., 2, h, w, 3\) of the views \['front', 'left'\], got \(64, 128, 3\)"):
        world.encode(torch.zeros(64, 128, 3, dtype=torch.uint8))
