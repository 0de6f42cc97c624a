"""The state of a streaming rollout as a value: copied, selected, written back, saved.

Axis legend: b rollouts, n latent tokens, d latent channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from worldsim.dynamics.conditioning import Scene
from worldsim.engine.cache import RingCache
from worldsim.engine.mending import Wear
from worldsim.engine.stream import Previous


@dataclass
class RolloutState:
    """All that a rollout remembers. ``generators`` holds one explicit random stream a rollout."""

    cache: RingCache
    previous: Previous
    scene: Scene
    generators: list[torch.Generator]
    wear: Wear

    def __len__(self) -> int:
        return len(self.generators)

    def clone(self) -> RolloutState:
        """An independent copy: from here on the two futures differ only in what is asked of them."""
        return self.select(torch.arange(len(self)))

    def select(self, index: Tensor) -> RolloutState:
        """A copy of the rollouts at ``index`` (k,); an index may repeat, which branches a rollout."""
        generators = []
        for i in index.tolist():
            generator = torch.Generator(self.generators[i].device)
            generator.set_state(self.generators[i].get_state())
            generators.append(generator)
        previous = Previous(self.previous.latents[index], self.previous.signal[index])
        scene, wear = self.scene.select(index), self.wear.select(index)
        return RolloutState(self.cache.select(index), previous, scene, generators, wear)

    def put(self, index: Tensor, other: RolloutState) -> None:
        """Overwrite the rollouts at ``index`` (k,) by those of ``other``, which must not be used after."""
        self.cache.put(index, other.cache)
        self.previous.latents[index] = other.previous.latents
        self.previous.signal[index] = other.previous.signal
        for mine, theirs in zip(
            (self.scene.fields, self.scene.text, self.scene.text_known),
            (other.scene.fields, other.scene.text, other.scene.text_known),
            strict=True,
        ):
            mine[index] = theirs
        for place, i in enumerate(index.tolist()):
            self.generators[i] = other.generators[place]
        self.wear.put(index, other.wear)
