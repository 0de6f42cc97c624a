"""Moments on disk, which do not depend on any model, so that they are driven once; and what names the code of figures.

Axis legend: k moments, t frames of a context, h w c of a frame, r branches.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, fields
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import agents
import envs
import worldsim
from worldsim.storage import atomic_path
from worldsim.types import FRAME_RATE_HZ, CameraSpec, Episode, SceneFields

from .moments import BRANCH_STEPS, FIRST_SEED, Branches, Moment, find_moments
from .staging import Staged, stage_scenes

MODEL_PARTS = ("dynamics", "diffusion", "tokenizer", "engine", "text")
DRIVES = ("minutes.py", "told.py", "staging.py", "laws.py")
SHOWS = ("command.py", "cost.py", "films.py", "headlines.py", "markdown.py", "page.py", "plots.py", "tables.py")
CONTEXT_ARRAYS = ("motion", "ego", "action", "labels", "pose", "command")


def moments(
    counts: dict[str, int],
    camera: CameraSpec,
    tick: Callable[[], object] = lambda: None,
    steps: int = BRANCH_STEPS,
    first_seed: int = FIRST_SEED,
) -> tuple[list[Moment], Branches]:
    """As ``find_moments``, from the user's cache where they were driven before by the same code."""
    asked = {"counts": counts, "camera": asdict(camera), "steps": steps, "first_seed": first_seed}
    key = hashlib.sha256((json.dumps(asked) + code_digest()).encode()).hexdigest()[:12]
    path = cache_folder() / f"{sum(counts.values())}-{key}.npz"
    if path.is_file():
        return _read(path)[:2]
    found = find_moments(counts, camera, tick, steps, first_seed)
    _write(path, *found)
    return found


def staged(count: int, camera: CameraSpec, tick: Callable[[], object] = lambda: None) -> tuple[list[Moment], Staged]:
    """As ``stage_scenes``, from the user's cache where they were staged before by the same code."""
    own = _digest([Path(__file__).with_name("staging.py")], code_digest())
    key = hashlib.sha256((json.dumps({"count": count, "camera": asdict(camera)}) + own).encode()).hexdigest()[:12]
    path, more = cache_folder("staged") / f"{count}-{key}.npz", [each.name for each in fields(Staged)][1:]
    if path.is_file():
        found, branches, arrays = _read(path)
        return found, Staged(branches, **{name: arrays[name] for name in more})
    found, scenes = stage_scenes(count, camera, tick)
    _write(path, found, scenes.branches, **{name: getattr(scenes, name) for name in more})
    return found, scenes


def cache_folder(name: str = "moments") -> Path:
    """Where reference drives are kept: ``$WORLDSIM_CACHE/NAME``, else in the user's cache folder."""
    chosen = os.environ.get("WORLDSIM_CACHE")
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return (Path(chosen) if chosen else Path(cache) / "worldsim") / name


@functools.cache
def code_digest() -> str:
    """Names the code that drives the reference world: what was driven by other code is driven anew."""
    folders = [Path(package.__file__ or "").parent for package in (envs, agents)]
    return _digest([*folders[0].rglob("*.py"), folders[1] / "scripted.py", Path(__file__).with_name("moments.py")])


@functools.cache
def drive_digest() -> str:
    """Names the code of the reference world, its scenarios, the model and who drives: all that frames depend on."""
    here, model = Path(__file__).parent, Path(worldsim.__file__ or "").parent
    files = [here / name for name in DRIVES] + list((here.parent / "judging").glob("*.py"))
    for part in MODEL_PARTS:
        files += (model / part).rglob("*.py")
    files += Path(str(resources.files("configs"))).glob("scenario/*.yaml")
    return _digest([*files, model / "world_model.py"], code_digest())


@functools.cache
def look_digest() -> str:
    """Names the code and weights by which frames are looked at."""
    evaluation = Path(worldsim.__file__ or "").parent / "evaluation"
    files = [file for file in evaluation.iterdir() if file.suffix in (".py", ".safetensors")]
    return _digest([*files, Path(__file__).with_name("looks.py")], drive_digest())


@functools.cache
def measure_digest() -> str:
    """Names all code that a figure depends on. What only shows figures is left out."""
    return _digest([file for file in Path(__file__).parent.glob("*.py") if file.name not in SHOWS], look_digest())


def _digest(files: Iterable[Path], begin: str = "") -> str:
    digest = hashlib.sha256(begin.encode())
    for file in sorted(files):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _write(path: Path, found: list[Moment], branches: Branches, **more: npt.NDArray[Any]) -> None:
    contexts = [moment.context for moment in found]
    records = [
        {"kind": m.kind, "scenario": m.scenario, "seed": m.seed, "fields": asdict(m.context.fields),
         "caption": m.context.caption}
        for m in found
    ]  # fmt: skip
    arrays = {f"context_{name}": np.stack([getattr(each, name) for each in contexts]) for name in CONTEXT_ARRAYS}
    arrays |= {entry.name: getattr(branches, entry.name) for entry in fields(Branches)}
    frames = np.stack([each.frames for each in contexts])
    with atomic_path(path) as temporary:
        np.savez(temporary, context_frames=frames, records=np.array(json.dumps(records)), **arrays, **more)


def _read(path: Path) -> tuple[list[Moment], Branches, dict[str, npt.NDArray[Any]]]:
    """Moments, branches, and whatever else was written."""
    with np.load(path, allow_pickle=False) as kept:
        arrays = dict(kept)
    found = []
    for row, record in enumerate(json.loads(str(arrays["records"]))):
        columns = {name: arrays[f"context_{name}"][row] for name in CONTEXT_ARRAYS}
        frames = arrays["context_frames"][row]
        context = Episode(
            views={"front": frames}, timestamps=np.arange(len(frames)) / FRAME_RATE_HZ, **columns,
            fields=SceneFields(**record["fields"]), caption=record["caption"], scenario=record["scenario"],
            seed=record["seed"], split="val",
        )  # fmt: skip
        found.append(Moment(record["kind"], record["scenario"], record["seed"], context))
    return found, Branches(**{entry.name: arrays[entry.name] for entry in fields(Branches)}), arrays
