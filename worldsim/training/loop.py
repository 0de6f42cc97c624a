"""The training loop that the tokenizer and the dynamics share.

The caller gives a function from a step number to a loss; the loop does the rest: gradients, clipping,
learning rate, weight averaging, progress, metrics, checkpoints, a clean stop on Ctrl-C, and going on after one.
With the same settings and one thread, a run that was interrupted and resumed equals one that was not, bit for bit.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from worldsim.errors import choose
from worldsim.training.metrics_log import MetricsLog
from worldsim.training.signals import stop_signals
from worldsim.training.state import TrainState, load_state, save_state

logger = logging.getLogger(__name__)

StepFn = Callable[[int], tuple[Tensor, dict[str, float]]]
"""Step number -> (loss, named numbers to log). It runs the model forward; the loop runs it backward."""

ValidateFn = Callable[[TrainState], dict[str, float]]

SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda progress: 1.0,
    "linear": lambda progress: 1.0 - progress,
    "cosine": lambda progress: 0.5 * (1.0 + math.cos(math.pi * progress)),
}


@dataclass
class LoopConfig:
    """When to stop, how the learning rate runs, and what is kept. Of ``steps`` and ``minutes``, 0 means no limit."""

    out: str = "runs/run"
    steps: int = 0
    minutes: float = 20.0  # wall clock, summed over interruptions; validation counts, the time between does not
    warmup_steps: int = 100
    schedule: str = "cosine"  # over the planned budget: constant, linear (to zero) or cosine
    clip_norm: float = 1.0  # largest norm of the gradient; 0 for no clipping
    accumulate: int = 1  # losses that are averaged into one step
    average_decay: float = 0.998  # of the averaged weights (EMA); 0 keeps none
    checkpoint_every_s: float = 60.0
    validate_every_s: float = 60.0
    log_every: int = 20
    seed: int = 0
    threads: int = 0  # 0 leaves torch's own choice
    progress: bool = True

    def __post_init__(self) -> None:
        choose(self.schedule, SCHEDULES, "schedule")
        if self.steps <= 0 and self.minutes <= 0:
            raise ValueError("LoopConfig: expected a budget, steps or minutes above 0; got neither")
        if self.accumulate < 1 or self.log_every < 1:
            raise ValueError("LoopConfig: expected accumulate and log_every of at least 1")


@dataclass(frozen=True)
class LoopResult:
    """How a run ended. ``reason`` is "steps", "minutes" or the name of the signal that stopped it."""

    reason: str
    step: int
    elapsed_s: float
    metrics: dict[str, float]

    @property
    def interrupted(self) -> bool:
        """Whether a signal stopped it."""
        return self.reason.startswith("SIG")


def start_state(model: nn.Module, optimizers: list[torch.optim.Optimizer], config: LoopConfig) -> TrainState:
    """The state of a run at step 0: seeded generator on the model's device, averaged copy of the weights."""
    device = next(model.parameters()).device
    generator = torch.Generator(device)
    generator.manual_seed(config.seed)
    average = copy.deepcopy(model).eval().requires_grad_(False) if config.average_decay > 0 else None
    return TrainState(model, optimizers, generator, average)


def run_loop(step_fn: StepFn, state: TrainState, config: LoopConfig, validate: ValidateFn | None = None) -> LoopResult:
    """Train until the budget is spent or a signal asks to stop; resume from ``config.out`` if it holds a run.

    Raises FloatingPointError at a loss or gradient that is not finite, before it touches the weights,
    so the checkpoint on disk stays good; ValueError for a checkpoint of another model.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    out = Path(config.out)
    out.mkdir(parents=True, exist_ok=True)
    if load_state(state, out):
        logger.info("resumed %s at step %d (%.1f min in)", out, state.step, state.elapsed_s / 60)
    with MetricsLog(out, state.step) as log, stop_signals() as stop, _progress_bar(state, config) as bar:
        reason = _train(step_fn, state, config, validate, log, stop, bar)
    if reason.startswith("SIG"):
        logger.warning(
            "%s: stopped after step %d and saved to %s; run the same command again to go on", reason, state.step, out
        )
    return LoopResult(reason, state.step, state.elapsed_s, dict(state.metrics))


def _train(
    step_fn: StepFn,
    state: TrainState,
    config: LoopConfig,
    validate: ValidateFn | None,
    log: MetricsLog,
    stop: list[str],
    bar: tqdm,
) -> str:
    clock = time.perf_counter() - state.elapsed_s
    saved_s = validated_s = logged_s = state.elapsed_s
    window: dict[str, float] = {}
    counted = 0

    def check() -> None:
        if validate is not None:
            state.metrics = validate(state)
            log.write({"step": state.step, "elapsed_s": round(state.elapsed_s, 2), **state.metrics})

    while True:
        reason = _ended(state, config, stop)
        if reason:
            break
        rate = _set_learning_rate(state, config)
        values = _step(step_fn, state, config)
        state.elapsed_s = time.perf_counter() - clock
        for name, value in values.items():
            window[name] = window.get(name, 0.0) + value
        counted += 1
        _show(bar, state, config, values["loss"])
        if state.step % config.log_every == 0:
            means = {name: value / counted for name, value in window.items()}
            speed = counted / max(state.elapsed_s - logged_s, 1e-9)
            log.write(
                {
                    "step": state.step,
                    "elapsed_s": round(state.elapsed_s, 2),
                    "rate": rate,
                    "steps_per_s": speed,
                    **means,
                }
            )
            window, counted, logged_s = {}, 0, state.elapsed_s
        if state.elapsed_s - validated_s >= config.validate_every_s:
            check()
            state.elapsed_s = validated_s = time.perf_counter() - clock
        if state.elapsed_s - saved_s >= config.checkpoint_every_s:
            save_state(state, config.out)
            saved_s = state.elapsed_s
    if not stop:
        check()
    save_state(state, config.out)
    return reason


def _step(step_fn: StepFn, state: TrainState, config: LoopConfig) -> dict[str, float]:
    """One step of the optimizers; returns the loss and the caller's numbers."""
    state.model.train()
    values: dict[str, float] = {"loss": 0.0}
    for part in range(config.accumulate):
        loss, named = step_fn(state.step * config.accumulate + part)
        (loss / config.accumulate).backward()
        for name, value in {"loss": float(loss.detach()), **named}.items():
            values[name] = values.get(name, 0.0) + value / config.accumulate
    norm = nn.utils.clip_grad_norm_(state.model.parameters(), config.clip_norm or math.inf)
    if not (math.isfinite(values["loss"]) and math.isfinite(norm)):
        raise FloatingPointError(
            f"training stopped at step {state.step}: the loss is {values['loss']}, "
            f"the gradient's norm {float(norm)}. "
            f"The weights were not touched and the last good checkpoint is in {config.out}; "
            f"lower the learning rate, or train in float32, and run again"
        )
    for optimizer in state.optimizers:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    state.step += 1
    if state.average is not None:
        _follow(state.average, state.model, min(config.average_decay, (1 + state.step) / (10 + state.step)))
    values["gradient_norm"] = float(norm)
    return values


@torch.no_grad()
def _follow(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Move the averaged weights towards the model's; buffers are copied."""
    for slow, fast in zip(average.parameters(), model.parameters(), strict=True):
        slow.lerp_(fast, 1.0 - decay)
    for slow_buffer, fast_buffer in zip(average.buffers(), model.buffers(), strict=True):
        slow_buffer.copy_(fast_buffer)


def _budget_used(state: TrainState, config: LoopConfig) -> float:
    """Share of the budget that is spent, in [0, 1]; whichever of steps and minutes is further."""
    by_steps = state.step / config.steps if config.steps > 0 else 0.0
    by_time = state.elapsed_s / (60.0 * config.minutes) if config.minutes > 0 else 0.0
    return min(1.0, max(by_steps, by_time))


def _ended(state: TrainState, config: LoopConfig, stop: list[str]) -> str:
    if stop:
        return stop[0]
    if 0 < config.steps <= state.step:
        return "steps"
    return "minutes" if 0 < 60.0 * config.minutes <= state.elapsed_s else ""


def _set_learning_rate(state: TrainState, config: LoopConfig) -> float:
    """Scale every group's own rate by warm-up and schedule; returns the scale."""
    warmup = min(1.0, (state.step + 1) / max(1, config.warmup_steps))
    scale = warmup * SCHEDULES[config.schedule](_budget_used(state, config))
    for optimizer in state.optimizers:
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
            group["lr"] = group["initial_lr"] * scale
    return scale


@contextlib.contextmanager
def _progress_bar(state: TrainState, config: LoopConfig) -> Iterator[tqdm]:
    """A bar in percent of the budget, so that it is right whether the budget is steps or minutes."""
    form = "{desc} {percentage:3.0f}% |{bar:30}|{postfix}"
    with tqdm(total=100.0, desc=Path(config.out).name, bar_format=form, disable=not config.progress) as bar:
        yield bar


def _show(bar: tqdm, state: TrainState, config: LoopConfig, loss: float) -> None:
    if bar.disable or state.step % 5:
        return
    used = max(_budget_used(state, config), 1e-6)
    left = tqdm.format_interval(int(state.elapsed_s * (1.0 - used) / used))
    best = "".join(f" {name} {value:.4g}" for name, value in list(state.metrics.items())[:2])
    bar.set_postfix_str(f"step {state.step}, loss {loss:.4f}{best}, {left} left", refresh=False)
    bar.update(100.0 * used - bar.n)
