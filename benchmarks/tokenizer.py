"""How much of a frame survives the tokenizer, on episodes it has never seen.

    python -m benchmarks.tokenizer [--quick] [--checkpoint PATH] [--data PATH] [--tub PATH] [--sheet PNG]

Without ``--data``, fresh reference episodes are driven from seeds that no collection uses. Prints readable lines,
and one JSON object on the last.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from agents.collect import collect
from envs.scenario import list_scenarios
from worldsim.checkpoint import load_world
from worldsim.data.logs.donkeycar import open_tub
from worldsim.data.store import EpisodeStore
from worldsim.say import say
from worldsim.tokenizer import Tokenizer, load_tokenizer, measure
from worldsim.training.frames import FrameBank
from worldsim.types import FRAME_RATE_HZ, Episode, FrameArray

ROOT = Path(__file__).resolve().parent.parent
TUB = ROOT.parent / "shared" / "data" / "donkeycar_tub" / "tub.tar.gz"
SEED = 9_000_000
"""Fresh episodes are driven from this seed on; collection stays below it."""
NOISE = 0.1
"""Standard deviation of the disturbance under which ``noisy_psnr_db`` is measured: that of context noise."""


def main() -> None:
    """Parse arguments, measure, report."""
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    tokenizer = _tokenizer(arguments.checkpoint)
    size = (tokenizer.config.height, tokenizer.config.width)
    with tempfile.TemporaryDirectory() as folder:
        bank = _road(arguments, Path(folder), size)
        frames, boxes = bank.spread(400 if arguments.quick else 4000)
    figures: dict[str, Any] = measure(tokenizer, frames, boxes)
    figures["noisy_psnr_db"] = _noisy_psnr(tokenizer, frames[:256])
    tub = _tub(arguments.tub, size)
    figures["tub_psnr_db"] = None if tub is None else measure(tokenizer, tub)["psnr_db"]
    if arguments.sheet:
        save_sheet(arguments.sheet, tokenizer, frames)
    for name, value in figures.items():
        say(f"{name:24s} {'-' if value is None else f'{value:.3f}'}")
    figures |= {
        "frames": len(frames),
        "command": "python -m benchmarks.tokenizer " + " ".join(sys.argv[1:]),
        "commit": _commit(),
        "threads": arguments.threads,
        "seeds": None if arguments.data else [SEED, SEED + _episodes(arguments.quick) - 1],
    }
    say(json.dumps(figures))


def save_sheet(path: Path, tokenizer: Tokenizer, frames: FrameArray, rows: int = 10, scale: int = 3) -> None:
    """A picture of frames beside their reconstructions, two pairs in a row, enlarged without smoothing."""
    picked = frames[np.linspace(0, len(frames) - 1, 2 * rows).astype(int)]
    pairs = np.concatenate([picked, tokenizer.decode(tokenizer.encode(picked)).numpy()], axis=2)
    sheet = np.concatenate([np.concatenate(pairs[2 * i : 2 * i + 2], axis=1) for i in range(rows)])
    enlarged = cv2.resize(sheet, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    cv2.imwrite(str(path), cv2.cvtColor(enlarged, cv2.COLOR_RGB2BGR))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What a tokenizer keeps of frames it has not seen.")
    parser.add_argument("--quick", action="store_true", help="fewer frames, within a minute")
    parser.add_argument("--checkpoint", type=Path, help="tokenizer.safetensors or its folder (default: what ships)")
    parser.add_argument("--data", type=Path, help="folder of episodes, whose split val is used")
    parser.add_argument("--tub", type=Path, default=TUB, help="Donkeycar tub, for tub_psnr_db")
    parser.add_argument("--sheet", type=Path, help="write a picture of frames and reconstructions here")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    return parser.parse_args()


def _tokenizer(path: Path | None) -> Tokenizer:
    return load_world().tokenizer if path is None else load_tokenizer(path)


def _episodes(quick: bool) -> int:
    return 14 if quick else 56


def _road(arguments: argparse.Namespace, folder: Path, size: tuple[int, int]) -> FrameBank:
    """Frames of held-out reference episodes, from the data set given or driven now."""
    if arguments.data is None:
        say("driving fresh reference episodes")
        steps = 40 if arguments.quick else 100
        collect(
            folder, episodes=_episodes(arguments.quick), steps=steps, seed=SEED, held_out=list_scenarios(),
            height=size[0], width=size[1], workers=arguments.threads,
        )  # fmt: skip
    store = EpisodeStore(arguments.data or folder)
    return FrameBank(_episodes_of(store), *size, stride=5 if arguments.data else 1)


def _episodes_of(store: EpisodeStore) -> Iterable[Episode]:
    return (episode for _, episode in store.iterate(store.select(split="val")))


def _tub(path: Path, size: tuple[int, int]) -> FrameArray | None:
    """Held-out frames of the tub; None where it is absent."""
    if not path.exists():
        say(f"no tub at {path}: tub_psnr_db is left out")
        return None
    episodes = open_tub(path).episodes(FRAME_RATE_HZ, size, 200)
    return FrameBank((episode for episode in episodes if episode.split == "val"), *size).frames


def _noisy_psnr(tokenizer: Tokenizer, frames: FrameArray) -> float:
    """PSNR when every latent is off by NOISE."""
    latents = tokenizer.encode(frames)
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(SEED))
    copies = tokenizer.decode(latents + NOISE * noise).numpy()
    square = ((frames.astype(np.float32) - copies) ** 2).mean((1, 2, 3))
    return float(np.mean(10 * np.log10(255**2 / np.maximum(square, 1e-6))))


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
