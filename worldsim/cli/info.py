"""``worldsim info``: what a preset costs, before anything is allocated."""

from __future__ import annotations

from worldsim.presets import Preset
from worldsim.say import say
from worldsim.sizing import size


def info(config: Preset) -> None:
    """Print parameters, tokens, FLOPs and memory of the configured size."""
    figures = size(
        config.tokenizer, config.dynamics, config.engine.steps, config.clips, config.clip_frames, config.rollouts
    )
    rows, columns = config.tokenizer.grid
    training = figures.train_weights_bytes + figures.train_activations_bytes
    rollout = figures.rollout_weights_bytes + figures.rollout_cache_bytes
    seconds = config.dynamics.context_frames / config.world().frame_rate_hz
    lines = [
        (f"preset {config.preset}", f"frames of {config.tokenizer.height}x{config.tokenizer.width}, "
         f"{config.dynamics.context_frames} frames ({seconds:.1f} s) of context"),
        ("parameters", f"tokenizer {_count(figures.tokenizer_parameters)}, "
         f"dynamics {_count(figures.dynamics_parameters)}"),
        ("tokens", f"{figures.tokens_per_frame} a frame ({rows}x{columns}) of {config.tokenizer.latent_dim} numbers"),
        ("compute", f"encode {_flops(figures.encode_flops)} a frame, decode {_flops(figures.decode_flops)}, "
         f"dynamics {_flops(figures.dynamics_flops)} a pass"),
        ("a step", f"{_flops(figures.step_flops)}: {config.engine.steps} sampling passes, "
         "one to remember the frame, the decoder"),
        ("to train", f"{_bytes(training)}: weights, gradients, optimizer and average "
         f"{_bytes(figures.train_weights_bytes)},"),
        ("", f"activations of {_several(config.clips, 'clip')} of {_several(config.clip_frames, 'frame')} "
         f"about {_bytes(figures.train_activations_bytes)}"),
        ("to roll out", f"{_bytes(rollout)}: weights {_bytes(figures.rollout_weights_bytes)}, "
         f"cache of {_several(config.rollouts, 'rollout')} {_bytes(figures.rollout_cache_bytes)}"),
    ]  # fmt: skip
    width = max(len(label) for label, _ in lines)
    for label, text in lines:
        say(f"{label:<{width}}  {text}")
    say("Memory is for the dynamics in float32; bfloat16 halves activations and cache. Nothing was allocated.")


def _several(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _count(number: float) -> str:
    return _scaled(number, 1000.0, ("", " thousand", " million", " billion"))


def _flops(number: float) -> str:
    return _scaled(number, 1000.0, (" FLOPs", " kFLOPs", " MFLOPs", " GFLOPs", " TFLOPs", " PFLOPs"))


def _bytes(number: float) -> str:
    return _scaled(number, 1024.0, (" B", " KiB", " MiB", " GiB", " TiB"))


def _scaled(number: float, base: float, units: tuple[str, ...]) -> str:
    """``number`` with three digits and the unit that fits."""
    power = 0
    while number >= base * 0.9995 and power < len(units) - 1:
        number, power = number / base, power + 1
    digits = 0 if number >= 100 else 1 if number >= 10 else 2
    return f"{number:.{digits if power else 0}f}{units[power]}"
