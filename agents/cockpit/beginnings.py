"""How a drive begins: in a scenario, in a scene said in words, or from an image.

Axis legend: h w image rows and columns, n latent tokens, d latent channels.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from envs.choices import possible
from envs.learned.settings import DriveSettings
from envs.scenario import Scenario
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

IMAGE, WORDS = "your image", "your words"
OTHERS = "the learned world decides for itself what others do; only the reference world can be told"
UNKNOWN_SPEED_MPS = 15.0


@dataclass(frozen=True)
class Course:
    """What a drive is about. Drives of one course, chance apart, begin alike and may be gone back to."""

    world: OpenWorld
    scenario: str | Scenario
    name: str  # as it is read
    bank: StartBank | None
    start: str = "auto"  # as in DriveSettings
    row: int | None = None  # a start of the bank; None: by chance
    command: str | None = None  # route command to begin with

    def settings(self) -> DriveSettings:
        """For a ``DriveCore``. Raises ValueError where there is no such scenario or start."""
        return DriveSettings(
            scenario=self.scenario, world=self.world.model, starts=self.bank, start=self.start, steps=1,
            device=str(self.world.model.device),
        )  # fmt: skip

    def options(self) -> dict[str, Any]:
        """For ``DriveCore.begin``."""
        asked = {"start": self.row, "command": self.command}
        return {key: value for key, value in asked.items() if value is not None}


def in_scenario(world: OpenWorld, scenario: str, start: str) -> Course:
    """A shipped scenario, or one that the world's starts know. Raises ValueError for another, with the nearest."""
    choose(scenario, world.scenarios, "scenario")
    return Course(world, scenario, scenario.replace("_", " "), world.bank, start)


def in_words(world: OpenWorld, text: str) -> tuple[Course, dict[str, Any]]:
    """The scene that ``text`` asks for, and the account of every word. Raises ValueError for nothing to read.

    What the text leaves open follows the parser's assumptions, but gives way where no start would fit them.
    """
    wish = GrammarParser(ByLetters()).parse(text)
    course = Course(world, _fitting(wish, world.bank), WORDS, world.bank, command=wish.command)
    return course, account(wish)


def from_image(world: OpenWorld, frame: FrameArray, speed_mps: float) -> Course:
    """A frame (h, w, 3) at a speed; what kind of scene it shows is not known."""
    bank = _bank_of(world.model, frame, speed_mps)
    return Course(world, Scenario(name="image"), IMAGE, bank, row=0)


def account(wish: SceneWish) -> dict[str, Any]:
    """What was understood, assumed and is not honoured: the parser's account, and what a learned world cannot do.

    ``marks`` are stretches of the text, each with its role and what is to be said of it.
    """
    plain = wish.plain()
    happenings = [each for each in plain["understood"] if each["means"].startswith("event ")]
    understood = [each for each in plain["understood"] if each not in happenings]
    refused = [{"text": event.words(), "why": OTHERS, "nearest": ""} for event in wish.events]
    if "drivers" in wish.asked:
        refused.append({"text": "how others drive", "why": OTHERS, "nearest": ""})
    marks = [(each, "understood", each["means"]) for each in understood]
    marks += [(each, "unsupported", OTHERS) for each in happenings]
    marks += [(each, "unsupported", each["why"]) for each in plain["unsupported"]]
    return {
        "text": wish.text, "caption": wish.caption, "understood": understood, "assumed": plain["assumed"],
        "unsupported": [*plain["unsupported"], *refused],
        "marks": [
            {"start": each["start"], "end": each["end"], "role": role, "says": says}
            for each, role, says in sorted(marks, key=lambda mark: mark[0]["start"])
        ],
    }  # fmt: skip


def _fitting(wish: SceneWish, bank: StartBank | None) -> Scenario:
    scenario = wish.scenario(WORDS)
    if bank is None or _has_start(bank, scenario):
        return scenario
    assumed = {each.key for each in wish.assumed} & set(SCENE_VOCABULARY)
    opened: dict[str, Any] = {key: list(SCENE_VOCABULARY[key]) for key in assumed}
    try:
        open_to_chance = dataclasses.replace(scenario, **opened, lanes=wish.asked.get("lanes"))
    except ValueError:  # an event that needs a certain road
        return scenario
    return open_to_chance if _has_start(bank, open_to_chance) else scenario


def _has_start(bank: StartBank, scenario: Scenario) -> bool:
    wanted = {key: possible(value) for key in SCENE_VOCABULARY if (value := getattr(scenario, key)) is not None}
    return len(bank.select(None, **wanted)) > 0


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
