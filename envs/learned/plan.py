"""How a drive begins: from a recorded start that fits the scenario, or from the scene description alone."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from worldsim.engine.starts import StartBank
from worldsim.errors import choose
from worldsim.text import TextEncoder
from worldsim.types import (
    COMMANDS,
    FRAME_RATE_HZ,
    ROADS,
    SCENE_VOCABULARY,
    TIMES,
    TRAFFICS,
    WEATHERS,
    SceneFields,
)

from ..cameras import Camera
from ..choices import possible
from ..events import Event
from ..kinematics import WHEELBASE_M
from ..scenario import Scenario, list_scenarios, load_scenario
from ..words import GrammarParser
from ..words.neighbours import ByLetters
from .settings import DriveSettings, Scenarios


@dataclass(frozen=True)
class Plan:
    """What one drive is about and where it begins. ``row`` is a start of the bank, -1: imagined."""

    row: int
    scenario: str
    fields: SceneFields
    caption: str
    text: Tensor | None  # (x,) embedding of the caption; None: the model is told the fields alone
    target_speed: float  # m/s
    wheelbase: float  # m, of the vehicle
    ego_speed: float  # m/s, of an imagined start
    command: int  # index into COMMANDS, of an imagined start
    horizon: int  # steps
    events: tuple[Event, ...]  # that the scenario asks for; none of them is staged
    cameras: tuple[Camera, ...]  # that the scenario asks for
    seed: int


class Planner:
    """Draws plans for drives; all chance comes from the np.random.Generator it is handed."""

    def __init__(self, settings: DriveSettings, bank: StartBank | None) -> None:
        self.settings, self.bank = settings, bank
        self.overrides: dict[str, Any] = {}
        self.words: Tensor | None = None
        if settings.caption is not None:
            self.words = torch.from_numpy(TextEncoder().encode([settings.caption])[0])
            said = GrammarParser(ByLetters()).parse(settings.caption).asked
            self.overrides = {key: said[key] for key in (*SCENE_VOCABULARY, "command") if key in said}
        self.overrides |= settings.overrides

    def templates(self, scenario: Scenarios, count: int) -> list[Scenario]:
        """The scenario of each of ``count`` drives: one for all, or several dealt in turn, drive i the i-th modulo n.

        ValueError as in ``template``, for an empty list, and for more than ``count``: some would never be driven.
        """
        several = options(scenario)
        if not 1 <= len(several) <= count:
            raise ValueError(
                f"scenario: expected one, or a list of 1 to {count} (the number of drives), got {len(several)} of them"
            )
        loaded = [self.template(each) for each in several]
        return [loaded[i % len(loaded)] for i in range(count)]

    def template(self, scenario: str | Scenario) -> Scenario:
        """The scenario with everything that was overridden. ValueError for an unknown name or a bad value.

        A name that only the bank knows (a real log's) is a scenario too.
        """
        if isinstance(scenario, Scenario):
            loaded = scenario
        elif self.bank is not None and scenario in self.bank.scenarios and scenario not in list_scenarios():
            loaded = Scenario(name=scenario, road=ROADS, weather=WEATHERS, time_of_day=TIMES, traffic=TRAFFICS)
        else:
            if not str(scenario).endswith((".yaml", ".yml")) and self.settings.start != "imagine":
                choose(str(scenario), known_scenarios(self.bank), "scenario of this world")
            loaded = load_scenario(scenario)
        changes = dict(self.overrides)
        if "road" in changes and changes["road"] != loaded.road:
            changes = {"lanes": None} | changes
        return dataclasses.replace(loaded, **changes) if changes else loaded

    def plan(self, template: Scenario, rng: np.random.Generator, start: int | None = None) -> Plan:
        """A drive of this scenario; ``start`` names a start of the bank, whatever its scenario."""
        rng = rng if template.seed is None else np.random.default_rng(template.seed)
        concrete = template.concretise(rng)
        plan = Plan(
            row=self._row(template, rng, start), scenario=concrete.name, fields=concrete.fields,
            caption=concrete.caption, text=None,
            target_speed=float(concrete.target_speed_mps), wheelbase=WHEELBASE_M,
            ego_speed=float(concrete.ego_speed_mps),
            command=COMMANDS.index(concrete.command or COMMANDS[0]),
            horizon=self.settings.max_steps or round(concrete.horizon_s * FRAME_RATE_HZ), events=concrete.events,
            cameras=concrete.cameras, seed=int(rng.integers(2**31 - 1)),
        )  # fmt: skip
        if self.bank is not None and plan.row >= 0:
            record = self.bank.records[plan.row]
            changes: dict[str, Any] = {"fields": self.bank.fields(plan.row), "caption": record.caption}
            changes["wheelbase"] = record.wheelbase_m or WHEELBASE_M
            if start is not None:
                changes["scenario"] = record.scenario
            if start is not None or template.target_speed_mps is None:
                changes["target_speed"] = record.target_speed_mps
            plan = dataclasses.replace(plan, **changes)
        if self.settings.caption is not None:
            return dataclasses.replace(plan, caption=self.settings.caption, text=self.words)
        text = self.bank.embedding(plan.caption) if self.bank is not None and plan.caption else None
        return dataclasses.replace(plan, text=text)

    def _row(self, template: Scenario, rng: np.random.Generator, start: int | None) -> int:
        """The start to begin from, or -1."""
        if start is not None:
            if self.bank is None:
                raise ValueError(f"start: expected a world with a bank of starts, got none beside it and start={start}")
            return self.bank.index(start)
        if self.bank is None or self.settings.start == "imagine":
            return -1
        wanted = {key: (*possible(value), None) for key in SCENE_VOCABULARY if (value := getattr(template, key))}
        fitting = self.bank.select(None, **wanted)  # a start whose field is not known fits any
        named = [row for row in fitting if self.bank.records[row].scenario == template.name]
        pool = named or list(fitting)
        if pool:
            return int(pool[rng.integers(len(pool))])
        if self.settings.start == "bank":
            raise ValueError(
                f"start='bank': expected a start that fits scenario {template.name!r} with {wanted}, but the bank of "
                f"{len(self.bank)} starts ({', '.join(self.bank.scenarios)}) holds none; use start='auto' or 'imagine'"
            )
        return -1


def known_scenarios(bank: StartBank | None) -> list[str]:
    """Scenarios that a world with these starts can be asked for by name.

    All that ship, and those that only its starts know; where all starts were cut from logs, those alone.
    """
    if bank is None:
        return list_scenarios()
    return bank.scenarios if bank.recorded else sorted({*list_scenarios(), *bank.scenarios})


def options(value: Any) -> list[Any]:
    """What a scenario's value may be chosen from."""
    return list(value) if isinstance(value, list | tuple) else [value]
