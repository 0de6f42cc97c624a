"""A bank of start contexts: short recorded drives from which rollouts go on.

Axis legend: k starts, t context frames, v views, h w image, n latent tokens, d latent channels, m motion, e ego,
l labels, f scene fields, x text embedding.

A start is the first frames of a drive as the world model sees them, with all that is known of them. Rows follow
``worldsim.types``: ``action[t]`` and ``motion[t]`` take frame ``t`` to ``t + 1``; the last row is NaN. The recorded
actions bring the reference world to the same start: ``reset(seed)``, then replay them.

The bank lies beside the world it was made for, as ``starts.safetensors``. Its header names the latents (tokenizer and
standardisation), so that a bank is never read with another world's.
"""

from __future__ import annotations

import copy
import functools
import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from worldsim.dynamics.conditioning import Scene
from worldsim.errors import choose
from worldsim.schema import rebuild
from worldsim.tensor_file import TensorFile
from worldsim.tokenizer import tokenizer_hash
from worldsim.types import EGO_FIELDS, LABEL_FIELDS, MOTION_FIELDS, SCENE_VOCABULARY, SceneFields
from worldsim.world_model import WorldModel

FILE = TensorFile("starts", "starts", version=1, again="make it again with `worldsim make-starts`")
FILE_NAME = "starts.safetensors"

Index = npt.NDArray[np.int64]


@dataclass(frozen=True)
class StartRecord:
    """Where a start comes from. ``frame`` is its first frame's place in the drive; ``seed`` None: cut from a log.

    ``wheelbase_m`` is that of a vehicle which answers the wheel as the log's does; None: the usual one.
    """

    scenario: str
    caption: str
    target_speed_mps: float
    seed: int | None = None
    frame: int = 0
    wheelbase_m: float | None = None


@dataclass(frozen=True)
class StartArrays:
    """What the starts hold, row by row of the records."""

    latents: Tensor  # (k, t, n, d) float16, standardised
    motion: Tensor  # (k, t, m) float32
    ego: Tensor  # (k, t, e) float32
    action: Tensor  # (k, t, 2) float32
    labels: Tensor  # (k, t, l) float32
    command: Tensor  # (k, t) int64
    fields: Tensor  # (k, f) int64, SceneFields.codes()
    text: Tensor  # (k, x) float16, embedding of the caption
    text_known: Tensor  # (k,) bool

    def check(self, records: int) -> None:
        """Raise ValueError, naming the array, where shapes do not fit each other."""
        k, t, n, d = self.latents.shape
        expected = {
            "motion": (k, t, len(MOTION_FIELDS)), "ego": (k, t, len(EGO_FIELDS)), "action": (k, t, 2),
            "labels": (k, t, len(LABEL_FIELDS)), "command": (k, t), "fields": (k, len(SCENE_VOCABULARY)),
            "text_known": (k,), "latents": (records, t, n, d),
        }  # fmt: skip
        for name, shape in expected.items():
            if tuple(getattr(self, name).shape) != shape:
                raise ValueError(f"starts: `{name}`: expected shape {shape}, got {tuple(getattr(self, name).shape)}")


def latents_hash(world: WorldModel) -> str:
    """16 hexadecimal digits that name a world's latents: its tokenizer and their standardisation."""
    digest = hashlib.sha256(tokenizer_hash(world.tokenizer).encode())
    for value in (world.scale.mean, world.scale.std):
        digest.update(value.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()[:16]


class StartBank:
    """Start contexts by index; ``records[i]`` says where start ``i`` comes from."""

    def __init__(
        self, arrays: StartArrays, records: list[StartRecord], latents_hash: str, frame_rate_hz: float
    ) -> None:
        arrays.check(len(records))
        self.arrays, self.records = arrays, records
        self.latents_hash, self.frame_rate_hz = latents_hash, frame_rate_hz
        self._scenario = np.array([record.scenario for record in records])
        self._codes = arrays.fields.numpy()
        self._seen: Callable[[Tensor], Tensor] | None = None

    def __len__(self) -> int:
        return len(self.records)

    @property
    def context_frames(self) -> int:
        """Frames of each start."""
        return self.arrays.latents.shape[1]

    @property
    def scenarios(self) -> list[str]:
        """Names of the scenarios that the bank holds starts of."""
        return sorted(set(self._scenario.tolist()))

    @property
    def recorded(self) -> bool:
        """Whether all starts were cut from logs, so that the reference world has no counterpart of them."""
        return all(record.seed is None for record in self.records)

    # --- choosing -----------------------------------------------------------------------------------------------

    def select(self, scenario: str | None = None, **fields: Any) -> Index:
        """Indices of the starts of a scenario with these scene fields; may be empty.

        A field is a value or several to choose from: ``select("highway", weather="rain", lanes=(2, 3))``.
        Raises ValueError, with the nearest name, for a scenario that the bank lacks, an unknown field or value.
        """
        found = np.ones(len(self), dtype=bool)
        if scenario is not None:
            found &= self._scenario == choose(scenario, self.scenarios, "scenario of this bank")
        for name, wanted in fields.items():
            column = list(SCENE_VOCABULARY).index(choose(name, SCENE_VOCABULARY, "scene field"))
            values = wanted if isinstance(wanted, list | tuple) else (wanted,)
            codes = [SceneFields(**{name: value}).codes()[column] for value in values]
            found &= np.isin(self._codes[:, column], codes)
        return np.flatnonzero(found)

    def draw(self, rng: np.random.Generator, scenario: str | None = None, **fields: Any) -> int:
        """One of ``select``'s starts by chance. Raises ValueError where there is none."""
        found = self.select(scenario, **fields)
        if not len(found):
            raise ValueError(f"starts: expected one of scenario {scenario!r} with {fields}, but the bank holds none")
        return int(found[rng.integers(len(found))])

    # --- reading ------------------------------------------------------------------------------------------------

    def index(self, start: int) -> int:
        """``start`` itself, or ValueError where the bank has no such start."""
        if not isinstance(start, int | np.integer) or isinstance(start, bool) or not 0 <= start < len(self):
            raise ValueError(f"start: expected an index from 0 to {len(self) - 1}, got {start!r}")
        return int(start)

    def fields(self, start: int) -> SceneFields:
        """The scene of one start."""
        codes = zip(SCENE_VOCABULARY.items(), self._codes[start].tolist(), strict=True)
        return SceneFields(**{name: values[code - 1] for (name, values), code in codes if code > 0})

    def context(self, index: Index) -> tuple[Tensor, Tensor]:
        """What ``Engine.start`` reads: latents (k, t, n, d), and motion (k, t, m) that led *into* each frame."""
        rows = torch.from_numpy(index)
        latents, motion = self.arrays.latents[rows].float(), self.arrays.motion[rows].roll(1, dims=1)
        return latents if self._seen is None else self._seen(latents), motion

    def seen_at(self, native: WorldModel, world: WorldModel) -> StartBank:
        """This bank of ``native`` for ``world``, the same at another size: contexts are resized as they are read."""
        bank = copy.copy(self)
        bank._seen = functools.partial(_resized, native, world)
        return bank

    def scene(self, index: Index) -> Scene:
        """Fields and caption embeddings of starts (k,)."""
        rows, a = torch.from_numpy(index), self.arrays
        return Scene(a.fields[rows], a.text[rows].float(), a.text_known[rows])

    def embedding(self, caption: str) -> Tensor | None:
        """The embedding (x,) of a caption that one of the starts carries, or None."""
        for row, record in enumerate(self.records):
            if record.caption == caption and bool(self.arrays.text_known[row]):
                return self.arrays.text[row].float()
        return None

    # --- on disk ------------------------------------------------------------------------------------------------

    def save(self, folder: Path | str) -> Path:
        """Write the bank into a world's folder, atomically; returns the file."""
        path = _file(folder)
        header = {
            "latents_hash": self.latents_hash,
            "frame_rate_hz": self.frame_rate_hz,
            "records": [asdict(record) for record in self.records],
        }
        tensors = {name: value.contiguous() for name, value in vars(self.arrays).items()}
        FILE.write(path, tensors, header)
        return path

    @classmethod
    def load(cls, folder: Path | str, world: WorldModel | None = None) -> StartBank:
        """The bank in a world's folder, or in a file; with ``world``, only if it was made for that world's latents.

        Raises ValueError for a missing or damaged file, another format version, or another world's bank.
        """
        path = _file(folder)
        if not path.is_file():
            raise ValueError(f"starts: expected a file at {path}, found none; make one with `worldsim make-starts`")
        tensors, header = FILE.read(path)
        if set(tensors) != set(StartArrays.__dataclass_fields__):
            raise ValueError(
                f"starts: {path}: expected arrays {list(StartArrays.__dataclass_fields__)}, got {list(tensors)}"
            )
        records = [rebuild(StartRecord, record, path) for record in header["records"]]
        bank = cls(StartArrays(**tensors), records, header["latents_hash"], header["frame_rate_hz"])
        return bank.made_for(world, str(path)) if world is not None else bank

    def made_for(self, world: WorldModel, origin: str = "this bank") -> StartBank:
        """This bank, or ValueError where it holds the latents of another world."""
        wanted = latents_hash(world)
        if self.latents_hash != wanted:
            raise ValueError(
                f"starts: {origin} holds latents {self.latents_hash}, but this world reads {wanted}: it was made for "
                "another world; make one for this world with `worldsim make-starts`"
            )
        found, tokens = self.arrays.latents.shape[2], world.config.dynamics.n_tokens
        if found != tokens:
            raise ValueError(
                f"starts: {origin} holds frames of {found} tokens, but this world's are of {tokens}: it was made for "
                "other cameras; make one for this world with `worldsim make-starts`"
            )
        return self


def _resized(native: WorldModel, world: WorldModel, latents: Tensor) -> Tensor:
    """Latents (k, t, n, d) of ``native`` as ``world``, the same at another size, sees their frames."""
    frames = native.decode(latents.to(native.device))  # k t (v) h w 3
    size = (world.config.tokenizer.height, world.config.tokenizer.width)
    images = F.interpolate(
        frames.flatten(0, -4).movedim(-1, 1).float(), size, mode="bilinear", align_corners=False, antialias=True
    )
    resized = images.round().clamp(0, 255).to(torch.uint8).movedim(1, -1)
    return world.encode(resized.reshape(*frames.shape[:-3], *size, 3))


def _file(folder: Path | str) -> Path:
    path = Path(folder)
    return path if path.suffix == ".safetensors" else path / FILE_NAME
