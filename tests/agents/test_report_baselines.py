"""Baselines and policies of the report: what stands beside the model, and what is said where something is missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from agents.judging.family import FAMILY
from agents.policy.checkpoint import PolicyCard, save_policy
from agents.policy.network import Policy, PolicyConfig
from agents.report import cost, ranking
from agents.report.baselines import LeastSquaresEngine, MeanEngine, least_squares, other_seeds
from agents.report.sections import REFERENCE_SECTIONS
from agents.report.subject import FULL, QUICK
from agents.report.tables import short
from tests.agents.test_counterfactuals import made_up
from tests.worldsim.worlds import tiny_world
from worldsim.checkpoint import ModelCard, save_world
from worldsim.dynamics.conditioning import Scene
from worldsim.engine import Engine, EngineConfig
from worldsim.types import MOTION_FIELDS


def next_frame(engine: Engine, seed: int) -> torch.Tensor:
    """What an engine draws after a frame of its own, which is the same for all seeds: (n, d)."""
    c = engine.world.config.dynamics
    state = engine.empty(Scene.unknown(1, c.text_dim), [0])
    first = torch.randn(1, c.n_tokens, c.latent_dim, generator=torch.Generator().manual_seed(9))
    engine.observe(state, first, torch.full((1, len(MOTION_FIELDS)), float("nan")))
    state.generators[0].manual_seed(seed)
    return engine.step(state, torch.zeros(1, len(MOTION_FIELDS))).latents[0]


def test_who_draws_from_nothing_leaves_nothing_to_chance() -> None:
    config = EngineConfig(steps=1, start_steps=1)
    for kind, chance in ((LeastSquaresEngine, False), (MeanEngine, True), (Engine, True)):
        engine = kind(tiny_world(), config)
        first, second = (next_frame(engine, seed) for seed in (1, 2))
        assert bool((first != second).any()) is chance


def test_a_baseline_is_of_the_same_size_and_has_the_same_latents(tmp_path: Path) -> None:
    world = tiny_world(5, 0)
    save_world(tmp_path / "same", world, ModelCard("same", "In training, step 3.", "none"))
    assert least_squares(str(tmp_path / "same"), world).config == world.config
    save_world(tmp_path / "other", tiny_world(5, 1), ModelCard("other", "Another tokenizer.", "none"))
    scaled = tiny_world(5, 0)
    scaled.scale.std.mul_(2.0)
    save_world(tmp_path / "scaled", scaled, ModelCard("scaled", "Other latents.", "none"))
    for name in ("other", "scaled"):
        with pytest.raises(ValueError, match="train it with start_from=THAT"):
            least_squares(str(tmp_path / name), world)


def test_another_seed_is_the_same_branch_of_another_moment() -> None:
    moments, branches = made_up(2)
    rows = np.arange(len(branches))
    others = other_seeds(moments, branches, rows)
    assert others is not None and (branches.name[others] == branches.name).all()
    assert (branches.moment[others] != branches.moment).all()
    assert all(
        moments[a].kind == moments[b].kind for a, b in zip(branches.moment[others], branches.moment, strict=True)
    )
    alone = np.flatnonzero(branches.moment < 2)  # one moment of each kind
    assert other_seeds(moments, branches.rows(alone), np.arange(len(alone))) is None


def test_policies_are_of_a_kind(tmp_path: Path) -> None:
    assert ranking.kind_of("expert") == ranking.SCRIPTED and ranking.kind_of("parking") == ranking.EXPLOIT
    policy = Policy(PolicyConfig(n_tokens=2, latent_dim=2, history=1, width=8))
    for trained_in, kind in (
        ("episodes", ranking.CLONED), ("Drive-v0", ranking.BY_MODEL), ("RoadCam-v0", ranking.BY_REFERENCE)
    ):  # fmt: skip
        folder = tmp_path / trained_in
        save_policy(folder, policy, PolicyCard("some", "ppo", trained_in, "road", "0"))
        assert ranking.kind_of(str(folder)) == kind
    assert set(map(ranking.kind_of, ranking.POLICIES)) == {ranking.SCRIPTED, ranking.EXPLOIT}
    assert short("runs/clone/") == "clone" and all(short(name) == name for name in FAMILY)


def test_more_work_costs_more() -> None:
    def all_in(sizes: object, policies: int = 0) -> float:
        return sum(sum(cost.counts(name, sizes, 4, policies).values()) for name in REFERENCE_SECTIONS)  # type: ignore[arg-type]

    assert all_in(QUICK) < all_in(FULL) / 3 and all_in(FULL, 4) > all_in(FULL)
    assert all_in(replace(QUICK, drift_s=120.0)) > all_in(QUICK)
    free = [name for name in REFERENCE_SECTIONS if not cost.counts(name, QUICK, 4)]
    assert free == ["obedience"]  # it looks at what counterfactuals have drawn
