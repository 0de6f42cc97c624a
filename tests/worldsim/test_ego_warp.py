"""The ego warp: geometry agrees with the reference camera, the network learns it, and old worlds go on without it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from envs.reference.camera.projection import Pinhole, ego_to_world
from worldsim.data.clips import ClipShape
from worldsim.data.store import EpisodeStore
from worldsim.data.writer import write_episode
from worldsim.diffusion.shortcut import Levels
from worldsim.dynamics.conditioning import FrameCondition
from worldsim.dynamics.ego_warp import EgoWarp
from worldsim.dynamics.transformer import Dynamics
from worldsim.training.ego_warp import EgoWarpConfig, Picture, draw_motion, fit_ego_warp, source_pixels, warp
from worldsim.training.objective import ClipBatch
from worldsim.types import CameraSpec
from worldsim.views import Views

from .data_episodes import make_episode
from .test_dynamics import clip_batch
from .worlds import tiny_config, tiny_world

CAMERA = CameraSpec(pitch_rad=0.1, yaw_rad=0.2, roll_rad=0.03, position_m=(1.2, 0.3, 1.5))
SETTINGS = EgoWarpConfig(steps=80, batch=32, pairs=400, frames=40, driven_share=0.0)


class Mirrored:
    """Clips of two frames, the second with the sign of the first turned over."""

    def draw(self, shape: ClipShape, generator: np.random.Generator) -> tuple[Views, ClipBatch]:
        batch = clip_batch(tiny_config().dynamics, shape.clips, 2)
        shown = torch.from_numpy(generator.standard_normal(batch.latents[:, 0].shape)).float()
        return tiny_config().dynamics.views, replace(batch, latents=torch.stack((shown, -shown), dim=1))


def test_without_motion_nothing_moves() -> None:
    images = torch.rand(1, 3, 64, 128, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(warp(images, CAMERA, torch.zeros(1, 4)), images, atol=1e-3)


@pytest.mark.parametrize("motion", [(2.0, 0.1, 0.06, 20.0), (-1.0, 0.0, -0.1, -10.0), (0.0, 0.4, 0.0, 0.0)])
def test_ground_moves_as_the_reference_camera_sees_it(motion: tuple[float, ...]) -> None:
    """A point of the road in the next frame comes from where the reference camera saw it before."""
    pinhole, grid = Pinhole(CAMERA), source_pixels(CAMERA, torch.tensor([motion]))[0].numpy()
    checked = 0
    for u, v in [(20, 60), (64, 50), (100, 55), (64, 40)]:
        ground = pinhole.pixel_to_ground @ [u + 0.5, v + 0.5, 1.0]
        after = np.array([*(ground[:2] / ground[2]), 0.0])
        before = np.array([*(ego_to_world(*motion[:3]) @ [after[0], after[1], 1.0])[:2], 0.0])
        in_camera = pinhole.to_camera(before[None])
        if in_camera[0, 2] < 0.5:
            continue
        expected = pinhole.to_pixels(in_camera)[0]
        found = (grid[v, u] + 1) / 2 * [CAMERA.width, CAMERA.height]
        inside = (np.abs(grid[v, u]) < 4).all()
        assert not inside or found == pytest.approx(expected, abs=0.05)
        checked += inside
    assert checked >= 2


def test_the_sky_turns_and_does_not_come_nearer() -> None:
    straight = source_pixels(CAMERA, torch.tensor([[3.0, 0.0, 0.0, 30.0]]))[0, 2]
    still = source_pixels(CAMERA, torch.zeros(1, 4))[0, 2]
    left = source_pixels(CAMERA, torch.tensor([[0.0, 0.0, 0.05, 0.0]]))[0, 2]
    assert torch.allclose(straight, still, atol=1e-5)
    assert (left[:, 0] < still[:, 0]).all()  # turning left, what is seen now was further to the left


def test_motions_are_of_every_kind() -> None:
    motion = draw_motion(2000, EgoWarpConfig(), torch.Generator().manual_seed(0))
    assert 0.08 < (motion[:, 0] < 0).float().mean() < 0.18
    assert motion[:, 2].abs().max() > 0.1 and (motion[:, 2].abs() < 0.02).float().mean() > 0.3
    assert abs(float(torch.corrcoef(motion[:, [2, 3]].T)[0, 1])) < 0.1  # turning tells nothing of speed


def test_it_learns_to_move_latents_and_is_frozen(tmp_path: Path) -> None:
    for seed in range(2):
        episode = replace(make_episode(seed=seed, size=(64, 128)), split="train")
        rough = np.random.default_rng(seed).integers(0, 256, (len(episode), 6, 12, 3), np.uint8)
        episode.views["front"] = np.stack([cv2.resize(each, (128, 64)) for each in rough])  # there is something to move
        write_episode(tmp_path, episode)
    world = tiny_world()
    network = EgoWarp(tiny_config().dynamics)
    assert not network.fitted
    picture = Picture(EpisodeStore(tmp_path), world.tokenizer)
    figures = fit_ego_warp(network, world.scale, [picture], Mirrored(), SETTINGS, progress=False)
    assert network.fitted and figures["ratio"] < 0.95 and np.isnan(figures["driven"])
    assert not any(parameter.requires_grad for parameter in network.parameters())
    config = tiny_config().dynamics
    latents, motion = torch.randn(2, 3, config.n_tokens, config.latent_dim), torch.randn(2, 3, 4)
    known = torch.tensor([[True, False, True]]).expand(2, -1)
    moved = network(latents, motion, known, config.views)
    assert torch.equal(moved[:, 1], latents[:, 1]) and not torch.allclose(moved[:, 0], latents[:, 0])


def test_it_learns_from_drives_what_geometry_does_not_say(tmp_path: Path) -> None:
    """Drives in which whatever moves turns over: it learns that, where it is shown them."""
    write_episode(tmp_path, replace(make_episode(seed=0, size=(64, 128)), split="train"))
    world, settings = tiny_world(), replace(SETTINGS, driven_share=0.75, steps=400)
    network = EgoWarp(tiny_config().dynamics)
    picture = Picture(EpisodeStore(tmp_path), world.tokenizer)
    figures = fit_ego_warp(network, world.scale, [picture], Mirrored(), settings, progress=False)
    assert figures["driven"] < 1.0  # 4 for standing still, in units of the latents' variance


def test_the_dynamics_reads_it() -> None:
    """Another warp, another picture: the frame before reaches the transformer both as it was and as it would be."""
    config = tiny_config().dynamics
    dynamics = Dynamics(config)
    assert dynamics.warp is not None and dynamics.embed.in_features == 3 * config.latent_dim
    without = Dynamics(replace(config, warp_width=0))
    assert without.warp is None and without.embed.in_features == 2 * config.latent_dim


def test_what_is_seen_of_a_frame_is_not_carried_along() -> None:
    """Of a frame of noise nearly half is carried along at first; nothing of a clean one, or with no motion known."""
    config = tiny_config().dynamics
    dynamics = Dynamics(config)
    assert dynamics.warp is not None and dynamics.carry is not None
    torch.nn.init.normal_(dynamics.warp.out.weight)
    batch = clip_batch(config, clips=1, frames=3)
    levels = Levels(torch.tensor([[0.9, 0.0, 1.0]]), torch.zeros(1, 3, dtype=torch.int64))
    condition = FrameCondition(levels.signal, levels.step, batch.motion, batch.motion_known, batch.command)
    told = dynamics(batch.latents, condition, batch.scene).latents
    torch.nn.init.constant_(dynamics.carry.bias, -100.0)
    anew = dynamics(batch.latents, condition, batch.scene).latents
    moved = dynamics.warp(batch.latents[:, :1], batch.motion[:, 1:2], batch.motion_known[:, 1:2], config.views)
    share = torch.sigmoid(torch.tensor(-0.2))
    assert torch.allclose(told[:, 1], anew[:, 1] + share * (moved[:, 0] - anew[:, 1]), atol=1e-5)
    assert torch.equal(told[:, ::2], anew[:, ::2])
    unknown = replace(condition, motion_known=torch.zeros_like(batch.motion_known))
    torch.nn.init.constant_(dynamics.carry.bias, 100.0)
    with_share = dynamics(batch.latents, unknown, batch.scene).latents
    torch.nn.init.constant_(dynamics.carry.bias, -100.0)
    assert torch.equal(with_share, dynamics(batch.latents, unknown, batch.scene).latents)
