"""Words to the scene that a world is told, with an account of every word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from worldsim.dynamics.conditioning import Scene
from worldsim.text import TextEncoder, TextEncoderMissing
from worldsim.types import SCENE_VOCABULARY, SceneFields
from worldsim.world_model import WorldModel

from ..events import Event
from ..scenario import Scenario, describe
from ..words import SceneWish, parse_scene

MOST_CHARACTERS = 2000


@dataclass(frozen=True)
class Told:
    """What was asked for, and one scene of it with every open choice made."""

    wish: SceneWish
    scenario: Scenario

    @property
    def account(self) -> str:
        """What was understood, assumed, cannot be had, and is not staged."""
        return "\n".join([self.wish.account(), *_not_staged(self.scenario.events)])


def told(text: str, seed: int) -> Told:
    """The scene that ``text`` asks for; ``seed`` decides what it leaves open. ValueError for what is no text."""
    wish = parse_scene(_short(text))
    return Told(wish, wish.scenario().concretise(np.random.default_rng(seed)))


def changed(fields: SceneFields, text: str) -> tuple[SceneFields, str]:
    """``fields`` with what ``text`` asks for instead, and an account of it; nothing is assumed.

    ValueError where it asks for no field, or is no text.
    """
    wish = parse_scene(_short(text))
    asked = {key: value for key in SCENE_VOCABULARY if (value := getattr(wish.fields, key)) is not None}
    if not asked:
        raise ValueError(
            f"text: expected words for {', '.join(SCENE_VOCABULARY)}, such as 'a snowy night', got {text[:80]!r}, "
            "which asks for none of them"
        )
    read = [line for line in wish.account().splitlines() if line.startswith(("understood:", "unsupported:"))]
    return replace(fields, **asked), "\n".join([*read, *_not_staged(wish.events)])


def _short(text: str) -> str:
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"text: expected at most {MOST_CHARACTERS} characters, got {len(text)}; say it in fewer words")
    return text


def _not_staged(events: Sequence[Event]) -> list[str]:
    return [f"not staged:  {event.words()}: the learned world stages no events" for event in events]


def scene_of(fields: SceneFields, world: WorldModel) -> Scene:
    """The scene of one rollout: the fields, and a caption of them where the extra ``text`` is installed."""
    scene = Scene.unknown(1, world.config.dynamics.text_dim)
    scene.fields[:] = torch.tensor([fields.codes()])
    if any(scene.fields[0]):
        try:
            scene.text[:] = torch.from_numpy(TextEncoder().encode([describe(fields)]))
            scene.text_known[:] = True
        except TextEncoderMissing:  # the model was trained to do without words, too
            pass
    return Scene(*(x.to(world.device) for x in (scene.fields, scene.text, scene.text_known)))
