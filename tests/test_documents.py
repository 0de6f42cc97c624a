"""README and quickstart: what they tell a reader to type exists, and their examples run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from envs.scenario import list_scenarios, load_scenario
from worldsim.cli.command import commands
from worldsim.cli.sweep import plan
from worldsim.config import load

ROOT = Path(__file__).parents[1]
DOCUMENTS = (
    "README.md",
    "docs/quickstart.md",
    "docs/agents.md",
    "docs/cockpit.md",
    "docs/scenarios.md",
    "docs/prompting.md",
    "docs/evaluation.md",
    "docs/your-data.md",
)


def blocks(document: str, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / document).read_text(encoding="utf-8"), re.DOTALL)


def typed() -> list[str]:
    """Every ``worldsim`` command line of the documents, without its comment."""
    lines = [line for name in DOCUMENTS for block in blocks(name, "sh") for line in block.splitlines()]
    return sorted({shlex.join(shlex.split(line, comments=True)) for line in lines if line.startswith("worldsim ")})


@pytest.mark.parametrize("line", typed())
def test_every_command_and_key_exists(line: str) -> None:
    name, *arguments = shlex.split(line)[1:]
    if name != "--help":
        command = commands()[0][name]
        if "--multirun" in arguments:
            assert plan(command, [argument for argument in arguments if argument != "--multirun"])[0]
        else:
            load(command.schema(), command.config_name, arguments)


def test_make_knows_its_targets() -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    used = [
        word for name in DOCUMENTS for block in blocks(name, "sh") for word in re.findall(r"^make (\w+)", block, re.M)
    ]
    assert used and set(used) <= set(targets)


def test_the_gymnasium_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """In the reference world, as the README says: only the id changes."""
    (example,) = blocks("README.md", "python")
    assert len(example.strip().splitlines()) <= 10
    exec(example.replace("Drive-v0", "RoadCam-v0").replace("range(100)", "range(5)"), {})
    assert "(64, 128, 3)" in capsys.readouterr().out


def test_the_scenario_in_the_documents_is_one(tmp_path: Path) -> None:
    texts = blocks("docs/scenarios.md", "yaml")
    for number, text in enumerate(texts):
        (tmp_path / f"{number}.yaml").write_text(text)
    scenario, thicker, shots = (load_scenario(tmp_path / f"{number}.yaml") for number in range(len(texts)))
    assert len(scenario.events) == 2 and scenario.concretise(np.random.default_rng(0)).is_concrete
    assert thicker.traffic == "heavy" and len(thicker.events) == len(load_scenario("night_rain_cut_in").events)
    assert [camera.name for camera in shots.cameras] == ["front", "rear", "roof"] and len(shots.shots) == 3
    assert f"holds {len(list_scenarios())} scenarios" in (ROOT / "docs/scenarios.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / document).read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not ((ROOT / document).parent / link).exists()]
    assert not missing
