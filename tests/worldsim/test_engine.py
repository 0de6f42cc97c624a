"""The engine: streaming equals recomputing, the future never changes the past, state is a value."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from worldsim.diffusion.path import noisy
from worldsim.dynamics.conditioning import FrameCondition, Scene
from worldsim.engine import Engine, EngineConfig
from worldsim.types import MOTION_FIELDS
from worldsim.world_model import WorldModel

from .worlds import tiny_world

CONTEXT = 5


@pytest.fixture(scope="module")
def world() -> WorldModel:
    return tiny_world(CONTEXT)


def scene_of(batch: int) -> Scene:
    scene = Scene.unknown(batch, 384)
    scene.fields[:, 0] = torch.arange(batch) % 3
    return scene


def drive(frames: int, batch: int = 2, seed: int = 0) -> torch.Tensor:
    return 0.3 * torch.randn(batch, frames, len(MOTION_FIELDS), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("precision", "apart"), [("float32", 2e-4), ("bfloat16", 6e-2)])
def test_streaming_equals_full_recompute(world: WorldModel, precision: str, apart: float) -> None:
    """Remembering frames one by one through the ring buffer gives what one pass over all of them gives,
    well past the window (the buffer has wrapped around)."""
    frames, batch = 3 * CONTEXT + 2, 2
    latents = torch.randn(batch, frames, 32, 4, generator=torch.Generator().manual_seed(1))
    motion = drive(frames)
    engine = Engine(world, EngineConfig(steps=2, start_steps=4, context_signal=0.9, precision=precision))
    state = engine.empty(scene_of(batch), seeds=[3, 4])
    assert {str(each.dtype) for each in state.cache.keys} == {f"torch.{precision}"}
    streamed, kept = [], []
    with torch.no_grad():
        for t in range(frames):
            condition = engine._condition(motion[:, t], None)
            kept.append(noisy(latents[:, t : t + 1], engine._noise(state.generators), condition.signal))
            frame = engine.stream.frame(condition, state.scene, state.previous, state.cache)
            streamed.append(frame.read(kept[-1], condition.signal, condition.step)[0])
            state.cache.advance()
            state.previous = type(state.previous)(kept[-1][:, 0], condition.signal[:, 0])
        whole = world.predict(
            torch.cat(kept, 1),
            FrameCondition(
                torch.full((batch, frames), 0.9),
                torch.zeros(batch, frames, dtype=torch.int64),
                motion,
                torch.ones(batch, frames, dtype=torch.bool),
                torch.zeros(batch, frames, dtype=torch.int64),
            ),
            scene_of(batch),
        )
    assert {s.latents.dtype for s in streamed} == {torch.float32}
    assert torch.allclose(torch.cat([s.latents for s in streamed], 1), whole.latents, atol=apart)
    assert torch.allclose(torch.cat([s.state for s in streamed], 1), whole.state, atol=apart)


@pytest.mark.parametrize("what", ["latents", "motion", "command"])
def test_a_future_frame_or_action_never_changes_the_past(world: WorldModel, what: str) -> None:
    frames = 2 * CONTEXT
    latents, motion = torch.randn(1, frames, 32, 4), drive(frames, 1)
    command = torch.zeros(1, frames, dtype=torch.int64)

    def outputs() -> tuple[torch.Tensor, torch.Tensor]:
        condition = FrameCondition(
            torch.full((1, frames), 0.7), torch.zeros(1, frames, dtype=torch.int64), motion,
            torch.ones(1, frames, dtype=torch.bool), command,
        )  # fmt: skip
        with torch.no_grad():
            seen = world.predict(latents, condition, scene_of(1))
        return seen.latents, seen.state

    before = outputs()
    cut = 6
    {"latents": latents, "motion": motion, "command": command}[what][:, cut] += 1
    after = outputs()
    for a, b in zip(before, after, strict=True):
        assert torch.equal(a[:, :cut], b[:, :cut])
    assert not torch.equal(before[1][:, cut], after[1][:, cut])


def test_frames_cannot_read_the_state_token(world: WorldModel) -> None:
    """The command enters by the state token alone, so it moves the heads and never the picture."""
    engine = Engine(world, EngineConfig(steps=2, start_steps=4))
    context = torch.randn(1, 3, 32, 4)
    follow, _ = engine.start(context, drive(3, 1), scene_of(1), [0])
    turn = follow.clone()
    a = engine.step(follow, drive(1, 1)[:, 0], torch.tensor([0]))
    b = engine.step(turn, drive(1, 1)[:, 0], torch.tensor([1]))
    assert torch.equal(a.latents, b.latents)
    assert not torch.equal(a.state.lane_offset_m, b.state.lane_offset_m)


def test_state_is_a_value(world: WorldModel) -> None:
    """A restored copy repeats the future exactly; a branch under another motion departs from it."""
    engine = Engine(world, EngineConfig(steps=2, start_steps=4))
    motion = drive(8)
    state, _ = engine.start(torch.randn(2, 4, 32, 4), motion[:, :4], scene_of(2), [1, 2])
    saved = state.clone()
    first = [engine.step(state, motion[:, t]).latents for t in range(4, 8)]
    again = [engine.step(saved, motion[:, t]).latents for t in range(4, 8)]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    branch, other = state.clone(), state
    a = engine.step(branch, motion[:, 0]).latents
    b = engine.step(other, motion[:, 0] + 1).latents
    assert not torch.equal(a, b)


def test_a_rollout_does_not_depend_on_its_neighbours(world: WorldModel) -> None:
    engine = Engine(world, EngineConfig(steps=2, start_steps=4))
    context, motion = torch.randn(3, 4, 32, 4), drive(6, 3)
    state, _ = engine.start(context, motion[:, :4], scene_of(3), [1, 2, 3])
    together = [engine.step(state, motion[:, t]).latents[1] for t in (4, 5)]
    scene = scene_of(3).select(torch.tensor([1]))
    alone, _ = engine.start(context[1:2], motion[1:2, :4], scene, [2])
    single = [engine.step(alone, motion[1:2, t]).latents[0] for t in (4, 5)]
    for a, b in zip(together, single, strict=True):
        assert torch.allclose(a, b, atol=1e-4)


def test_put_restarts_one_rollout_of_a_batch(world: WorldModel) -> None:
    """Rollouts at different positions share a batch, and each goes on as it would alone."""
    engine = Engine(world, EngineConfig(steps=1, start_steps=4))
    motion = drive(12)
    state, _ = engine.start(torch.randn(2, 8, 32, 4), motion[:, :8], scene_of(2), [1, 2])
    fresh, _ = engine.start(torch.randn(1, 2, 32, 4), motion[:1, :2], scene_of(1), [9])
    expected = engine.step(fresh.clone(), motion[:1, 8]).latents[0]
    state.put(torch.tensor([1]), fresh)
    mixed = engine.step(state, torch.cat((motion[:1, 8], motion[:1, 8]))).latents[1]
    assert torch.allclose(mixed, expected, atol=1e-4)


def test_memory_is_constant(world: WorldModel) -> None:
    engine = Engine(world, EngineConfig(steps=1, start_steps=4))
    state, _ = engine.imagine(scene_of(2), [0, 1])
    before = state.cache.nbytes
    for _ in range(4 * CONTEXT):
        engine.step(state, torch.zeros(2, len(MOTION_FIELDS)))
    assert state.cache.nbytes == before
    assert state.cache.position.tolist() == [4 * CONTEXT + 1] * 2


def test_refining_keeps_as_much_of_the_sketch_as_it_is_told(world: WorldModel) -> None:
    """From pure noise the sketch does not matter; the more is kept, the nearer to it is what is drawn."""
    engine = Engine(world, EngineConfig(steps=2, start_steps=8))
    motion = drive(6)
    state, _ = engine.start(torch.randn(2, 4, 32, 4, generator=torch.Generator().manual_seed(0)), motion[:, :4],
                            scene_of(2), [1, 2])  # fmt: skip
    sketches = [torch.randn(2, 32, 4, generator=torch.Generator().manual_seed(seed)) for seed in (5, 6)]

    def distance(keep: float) -> list[float]:
        drawn = [engine.refine(state.clone(), sketch, motion[:, 4], keep).latents for sketch in sketches]
        return [float((drawn[0] - sketches[0]).abs().mean()), float((drawn[0] - drawn[1]).abs().mean())]

    assert distance(0.0)[1] == 0.0 and distance(0.875)[0] < distance(0.5)[0]
    with pytest.raises(ValueError, match=r"keep, a signal level in \[0, 1\), got 1"):
        engine.refine(state, sketches[0], motion[:, 4], 1.0)


def test_redrawing_in_the_same_scene_is_refining_what_was_seen(world: WorldModel) -> None:
    """What both memories expect alike cancels; then each remembers its own frame."""
    engine = Engine(world, EngineConfig(steps=2, start_steps=8, over_guidance=1.0))
    seen = torch.randn(2, 32, 4, generator=torch.Generator().manual_seed(0))
    nothing = torch.full((2, len(MOTION_FIELDS)), float("nan"))
    state, source, plain = (engine.empty(scene_of(2), [1, 2]) for _ in range(3))
    drawn = engine.redraw(state, source, seen, nothing, 0.5).latents
    engine._noise(plain.generators)  # redrawing draws the noise of its expectations first
    assert torch.allclose(drawn, engine.refine(plain, seen, nothing, 0.5).latents, atol=1e-4)
    assert state.cache.position.tolist() == source.cache.position.tolist() == [1, 1]
    elsewhere = engine.empty(scene_of(2).select(torch.tensor([1, 0])), [1, 2])
    other = engine.redraw(elsewhere, engine.empty(scene_of(2), [1, 2]), seen, nothing, 0.5).latents
    assert not torch.allclose(drawn, other, atol=1e-2)


def test_a_cold_frame_is_the_same_whatever_the_seed(world: WorldModel) -> None:
    """At temperature 0 nothing of the next frame is left to chance; the warmer, the more."""
    motion, latents = drive(6), torch.randn(2, 4, 32, 4, generator=torch.Generator().manual_seed(0))
    settings = EngineConfig(steps=2, start_steps=4, context_signal=1.0)

    def spread(temperature: float) -> float:
        engine = Engine(world, replace(settings, temperature=temperature))
        drawn = []
        for seeds in ([1, 2], [3, 4]):
            state, _ = engine.start(latents, motion[:, :4], scene_of(2), seeds)
            drawn.append(engine.step(state, motion[:, 4]).latents)
        return float((drawn[0] - drawn[1]).abs().mean())

    assert spread(0.0) == 0.0 and 0.0 < spread(0.5) < spread(1.0)
    with pytest.raises(ValueError, match=r"temperature: expected a number in \[0, 1\], got 1.5"):
        Engine(world, replace(settings, temperature=1.5))


def test_bad_settings_and_shapes_are_refused(world: WorldModel) -> None:
    with pytest.raises(ValueError, match=r"sampling steps: expected one of \[1, 2, 4, 8\], got 3"):
        Engine(world, EngineConfig(steps=3))
    engine = Engine(world, EngineConfig(steps=1, start_steps=1))
    state, _ = engine.imagine(scene_of(1), [0])
    with pytest.raises(ValueError, match="expected motion of shape"):
        engine.step(state, torch.zeros(1, 2))
