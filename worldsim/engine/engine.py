"""The streaming engine: one frame in, one frame out, at a cost that does not grow.

Each step draws the next frame's latents in a few sampling passes that see the past through the ring
buffer, then one more pass writes the frame, slightly noised, into the buffer and reads the state
heads. The slight noise (Dreamer 4, section 3.3) keeps the past looking as it did in training.

Axis legend: b rollouts, t frames, n latent tokens, d latent channels, h w image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from worldsim.diffusion.path import noisy
from worldsim.diffusion.sampler import check_steps, resume, sample
from worldsim.diffusion.shortcut import Predict
from worldsim.dynamics.conditioning import FrameCondition, Scene
from worldsim.dynamics.heads import StateHeads, StateReading
from worldsim.engine.cache import RingCache
from worldsim.engine.mending import STEPS as MENDING_STEPS
from worldsim.engine.mending import Wear
from worldsim.engine.state import RolloutState
from worldsim.engine.stream import Frame, Previous, Stream
from worldsim.precision import pick_precision
from worldsim.types import MOTION_FIELDS
from worldsim.world_model import WorldModel


@dataclass
class EngineConfig:
    """How a rollout is drawn. ``steps`` and ``start_steps`` are powers of two."""

    steps: int = 4  # sampling passes a frame
    start_steps: int = 16  # for a start frame drawn from words alone
    context_signal: float = 0.9  # signal level at which past frames are remembered
    guidance: float = 1.0  # above 1 follows the scene description harder, at twice the cost
    start_guidance: float = 4.0  # of a start frame
    over_guidance: float = 2.0  # of one that is drawn over another without a past: a clip's first edited, a mended one
    temperature: float | None = None  # of the noise a frame is drawn from; none: what the world says of itself
    mend_every: int | None = None  # each n-th frame is mended (mending.py), 0: none; none: what the world says
    precision: str = "float32"  # or bfloat16, or auto: whichever is faster here; another one draws other frames


@dataclass(frozen=True)
class Step:
    """What one step gives, for each of b rollouts."""

    latents: Tensor  # (b, n, d) standardised
    state: StateReading  # each (b,)
    trust: Tensor  # (b,) in (0, 1]: 0.5 where one in ten held-out frames is less sure, less beyond
    disagreement: Tensor  # (b,) of what was expected before the frame was drawn with the frame
    doubt: Tensor  # (b,) by the looks of the frame, 0 where it looks fine or nobody tells; also makes trust
    tokens: Tensor  # (b, s, w) that the frame has become, as heads and looks read them


class Engine:
    """Rolls a world model forward, with the weights that it has when the engine is made.

    It never trains and never touches the global random state.
    """

    def __init__(self, world: WorldModel, config: EngineConfig | None = None) -> None:
        self.world = world.eval()
        self.config = config = config or EngineConfig()
        self.stream = Stream(world.dynamics, pick_precision(config.precision, world.device))
        self.finest = world.config.dynamics.finest_steps
        check_steps(config.steps, self.finest)
        check_steps(config.start_steps, self.finest)
        if not 0.0 < config.context_signal <= 1.0:
            raise ValueError(f"EngineConfig.context_signal: expected a level in (0, 1], got {config.context_signal}")
        self.temperature = world.config.temperature if config.temperature is None else config.temperature
        if not 0.0 <= self.temperature <= 1.0:
            raise ValueError(f"EngineConfig.temperature: expected a number in [0, 1], got {config.temperature}")
        self.mend_every = world.config.mend_every if config.mend_every is None else config.mend_every
        if self.mend_every < 0:
            raise ValueError(f"EngineConfig.mend_every: expected a whole number of at least 0, got {config.mend_every}")
        if self.mend_every:
            check_steps(MENDING_STEPS, self.finest)

    def empty(self, scene: Scene, seeds: Sequence[int]) -> RolloutState:
        """Rollouts that have seen nothing yet, one for each scene and seed."""
        if len(scene) != len(seeds):
            raise ValueError(f"Engine.empty: expected as many seeds as scenes, got {len(seeds)} and {len(scene)}")
        c, device = self.world.config.dynamics, self.world.device
        generators = [torch.Generator(device).manual_seed(seed) for seed in seeds]
        latents = torch.zeros(len(seeds), c.n_tokens, c.latent_dim, device=device)
        previous = Previous(latents, torch.full((len(seeds),), -1.0, device=device))
        cache = RingCache.empty(self.world.dynamics, len(seeds), self.stream.dtype)
        scene = Scene(scene.fields.clone(), scene.text.clone(), scene.text_known.clone())
        return RolloutState(cache, previous, scene, generators, Wear.none(len(seeds), device))

    @torch.no_grad()
    def start(
        self, latents: Tensor, motion: Tensor, scene: Scene, seeds: Sequence[int], command: Tensor | None = None
    ) -> tuple[RolloutState, Step]:
        """Read context frames: latents (b, t, n, d), motion (b, t, m) where ``motion[:, t]`` led into frame t.

        A NaN row of motion is "not known"; the first row is not read, as nothing is known before the first
        frame. Returns the state and what the heads say of the last frame.
        """
        self._check_motion(motion, latents.shape[:2])
        if latents.shape[1] < 1:
            raise ValueError("Engine.start: expected at least one context frame, got none")
        state = self.empty(scene, seeds)
        for t in range(latents.shape[1]):
            known = motion[:, t] if t > 0 else torch.full_like(motion[:, t], float("nan"))
            step = self.observe(state, latents[:, t], known, command)
        return state, step

    @torch.no_grad()
    def observe(self, state: RolloutState, latents: Tensor, motion: Tensor, command: Tensor | None = None) -> Step:
        """Advance ``state`` in place by a frame that was seen, not drawn: latents (b, n, d), motion (b, m) or NaN."""
        state.wear.seen()
        return self._remember(state, self._next(state, motion, command), latents, latents)

    @torch.no_grad()
    def imagine(self, scene: Scene, seeds: Sequence[int]) -> tuple[RolloutState, Step]:
        """Draw a start frame from the scene description alone, and remember it."""
        state = self.empty(scene, seeds)
        nothing = torch.full((len(seeds), len(MOTION_FIELDS)), float("nan"), device=self.world.device)
        step = self._draw(state, nothing, None, self.config.start_steps, self.config.start_guidance, temperature=1.0)
        return state, step

    @torch.no_grad()
    def step(self, state: RolloutState, motion: Tensor, command: Tensor | None = None) -> Step:
        """Advance ``state`` in place by one frame under ``motion`` (b, m) and route ``command`` (b,)."""
        return self._draw(state, motion, command, self.config.steps, self.config.guidance, self.temperature)

    @torch.no_grad()
    def refine(
        self, state: RolloutState, latents: Tensor, motion: Tensor, keep: float, command: Tensor | None = None
    ) -> Step:
        """Advance ``state`` in place by a frame that is drawn over a sketch of it: latents (b, n, d), motion (b, m).

        The sketch is noised to signal level ``keep`` in [0, 1) and drawn on from there (SDEdit): 0 ignores it, near 1
        little is changed. ``keep`` is rounded to a sixteenth, or whatever ``start_steps`` allows. Trust then tells of
        what was drawn alone.
        """
        taken = self._steps_taken(keep)
        return self._draw_over(state, self._next(state, motion, command), latents, taken)

    @torch.no_grad()
    def redraw(
        self,
        state: RolloutState,
        source: RolloutState,
        latents: Tensor,
        motion: Tensor,
        keep: float,
        command: Tensor | None = None,
    ) -> Step:
        """Advance ``state`` in place by a frame that was seen in another scene, ``source``'s, which advances with it.

        The sketch of ``refine`` is what ``state`` expects, and to it what was seen, latents (b, n, d), less what
        ``source`` expected. Where the two expect the same it is what was seen; where the scenes look different, it is
        that difference that changes, and what nobody could expect stays where it is.
        """
        taken = self._steps_taken(keep)
        frame, before = self._next(state, motion, command), self._next(source, motion, command)
        noise = self._noise(state.generators)
        guidance = self.config.guidance if bool((state.cache.position > 0).all()) else self.config.over_guidance
        unforeseen = latents[:, None] - self._expected(before, noise, 1.0)
        sketch = self._expected(frame, noise, guidance) + unforeseen
        self._remember(source, before, latents, latents)
        return self._draw_over(state, frame, sketch[:, 0], taken)

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Latents (..., n, d) -> frames (..., h, w, 3) uint8."""
        return self.world.decode(latents)

    def _draw(
        self, state: RolloutState, motion: Tensor, command: Tensor | None, steps: int, guidance: float,
        temperature: float,
    ) -> Step:  # fmt: skip
        frame = self._next(state, motion, command)
        drawn = sample(_guided(frame, guidance), temperature * self._noise(state.generators), steps, self.finest)
        state.wear.alone = state.wear.alone + 1
        latents, guess = drawn.latents, drawn.first_guess
        for rows, taken in state.wear.due(self.mend_every):
            change = self._mended(state, rows, latents[rows], taken) - latents[rows]
            latents, guess = (x.index_add(0, rows, change) for x in (latents, guess))  # what is mended is no surprise
        return self._remember(state, frame, latents[:, 0], guess[:, 0])

    def _mended(self, state: RolloutState, rows: Tensor, latents: Tensor, taken: int) -> Tensor:
        """``latents`` (k, 1, n, d) of the rollouts ``rows`` (k,), drawn on without a past after ``taken`` steps."""
        world, told = self.world, state.scene.select(rows)
        nothing = torch.full((len(rows), len(MOTION_FIELDS)), float("nan"), device=world.device)
        past = Previous(torch.zeros_like(latents[:, 0]), torch.full((len(rows),), -1.0, device=world.device))
        cache = RingCache.empty(world.dynamics, len(rows), self.stream.dtype, window=1)
        frame = self.stream.frame(self._condition(nothing, None), told, past, cache)
        level = torch.full_like(frame.condition.signal, taken / MENDING_STEPS)
        noised = noisy(latents, self._noise([state.generators[row] for row in rows.tolist()]), level)
        state.wear.mended(rows, taken)
        return resume(_guided(frame, self.config.over_guidance), noised, taken, MENDING_STEPS, self.finest).latents

    def _draw_over(self, state: RolloutState, frame: Frame, latents: Tensor, taken: int) -> Step:
        steps, levels = self.config.start_steps, frame.condition.signal
        noised = noisy(latents[:, None], self._noise(state.generators), torch.full_like(levels, taken / steps))
        drawn = resume(_guided(frame, self.config.guidance), noised, taken, steps, self.finest)
        state.wear.seen()
        return self._remember(state, frame, drawn.latents[:, 0], drawn.first_guess[:, 0])

    def _expected(self, frame: Frame, noise: Tensor, guidance: float) -> Tensor:
        """The mean (b, 1, n, d) of what may come next, before anything of it is drawn."""
        condition = frame.condition
        return _guided(frame, guidance)(noise, torch.zeros_like(condition.signal), condition.step)

    def _steps_taken(self, keep: float) -> int:
        """How many of ``start_steps`` are spared by what is kept."""
        taken = round(keep * self.config.start_steps) if 0.0 <= keep < 1.0 else -1
        if taken < 0:
            raise ValueError(f"Engine: expected keep, a signal level in [0, 1), got {keep}")
        return min(taken, self.config.start_steps - 1)

    def _next(self, state: RolloutState, motion: Tensor, command: Tensor | None) -> Frame:
        """The frame that follows under ``motion`` (b, m), in hand."""
        self._check_motion(motion, (len(state),))
        return self.stream.frame(self._condition(motion, command), state.scene, state.previous, state.cache)

    def _remember(self, state: RolloutState, frame: Frame, latents: Tensor, guess: Tensor) -> Step:
        """Write a frame into the past; ``guess`` is what was expected before it was drawn."""
        condition = frame.condition
        kept = noisy(latents[:, None], self._noise(state.generators), condition.signal)
        seen, tokens = frame.read(kept, condition.signal, condition.step)
        state.cache.advance()
        state.previous = Previous(kept[:, 0], condition.signal[:, 0])
        reading = StateHeads.read(seen.state[:, 0])
        disagreement = (guess - seen.latents[:, 0]).square().mean(dim=(1, 2)).sqrt()
        doubt = torch.zeros_like(disagreement) if self.world.looks is None else self.world.looks.doubt(tokens)
        state.wear.doubt = doubt.clone()
        unsure = (disagreement / self.world.trust_scale, doubt, state.wear.invented)
        trust = 1.0 / (1.0 + torch.stack(unsure).square().sum(0))
        return Step(latents, reading, trust, disagreement, doubt, tokens)

    def _noise(self, generators: Sequence[torch.Generator]) -> Tensor:
        """(b, 1, n, d), each rollout's from its own generator, so that none depends on its neighbours."""
        c = self.world.config.dynamics
        shape = (1, c.n_tokens, c.latent_dim)
        return torch.stack([torch.randn(shape, generator=g, device=g.device) for g in generators])

    def _condition(self, motion: Tensor, command: Tensor | None) -> FrameCondition:
        """Conditions of one remembered frame from motion (b, m); the sampler replaces the levels."""
        b, device = len(motion), self.world.device
        command = torch.zeros(b, dtype=torch.int64) if command is None else command
        return FrameCondition(
            signal=torch.full((b, 1), self.config.context_signal, device=device),
            step=torch.zeros(b, 1, dtype=torch.int64, device=device),
            motion=motion[:, None].to(device),
            motion_known=~motion.isnan().any(dim=-1, keepdim=True).to(device),
            command=command[:, None].to(device),
        )

    @staticmethod
    def _check_motion(motion: Tensor, leading: tuple[int, ...] | torch.Size) -> None:
        expected = (*leading, len(MOTION_FIELDS))
        if tuple(motion.shape) != expected:
            raise ValueError(
                f"Engine: expected motion of shape {expected} ({', '.join(MOTION_FIELDS)}), got {tuple(motion.shape)}"
            )


def _guided(frame: Frame, guidance: float) -> Predict:
    """The frame as a function of (noisy latents, signal, step level), for the sampler.

    ``guidance`` above 1 pushes away from what would be drawn with the scene hidden (Ho & Salimans 2022).
    """
    if guidance == 1.0:
        return frame.draw
    hidden = frame.hidden()

    def predict(latents: Tensor, signal: Tensor, step: Tensor) -> Tensor:
        untold = hidden.draw(latents, signal, step)
        return untold + guidance * (frame.draw(latents, signal, step) - untold)

    return predict
