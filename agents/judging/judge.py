"""The judge: agents by name play the suite, round by round, on several processes, and finished rounds are kept.

A round lies in ``FOLDER/WORLD/AGENT-FINGERPRINT/round-0003.json``. The fingerprint is of all that a round depends on
but the code: a policy that was trained again, another world or another reward is judged anew. After a change of the
code of a scripted agent or of the reference world, choose another folder.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from envs import rewards
from envs.learned.settings import DriveSettings
from worldsim.checkpoint import DEFAULT_WORLD, world_folder
from worldsim.checkpoint import FILE_NAME as WORLD_FILE
from worldsim.device import cores
from worldsim.errors import choose
from worldsim.schema import build
from worldsim.storage import read_json, write_json

from ..policy.checkpoint import FILE_NAME as POLICY_FILE
from ..policy.checkpoint import policy_folder
from ..workers import spread
from .drivers import make_agent
from .play import Arena, LearnedArena, Outcome, ReferenceArena, play
from .suite import TOGETHER, Suite, rounds_of

REFERENCE, LEARNED = "RoadCam-v0", "Drive-v0"
WORLDS = (REFERENCE, LEARNED)


@dataclass(frozen=True)
class Venue:
    """Where is played, in words that another process understands. ValueError for an unknown world."""

    world: str = REFERENCE  # the world to drive in, one of WORLDS
    model: str = DEFAULT_WORLD  # the world model to drive in, or to see the reference world through
    passes: int = 4  # sampling passes a frame in the learned world

    def __post_init__(self) -> None:
        choose(self.world, WORLDS, "world")

    def plain(self) -> dict[str, Any]:
        """What the outcome of a round depends on."""
        file = world_folder(self.model) / WORLD_FILE
        same = {"world": self.world, "model": _digest(file)}
        return same | {"passes": self.passes} if self.world == LEARNED else same


class Judge:
    """Has agents play the suite in one venue; what ``folder`` holds is not played again."""

    def __init__(self, venue: Venue, folder: Path, suite: Suite | None = None, workers: int = 0) -> None:
        if workers < 0:
            raise ValueError(f"workers: expected a whole number of at least 0, got {workers}")
        self.venue, self.folder, self.suite = venue, Path(folder), suite or Suite()
        self.workers = workers or cores()
        self._same = {"venue": venue.plain(), "suite": asdict(self.suite), "weights": rewards.WEIGHTS}

    def outcomes(self, agents: Sequence[str], episodes: int) -> dict[str, list[Outcome]]:
        """Each agent's first ``episodes`` drives.

        Raises ValueError for an unknown agent or one that cannot drive here, OSError where a process died. Ctrl-C lets
        running rounds end and keeps them.
        """
        if episodes < 1:
            raise ValueError(f"episodes: expected a whole number of at least 1, got {episodes}")
        agents = list(dict.fromkeys(agents))
        for name in agents:
            self._check(name)
        files = {(name, number): self.file(name, number) for name in agents for number in rounds_of(episodes)}
        missing = [key for key, file in files.items() if not file.is_file()]
        kept = TOGETHER * (len(files) - len(missing))
        with tqdm(total=TOGETHER * len(files), initial=kept, desc=f"judging in {self.venue.world}", unit=" ep") as bar:
            for key, played in spread(_playing, (self.venue, self.suite), missing, self.workers):
                write_json(files[key], [asdict(outcome) for outcome in played])
                bar.set_postfix_str(f"{Path(key[0]).name} earned {sum(o.earned for o in played) / len(played):.0f}")
                bar.update(TOGETHER)
        return {name: self._read([files[name, n] for n in rounds_of(episodes)])[:episodes] for name in agents}

    def file(self, agent: str, number: int) -> Path:
        """Where a round of an agent is kept."""
        who = {"agent": fingerprint_of(agent)}
        fingerprint = hashlib.sha256(json.dumps(self._same | who, sort_keys=True).encode()).hexdigest()[:12]
        label = re.sub(r"[^\w.-]+", "_", Path(agent).name)
        return self.folder / self.venue.world / f"{label}-{fingerprint}" / f"round-{number:04d}.json"

    def _check(self, agent: str) -> None:
        """Raise what making the agent would raise, before anything is played."""
        world, _ = _opened(self.venue.model)
        make_agent(agent, world)

    @staticmethod
    def _read(files: Sequence[Path]) -> list[Outcome]:
        return [build(Outcome, each, str(file)) for file in files for each in read_json(file, "outcomes of a round")]


def _playing(what: tuple[Venue, Suite]) -> Callable[[tuple[str, int]], list[Outcome]]:
    """What plays a round, of an agent and a number, in a process."""
    venue, suite = what
    world, _ = _opened(venue.model)
    return lambda each: play(make_agent(each[0], world), _arena(venue), suite.round(each[1]))


@functools.lru_cache(maxsize=1)
def _opened(model: str) -> Any:
    """The world model and its starts, once a process."""
    return DriveSettings(world=model).open()


def _arena(venue: Venue) -> Arena:
    world, starts = _opened(venue.model)
    return ReferenceArena(world) if venue.world == REFERENCE else LearnedArena(world, starts, venue.passes)


def fingerprint_of(agent: str) -> str:
    """What names an agent for good: a policy's weights, else its name."""
    folder = policy_folder(agent)
    file = None if folder is None else folder / POLICY_FILE
    return _digest(file) if file is not None and file.is_file() else agent


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]
