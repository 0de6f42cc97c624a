"""Imports go one way: agents -> envs -> worldsim, and inside worldsim the parts that must not know each other don't."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FORBIDDEN = {
    "worldsim": {"envs", "agents"},
    "envs": {"agents"},
    "worldsim/tokenizer": {"worldsim.dynamics", "worldsim.diffusion", "worldsim.engine", "worldsim.training"},
    "worldsim/dynamics": {"worldsim.tokenizer", "worldsim.diffusion", "worldsim.engine", "worldsim.training"},
    "worldsim/diffusion": {"worldsim.tokenizer", "worldsim.dynamics", "worldsim.engine", "worldsim.training"},
    "worldsim/data": {"worldsim.engine", "worldsim.training", "worldsim.cli"},
    "worldsim/engine": {"worldsim.training", "worldsim.evaluation", "worldsim.serving", "worldsim.cli"},
    "worldsim/evaluation": {"worldsim.training", "worldsim.prompting", "worldsim.cli"},
    "worldsim/training": {"worldsim.prompting", "worldsim.cli"},
    "envs/reference/camera": {
        "highway_env",
        "envs.reference.traffic",
        "envs.reference.vehicles",
        "envs.reference.roadcam",
    },
}


def imported(path: Path) -> set[str]:
    """Absolute names of the modules that a file imports, relative ones resolved, at any depth of its code."""
    package = path.relative_to(ROOT).parent.parts
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            names |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_nothing_imports_what_it_must_not_know(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    for path in files:
        for name in imported(path):
            for forbidden in FORBIDDEN[folder]:
                assert name != forbidden and not name.startswith(forbidden + "."), f"{path} imports {name}"


def test_relative_imports_are_resolved(tmp_path: Path) -> None:
    names = imported(ROOT / "envs" / "reference" / "roadcam.py")
    assert {"envs.rewards", "envs.scenario", "envs.reference.roads", "worldsim.types"} <= names
