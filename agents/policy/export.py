"""``worldsim export-agent``: a policy as one ONNX file that needs neither this project nor torch.

Axis legend: b drives, k frames of history (the last is the present), h w image rows and columns, e ego, a = 2 actions.

The graph takes what a car has: ``camera`` (b, k, h, w, 3) uint8 RGB, the last k frames, oldest first and the first one
repeated as long as there are fewer; ``ego`` (b, e) float32, EGO_FIELDS; ``command`` (b,) int64, an index into COMMANDS.
It gives ``action`` (b, a) float32 in [-1, 1]. Tokenizer, standardisation and policy are all in it.
"""

from __future__ import annotations

import copy
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from einops import rearrange
from torch import Tensor, nn

from worldsim.checkpoint import load_world
from worldsim.say import say
from worldsim.schema import option
from worldsim.storage import atomic_path
from worldsim.tokenizer import Tokenizer, images_from_frames
from worldsim.types import COMMANDS, EGO_FIELDS
from worldsim.world_model import LatentScale, WorldModel

from .checkpoint import PolicyCard, check_fits, load_policy
from .network import EGO_SCALE, Policy
from .observe import LATENT_RANGE, PolicyInput

Array = npt.NDArray[Any]

INPUTS, OUTPUT = ("camera", "ego", "command"), "action"
METADATA = "worldsim_policy"
TOLERANCE = 1e-4
CHECKED = 16
"""Drives, drawn at random, on which a file is compared with the policy that it came from."""


@dataclass
class ExportAgentConfig:
    """Which policy to export, and where to."""

    agent: str = option(help="folder of the policy")
    out: Path = option(Path("policy.onnx"), "file to write")
    world: str = option("", "world that it sees through: a name that ships, or a folder; none: the one on its card")


class Standalone(nn.Module):
    """From camera frames to actions: a policy and the eyes of the world that it learned to see through."""

    def __init__(self, policy: Policy, world: WorldModel) -> None:
        super().__init__()
        self.policy: Policy = copy.deepcopy(policy).cpu().eval()
        self.tokenizer: Tokenizer = copy.deepcopy(world.tokenizer).cpu().eval()
        self.scale: LatentScale = copy.deepcopy(world.scale).cpu().eval()

    def forward(self, camera: Tensor, ego: Tensor, command: Tensor) -> Tensor:
        """(b, k, h, w, 3) uint8, (b, e) and (b,) int64 -> (b, a)."""
        images = images_from_frames(rearrange(camera, "b k h w c -> (b k) h w c"))
        latents = self.scale.standardise(self.tokenizer.to_latents(images)).clamp(-LATENT_RANGE, LATENT_RANGE)
        history = rearrange(latents, "(b k) n d -> b k n d", k=self.policy.config.history)
        return self.policy.best(PolicyInput(history, ego, command))

    def example(self, count: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
        """Inputs of ``count`` drives as they come: patches of colour from coarse to fine, any speed, any command."""
        rng = np.random.default_rng(seed)
        c, k = self.tokenizer.config, self.policy.config.history
        camera = np.empty((count, k, c.height, c.width, 3), np.uint8)
        for drive, patch in enumerate(np.resize([1, 2, 4, 8], count)):
            rows, columns = -(-c.height // patch), -(-c.width // patch)
            colours = rng.integers(0, 256, (k, rows, columns, 3), np.uint8)
            camera[drive] = colours.repeat(patch, 1).repeat(patch, 2)[:, : c.height, : c.width]
        ego = rng.normal(size=(count, len(EGO_FIELDS))).astype(np.float32) * np.array(EGO_SCALE, np.float32)
        command = rng.integers(0, len(COMMANDS), count)
        return torch.from_numpy(camera), torch.from_numpy(ego), torch.from_numpy(command)


def run(config: ExportAgentConfig) -> Path:
    """Export, and print how far the file's actions are from the policy's; returns the file."""
    policy, card = load_policy(config.agent)
    difference = export_policy(config.out, policy, card, load_world(config.world or card.world))
    say(f"largest difference in {CHECKED} drives: {difference:.1e}")
    return config.out


def export_policy(path: Path | str, policy: Policy, card: PolicyCard, world: WorldModel) -> float:
    """Write ``policy`` to ``path`` and return the largest difference between the file's actions and its own.

    Raises ValueError for a world whose tokenizer is another, ImportError without the extra, and ArithmeticError, with
    nothing written, where the difference is more than TOLERANCE.
    """
    check_fits(card, world)
    standalone = Standalone(policy, world).eval()
    with torch.no_grad(), _quiet():
        model = _traced(standalone, card)
        with atomic_path(path) as temporary:
            model.save(temporary)
            inputs = standalone.example(CHECKED, seed=1)
            differences = np.abs(run_file(temporary, *inputs) - standalone(*inputs).numpy())
            if not (differences <= TOLERANCE).all():
                raise ArithmeticError(
                    f"{path}: expected the actions of policy {card.name!r} to {TOLERANCE:g}, got differences of up to "
                    f"{differences.max():g}; nothing was written. Try another version of onnxruntime or torch"
                )
    return float(differences.max())


def run_file(path: Path | str, camera: Tensor | Array, ego: Tensor | Array, command: Tensor | Array) -> Array:
    """Actions (b, a) of an exported policy, by onnxruntime."""
    runtime = _extra("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    given = dict(zip(INPUTS, map(np.asarray, (camera, ego, command)), strict=True))
    return np.asarray(session.run([OUTPUT], given)[0])


def _traced(standalone: Standalone, card: PolicyCard) -> Any:
    """The ONNX program, for any number of drives, with the card in its metadata."""
    _extra("onnxscript")
    drives = torch.export.Dim("drives", min=1)
    program = torch.onnx.export(
        standalone,
        standalone.example(2),
        input_names=list(INPUTS),
        output_names=[OUTPUT],
        dynamic_shapes={name: {0: drives} for name in INPUTS},
        external_data=False,
        verbose=False,
    )
    assert program is not None
    facts = {"card": asdict(card), "config": asdict(standalone.policy.config), "ego": EGO_FIELDS, "command": COMMANDS}
    program.model.metadata_props[METADATA] = json.dumps(facts)
    return program


def _extra(name: str) -> Any:
    try:
        return __import__(name)
    except ImportError as error:
        raise ImportError(f"{name} cannot be imported ({error}): pip install 'worldsim[export]'") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter says of its own insides."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
