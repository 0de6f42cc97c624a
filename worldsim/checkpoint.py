"""World models on disk: weights as safetensors, configuration and model card in the header. No pickle.

A world is a folder with ``world.safetensors`` and ``MODEL_CARD.md``; it may hold ``starts.safetensors``.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from worldsim.device import check_device
from worldsim.errors import nearest
from worldsim.schema import rebuild
from worldsim.storage import atomic_path
from worldsim.tensor_file import TensorFile
from worldsim.tokenizer import Tokenizer, load_tokenizer
from worldsim.world_model import WorldConfig, WorldModel

FILE = TensorFile("world model", "world", version=1)
FILE_NAME = "world.safetensors"
CARD_NAME = "MODEL_CARD.md"
SHIPPED = Path(__file__).parent / "shipped"
DEFAULT_WORLD = "road"


@dataclass
class ModelCard:
    """What a user should know of a world before trusting it."""

    name: str
    summary: str
    data: str
    licence: str = "Apache-2.0"
    command: str = ""
    metrics: dict[str, Any] = field(default_factory=dict)
    limits: list[str] = field(default_factory=list)

    def markdown(self, world: WorldModel) -> str:
        """The card as a page."""
        count = sum(p.numel() for p in world.parameters()) / 1e6
        t, d = world.config.tokenizer, world.config.dynamics
        lines = [
            f"# {self.name}", "", self.summary, "",
            f"- Size: {count:.1f} M parameters; {t.height}x{t.width} px, {d.n_tokens} tokens x {t.latent_dim} a frame; "
            f"context {d.context_frames} frames at {world.config.frame_rate_hz:g} Hz",
            *([f"- Cameras: {', '.join(world.cameras)}"] if world.cameras else []),
            f"- Data: {self.data}", f"- Licence: {self.licence}",
            f"- Format version: {FILE.version}", "", "## Made by", "", "```", self.command, "```", "",
            "## Measured", "", "| figure | value |", "|---|---|",
            *(f"| {key} | {_figure(value)} |" for key, value in self.metrics.items()),
            "", "## Limits", "", *(f"- {limit}" for limit in self.limits), "",
        ]  # fmt: skip
        return "\n".join(lines)


def _figure(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def save_world(folder: Path | str, world: WorldModel, card: ModelCard, dtype: torch.dtype = torch.float32) -> Path:
    """Write ``world`` and its card into ``folder``, atomically; weights in ``dtype``, statistics in float32."""
    folder = Path(folder)
    buffers = {name for name, _ in world.named_buffers()}
    tensors = {
        name: value.detach().cpu().to(torch.float32 if name in buffers else dtype).contiguous()
        for name, value in world.state_dict().items()
    }
    path = folder / FILE_NAME
    FILE.write(path, tensors, {"config": asdict(world.config), "card": asdict(card)})
    with atomic_path(folder / CARD_NAME) as temporary:
        temporary.write_text(card.markdown(world), encoding="utf-8")
    return path


_BEFORE: dict[str, Any] = {"warp_width": 0}
"""What holds for files that were written before there was such a setting."""


def load_world(name: Path | str = DEFAULT_WORLD, device: torch.device | str = "cpu") -> WorldModel:
    """The world model that ships as ``name`` or lies in the folder ``name``, ready to roll out.

    What the file does not set is as it was before it could be set. Raises ValueError for an unknown name (with the
    nearest), a damaged file, another format version, a setting that this release does not know, or a device that is
    not there.
    """
    device = check_device(device)
    path = world_folder(name) / FILE_NAME
    tensors, header = FILE.read(path, device)
    config = header["config"] | {"dynamics": _BEFORE | header["config"]["dynamics"]}
    world = WorldModel(rebuild(WorldConfig, config, path))
    try:
        world.load_state_dict({name: value.float() for name, value in tensors.items()})
    except RuntimeError as error:
        raise ValueError(
            f"world model: the weights in {path} do not fit this release's network ({error}); "
            "use the release that wrote them, or train again"
        ) from error
    return world.to(device).eval().requires_grad_(False)


def read_card(name: Path | str = DEFAULT_WORLD) -> ModelCard:
    """The model card of a world, without its weights."""
    path = world_folder(name) / FILE_NAME
    return rebuild(ModelCard, FILE.header(path)["card"], path)


def world_hash(name: Path | str = DEFAULT_WORLD) -> str:
    """16 hexadecimal digits that name a world's weights and configuration for good."""
    return hashlib.sha256((world_folder(name) / FILE_NAME).read_bytes()).hexdigest()[:16]


def open_tokenizer(name: Path | str, device: torch.device | str = "cpu") -> Tokenizer:
    """The tokenizer in a folder of its own, or that of a world: a name that ships or a folder.

    Raises ValueError where ``name`` is neither.
    """
    if (SHIPPED / str(name) / FILE_NAME).is_file() or (Path(name) / FILE_NAME).is_file():
        return load_world(name, device).tokenizer
    return load_tokenizer(name, device)


def world_folder(name: Path | str = DEFAULT_WORLD) -> Path:
    """The folder of a world that ships as ``name``, or ``name`` itself where it is a folder with a world."""
    for folder in (SHIPPED / str(name), Path(name)):
        if (folder / FILE_NAME).is_file():
            return folder
    shipped = sorted(path.parent.name for path in SHIPPED.glob(f"*/{FILE_NAME}"))
    raise ValueError(
        f"unknown world {str(name)!r}: expected one of {shipped} or a folder that holds {FILE_NAME}"
        f"{nearest(name, shipped)}"
    )
