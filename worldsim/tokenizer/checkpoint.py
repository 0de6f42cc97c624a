"""A tokenizer on disk: one safetensors file whose header holds format version, configuration and figures."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import torch

from worldsim.device import check_device
from worldsim.schema import rebuild
from worldsim.tensor_file import TensorFile
from worldsim.tokenizer.autoencoder import Tokenizer
from worldsim.tokenizer.config import TokenizerConfig

FILE = TensorFile("tokenizer", "tokenizer", version=1)
FILE_NAME = "tokenizer.safetensors"


def save_tokenizer(path: Path | str, tokenizer: Tokenizer, figures: dict[str, float] | None = None) -> Path:
    """Write ``tokenizer`` to ``path`` (a file, or a folder for FILE_NAME in it), atomically; returns the file."""
    path = _file(path)
    tensors = {name: value.detach().cpu().contiguous() for name, value in tokenizer.state_dict().items()}
    FILE.write(path, tensors, {"config": asdict(tokenizer.config), "figures": figures or {}})
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
    tensors, header = FILE.read(path, device)
    with torch.device("meta"):
        tokenizer = Tokenizer(rebuild(TokenizerConfig, header["config"], path))
    tokenizer.load_state_dict(tensors, assign=True)
    return tokenizer.eval().requires_grad_(False)


def tokenizer_hash(tokenizer: Tokenizer) -> str:
    """16 hexadecimal digits that name what decides its latents, so that they are never read with another's.

    That is its configuration and all weights but the decoder's, which may be trained on: latents stay what they were.
    """
    digest = hashlib.sha256(json.dumps(asdict(tokenizer.config), sort_keys=True).encode())
    for name, value in sorted(tokenizer.state_dict().items()):
        if name.startswith("decoder."):
            continue
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _file(path: Path | str) -> Path:
    path = Path(path)
    return path if path.suffix == ".safetensors" else path / FILE_NAME
