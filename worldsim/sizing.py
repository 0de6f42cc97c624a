"""What a world model costs, from its config alone: parameters, FLOPs a frame, memory to train and to roll out.

Nothing is allocated: parameters are counted on torch's meta device, the rest follows from formulas.
One multiply-add is 2 FLOPs, as in ``torch.utils.flop_counter``; norms, activations and softmax are left out.

Letters in the formulas: s tokens of a frame with registers and state token, n latent tokens, d latent
channels, w width, h hidden width of the feed-forward layer, e head size, H heads, G kv heads, c conditioning
width, L layers, T layers with time attention, k frames that a frame attends to.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from worldsim.dynamics.config import DynamicsConfig
from worldsim.dynamics.heads import HEAD_FIELDS
from worldsim.dynamics.transformer import Dynamics
from worldsim.tokenizer.autoencoder import Tokenizer
from worldsim.tokenizer.config import STEM_STRIDE, TokenizerConfig
from worldsim.types import MOTION_FIELDS

FLOAT_BYTES = 4
TRAINING_FLOATS_PER_PARAMETER = 5
"""Weight, gradient, two AdamW moments and the averaged copy of the weights."""

PLACE_FEATURES = 2 * 32
SIGNAL_FEATURES = 2 * 32
WARP_FEATURES = 2 * 16 + 2 * len(MOTION_FIELDS)


def count_parameters(network: type[nn.Module], config: object) -> int:
    """Parameters of ``network(config)``, built on the meta device."""
    with torch.device("meta"):
        return sum(weight.numel() for weight in network(config).parameters())


# --- FLOPs -------------------------------------------------------------------------------------------


def dynamics_flops(config: DynamicsConfig, frames: int = 1, attended: int | None = None) -> int:
    """FLOPs of one pass over ``frames`` frames of one rollout, each attending to ``attended`` frames.

    ``attended`` is the context window by default, as in a streaming step. A pass without cache over t
    frames computes the whole t x t scores: ``dynamics_flops(config, t, t)``.
    """
    s, n, d, w, h, c = (
        config.frame_tokens, config.n_tokens, config.latent_dim, config.width, config.hidden, config.condition_width,
    )  # fmt: skip
    keys = config.context_frames if attended is None else attended
    projections = 2 * s * w * (config.heads + 2 * config.kv_heads) * config.head_dim + 2 * s * w * w
    space = projections + 4 * s * s * w
    time = projections + 4 * s * keys * w
    mlp = 2 * s * w * 3 * h
    modulation = 2 * c * 3 * w
    time_layers = config.layers // config.time_every
    blocks = config.layers * (space + mlp + 2 * modulation) + time_layers * (time + modulation)
    read = 3 if config.warp_width else 2
    drawn = 2 if config.warp_width else 1  # what is drawn anew, and how much is carried along
    ends = warp_flops(config) + 2 * n * read * d * w + drawn * 2 * n * w * d + 2 * w * (w + len(HEAD_FIELDS))
    condition = 2 * c * (SIGNAL_FEATURES + 3 * len(MOTION_FIELDS) + 2 * c)
    once = 2 * n * PLACE_FEATURES * w + 2 * config.text_dim * c
    return frames * (blocks + ends + condition) + once


def warp_flops(config: DynamicsConfig) -> int:
    """FLOPs of the ego warp on one frame."""
    w, d = config.warp_width, config.latent_dim
    flow = 2 * (WARP_FEATURES * w + w * w)
    block = 2 * (w * 2 * w + 2 * 9 * w * w)
    return config.n_tokens * (flow + 2 * 2 * d * w + config.warp_blocks * block) if w else 0


def rollout_flops(
    tokenizer: TokenizerConfig, dynamics: DynamicsConfig, sampling_steps: int, decode: bool = True
) -> int:
    """FLOPs of one streaming step: every sampling step, the pass that puts the frame into the cache, the decoder.

    The ego warp, and what the frame before, the motion and the words say, are worked out once for all of them, the
    places once for all steps, and the heads are read in the last pass alone.
    """
    n, d, w, c = dynamics.n_tokens, dynamics.latent_dim, dynamics.width, dynamics.condition_width
    motion = 2 * c * (3 * len(MOTION_FIELDS) + c)
    before = 2 * n * (2 if dynamics.warp_width else 1) * d * w
    shared = warp_flops(dynamics) + before + motion + 2 * dynamics.text_dim * c + 2 * w * (w + len(HEAD_FIELDS))
    one = dynamics_flops(dynamics) - 2 * n * PLACE_FEATURES * w
    picture = dynamics.views.count * decoder_flops(tokenizer) if decode else 0
    return (sampling_steps + 1) * one - sampling_steps * shared + picture


def _convolution(area: int, kernel: int, channels_in: int, channels_out: int) -> int:
    return 2 * area * kernel * kernel * channels_in * channels_out


def _level_areas(config: TokenizerConfig) -> list[int]:
    pixels = config.height * config.width
    return [pixels // (STEM_STRIDE * 2**level) ** 2 for level in range(config.n_levels)]


def encoder_flops(config: TokenizerConfig) -> int:
    """FLOPs to encode one frame."""
    areas, channels = _level_areas(config), config.channels
    total = _convolution(areas[0], 3, 3 * STEM_STRIDE**2, channels[0])
    total += _convolution(areas[-1], 1, channels[-1], config.latent_dim)
    for level, area in enumerate(areas):
        total += 2 * config.encoder_blocks[level] * _convolution(area, 3, channels[level], channels[level])
        if level > 0:
            total += _convolution(area, 2, channels[level - 1], channels[level])
    return total


def decoder_flops(config: TokenizerConfig) -> int:
    """FLOPs to decode one frame."""
    areas, channels, detail = _level_areas(config), config.channels, config.detail_channels
    half = config.height * config.width // 4
    total = _convolution(areas[-1], 3, config.latent_dim, channels[-1])
    total += _convolution(areas[0], 1, channels[0], 4 * detail)
    total += 2 * _convolution(half, 3, detail, detail) + _convolution(half, 3, detail, 12)
    for level, area in enumerate(areas):
        total += 2 * config.decoder_blocks[level] * _convolution(area, 3, channels[level], channels[level])
        if level > 0:
            total += _convolution(area, 1, channels[level], 4 * channels[level - 1])
    return total


# --- memory ------------------------------------------------------------------------------------------


def cache_bytes(config: DynamicsConfig, rollouts: int = 1) -> int:
    """Keys and values of the context window in float32: 2 T k s G e for each rollout."""
    time_layers = config.layers // config.time_every
    window = config.context_frames * config.frame_tokens * config.kv_heads * config.head_dim
    return 2 * time_layers * window * rollouts * FLOAT_BYTES


def activation_bytes(config: DynamicsConfig, clips: int, frames: int) -> int:
    """Estimate of what one training pass keeps for its backward in float32, without recomputation.

    Floats a token: 10 w + 1.25 H s for space attention (norm, modulation, queries to values, their copies by
    head, scores and mask), 12 w + 1.25 H t for time attention over t frames (rotary embedding besides), and
    4 w + 4 h for the feed-forward layer.
    """
    w, h = config.width, config.hidden
    space = 10 * w + 1.25 * config.heads * config.frame_tokens
    time = 12 * w + 1.25 * config.heads * frames
    token = config.layers * (space + 4 * w + 4 * h) + config.layers // config.time_every * time
    return round(token * config.frame_tokens * frames * clips * FLOAT_BYTES)


@dataclass(frozen=True)
class Size:
    """The figures of ``worldsim info``; bytes are for float32."""

    tokenizer_parameters: int
    dynamics_parameters: int
    tokens_per_frame: int
    encode_flops: int
    decode_flops: int
    dynamics_flops: int  # one pass over one frame
    step_flops: int  # one decoded step of a rollout
    train_weights_bytes: int
    train_activations_bytes: int
    rollout_weights_bytes: int
    rollout_cache_bytes: int


def size(
    tokenizer: TokenizerConfig,
    dynamics: DynamicsConfig,
    sampling_steps: int = 4,
    clips: int = 16,
    clip_frames: int = 16,
    rollouts: int = 1,
) -> Size:
    """Every figure, for training the dynamics on ``clips`` x ``clip_frames`` and rolling out ``rollouts`` at once."""
    parts = count_parameters(Tokenizer, tokenizer), count_parameters(Dynamics, dynamics)
    return Size(
        tokenizer_parameters=parts[0],
        dynamics_parameters=parts[1],
        tokens_per_frame=tokenizer.n_tokens,
        encode_flops=encoder_flops(tokenizer),
        decode_flops=decoder_flops(tokenizer),
        dynamics_flops=dynamics_flops(dynamics),
        step_flops=rollout_flops(tokenizer, dynamics, sampling_steps),
        train_weights_bytes=parts[1] * TRAINING_FLOATS_PER_PARAMETER * FLOAT_BYTES,
        train_activations_bytes=activation_bytes(dynamics, clips, clip_frames),
        rollout_weights_bytes=sum(parts) * FLOAT_BYTES,
        rollout_cache_bytes=cache_bytes(dynamics, rollouts),
    )
