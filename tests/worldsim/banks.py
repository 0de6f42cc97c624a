"""A bank of made-up starts for tests: random latents, every other array filled as a real drive would."""

from __future__ import annotations

import torch

from worldsim.engine.starts import StartArrays, StartBank, StartRecord, latents_hash
from worldsim.types import EGO_FIELDS, LABEL_FIELDS, MOTION_FIELDS, SceneFields
from worldsim.world_model import WorldModel

SCENES = {
    "highway": SceneFields("highway", "clear", "day", "medium", 3),
    "fog_highway": SceneFields("highway", "fog", "day", "medium", 3),
    "roundabout": SceneFields("roundabout", "clear", "day", "light", 1),
}


def tiny_bank(world: WorldModel, each: int = 2, frames: int = 4, seed: int = 0) -> StartBank:
    """``each`` starts of every scenario in SCENES."""
    g = torch.Generator().manual_seed(seed)
    names = [name for name in SCENES for _ in range(each)]
    k, c = len(names), world.config.dynamics
    action = 0.1 * torch.randn(k, frames, 2, generator=g)
    motion = 0.1 * torch.randn(k, frames, len(MOTION_FIELDS), generator=g) + torch.tensor([1.5, 0.0, 0.0, 15.0])
    motion[:, -1], action[:, -1] = torch.nan, torch.nan
    ego = torch.zeros(k, frames, len(EGO_FIELDS))
    ego[..., 0] = 15.0 + torch.arange(k)[:, None]
    arrays = StartArrays(
        latents=torch.randn(k, frames, c.n_tokens, c.latent_dim, generator=g).half(),
        motion=motion,
        ego=ego,
        action=action,
        labels=torch.zeros(k, frames, len(LABEL_FIELDS)),
        command=torch.zeros(k, frames, dtype=torch.int64),
        fields=torch.tensor([SCENES[name].codes() for name in names]),
        text=torch.nn.functional.normalize(torch.randn(k, c.text_dim, generator=g), dim=-1).half(),
        text_known=torch.arange(k) % 2 == 0,
    )
    records = [StartRecord(name, f"a drive on {name}, number {i}", 20.0, 1_000_000 + i) for i, name in enumerate(names)]
    return StartBank(arrays, records, latents_hash(world), world.config.frame_rate_hz)
