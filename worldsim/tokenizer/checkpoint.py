"""A tokenizer on disk: one safetensors file whose header holds format version, configuration and figures."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from worldsim.device import check_device
from worldsim.schema import rebuild
from worldsim.storage import atomic_path
from worldsim.tokenizer.autoencoder import Tokenizer
from worldsim.tokenizer.config import TokenizerConfig

FORMAT_VERSION = 1
FILE_NAME = "tokenizer.safetensors"


def save_tokenizer(path: Path | str, tokenizer: Tokenizer, figures: dict[str, float] | None = None) -> Path:
    """Write ``tokenizer`` to ``path`` (a file, or a folder for FILE_NAME in it), atomically; returns the file."""
    path = _file(path)
    header = {"format_version": FORMAT_VERSION, "config": asdict(tokenizer.config), "figures": figures or {}}
    tensors = {name: value.detach().cpu().contiguous() for name, value in tokenizer.state_dict().items()}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={"tokenizer": json.dumps(header)})
    return path


def load_tokenizer(path: Path | str, device: torch.device | str = "cpu") -> Tokenizer:
    """The tokenizer in ``path`` (a file, or a folder that holds FILE_NAME), ready to encode and decode.

    Raises ValueError for a missing or damaged file, one of another format version or with a setting that this release
    does not know, or a device that is not there.
    """
    device = check_device(device)
    path = _file(path)
    if not path.exists():
        raise ValueError(f"tokenizer: expected a file at {path}, found none; train one, or name the right folder")
    try:
        with safe_open(path, framework="pt", device=str(device)) as handle:
            header = json.loads((handle.metadata() or {}).get("tokenizer", "{}"))
            tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, json.JSONDecodeError) as error:
        raise ValueError(f"tokenizer: {path} is damaged ({error}); copy or train it again") from error
    if header.get("format_version") != FORMAT_VERSION:
        raise ValueError(
            f"tokenizer: expected format version {FORMAT_VERSION} in {path}, got {header.get('format_version')}; "
            "convert it with the release that wrote it, or train it again"
        )
    with torch.device("meta"):
        tokenizer = Tokenizer(rebuild(TokenizerConfig, header["config"], path))
    tokenizer.load_state_dict(tensors, assign=True)
    return tokenizer.eval().requires_grad_(False)


def tokenizer_hash(tokenizer: Tokenizer) -> str:
    """16 hexadecimal digits that name configuration and weights, so that latents are never read with another's."""
    digest = hashlib.sha256(json.dumps(asdict(tokenizer.config), sort_keys=True).encode())
    for name, value in sorted(tokenizer.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _file(path: Path | str) -> Path:
    path = Path(path)
    return path if path.suffix == ".safetensors" else path / FILE_NAME
