"""Clips whose past was rolled out: true frames first, then what the world draws, and what is learned from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from worldsim.data.clips import ClipShape
from worldsim.engine import Engine, EngineConfig
from worldsim.training.objective import ClipBatch, ObjectiveConfig, Past, led, objective
from worldsim.training.rolled import RolledClips, RolledConfig, rolled_out

from .test_dynamics import clip_batch
from .worlds import tiny_config, tiny_world

SMALL = RolledConfig(share=0.5, shape=ClipShape(2, 5), seen=3, horizon=4, drives=3, held=2, every=10, passes=[1])


class Drives:
    """The same clips at every draw, each drawn with the shape that was asked for."""

    def __init__(self) -> None:
        self.asked: list[ClipShape] = []

    def draw(self, shape: ClipShape, generator: np.random.Generator) -> ClipBatch:
        self.asked.append(shape)
        return clip_batch(tiny_config().dynamics, shape.clips, shape.frames)


def test_the_past_is_true_where_it_was_seen_and_drawn_after() -> None:
    world, batch = tiny_world(), clip_batch(tiny_config().dynamics, clips=2, frames=6)
    past = rolled_out(Engine(world, EngineConfig(steps=1, start_steps=1)), batch, 2, [3, 4])
    assert past.shape == batch.latents.shape
    assert torch.equal(past[:, :2], batch.latents[:, :2])
    assert not torch.isclose(past[:, 2:], batch.latents[:, 2:]).all(dim=(2, 3)).any()


def test_clips_are_windows_of_what_was_rolled_out() -> None:
    rolled = RolledClips(SMALL, Drives(), seed=0)
    assert rolled.due(0)
    rolled.roll(tiny_world(), 0)
    batch, past = rolled.groups[0]
    drawn = past.latents
    firsts = set()
    for step in range(30):
        clips, cut = rolled.draw(step)
        assert clips.latents.shape == cut.latents.shape == (2, 5, *drawn.shape[2:])
        assert not clips.motion_known[:, 0].any() and not clips.motion[:, 0].any()
        places = [
            (k, first)
            for k in range(len(drawn))
            for first in range(drawn.shape[1] - 4)
            if torch.equal(drawn[k, first : first + 5], cut.latents[0])
        ]
        (k, first), *others = places
        assert not others and torch.equal(batch.latents[k, first : first + 5], clips.latents[0])
        assert torch.equal(batch.motion[k, first + 1 : first + 5], clips.motion[0, 1:])
        assert torch.equal(past.leads[k, first + 1 : first + 5], cut.leads[0, 1:]) and not cut.leads[0, 0].any()
        firsts.add(first)
    assert firsts == {0, 1, 2}


def test_drives_are_rolled_out_again_when_it_is_time_and_the_oldest_make_room() -> None:
    source = Drives()
    rolled = RolledClips(SMALL, source, seed=0)
    world = tiny_world()
    for step in (0, 10, 20):
        assert rolled.due(step)
        rolled.roll(world, step)
        assert not rolled.due(step + 9)
    assert source.asked == [ClipShape(3, 7)] * 3 and len(rolled.groups) == 2


def test_the_same_seed_and_step_give_the_same_clips() -> None:
    first, again = (RolledClips(SMALL, Drives(), seed=5) for _ in range(2))
    for rolled in (first, again):
        rolled.roll(tiny_world(), 7)
    assert torch.equal(first.draw(8)[1].latents, again.draw(8)[1].latents)


def test_the_model_learns_what_comes_after_what_it_drew() -> None:
    """On one rolled clip the error falls; nothing is learned of frames that were drawn, whatever their labels."""
    world, settings = tiny_world(), ObjectiveConfig(bootstrap_fraction=0.0)
    batch = clip_batch(tiny_config().dynamics, clips=1)
    drawn = rolled_out(Engine(world, EngineConfig(steps=1, start_steps=1)), batch, 1, [0])
    past, dynamics = led(world.dynamics, batch, drawn), world.dynamics.train()
    optimizer = torch.optim.AdamW([p for p in dynamics.parameters() if p.requires_grad], lr=5e-3)

    def error() -> tuple[torch.Tensor, dict[str, float]]:
        return objective(dynamics, batch, settings, torch.Generator().manual_seed(1), rolled=past)

    _, before = error()
    for _ in range(60):
        optimizer.zero_grad()
        loss, _ = error()
        loss.backward()
        optimizer.step()
    _, after = error()
    assert list(after) == ["rolled_error"] and after["rolled_error"] < 0.5 * before["rolled_error"]


def test_a_rolled_past_says_nothing_of_labels_and_latents_of_written_frames() -> None:
    world, settings = tiny_world(), ObjectiveConfig(bootstrap_fraction=0.0, noise_weight=1.0, written_weight=0.0)
    batch = clip_batch(tiny_config().dynamics, clips=1)
    changed = replace(batch, targets=1.0 - batch.targets)

    def loss(told: ClipBatch, past: Past | None) -> float:
        return objective(world.dynamics, told, settings, torch.Generator().manual_seed(1), rolled=past)[0].item()

    past = Past(batch.latents, batch.motion)
    assert loss(batch, past) == loss(changed, past)
    assert loss(batch, None) != loss(changed, None)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"share": 1.0}, "expected a share of the steps"),
        ({"passes": []}, "whole numbers from 1 on"),
        ({"horizon": 0}, "whole numbers from 1 on"),
        ({"seen": 2, "horizon": 4, "shape": ClipShape(4, 36)}, "at most seen \\+ horizon = 6 frames, got 36"),
    ],
)
def test_settings_that_leave_nothing_to_draw_are_refused(wrong: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        RolledConfig(**wrong)
