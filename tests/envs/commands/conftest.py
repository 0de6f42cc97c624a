"""What the tests of commands share: a world with starts beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.starts import sit
from envs.learned.collect_starts import drive_contexts, make_bank
from tests.worldsim.worlds import tiny_world
from worldsim.checkpoint import ModelCard, save_world


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny world with three starts beside it."""
    out, world = tmp_path_factory.mktemp("world"), tiny_world()
    save_world(out, world, ModelCard("tiny", "It knows nothing.", "none", limits=["It is <random>."]))
    contexts = drive_contexts(sit, world, ["highway", "night_rain", "two_way"], per_scenario=1, frames=6)
    make_bank(world, contexts).save(out)
    return out
