"""Beginning in a world of recorded logs, whose scenarios are its own."""

from __future__ import annotations

import pytest

from agents.cockpit.beginnings import in_scenario
from agents.cockpit.catalogue import Catalogue


def test_a_world_of_logs_begins_in_a_scenario_of_its_own() -> None:
    """The page asks for what was chosen before: a scenario that ships gives way, anything else is refused."""
    real = Catalogue("real", []).open("real")
    assert "donkeycar" in real.scenarios and "highway" not in real.scenarios
    assert in_scenario(real, "donkeycar", "auto").name == "donkeycar"
    assert in_scenario(real, "highway", "auto").scenario == real.scenarios[0]
    with pytest.raises(ValueError, match="did you mean 'donkeycar'"):
        in_scenario(real, "donkycar", "auto")
