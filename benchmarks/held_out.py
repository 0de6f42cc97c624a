"""Drives that no training has seen: a data set's split val, or fresh drives in the reference world."""

from __future__ import annotations

import hashlib
import os
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path

from agents.collect import collect
from worldsim.data.store import EpisodeStore
from worldsim.say import say
from worldsim.types import Episode

from .report import ROOT

FIRST_SEED = 1_000_000
"""Fresh drives have seeds from here on; collection for training stays below."""

BROAD = ("any", "highway", "any", "curves", "any", "two_way", "any", "roundabout", "any", "night_rain", "any", "merge")
"""Scenarios of fresh drives, in turn: half of them everything by chance."""


def held_out(
    arguments: Namespace,
    episodes: int,
    steps: int,
    drivers: Mapping[str, float],
    scenarios: Sequence[str] = BROAD,
    least: int = 1,
) -> tuple[list[Episode], tuple[int, int] | None]:
    """At most ``episodes`` held-out drives of at least ``least`` frames, and the first and last seed of fresh ones.

    With ``--data`` the first of its split val; else fresh ones of ``steps`` steps by ``drivers`` (name -> share) on
    ``scenarios`` in turn, which stay in the user's cache for the next time, in a folder that is named after the code
    that drove them.
    """
    episodes = arguments.episodes or episodes
    if arguments.data is not None:
        return _read(EpisodeStore(arguments.data), episodes, least), None
    folder = cache_folder() / f"{episodes}x{steps}-{_digest((steps, sorted(drivers.items()), tuple(scenarios)))}"
    say(f"held-out drives: {episodes} of up to {steps / 10:g} s, from seed {FIRST_SEED:,}, kept in {folder}")
    collect(
        folder, episodes=episodes, steps=steps, seed=FIRST_SEED, scenarios=list(scenarios),
        held_out=sorted(set(scenarios)), drivers=dict(drivers), workers=arguments.threads,
    )  # fmt: skip
    return _read(EpisodeStore(folder), episodes, least), (FIRST_SEED, FIRST_SEED + episodes - 1)


def _read(store: EpisodeStore, count: int, least: int) -> list[Episode]:
    records = [record for record in store.select(split="val") if record.length >= least][:count]
    if not records:
        raise ValueError(
            f"{store.root}: expected episodes of at least {least} frames in the split 'val', got none of {len(store)}"
        )
    return [episode for _, episode in store.iterate(records)]


def cache_folder() -> Path:
    """Where fresh drives are kept: ``$WORLDSIM_CACHE/held_out``, else in the user's cache folder."""
    chosen = os.environ.get("WORLDSIM_CACHE")
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return (Path(chosen) if chosen else Path(cache) / "worldsim") / "held_out"


def _digest(drives: tuple[object, ...]) -> str:
    """Names the drives: what was asked for, and the code that makes them."""
    digest = hashlib.sha256(repr(drives).encode())
    for path in _sources(("envs/*.py", "envs/reference/**/*.py", "agents/*.py", "configs/scenario/*.yaml")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _sources(patterns: Sequence[str]) -> list[Path]:
    return sorted(path for pattern in patterns for path in ROOT.glob(pattern))
