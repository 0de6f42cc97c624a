"""Recorded drives of the user's own: how true the model stays to them, and what its heads foresee in them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from worldsim.data.store import EpisodeStore
from worldsim.evaluation.evaluate import held_out, judge_heads, judge_rollouts
from worldsim.evaluation.filmstrip import save_png

from .subject import Subject

INFO = Path("meta") / "info.json"


def judge(subject: Subject, data: Path, episodes: int) -> dict[str, Any]:
    """Rollouts and heads on held-out drives (split val) of the folder ``data``; ``episodes`` at most.

    Raises ValueError for a folder without episodes, or without any that is held out.
    """
    drives = held_out(data, episodes)
    rollout, strip = judge_rollouts(subject.engine, drives, subject.seed, subject.encoder)
    picture = save_png(subject.folder / "films" / f"recorded-{subject.digest}.png", strip)
    heads = judge_heads(subject.engine, drives, subject.seed, subject.encoder)
    return {"rollout": rollout, "heads": heads, "data": str(data), "filmstrip": str(picture)}


def fingerprint_of(data: Path) -> str:
    """What names a folder of episodes: its path and what its own ``info.json`` says. ValueError where there is none."""
    EpisodeStore(data)
    return hashlib.sha256(f"{data.resolve()}".encode() + (data / INFO).read_bytes()).hexdigest()[:16]
