"""``worldsim train-agent``: one way to run every learner, with progress, figures, films and checkpoints.

A run lives in one folder: the policy and its card, ``metrics.jsonl`` and TensorBoard's file, ``films/``, the settings
in ``config.json``, and the state to go on from. The same command goes on with a run that was interrupted; with one
thread it comes to what it would have come to, bit for bit.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from tqdm import tqdm

from envs.reference.roadcam import RoadCamEnv
from worldsim.chance import drawn_from
from worldsim.device import check_device
from worldsim.tokenizer import tokenizer_hash
from worldsim.training.metrics_log import MetricsLog
from worldsim.training.signals import stop_signals
from worldsim.training.state import read_state, write_state

from ..policy.checkpoint import PolicyCard, check_fits, load_policy, save_policy
from ..policy.network import Policy, PolicyConfig
from ..policy.observe import PolicyViewEnv
from .films import film
from .imagination import Imagination, ImaginationConfig
from .imitation import Imitation
from .learner import Learner
from .nested import apart, together
from .place import LEARNED, Place
from .ppo import PPO, PPOConfig
from .settings import TrainAgentConfig, check_settings, write_settings

logger = logging.getLogger(__name__)


@dataclass
class Progress:
    """How far a run has come, and what stands behind its policy; the latter includes the policy it started from."""

    iterations: int = 0
    seconds: float = 0.0  # of learning, in this run
    episodes: int = 0
    model_steps: int = 0
    reference_steps: int = 0
    demonstration_frames: int = 0
    seconds_before: float = 0.0  # of learning, of the policy that this one started from


@dataclass(frozen=True)
class TrainAgentResult:
    """How a run ended. ``reason`` is "steps", "minutes" or the name of the signal that stopped it."""

    policy: Path
    reason: str
    steps: int
    seconds: float
    reference_steps: int
    figures: dict[str, float] = field(default_factory=dict)

    @property
    def interrupted(self) -> bool:
        """Whether a signal stopped it."""
        return self.reason.startswith("SIG")


def train_agent(config: TrainAgentConfig) -> TrainAgentResult:
    """Learn until the budget is spent or a signal asks to stop; goes on with what ``config.out`` holds.

    Raises ValueError for settings that do not fit each other, the world or the run in that folder, and for a damaged
    run; FloatingPointError where the policy is no longer made of numbers; ImportError where an extra is missing.
    """
    check_device(config.device)
    if config.threads:
        torch.set_num_threads(config.threads)
    out = Path(config.out)
    check_settings(out, config)
    place = Place.open(config.world, config.model, config.scenarios, config.device, config.precision)
    policy, progress = _beginning(config, place)
    with contextlib.ExitStack() as cleanup:
        learner = _learner(config, place, policy, cleanup)
        run = Run(config, place, learner, progress)
        run.restore()
        write_settings(out, config)
        with MetricsLog(out, learner.steps) as log, stop_signals() as stop, _progress_bar(config) as bar:
            reason = run.go(log, stop, bar)
    if reason.startswith("SIG"):
        logger.warning("%s: stopped and saved to %s; run the same command again to go on", reason, out)
    p = run.progress
    return TrainAgentResult(out, reason, learner.steps, round(p.seconds, 1), p.reference_steps, run.figures)


def _beginning(config: TrainAgentConfig, place: Place) -> tuple[Policy, Progress]:
    """The policy that learning starts from, and what it has cost already."""
    if config.start_from:
        policy, card = load_policy(config.start_from)
        check_fits(card, place.world)
        progress = Progress(
            model_steps=card.model_steps, reference_steps=card.reference_steps,
            demonstration_frames=card.demonstration_frames, seconds_before=card.seconds,
        )  # fmt: skip
        return policy.requires_grad_(True), progress
    with drawn_from(torch.Generator().manual_seed(config.seed)):
        policy = Policy(PolicyConfig.of(place.world, history=config.history, width=config.width))
    return policy, Progress()


def _learner(config: TrainAgentConfig, place: Place, policy: Policy, cleanup: contextlib.ExitStack) -> Learner:
    """The learner of ``config.method``; what it opens is closed by ``cleanup``."""
    if config.method == "imitation":
        return Imitation(config.imitation, place.world, policy, config.seed)
    c: PPOConfig | ImaginationConfig = config.ppo if config.method == "ppo" else config.imagination
    longest = c.rollout_steps + 1  # an iteration begins all drives anew, so none is begun at its last step
    drives = place.drives(c.drives, longest, passes=c.passes, min_trust=c.min_trust, parallel=config.parallel)
    cleanup.callback(drives.close)
    env = PolicyViewEnv(drives, place.world, policy.config.history)
    if isinstance(c, PPOConfig):
        return PPO(c, env, policy, config.seed)
    return Imagination(c, env, policy, config.seed)


class Run:
    """A learner at work in a folder."""

    def __init__(self, config: TrainAgentConfig, place: Place, learner: Learner, progress: Progress) -> None:
        self.config, self.place, self.learner, self.progress = config, place, learner, progress
        self.out = Path(config.out)
        self.figures: dict[str, float] = {}
        self.rate = 0.0  # steps a second of the last iteration

    def go(self, log: MetricsLog, stop: list[str], bar: tqdm) -> str:
        """Iterate until the end, and say why it came."""
        saved = time.perf_counter()
        while not (reason := self._ended(stop)):
            if self.progress.iterations == 0:
                self._film("start")
            self._iterate(log)
            self._show(bar)
            if time.perf_counter() - saved >= self.config.checkpoint_every_s:
                self.save()
                saved = time.perf_counter()
            if self._used() >= 0.5 and not stop:
                self._film("middle")
        self.save()
        if not stop:
            self._film("end", again=True)
        return reason

    def _iterate(self, log: MetricsLog) -> None:
        p, steps, reference = self.progress, self.learner.steps, RoadCamEnv.steps_taken
        began = time.perf_counter()
        self.figures = self.learner.iterate()
        seconds = time.perf_counter() - began
        taken, counted = self.learner.steps - steps, RoadCamEnv.steps_taken - reference
        p.iterations += 1
        p.seconds += seconds
        p.episodes += int(self.figures.get("episodes", 0))
        if self.config.method != "imitation":
            p.model_steps += taken if self.config.world == LEARNED else 0
            counted = counted if self.config.world == LEARNED else taken  # other processes count their own
        p.reference_steps += counted
        if not all(bool(value.isfinite().all()) for value in self.learner.policy.parameters()):
            raise FloatingPointError(
                f"training stopped at step {self.learner.steps}: the policy's weights are no longer finite. The last "
                f"good checkpoint is in {self.out}; lower the learning rate and train into another `out`"
            )
        self.rate = taken / seconds
        when = {"step": self.learner.steps, "elapsed_s": round(p.seconds, 2), "steps_per_s": round(self.rate, 2)}
        log.write({**when, **self.figures})

    # --- on disk ------------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write the state to go on from, and the policy as it is."""
        tensors, rest = apart(self.learner.state_dict())
        write_state(self.out, tensors, {"learner": rest, "progress": asdict(self.progress)})
        save_policy(self.out, self.learner.policy, self.card())

    def restore(self) -> None:
        """Go on from what the folder holds, if it holds anything."""
        found = read_state(self.out)
        if found is None:
            return
        tensors, header, path = found
        try:
            self.learner.load_state_dict(together(tensors, header["learner"]))
        except (RuntimeError, ValueError, KeyError) as error:
            raise ValueError(
                f"{path} belongs to another learner than this run's: {error}. Name another `out` to start anew"
            ) from error
        self.progress = Progress(**header["progress"])
        logger.info("resumed %s at step %d (%.1f min in)", self.out, self.learner.steps, self.progress.seconds / 60)

    def card(self) -> PolicyCard:
        """Where the policy comes from."""
        c, p = self.config, self.progress
        own = self.learner.frames if isinstance(self.learner, Imitation) else 0
        return PolicyCard(
            name=self.out.name, method=c.method, trained_in="episodes" if c.method == "imitation" else c.world,
            world=c.model, tokenizer=tokenizer_hash(self.place.world.tokenizer), scenarios=c.scenarios,
            model_steps=p.model_steps, reference_steps=p.reference_steps,
            demonstration_frames=p.demonstration_frames + own,
            seed=c.seed, seconds=round(p.seconds + p.seconds_before, 1),
        )  # fmt: skip

    def _film(self, moment: str, again: bool = False) -> None:
        target = self.out / "films" / f"{moment}.mp4"
        if self.config.film_s > 0 and (again or not target.exists()):
            film(self.learner.policy, self.place, self.config.film_s, target)

    # --- how far ------------------------------------------------------------------------------------------------

    def _used(self) -> float:
        """Share of the budget that is spent, in [0, 1]; whichever of steps and minutes is further."""
        c = self.config
        by_steps = self.learner.steps / c.steps if c.steps > 0 else 0.0
        by_time = self.progress.seconds / (60.0 * c.minutes) if c.minutes > 0 else 0.0
        return min(1.0, max(by_steps, by_time))

    def _ended(self, stop: list[str]) -> str:
        if stop:
            return stop[0]
        if 0 < self.config.steps <= self.learner.steps:
            return "steps"
        return "minutes" if 0 < 60.0 * self.config.minutes <= self.progress.seconds else ""

    def _show(self, bar: tqdm) -> None:
        p, used = self.progress, max(self._used(), 1e-6)
        left = tqdm.format_interval(int(p.seconds * (1.0 - used) / used))
        said = [form.format(self.figures[name]) for name, form in SHOWN.items() if name in self.figures]
        parts = [f"{self.learner.steps:,} steps", *([f"{p.episodes:,} episodes"] if p.episodes else []), *said]
        bar.set_postfix_str(", ".join([*parts, f"{self.rate:.0f} steps/s", f"{left} left"]), refresh=False)
        bar.update(100.0 * used - bar.n)


SHOWN = {
    "return": "return {:.1f}", "speed_mps": "{:.1f} m/s", "trust": "trust {:.2f}", "crash_rate": "crashed {:.0%}",
    "offroad_rate": "off the road {:.0%}", "loss": "loss {:.3f}",
}  # fmt: skip
"""Figures that the bar shows, where a learner has them."""


@contextlib.contextmanager
def _progress_bar(config: TrainAgentConfig) -> Iterator[tqdm]:
    """A bar in percent of the budget, so that it is right whether the budget is steps or minutes."""
    form = "{desc} {percentage:3.0f}% |{bar:20}|{postfix}"
    with tqdm(total=100.0, desc=Path(config.out).name, bar_format=form, disable=not config.progress) as bar:
        yield bar
