"""How a drive begins: in a scenario, in a scene said in words, or from an image.

Axis legend: h w image rows and columns, n latent tokens, d latent channels.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from envs.choices import possible
from envs.learned.settings import DriveSettings
from envs.scenario import Scenario, list_scenarios
from envs.words import GrammarParser, SceneWish
from envs.words.neighbours import ByLetters
from worldsim.engine.starts import StartArrays, StartBank, StartRecord, latents_hash
from worldsim.errors import choose
from worldsim.types import (
    EGO_FIELDS,
    FRAME_RATE_HZ,
    LABEL_FIELDS,
    MOTION_FIELDS,
    SCENE_VOCABULARY,
    FrameArray,
    SceneFields,
)
from worldsim.world_model import WorldModel

from .catalogue import OpenWorld

USUAL = "highway"
IMAGE, WORDS = "your image", "your words"
UNKNOWN_SPEED_MPS = 15.0


@dataclass(frozen=True)
class Course:
    """What a drive is about. Drives of one course, chance apart, begin alike and may be gone back to."""

    world: OpenWorld
    scenario: str | Scenario
    name: str  # as it is read
    bank: StartBank | None
    start: str = "auto"  # as in DriveSettings
    rows: tuple[int, ...] = ()  # starts of the bank to choose from; none: those that fit the scenario
    command: str | None = None  # route command to begin with

    def settings(self) -> DriveSettings:
        """For a ``DriveCore``. Raises ValueError where there is no such scenario or start."""
        return DriveSettings(
            scenario=self.scenario, world=self.world.model, starts=self.bank, start=self.start, steps=1,
            device=str(self.world.model.device),
        )  # fmt: skip

    def options(self, rng: np.random.Generator) -> dict[str, Any]:
        """For ``DriveCore.begin``."""
        start = {"start": int(rng.choice(self.rows))} if self.rows else {}
        return start | ({"command": self.command} if self.command else {})


def in_scenario(world: OpenWorld, scenario: str, start: str, elsewhere: Collection[str] = ()) -> Course:
    """A shipped scenario, or one that the world's starts know. Raises ValueError for another, with the nearest.

    A page may ask for what it chose while another world was driven: a scenario that ships or is one of ``elsewhere``
    but not of this world gives way to one of its own.
    """
    if scenario not in world.scenarios and scenario in (*list_scenarios(), *elsewhere):
        scenario = USUAL if USUAL in world.scenarios else world.scenarios[0]
    choose(scenario, world.scenarios, "scenario")
    return Course(world, scenario, scenario.replace("_", " "), world.bank, start)


def in_words(world: OpenWorld, text: str) -> tuple[Course, SceneWish]:
    """The scene that ``text`` asks for, and what became of its words. Raises ValueError for nothing to read.

    It begins from the recorded starts that have all that was asked for, and most of what the parser assumed.
    """
    wish = read(text)
    rows = _nearest(wish, world.bank) if world.bank else ()
    return Course(world, wish.scenario(WORDS), WORDS, world.bank, rows=rows, command=wish.command), wish


def read(text: str) -> SceneWish:
    """What ``text`` asks for. Raises ValueError for nothing to read."""
    return GrammarParser(ByLetters()).parse(text)


def from_image(world: OpenWorld, frame: FrameArray, speed_mps: float) -> Course:
    """A frame (h, w, 3) at a speed; what kind of scene it shows is not known."""
    bank = _bank_of(world.model, frame, speed_mps)
    return Course(world, Scenario(name="image"), IMAGE, bank, rows=(0,))


def _nearest(wish: SceneWish, bank: StartBank) -> tuple[int, ...]:
    """Starts with all that was asked for and the most of what was assumed; may be empty."""
    asked = {key: possible(value) for key, value in wish.asked.items() if key in SCENE_VOCABULARY}
    ruled_out = [set(bank.select(None, **{key: list(values)})) for key, values in wish.excluded.items()
                 if key in SCENE_VOCABULARY]  # fmt: skip
    rows = set(bank.select(None, **asked)).difference(*ruled_out)
    assumed = {each.key: possible(each.value) for each in wish.assumed if each.key in SCENE_VOCABULARY}
    alike = [set(bank.select(None, **{key: values})) for key, values in assumed.items()]
    hits = {int(row): sum(row in each for each in alike) for row in sorted(rows)}
    return tuple(row for row, count in hits.items() if count == max(hits.values()))


def _bank_of(world: WorldModel, frame: FrameArray, speed_mps: float) -> StartBank:
    """A bank of one start: one frame, of which nothing is known but the speed."""
    with torch.no_grad():
        latents = world.encode(torch.from_numpy(frame))[None, None]
    text_dim = world.config.dynamics.text_dim

    def unknown(fields: Sequence[str]) -> torch.Tensor:
        return torch.full((1, 1, len(fields)), torch.nan)

    ego = torch.zeros(1, 1, len(EGO_FIELDS))
    ego[..., EGO_FIELDS.index("speed_mps")] = speed_mps
    arrays = StartArrays(
        latents=latents.half().cpu(), motion=unknown(MOTION_FIELDS), ego=ego, action=torch.full((1, 1, 2), torch.nan),
        labels=unknown(LABEL_FIELDS), command=torch.zeros(1, 1, dtype=torch.int64),
        fields=torch.tensor([SceneFields().codes()]), text=torch.zeros(1, text_dim).half(),
        text_known=torch.zeros(1, dtype=torch.bool),
    )  # fmt: skip
    record = StartRecord(IMAGE, IMAGE, max(speed_mps, UNKNOWN_SPEED_MPS))
    return StartBank(arrays, [record], latents_hash(world), FRAME_RATE_HZ)
