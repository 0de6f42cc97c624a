"""Every preset builds without allocating, and its price is what torch counts."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from worldsim.cli.main import main
from worldsim.config import load, options
from worldsim.dynamics.conditioning import FrameCondition, Scene
from worldsim.dynamics.config import DynamicsConfig
from worldsim.dynamics.transformer import Dynamics
from worldsim.presets import Preset, load_preset
from worldsim.sizing import (
    activation_bytes,
    cache_bytes,
    count_parameters,
    decoder_flops,
    dynamics_flops,
    encoder_flops,
    rollout_flops,
)
from worldsim.tokenizer.autoencoder import Tokenizer
from worldsim.types import MOTION_FIELDS

PRESETS = ["tiny", "small", "base", "large"]


def inputs(config: DynamicsConfig, clips: int, frames: int) -> tuple[torch.Tensor, FrameCondition, Scene]:
    shape = (clips, frames)
    condition = FrameCondition(
        torch.rand(shape),
        torch.zeros(shape, dtype=torch.int64),
        torch.zeros(*shape, len(MOTION_FIELDS)),
        torch.ones(shape, dtype=torch.bool),
        torch.zeros(shape, dtype=torch.int64),
    )
    latents = torch.randn(*shape, config.n_tokens, config.latent_dim)
    return latents, condition, Scene.unknown(clips, config.text_dim)


def counted(network: nn.Module, *arguments: object) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(*arguments)
    return counter.get_total_flops()


def test_the_presets_that_ship_are_all_there() -> None:
    assert options("preset")[:4] == PRESETS


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_builds_on_the_meta_device(name: str) -> None:
    preset = load_preset(name)
    assert preset.preset == name
    with torch.device("meta"):
        networks = Tokenizer(preset.tokenizer), Dynamics(preset.dynamics)
    assert all(weight.device.type == "meta" for network in networks for weight in network.parameters())


def test_presets_span_laptop_to_cluster() -> None:
    dynamics = [count_parameters(Dynamics, load_preset(name).dynamics) for name in PRESETS]
    assert 0.5e6 < dynamics[0] < 2e6 and 0.8e9 < dynamics[3] < 1.3e9
    assert dynamics == sorted(dynamics)
    tokens = [load_preset(name).tokenizer.n_tokens for name in PRESETS]
    assert tokens == sorted(tokens) and tokens[0] <= 64 and tokens[3] >= 256


@pytest.mark.parametrize("name", PRESETS)
def test_every_training_command_takes_every_preset(name: str) -> None:
    from worldsim.training.dynamics import TrainDynamicsConfig
    from worldsim.training.tokenizer import TrainTokenizerConfig

    preset = load_preset(name)
    assert load(TrainTokenizerConfig, "train_tokenizer", [f"preset={name}"]).tokenizer == preset.tokenizer
    training = load(TrainDynamicsConfig, "train_dynamics", [f"preset={name}"])
    assert training.dynamics == preset.dynamics
    assert max(shape.frames for shape in training.shapes) > preset.dynamics.context_frames
    # every moment twice: written and drawn
    largest = max(activation_bytes(preset.dynamics, shape.clips, 2 * shape.frames) for shape in training.shapes)
    assert activation_bytes(preset.dynamics, preset.clips, preset.clip_frames) == pytest.approx(largest, rel=0.1)


def test_flops_by_formula_are_those_torch_counts() -> None:
    preset = load_preset("tiny")
    dynamics, tokenizer = Dynamics(preset.dynamics), Tokenizer(preset.tokenizer)
    for frames in (1, 5):
        assert counted(dynamics, *inputs(preset.dynamics, 1, frames)) == dynamics_flops(preset.dynamics, frames, frames)
    images = torch.zeros(1, 3, preset.tokenizer.height, preset.tokenizer.width)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        latents = tokenizer.to_latents(images)
    assert counter.get_total_flops() == encoder_flops(preset.tokenizer)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        tokenizer.to_images(latents)
    assert counter.get_total_flops() == decoder_flops(preset.tokenizer)


def attention_flops(query: torch.Size, key: torch.Size, *rest: object, **more: object) -> int:
    b, heads, tokens, size = query
    return 4 * b * heads * tokens * key[2] * size


FUSED = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: attention_flops}
"""What torch does not count by itself."""


def test_a_streaming_step_costs_what_the_engine_runs() -> None:
    """The engine's own step, full window, counted by torch."""
    from worldsim.engine.engine import Engine, EngineConfig
    from worldsim.world_model import WorldModel

    preset = load_preset("tiny")
    engine = Engine(WorldModel(preset.world()), EngineConfig(steps=4))
    window = preset.dynamics.context_frames
    latents = torch.randn(1, window, preset.dynamics.n_tokens, preset.dynamics.latent_dim)
    scene = Scene.unknown(1, preset.dynamics.text_dim)
    state, _ = engine.start(latents, torch.zeros(1, window, len(MOTION_FIELDS)), scene, [0])
    with FlopCounterMode(display=False, custom_mapping=FUSED) as counter:
        engine.step(state, torch.zeros(1, len(MOTION_FIELDS)))
    expected = rollout_flops(preset.tokenizer, preset.dynamics, 4, decode=False)
    assert counter.get_total_flops() == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize(("name", "clips", "frames"), [("tiny", 2, 4), ("tiny", 2, 12), ("small", 1, 8)])
def test_activation_estimate_is_near_what_autograd_keeps(name: str, clips: int, frames: int) -> None:
    config = load_preset(name).dynamics
    dynamics = Dynamics(config)
    weights = {weight.untyped_storage().data_ptr() for weight in dynamics.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        dynamics(*inputs(config, clips, frames))
    measured = sum(tensor.untyped_storage().nbytes() for place, tensor in kept.items() if place not in weights)
    assert activation_bytes(config, clips, frames) == pytest.approx(measured, rel=0.1)


def test_cache_estimate_is_the_caches_size() -> None:
    from worldsim.engine.cache import RingCache

    config = load_preset("tiny").dynamics
    cache = RingCache.empty(Dynamics(config), 3)
    held = [tensor for each in vars(cache).values() for tensor in tensors(each) if tensor.is_floating_point()]
    assert sum(tensor.nbytes for tensor in held) == pytest.approx(cache_bytes(config, 3), rel=0.01)


def tensors(value: object) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else []
    return [tensor for item in items for tensor in tensors(item)]


def test_info_prints_the_price(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "preset=base", "rollouts=16"]) == 0
    out = capsys.readouterr().out
    for part in (
        "preset base",
        "parameters",
        "128 a frame (8x16)",
        "FLOPs",
        "to train",
        "to roll out",
        "16",
    ):
        assert part in out


def test_sizes_that_do_not_fit_together_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "tokenizer.height=128"]) == 2
    assert "64 (8x8)" in " ".join(capsys.readouterr().err.split())
    assert main(["info", "dynamics.grid_height=8", "dynamics.grid_width=4"]) == 2, "as many tokens, turned"
    assert "expects 32 tokens (8x4) of 32 channels, but the tokenizer makes 32 (4x8)" in " ".join(
        capsys.readouterr().err.split()
    )
    with pytest.raises(ValueError, match="did you mean 'small'"):
        load_preset("smal")
    with pytest.raises(ValueError, match="at least 1"):
        load(Preset, "info", ["clips=0"])
