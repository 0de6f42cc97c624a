"""Mending: long drawn pictures that look bad are drawn on without a past, and nothing else is touched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from tests.worldsim.worlds import tiny_world
from worldsim.dynamics.conditioning import Scene
from worldsim.dynamics.looks import Looks
from worldsim.engine import Engine, EngineConfig, mending
from worldsim.engine.mending import AFTER, STEPS, WORSE, Wear
from worldsim.types import MOTION_FIELDS
from worldsim.world_model import WorldModel

SETTINGS = EngineConfig(steps=1, start_steps=1)
SOON = 3


def doubting(doubt: float) -> WorldModel:
    """A world to which every picture looks that bad."""
    world = tiny_world()
    looks = Looks(32, 8).requires_grad_(False)
    looks.out.weight.zero_()
    looks.out.bias.copy_(torch.tensor([1.0, 1.0 + doubt]).log())
    looks.scale.copy_(torch.tensor([[1.0, 1.0], [2.0, 2.0]]))
    world.take_looks(looks)
    return world


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mending, "AFTER", SOON)


def scenes(count: int) -> Scene:
    scene = Scene.unknown(count, 384)
    scene.fields[:, 0] = 1 + torch.arange(count) % 2
    return scene


def rollout(world: WorldModel, every: int, frames: int) -> list[torch.Tensor]:
    """Latents and trust of drawn frames, (1, 32, 4) and (1,) by turns."""
    engine = Engine(world, replace(SETTINGS, mend_every=every))
    motion = 0.3 * torch.randn(1, frames + 2, len(MOTION_FIELDS), generator=torch.Generator().manual_seed(1))
    context = torch.randn(1, 2, 32, 4, generator=torch.Generator().manual_seed(2))
    state, _ = engine.start(context, motion[:, :2], scenes(1), [5])
    found = []
    for t in range(2, frames + 2):
        step = engine.step(state, motion[:, t])
        found += [step.latents, step.trust]
    return found


def test_what_is_due() -> None:
    wear = Wear.none(7, torch.device("cpu"))
    wear.alone = torch.tensor([SOON - 1, SOON, SOON, SOON + 1, SOON + 5, SOON + 5, SOON + 10])
    wear.doubt = torch.tensor([9.0, 0.0, WORSE[0] + 0.01, 9.0, WORSE[1] + 0.01, WORSE[2] + 0.01, WORSE[3] + 0.01])
    found = [(rows.tolist(), taken) for rows, taken in wear.due(5)]
    assert found == [([6], 0), ([5], 1), ([4], 2), ([2], 3)] and wear.due(0) == []
    wear.mended(torch.tensor([4, 6]), 2)
    wear.mended(torch.tensor([4]), 3)
    assert wear.invented.tolist() == [0, 0, 0, 0, 1 - 0.5 * 0.75, 0, 0.5]
    wear.seen()
    assert not wear.alone.any() and not wear.invented.any()


def test_the_first_seconds_and_what_looks_fine_are_let_be() -> None:
    assert AFTER >= 30 and len(WORSE) == STEPS  # three seconds, within which branches are compared
    bad, plain, mended = doubting(2.0), rollout(doubting(2.0), 0, 6), rollout(doubting(2.0), 2, 6)
    same = [torch.equal(a, b) for a, b in zip(plain, mended, strict=True)]
    assert same[: 2 * (SOON - 1)] == [True] * 4 and not any(same[4:])
    assert bad.config.mend_every == 0
    for world in (doubting(0.1), tiny_world()):  # looks fine; nobody looks
        assert all(torch.equal(a, b) for a, b in zip(rollout(world, 0, 6), rollout(world, 2, 6), strict=True))


def test_the_worse_it_looks_the_less_is_kept() -> None:
    def change(doubt: float) -> float:
        world, t = doubting(doubt), 2 * (SOON - 1)
        return float((rollout(world, 0, SOON)[t] - rollout(world, 5, SOON)[t]).square().mean())

    changes = [change(doubt) for doubt in (0.5, 0.8, 1.2, 2.0)]
    assert changes[0] > 0 and changes == sorted(changes)


def test_a_mended_frame_follows_the_scene_and_not_the_past() -> None:
    """What no quarter is kept of is the same whatever was seen before, and another in another scene."""

    def last(seen: int, scene: Scene) -> torch.Tensor:
        engine = Engine(doubting(2.0), replace(SETTINGS, mend_every=5))
        context = torch.randn(1, 2, 32, 4, generator=torch.Generator().manual_seed(seen))
        motion = torch.zeros(1, 2, len(MOTION_FIELDS))
        state, _ = engine.start(context, motion, scene, [5])
        return [engine.step(state, motion[:, 0]).latents for _ in range(SOON)][-1]

    day, night = scenes(2).select(torch.tensor([0])), scenes(2).select(torch.tensor([1]))
    assert torch.allclose(last(0, day), last(1, day), atol=1e-5)
    assert not torch.allclose(last(0, day), last(0, night), atol=1e-3)


@pytest.mark.parametrize("doubt", [0.5, 2.0])
def test_neighbours_and_copies(doubt: float) -> None:
    """Rollouts that are mended at different times share a batch; a copy goes on as its original does."""
    engine = Engine(doubting(doubt), replace(SETTINGS, mend_every=2))
    motion: Callable[[int], torch.Tensor] = lambda count: torch.zeros(count, len(MOTION_FIELDS))  # noqa: E731
    state, _ = engine.imagine(scenes(2), [1, 2])
    alone = state.select(torch.tensor([1]))
    other, _ = engine.imagine(scenes(1), [3])
    for _ in range(2):
        engine.step(alone, motion(1))
        engine.step(state, motion(2))
    state.put(torch.tensor([0]), other)  # begins anew two frames later
    copy = state.clone()
    for _ in range(4):
        single, both, again = engine.step(alone, motion(1)), engine.step(state, motion(2)), engine.step(copy, motion(2))
        assert torch.equal(both.latents, again.latents) and torch.equal(both.trust, again.trust)
        assert torch.allclose(single.latents[0], both.latents[1], atol=1e-4)
        unsure = both.disagreement.square() + both.doubt.square() + state.wear.invented.square()
        assert torch.allclose(1 / both.trust, 1 + unsure, rtol=1e-4)  # the less is left of what was seen
    assert (state.wear.invented > 0).all()
    assert state.wear.alone.tolist() == [5, 7]  # the frame that was imagined counts


def test_a_world_says_whether_it_is_mended() -> None:
    world = doubting(2.0)
    world.config = replace(world.config, mend_every=5)
    assert Engine(world, SETTINGS).mend_every == 5 and Engine(world, replace(SETTINGS, mend_every=0)).mend_every == 0
    with pytest.raises(ValueError, match=r"mend_every: expected a whole number of at least 0, got -1"):
        Engine(world, replace(SETTINGS, mend_every=-1))
    with pytest.raises(ValueError, match=r"WorldConfig.mend_every"):
        replace(world.config, mend_every=-1)
