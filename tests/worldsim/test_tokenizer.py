"""The tokenizer as a module: shapes, bounds, files, and that it can learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from worldsim.tokenizer import (
    LossConfig,
    Tokenizer,
    TokenizerConfig,
    images_from_frames,
    latent_figures,
    load_tokenizer,
    measure,
    reconstruction_loss,
    save_tokenizer,
    vehicle_weights,
)


def small(**settings: object) -> TokenizerConfig:
    sizes = {
        "height": 32, "width": 64, "latent_dim": 16, "channels": [32, 48, 64],
        "encoder_blocks": [1, 1, 1], "decoder_blocks": [1, 1, 1], "detail_channels": 16,
    }  # fmt: skip
    return TokenizerConfig(**(sizes | settings))  # type: ignore[arg-type]


def built(**settings: object) -> Tokenizer:
    return Tokenizer(small(**settings)).initialise(torch.Generator().manual_seed(0))


def pictures(count: int, height: int = 32, width: int = 64, seed: int = 0) -> np.ndarray:
    """Smooth ground and sky with a few small boxes, (count, h, w, 3) uint8."""
    rng = np.random.default_rng(seed)
    rows = np.linspace(0, 1, height)[:, None, None]
    frames = np.empty((count, height, width, 3), np.uint8)
    for frame in frames:
        top, bottom = rng.uniform(60, 200, (2, 3))
        frame[:] = np.where(rows < 0.5, top, bottom + 30 * rows)
        for _ in range(3):
            y, x = rng.integers(4, height - 8), rng.integers(4, width - 8)
            frame[y : y + 4, x : x + 6] = rng.uniform(0, 255, 3)
    return frames


def fit(tokenizer: Tokenizer, frames: np.ndarray, steps: int) -> float:
    """Train on ``frames`` whole, and return the PSNR on them."""
    images = images_from_frames(torch.from_numpy(frames))
    optimizer = torch.optim.AdamW(tokenizer.parameters(), lr=3e-3, betas=(0.9, 0.98), weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, steps)
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        copies, _latents = tokenizer(images, generator)
        loss, _terms = reconstruction_loss(copies, images, None, LossConfig())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return measure(tokenizer, frames)["psnr_db"]


@pytest.mark.parametrize("leading", [(), (3,), (2, 3), (0,), (1, 2, 1)])
def test_any_leading_shape(leading: tuple[int, ...]) -> None:
    tokenizer = built()
    frames = np.zeros((*leading, 32, 64, 3), np.uint8)
    latents = tokenizer.encode(frames, batch=2)
    assert latents.shape == (*leading, 8, 16) and latents.dtype == torch.float32
    decoded = tokenizer.decode(latents, batch=2)
    assert decoded.shape == frames.shape and decoded.dtype == torch.uint8


def test_a_frame_has_the_same_latents_in_any_batch_even_while_training() -> None:
    tokenizer, frames = built().train(), pictures(5)
    alone = torch.cat([tokenizer.encode(frame[None]) for frame in frames])
    assert torch.allclose(tokenizer.encode(frames), alone, atol=1e-5)
    assert tokenizer.standardise.training


def test_latents_are_bounded_whatever_comes_in() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (4, 32, 64, 3), np.uint8)
    tokenizer = built()
    with torch.no_grad():
        tokenizer.encoder[-1].weight.mul_(50)
    assert 0.9 < tokenizer.encode(frames).abs().max() <= 1.0


def test_tokens_are_in_row_major_order_over_the_grid() -> None:
    tokenizer = built(encoder_blocks=[0, 0, 0])
    black = np.zeros((32, 64, 3), np.uint8)
    marked = black.copy()
    marked[16 + 6 : 16 + 10, 32 + 6 : 32 + 10] = 255  # second row, third column of a 2 x 4 grid
    changed = (tokenizer.encode(marked) - tokenizer.encode(black)).abs().sum(-1)
    assert int(changed.argmax()) == 1 * 4 + 2


@pytest.mark.parametrize("patch, levels", [(4, 1), (8, 2), (16, 3), (32, 4)])
def test_every_patch_builds_on_the_meta_device(patch: int, levels: int) -> None:
    config = TokenizerConfig(
        height=128, width=256, patch=patch,
        channels=[32] * levels, encoder_blocks=[1] * levels, decoder_blocks=[1] * levels,
    )  # fmt: skip
    with torch.device("meta"):
        tokenizer = Tokenizer(config)
        copies, latents = tokenizer(torch.empty(2, 3, 128, 256))
    assert copies.shape == (2, 3, 128, 256) and latents.shape == (2, config.n_tokens, 32)
    assert config.n_tokens == 128 * 256 // patch**2


def test_saved_and_loaded_is_exactly_the_same(tmp_path: Path) -> None:
    tokenizer, frames = built(), pictures(3)
    file = save_tokenizer(tmp_path, tokenizer, {"psnr_db": 1.0})
    again = load_tokenizer(file)
    assert again.config == tokenizer.config
    assert torch.equal(again.encode(frames), tokenizer.encode(frames))
    assert torch.equal(load_tokenizer(tmp_path).decode(tokenizer.encode(frames)), again.decode(again.encode(frames)))


def test_a_bad_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="found none"):
        load_tokenizer(tmp_path)
    file = save_tokenizer(tmp_path, built())
    whole = file.read_bytes()
    file.write_bytes(whole[:-100])
    with pytest.raises(ValueError, match="damaged"):
        load_tokenizer(file)
    file.write_bytes(whole.replace(b'\\"format_version\\": 1', b'\\"format_version\\": 9'))
    with pytest.raises(ValueError, match=r"expected format version 1 .* got 9"):
        load_tokenizer(file)


def test_bad_input_is_named() -> None:
    tokenizer = built()
    with pytest.raises(ValueError, match=r"expected \(\.\.\., 32, 64, 3\) uint8"):
        tokenizer.encode(np.zeros((1, 64, 128, 3), np.uint8))
    with pytest.raises(ValueError, match=r"expected latents \(\.\.\., 8, 16\)"):
        tokenizer.decode(torch.zeros(1, 32, 32))
    with pytest.raises(ValueError, match="divisible by patch"):
        TokenizerConfig(height=60)
    with pytest.raises(ValueError, match="patch to be 4, 8"):
        TokenizerConfig(height=60, width=60, patch=12)
    with pytest.raises(ValueError, match="expected 3 entries in channels"):
        TokenizerConfig(channels=[32, 32])


def test_four_frames_are_learned_in_seconds() -> None:
    assert fit(built(latent_noise=0.0), pictures(4), steps=300) > 30.0


def test_training_with_noise_makes_noisy_latents_decode_better() -> None:
    frames = pictures(8)
    quality = {}
    for noise in (0.0, 0.3):
        tokenizer = built(latent_noise=noise)
        fit(tokenizer, frames, steps=120)
        latents = tokenizer.encode(frames)
        disturbed = latents + 0.2 * torch.randn(latents.shape, generator=torch.Generator().manual_seed(5))
        error = (tokenizer.decode(disturbed).numpy().astype(np.float32) - frames) ** 2
        quality[noise] = 10 * np.log10(255**2 / error.mean())
    assert quality[0.3] > quality[0.0] + 1.0


def test_small_boxes_weigh_more_a_pixel_and_large_ones_more_in_all() -> None:
    boxes = [np.array([[2, 2, 6, 5, 40.0], [20, 4, 60, 28, 6.0], [-5, -5, -1, -1, 3.0]], np.float32)]
    weights = vehicle_weights(boxes, 32, 64, LossConfig())
    near, far = weights[0, 0, 10, 30], weights[0, 0, 3, 3]
    assert weights[0, 0, 30, 2] == 1.0 and 1.0 < near < far
    assert (far - 1) * 12 < (near - 1) * 960


def test_loss_prefers_a_sharp_shifted_edge_no_less_than_a_blur_and_weights_count() -> None:
    target = torch.zeros(1, 3, 16, 16)
    target[..., 8:] = 1.0
    flat = torch.full_like(target, 0.5)
    shifted = torch.roll(target, 1, -1)
    config = LossConfig()
    loss_flat, terms = reconstruction_loss(flat, target, None, config)
    loss_shifted, _ = reconstruction_loss(shifted, target, None, config)
    assert loss_shifted < loss_flat and terms["edge"] > 0
    heavy = torch.ones(1, 1, 16, 16)
    heavy[..., 4:12] = 5.0
    assert reconstruction_loss(flat, target, heavy, config)[0] > 1.5 * loss_flat
    assert reconstruction_loss(target, target, heavy, config)[0] == 0.0


def test_figures_of_a_perfect_and_a_blurred_copy() -> None:
    class Copy(Tokenizer):
        """Passes frames through unchanged, or as their mean."""

        blur = False

        def encode(self, frames, batch=64):
            return torch.from_numpy(frames).float()

        def decode(self, latents, batch=64):
            return (latents.mean((1, 2), keepdim=True).expand_as(latents) if self.blur else latents).to(torch.uint8)

    frames, copier = pictures(4), Copy(small())
    boxes = [np.array([[4, 4, 10, 8, 10.0]], np.float32)] * 4
    perfect = measure(copier, frames, boxes)
    copier.blur = True
    blurred = measure(copier, frames, boxes)
    assert perfect["psnr_db"] > 90 and perfect["sharpness_ratio"] == 1.0
    assert blurred["psnr_db"] < 30 and blurred["sharpness_ratio"] == 0.0
    assert blurred["small_vehicle_psnr_db"] == blurred["vehicle_psnr_db"] < 30


def test_latent_figures_see_dead_and_pinned_channels() -> None:
    latents = torch.randn(50, 8, 4, generator=torch.Generator().manual_seed(0)).mul(0.3).clamp(-0.9, 0.9)
    latents[..., 0] = 0.5
    latents[..., 1] = 0.99
    figures = latent_figures(latents)
    assert figures["latent_std_min"] == 0.0 and figures["latent_saturated"] == 0.25
