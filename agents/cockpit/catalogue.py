"""What a page may choose from: worlds, scenarios and pilots, by name; a page never names a path."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from envs.learned.plan import known_scenarios
from envs.learned.settings import DriveSettings
from worldsim.checkpoint import FILE_NAME as WORLD_FILE
from worldsim.checkpoint import SHIPPED
from worldsim.engine.starts import StartBank
from worldsim.errors import choose
from worldsim.world_model import WorldModel

from ..agent import Agent
from ..judging.drivers import make_agent
from ..policy.checkpoint import FILE_NAME as POLICY_FILE
from ..policy.checkpoint import SHIPPED as SHIPPED_POLICIES
from ..policy.checkpoint import shipped_policies

SCRIPTED = {
    "lane keeper": "expert",
    "timid lane keeper": "timid",
    "fast lane keeper": "fast",
    "weaving lane keeper": "weaving",
    "straight on": "coasting",
    "random": "random",
}
"""Pilots by their name on the page, and the agents that they are."""

DEEPEST = 4  # folders below a place that is searched


@dataclass(frozen=True)
class OpenWorld:
    """A world model with its start contexts, where there are any."""

    name: str
    model: WorldModel
    bank: StartBank | None

    @property
    def scenarios(self) -> list[str]:
        """Scenarios that may be asked for."""
        return known_scenarios(self.bank)


class Catalogue:
    """Worlds that ship and those found in ``places``; policies found there too. ``first`` is shown first.

    Raises ValueError where ``first`` is neither a name nor a folder with a world.
    """

    def __init__(self, first: str | Path, places: Iterable[Path], device: str = "cpu") -> None:
        self.device = device
        places = list(places)
        self.worlds: dict[str, Path] = {
            path.parent.name: path.parent for path in sorted(SHIPPED.glob(f"*/{WORLD_FILE}"))
        }
        self.worlds |= _named(places, WORLD_FILE)
        if str(first) not in self.worlds and (Path(first) / WORLD_FILE).is_file():
            known = {folder.resolve(): name for name, folder in self.worlds.items()}
            first = known.get(Path(first).resolve(), str(first))
            self.worlds.setdefault(first, Path(first))
        self.first = choose(str(first), self.worlds, "world (or folder of one)")
        self.policies = {name: SHIPPED_POLICIES / name for name in shipped_policies()} | _named(places, POLICY_FILE)

    @property
    def pilots(self) -> list[str]:
        """Names of all that can take the wheel."""
        return [*SCRIPTED, *self.policies]

    def open(self, name: str) -> OpenWorld:
        """A world by name. Raises ValueError for an unknown name and for a world that cannot be loaded."""
        folder = self.worlds[choose(name, self.worlds, "world")]
        try:
            return OpenWorld(name, *DriveSettings(world=folder, device=self.device).open())
        except (OSError, RuntimeError, KeyError, TypeError) as error:
            raise ValueError(f"world {name!r} cannot be loaded: {type(error).__name__}: {error}") from error

    def pilot(self, name: str, world: WorldModel) -> Agent:
        """A fresh pilot by name. Raises ValueError for an unknown name, or a policy that fits another world."""
        choose(name, self.pilots, "pilot")
        return make_agent(SCRIPTED.get(name) or str(self.policies[name]), world)


def _named(places: Iterable[Path], file: str) -> dict[str, Path]:
    """Folders that hold ``file``, by their path from the place they were found in."""
    found = {}
    for place in places:
        for path in sorted(_search(place, file, DEEPEST)):
            found[str(path.relative_to(place.parent)) if place != path else path.name] = path
    return found


def _search(folder: Path, file: str, depth: int) -> list[Path]:
    if not folder.is_dir():
        return []
    found = [folder] if (folder / file).is_file() else []
    below = [each for each in folder.iterdir() if depth and each.is_dir() and not each.name.startswith(".")]
    return found + [path for each in below for path in _search(each, file, depth - 1)]
