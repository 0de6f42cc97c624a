"""The part of ``benchmarks.scenarios`` that searches for failures: per model step, beside chance, and how many hold."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from agents.search.search import SearchConfig, search
from worldsim.checkpoint import world_hash

AGENT, SCENARIO = "careless", "any"


def search_figures(arguments: argparse.Namespace, steps: int) -> dict[str, Any]:
    """A search with ``steps`` model steps for each arm; a folder below ``--out`` keeps its trials and finds."""
    out = Path(arguments.out) / f"search-{world_hash(arguments.world)}-{steps}-{arguments.steps}-{arguments.seed}"
    search(
        SearchConfig(
            out, AGENT, SCENARIO, world=arguments.world, steps=steps, passes=arguments.steps, seed=arguments.seed
        )
    )
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    return {key: report[key] for key in ("agent", "scenario", "arms", "controls")}
