"""Chance that is handed in: weights come from the caller's generator, and the global one is left as it was."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from worldsim.chance import drawn_from


def layer(generator: torch.Generator) -> torch.Tensor:
    with drawn_from(generator):
        return nn.Linear(4, 3).weight.detach()


def test_weights_follow_the_generator_alone() -> None:
    torch.rand(3)  # whatever was drawn before does not matter
    first, other = layer(torch.Generator().manual_seed(1)), layer(torch.Generator().manual_seed(2))
    torch.rand(5)
    assert torch.equal(first, layer(torch.Generator().manual_seed(1)))
    assert not torch.equal(first, other)


def test_the_generator_moves_on() -> None:
    generator = torch.Generator().manual_seed(1)
    assert not torch.equal(layer(generator), layer(generator))


def test_the_global_generator_is_left_as_it_was() -> None:
    before = torch.random.get_rng_state()
    layer(torch.Generator().manual_seed(1))
    with pytest.raises(ZeroDivisionError), drawn_from(torch.Generator().manual_seed(1)):
        torch.rand(3)
        raise ZeroDivisionError
    assert torch.equal(torch.random.get_rng_state(), before)
