"""Beginning in a world of recorded logs, whose scenarios are its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.cockpit.beginnings import in_scenario
from agents.cockpit.catalogue import Catalogue
from agents.cockpit.limits import Limits
from agents.cockpit.protocol import Begin
from agents.cockpit.session import Session


def test_a_world_of_logs_begins_in_a_scenario_of_its_own() -> None:
    """The page asks for what was chosen before: a scenario that ships gives way, anything else is refused."""
    real = Catalogue("real", []).open("real")
    assert "donkeycar" in real.scenarios and "highway" not in real.scenarios
    assert in_scenario(real, "donkeycar", "auto").name == "donkeycar"
    assert in_scenario(real, "highway", "auto").scenario == real.scenarios[0]
    with pytest.raises(ValueError, match="did you mean 'donkeycar'"):
        in_scenario(real, "donkycar", "auto")


def test_a_scenario_of_another_world_gives_way_on_the_way_back(tmp_path: Path) -> None:
    """From `real` back to `road`, with the scenario still chosen that only `real` knows."""
    session = Session(Catalogue("real", []), Limits(), tmp_path, passes=1, seed=0)
    with pytest.raises(ValueError, match="unknown scenario"):
        session.obey(Begin("road", "donkeycar"))  # nobody has chosen it yet
    session.obey(Begin("real", "donkeycar"))
    began = session.obey(Begin("road", "donkeycar"))[0]
    assert began["world"] == "road" and began["scenario"] == "highway" and "donkeycar" not in began["scenarios"]
    began = session.obey(Begin("real", "highway"))[0]
    assert began["scenario"] in began["scenarios"]
    session.close()
