"""Behaviour cloning: a policy learns from recorded drives what their drivers did (Pomerleau 1989), on latents.

Axis legend: f frames of all episodes, m moments learned from, b moments of a minibatch, k frames of history, n latent
tokens, d latent channels, e ego, a = 2 actions.

Two things make a clone of driving drift off the road, and are met here. Drivers hardly change what they do from one
tenth of a second to the next, so a clone that sees its own last action repeats it ("copycat", Wen et al. 2020); hence
it does not look at those EGO_FIELDS that tell (``sighted``). And where it comes to, nobody ever drove; hence drivers
whose hands slip are worth learning from as well, as in DART (Laskey et al. 2017), and even those who swerve and stray,
if it is told what should have been done in their place (``taught_by``).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from worldsim.data.latents import LatentStore
from worldsim.data.store import EpisodeStore
from worldsim.errors import choose
from worldsim.schema import option
from worldsim.tokenizer import tokenizer_hash
from worldsim.world_model import LatentScale, WorldModel

from ..policy.network import Policy
from ..policy.observe import LATENT_RANGE, PolicyInput
from .hindsight import lane_keeper_says

HELD_OUT_MOMENTS = 1024


@dataclass
class ImitationConfig:
    """Whom to imitate, and how long and hard to learn."""

    data: str = option("data/road", "folder of episodes that were encoded with the world's tokenizer")
    drivers: list[str] = option(
        factory=lambda: ["good", "noisy"], help="whose drives to learn from; none, with a lane keeper: everybody's"
    )
    taught_by: Literal["drivers", "lane_keeper"] = option(
        "drivers", "learn what they did, or what a lane keeper would have done in their place, by the recorded labels"
    )
    updates: int = option(100, "gradient steps an iteration")
    batch: int = option(256, "moments of a gradient step")
    learning_rate: float = option(1e-3, "of AdamW")
    weight_decay: float = option(0.05, "of AdamW")
    latent_noise: float = option(0.3, "most noise on latents, in standard deviations, so that small errors are no news")
    average_decay: float = option(0.995, "of the averaged weights, which are the policy's; 0: the last ones")

    def __post_init__(self) -> None:
        if min(self.updates, self.batch) < 1 or not (self.drivers or self.taught_by == "lane_keeper"):
            raise ValueError(
                f"imitation: expected updates and batch of at least 1 and at least one driver, got {self.updates}, "
                f"{self.batch} and {self.drivers}"
            )
        if not 0 <= self.average_decay < 1:
            raise ValueError(f"imitation: expected average_decay in [0, 1), got {self.average_decay}")


class Demonstrations:
    """Every moment of a split's whole episodes at which a driver's action is known, as a policy sees it.

    No ``drivers`` means everybody. Memory: 2 n d bytes a frame. Raises ValueError for a driver whom nobody recorded,
    where it is never known what to do, or for latents of another length.
    """

    def __init__(
        self,
        store: EpisodeStore,
        latents: LatentStore,
        scale: LatentScale,
        split: str,
        drivers: list[str],
        history: int,
        taught_by: Literal["drivers", "lane_keeper"] = "drivers",
    ) -> None:
        known = sorted({record.driver for record in store.records})
        drivers = [choose(name, known, "driver of this data set") for name in drivers] or known
        records = [record for record in store.select(split=split) if record.driver in drivers]
        if not records:
            raise ValueError(f"{store.root}: expected episodes of {drivers} in the split {split!r}, got none")
        self.scale = scale
        parts, pasts, actions, egos, commands, names = [], [], [], [], [], []
        first = 0
        for record, episode in store.iterate(records, frames=False):
            if len(latents[record.index]) != record.length:
                raise ValueError(
                    f"{latents.folder}: latents of episode {record.index}: expected {record.length} frames, got "
                    f"{len(latents[record.index])}: remove the latents and encode again"
                )
            wanted = episode.action if taught_by == "drivers" else lane_keeper_says(episode)
            at = np.flatnonzero(np.isfinite(wanted).all(-1) & np.isfinite(episode.ego).all(-1))
            parts.append(latents[record.index])
            pasts.append(first + np.maximum(at[:, None] + np.arange(1 - history, 1), 0))
            actions.append(wanted[at])
            egos.append(episode.ego[at])
            commands.append(episode.command[at])
            names += [record.driver] * len(at)
            first += record.length
        if not sum(map(len, actions)):
            raise ValueError(
                f"{store.root}: expected moments of {drivers} in the split {split!r} at which it is known what to do, "
                "got none: " + ("their actions were not recorded" if taught_by == "drivers" else "the labels that a "
                "lane keeper drives by (lane offset, heading error, who is ahead) were not recorded")
            )  # fmt: skip
        self.latents = np.concatenate(parts)  # (f, n, d) float16, the tokenizer's own
        self.past = np.concatenate(pasts)  # (m, k) into the frames; before the first there was only the first
        self.action = torch.from_numpy(np.concatenate(actions))  # (m, a)
        self.ego = torch.from_numpy(np.concatenate(egos))  # (m, e)
        self.command = torch.from_numpy(np.concatenate(commands))  # (m,)
        self.driver = np.array(names)  # (m,)

    def __len__(self) -> int:
        return len(self.past)

    def seen(self, rows: npt.NDArray[np.int64]) -> PolicyInput:
        """What was to be seen at the moments ``rows`` (b,)."""
        raw = torch.from_numpy(self.latents[self.past[rows]]).float()
        latents = self.scale.standardise(raw).clamp(-LATENT_RANGE, LATENT_RANGE)
        return PolicyInput(latents, self.ego[rows], self.command[rows])


class Imitation:
    """A learner that clones drivers into ``policy``, by maximum likelihood of their actions.

    ``steps`` counts moments learned from, repeats included: nobody takes a step in any world. ``frames`` are the
    recorded ones. Raises ValueError where the data set is not encoded with the world's tokenizer.
    """

    def __init__(self, config: ImitationConfig, world: WorldModel, policy: Policy, seed: int) -> None:
        self.config, self.policy, self.seed = config, policy, seed
        store = EpisodeStore(config.data)
        latents = LatentStore.open(config.data, tokenizer_hash(world.tokenizer))
        scale = copy.deepcopy(world.scale).cpu()
        self.training, self.held_out = (
            Demonstrations(store, latents, scale, split, config.drivers, policy.config.history, config.taught_by)
            for split in ("train", "val")
        )
        self.student = copy.deepcopy(policy).requires_grad_(True)
        self.optimizer = torch.optim.AdamW(
            self.student.parameters(), config.learning_rate, weight_decay=config.weight_decay
        )
        self.iteration = self.steps = 0
        self.frames = len(self.training.latents)

    def iterate(self) -> dict[str, float]:
        """``config.updates`` gradient steps; the mean loss, and the errors on held-out moments."""
        c, total = self.config, 0.0
        rng = np.random.default_rng((self.seed, self.iteration))
        noise = torch.Generator().manual_seed(int(rng.integers(2**31)))
        self.student.train()
        for update in range(c.updates):
            rows = rng.integers(len(self.training), size=c.batch)
            seen = self.training.seen(rows).blurred(c.latent_noise, noise)
            loss = -self.student(seen).log_prob(self.training.action[rows]).mean()
            self.optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.student.parameters(), 1.0)
            self.optimizer.step()
            self._follow(min(c.average_decay, 1 - 1 / (2 + self.iteration * c.updates + update)))
            total += float(loss.detach())
        self.iteration += 1
        self.steps += c.updates * c.batch
        errors = self.errors()
        means = {name: float(np.mean([each[name] for each in errors.values()])) for name in ("steering", "pedal")}
        return {"loss": total / c.updates, "steering_error": means["steering"], "pedal_error": means["pedal"]}

    @torch.no_grad()
    def errors(self, moments: int = HELD_OUT_MOMENTS) -> dict[str, dict[str, float]]:
        """Root mean square errors on held-out drives, by driver and action, and of doing nothing, ``..._spread``.

        At most ``moments`` of each driver, spread evenly over them.
        """
        result = {}
        for name in dict.fromkeys(self.held_out.driver.tolist()):
            rows = np.flatnonzero(self.held_out.driver == name)
            rows = rows[np.unique(np.linspace(0, len(rows) - 1, min(moments, len(rows))).round().astype(int))]
            truth = self.held_out.action[rows]
            error, nothing = (
                ((action - truth) ** 2).mean(0).sqrt().tolist()
                for action in (self.policy.act(self.held_out.seen(rows)), torch.zeros_like(truth))
            )
            result[name] = {
                "steering": error[0], "pedal": error[1], "steering_spread": nothing[0], "pedal_spread": nothing[1],
            }  # fmt: skip
        return result

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on as if there had been no stop."""
        return {
            "policy": self.policy.state_dict(),
            "student": self.student.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "iteration": self.iteration,
            "steps": self.steps,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state``. Raises as torch does where it does not fit."""
        self.policy.load_state_dict(state["policy"])
        self.student.load_state_dict(state["student"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.iteration, self.steps = int(state["iteration"]), int(state["steps"])

    @torch.no_grad()
    def _follow(self, decay: float) -> None:
        """Move the policy's weights towards the student's."""
        for slow, fast in zip(self.policy.parameters(), self.student.parameters(), strict=True):
            slow.lerp_(fast, 1.0 - decay)
