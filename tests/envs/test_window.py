"""``gym.make(..., render_mode="human")`` opens a window on either world, by Gymnasium's own wrapper."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import envs  # noqa: F401 (registers)

from .learned_worlds import BANK, CALM

WORLDS: dict[str, dict[str, Any]] = {"RoadCam-v0": {}, "Drive-v0": {"world": CALM, "starts": BANK, "steps": 1}}


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """SDL without a display: a window is a surface in memory."""
    import pygame

    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    pygame.display.quit()
    yield pygame
    pygame.display.quit()


@pytest.mark.filterwarnings("ignore:.*'human' rendering")
@pytest.mark.parametrize("name", WORLDS)
def test_the_window_shows_each_frame(name: str, screen: Any) -> None:
    env = gym.make(f"worldsim/{name}", render_mode="human", **WORLDS[name])
    assert env.render_mode == "human" and "human" in env.metadata["render_modes"]
    env.reset(seed=0)
    pictures = []
    for action in ([0.0, 0.0], [1.0, 1.0]):
        env.step(np.array(action, np.float32))
        shown = screen.surfarray.array3d(screen.display.get_surface()).transpose(1, 0, 2)
        assert np.array_equal(shown, env.unwrapped.render())  # type: ignore[arg-type]
        pictures.append(shown)
    assert pictures[0].shape == (256, 512, 3) and not np.array_equal(*pictures)
    env.close()
    assert not screen.display.get_init()


@pytest.mark.parametrize("name", WORLDS)
def test_the_worlds_themselves_draw_no_window(name: str) -> None:
    """Nor do they say so in their metadata, by which Gymnasium knows that its wrapper is needed."""
    spec = gym.spec(f"worldsim/{name}")
    entry = gym.envs.registration.load_env_creator(str(spec.entry_point))
    assert entry.metadata["render_modes"] == ["rgb_array"]  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match=r"unknown render_mode 'human': expected one of \['rgb_array'\]"):
        entry(render_mode="human", **WORLDS[name])
