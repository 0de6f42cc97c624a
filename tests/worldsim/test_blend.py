"""A blend of worlds is the mean of their weights, and takes only what belongs together."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.worldsim.worlds import tiny_world
from worldsim.checkpoint import ModelCard, load_world, read_card, save_world
from worldsim.training.blend import BlendConfig, blend
from worldsim.world_model import WorldModel

CARD = ModelCard("tiny", "A test.", "none", metrics={"good": 1.0})


@pytest.fixture
def worlds(tmp_path: Path) -> dict[str, WorldModel]:
    """Two worlds by their folders, the second trained on from the first, so to say."""
    first, second = tiny_world(), tiny_world()
    generator = torch.Generator().manual_seed(1)
    for parameter in second.dynamics.parameters():
        parameter.data.add_(torch.randn(parameter.shape, generator=generator))
    second.trust_scale.fill_(3.0)
    named = {str(tmp_path / "first"): first, str(tmp_path / "second"): second}
    for folder, world in named.items():
        save_world(folder, world, CARD)
    (tmp_path / "first" / "starts.safetensors").write_bytes(b"starts")
    return named


def test_it_is_the_mean_and_the_rest_is_the_first_ones(worlds: dict[str, WorldModel], tmp_path: Path) -> None:
    (one, first), (other, second) = worlds.items()
    out = blend(BlendConfig({one: 0.25, other: 0.75}, tmp_path / "out", carry=0.5))
    made, mine, theirs = load_world(out), first.dynamics.state_dict(), second.dynamics.state_dict()
    for name, value in made.dynamics.state_dict().items():
        expected = 0.25 * mine[name] + 0.75 * theirs[name] + (0.5 if name == "carry.bias" else 0.0)
        torch.testing.assert_close(value, expected)
    card = read_card(out)
    assert not card.metrics and card.command.startswith(f"worldsim blend parts='{{{one}: 0.25, {other}: 0.75}}'")
    assert made.trust_scale == first.trust_scale and (out / "starts.safetensors").read_bytes() == b"starts"


def test_one_world_alone_stays_what_it_was(worlds: dict[str, WorldModel], tmp_path: Path) -> None:
    one = next(iter(worlds))
    made, before = load_world(blend(BlendConfig({one: 1.0}, tmp_path / "out"))), load_world(one)
    assert all(torch.equal(a, b) for a, b in zip(made.parameters(), before.parameters(), strict=True))


def test_what_does_not_belong_together_is_refused(worlds: dict[str, WorldModel], tmp_path: Path) -> None:
    one = next(iter(worlds))
    for parts in ({}, {one: 0.5}, {one: 0.5, "road": 0.6}):
        with pytest.raises(ValueError, match="shares that add up to 1"):
            BlendConfig(parts, tmp_path / "out")
    with pytest.raises(ValueError, match=r"unknown world 'raod': .*road"):
        blend(BlendConfig({"raod": 1.0}, tmp_path / "out"))
    with pytest.raises(ValueError, match="has another dynamics"):
        blend(BlendConfig({one: 0.5, "road": 0.5}, tmp_path / "out"))
    other = tiny_world()
    other.scale.mean.add_(1.0)
    save_world(tmp_path / "other", other, CARD)
    with pytest.raises(ValueError, match=r"has another tokenizer .*start_from="):
        blend(BlendConfig({one: 0.5, str(tmp_path / "other"): 0.5}, tmp_path / "out"))
    save_world(tmp_path / "flat", tiny_world(warp_width=0), CARD)
    with pytest.raises(ValueError, match="no ego warp"):
        blend(BlendConfig({str(tmp_path / "flat"): 1.0}, tmp_path / "out", carry=1.0))
    assert not (tmp_path / "out").exists()
