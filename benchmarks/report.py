"""What every benchmark shares: its options and the JSON object on its last line."""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from worldsim.checkpoint import DEFAULT_WORLD
from worldsim.say import say

ROOT = Path(__file__).resolve().parent.parent


def options(name: str, description: str) -> argparse.ArgumentParser:
    """A parser with the options of every benchmark; add your own."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=description)
    parser.add_argument("--quick", action="store_true", help="less of everything; ends within a minute on two cores")
    parser.add_argument("--world", default=DEFAULT_WORLD, help="a world that ships, or the folder of one")
    parser.add_argument("--data", type=Path, help="folder of episodes, whose split val is used (default: drive anew)")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks"), help="folder for pictures")
    parser.add_argument("--episodes", type=int, help="held-out drives at most")
    parser.add_argument("--steps", type=int, default=4, help="sampling passes a frame: 1, 2, 4, ...")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0, help="of the model's own chance")
    return parser


def begin(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """Parsed arguments, with the number of threads set; ``arguments.command`` is what was typed."""
    given = list(sys.argv[1:] if argv is None else argv)
    arguments = parser.parse_args(given)
    arguments.command = " ".join([parser.prog, *given])
    torch.set_num_threads(arguments.threads)
    return arguments


def finish(figures: dict[str, Any], arguments: argparse.Namespace, seeds: Sequence[int] | None) -> dict[str, Any]:
    """Print the JSON object that ends every benchmark, and return it. NaN becomes null: it is not JSON.

    ``seeds`` are those of the held-out drives (first, last), or None where they came with ``--data``.
    """
    result = figures | {
        "world": str(arguments.world),
        "quick": arguments.quick,
        "command": arguments.command,
        "commit": commit(),
        "threads": arguments.threads,
        "seeds": {"drives": list(seeds) if seeds is not None else None, "model": arguments.seed},
    }
    say(json.dumps(plain(result)))
    return result


def commit() -> str:
    """The commit that is checked out, with a plus sign where files differ from it."""
    head = _git("rev-parse", "--short", "HEAD")
    return (head or "unknown") + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")


def _git(*words: str) -> str:
    try:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:  # no git here
        return ""


def plain(value: Any) -> Any:
    """``value`` as JSON holds it: figures to five places, NaN as null."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return round(value, 5) if math.isfinite(value) else None
    return value
