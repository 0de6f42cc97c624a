"""Where the gap between model-trained and reference-trained policies comes from: the truth, put in part by part.

Every row is the mean return of policies that differ from those of the row before in one thing. What stands between two
rows is what that thing costs.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import gymnasium as gym
import torch
from tqdm import tqdm

from agents.judging.drivers import make_agent
from agents.judging.judge import LEARNED, REFERENCE, Judge, Venue
from agents.judging.play import Outcome, ReferenceArena, play
from agents.judging.scores import mean, table_of
from agents.judging.suite import Case, rounds_of
from agents.learning.imagination import Imagination, ImaginationConfig
from agents.learning.place import Place
from agents.policy.checkpoint import CARD_FILE, PolicyCard, save_policy
from agents.policy.network import Policy, PolicyConfig
from agents.policy.observe import PolicyViewEnv
from envs.learned.settings import DriveSettings
from worldsim.chance import drawn_from
from worldsim.say import say
from worldsim.schema import build
from worldsim.storage import read_json, write_json
from worldsim.tokenizer import tokenizer_hash
from worldsim.types import ROADS
from worldsim.world_model import WorldModel

from .heads_word import HeadsWord
from .policy_kinds import CONVERGED, MODEL, SAME, Trained

FLATTERED, READ, TRUE = "by the model, drawn frames", "by its heads, true frames", "by the reference world"
"""Who judges."""


class HeadsArena(ReferenceArena):
    """The reference world, where what is earned is read by the model's heads from the true frames."""

    def __init__(self, world: WorldModel) -> None:
        super().__init__(world)
        self.world = world

    def enter(self, cases: Sequence[Case]) -> gym.vector.VectorEnv:
        return HeadsWord(super().enter(cases), self.world)

    def target_speed_mps(self, env: gym.vector.VectorEnv) -> Any:
        return super().target_speed_mps(env.unwrapped)


def gap_table(trained: Mapping[str, Sequence[Trained]], judge: Judge, arguments: Namespace) -> list[dict[str, Any]]:
    """Train what is missing, judge it, print the table and return its rows."""
    drives = arguments.episodes
    inside, outside, converged = (_folders(trained[name]) for name in (MODEL, SAME, CONVERGED))
    learned = Judge(Venue(LEARNED, arguments.world), judge.folder, judge.suite, judge.workers)
    taught = [heads_taught(run, arguments) for run in trained[SAME]]
    rows: list[tuple[str, str, str, Callable[[], list[list[Outcome]]]]] = [
        ("the model", FLATTERED, "", lambda: _judged(learned, inside, drives)),
        ("the model", READ, "what drawing frames flatters", lambda: _read(inside, judge, arguments)),
        ("the model", TRUE, "what the heads flatter", lambda: _judged(judge, inside, drives)),
        ("true frames, rewards by heads", TRUE, "learning from drawn frames", lambda: _judged(judge, taught, drives)),
        (
            "the reference world, as many steps",
            TRUE,
            "learning from the heads",
            lambda: _judged(judge, outside, drives),
        ),
        ("the reference world, to convergence", TRUE, "too few steps", lambda: _judged(judge, converged, drives)),
    ]
    result: list[dict[str, Any]] = []
    say(f"{'learned in':38s}{'judged':30s}return [95 % interval]   from the row before")
    for where, by, cost, outcomes in rows:
        earned = mean(table_of(outcomes(), "return"))
        step = f"{earned.value - result[-1]['return']['value']:+.1f}  {cost}" if result else ""
        say(f"{where:38s}{by:30s}{earned.text(1):24s}{step}")
        result.append({"learned_in": where, "judged": by, "return": asdict(earned), "step_is": cost})
    return result


def heads_taught(like: Trained, arguments: Namespace) -> str:
    """The folder of a policy that learned as ``like`` did, on true frames, but from what the heads said of them."""
    seed, folder = like.seed, arguments.out / "training" / "heads_word" / str(like.seed)
    if (folder / CARD_FILE).is_file():
        return str(folder)
    torch.set_num_threads(1)
    place = Place.open(REFERENCE, arguments.world, list(ROADS))
    config = build(ImaginationConfig, like.kind.settings.get("imagination", {}))
    with drawn_from(torch.Generator().manual_seed(seed)):
        policy = Policy(PolicyConfig.of(place.world))
    env = HeadsWord(place.drives(config.drives, config.rollout_steps), place.world)
    learner = Imagination(config, PolicyViewEnv(env, place.world, policy.config.history), policy, seed)
    with tqdm(total=like.kind.steps, desc=f"by the heads' word, seed {seed}", unit=" steps") as bar:
        while learner.steps < like.kind.steps:
            learner.iterate()
            bar.update(learner.steps - bar.n)
    env.close()
    card = PolicyCard("heads_word", "imagination", REFERENCE, arguments.world, tokenizer_hash(place.world.tokenizer),
                      list(ROADS), reference_steps=learner.steps, seed=seed)  # fmt: skip
    save_policy(folder, policy, card)
    return str(folder)


def _read(agents: Sequence[str], judge: Judge, arguments: Namespace) -> list[list[Outcome]]:
    """Outcomes in the reference world as the heads read them; kept by round."""
    world, _ = DriveSettings(world=arguments.world).open()
    arena, result = HeadsArena(world), []
    for agent in agents:
        played: list[Outcome] = []
        for number in rounds_of(arguments.episodes):
            known = judge.file(agent, number)
            file = known.parent / f"heads-{known.name}"
            if not file.is_file():
                outcomes = play(make_agent(agent, world), arena, judge.suite.round(number))
                write_json(file, [asdict(each) for each in outcomes])
            played += [build(Outcome, each, str(file)) for each in read_json(file, "outcomes of a round")]
        result.append(played[: arguments.episodes])
    return result


def _judged(judge: Judge, agents: Sequence[str], drives: int) -> list[list[Outcome]]:
    played = judge.outcomes(agents, drives)
    return [played[agent] for agent in agents]


def _folders(runs: Sequence[Trained]) -> list[str]:
    return [str(each.folder) for each in runs]
