"""``worldsim info``: what a preset costs, before anything is allocated."""

from __future__ import annotations

from worldsim.presets import Preset
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
    steps = config.engine.steps
    print(
        f"preset {config.preset}: frames of {config.tokenizer.height}x{config.tokenizer.width}, "
        f"{config.dynamics.context_frames} frames ({seconds:.1f} s) of context\n"
        f"\n"
        f"parameters    tokenizer {_count(figures.tokenizer_parameters)}, "
        f"dynamics {_count(figures.dynamics_parameters)}\n"
        f"tokens        {figures.tokens_per_frame} a frame ({rows}x{columns}) "
        f"of {config.tokenizer.latent_dim} numbers\n"
        f"compute       encode {_flops(figures.encode_flops)} a frame, decode {_flops(figures.decode_flops)}, "
        f"dynamics {_flops(figures.dynamics_flops)} a pass\n"
        f"              {_flops(figures.step_flops)} a decoded step: "
        f"{steps} sampling passes, one to remember the frame, the decoder\n"
        f"to train      {_bytes(training)}: weights, gradients, optimizer and average "
        f"{_bytes(figures.train_weights_bytes)},\n"
        f"              activations of {config.clips} clip{'s' * (config.clips > 1)} of {config.clip_frames} frames about "
        f"{_bytes(figures.train_activations_bytes)}\n"
        f"to roll out   {_bytes(rollout)}: weights {_bytes(figures.rollout_weights_bytes)}, "
        f"cache of {config.rollouts} rollout{'s' * (config.rollouts > 1)} {_bytes(figures.rollout_cache_bytes)}\n"
        f"\n"
        f"Memory is for the dynamics in float32; bfloat16 halves activations and cache. Nothing was allocated."
    )


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
