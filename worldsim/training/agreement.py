"""Whether two tokenizers say the same of frames, so that what learned the latents of one can start from the other's.

Axis legend: b frames, n tokens, d latent channels.
"""

from __future__ import annotations

import torch

from worldsim.data.store import EpisodeStore
from worldsim.tokenizer import Tokenizer, tokenizer_hash
from worldsim.training.frames import FrameBank
from worldsim.types import FrameArray

LEAST_AGREEMENT = 0.3
FRAMES = 32


@torch.no_grad()
def latent_agreement(tokenizer: Tokenizer, other: Tokenizer, frames: FrameArray) -> float:
    """How much of what ``other`` says of ``frames`` (b, h, w, 3) this one says too: 1 all, 0 no more than its mean."""
    mine, theirs = tokenizer.encode(frames), other.encode(frames)  # (b, n, d)
    spread = (theirs - theirs.mean((0, 1))).square().mean()
    return 1.0 - float((mine - theirs).square().mean() / spread)


def check_agreement(tokenizer: Tokenizer, start: Tokenizer, data: str) -> None:
    """Raise ValueError unless ``tokenizer`` is ``start`` or one that agrees with it on frames of ``data``."""
    if tokenizer_hash(tokenizer) == tokenizer_hash(start):
        return
    store = EpisodeStore(data)
    episode = store.read(store.select(split="train")[0].index)
    frames, _ = FrameBank([episode], tokenizer.config.height, tokenizer.config.width).spread(FRAMES)
    found = latent_agreement(tokenizer, start, frames)
    if found < LEAST_AGREEMENT:
        raise ValueError(
            "start_from: expected a world with the tokenizer trained with, or with one that this was trained on from "
            f"(latents that agree to {LEAST_AGREEMENT:g} at least), got {found:.2f}; name that world as `tokenizer`"
        )
