"""The policy that ships: it never took a step in the reference world, and keeps to its lane there, by its pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agents.judging.drivers import make_agent
from agents.judging.judge import REFERENCE, Judge, Venue
from agents.judging.suite import Suite
from agents.policy.checkpoint import load_policy, policy_folder, shipped_policies
from worldsim.checkpoint import load_world
from worldsim.tokenizer import tokenizer_hash


def test_the_student_ships_with_a_card_that_says_what_it_learned_from() -> None:
    assert "student" in shipped_policies() and policy_folder("student") is not None
    _, card = load_policy("student")
    assert card.tokenizer == tokenizer_hash(load_world(card.world).tokenizer)
    assert card.reference_steps == 0 and card.demonstration_frames > 0 and card.method == "imitation"


def test_it_needs_the_world_that_it_sees_through() -> None:
    with pytest.raises(ValueError, match="expected the world model that this policy sees through"):
        make_agent("student")
    with pytest.raises(ValueError, match="take one that ships: student"):
        load_policy("nowhere")


def test_it_drives_better_than_going_straight_on(tmp_path: Path) -> None:
    """On eight drives, one on each kind of road, of 6 s each."""
    judge = Judge(Venue(REFERENCE, "road"), tmp_path, Suite(max_steps=60), workers=1)
    played = judge.outcomes(["student", "coasting"], 8)
    earned = {name: np.mean([outcome.earned for outcome in rows]) for name, rows in played.items()}
    faults = {name: sum(outcome.crash or outcome.offroad for outcome in rows) for name, rows in played.items()}
    assert earned["student"] > earned["coasting"] + 5.0 and faults["student"] < faults["coasting"]
