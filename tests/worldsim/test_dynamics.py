"""The transformer learns one clip, obeys its conditions, and its heads' targets are right."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from worldsim.diffusion.shortcut import Levels
from worldsim.dynamics.attention import Order
from worldsim.dynamics.conditioning import FrameCondition, Scene
from worldsim.dynamics.config import DynamicsConfig
from worldsim.dynamics.heads import HEAD_FIELDS, StateHeads, head_loss
from worldsim.dynamics.targets import head_targets, vehicle_tokens, within
from worldsim.dynamics.transformer import Dynamics
from worldsim.training.objective import (
    NOISE,
    NOTHING,
    ClipBatch,
    ObjectiveConfig,
    drop_conditions,
    objective,
    own_past,
)
from worldsim.types import LABEL_FIELDS, LEAD_RANGE_M, MOTION_FIELDS

from .worlds import tiny_config, tiny_world


def clip_batch(config: DynamicsConfig, clips: int = 2, frames: int = 6) -> ClipBatch:
    g = torch.Generator().manual_seed(0)
    return ClipBatch(
        latents=torch.randn(clips, frames, config.n_tokens, config.latent_dim, generator=g),
        motion=torch.randn(clips, frames, len(MOTION_FIELDS), generator=g),
        motion_known=torch.ones(clips, frames, dtype=torch.bool),
        targets=torch.rand(clips, frames, len(HEAD_FIELDS), generator=g).round(),
        command=torch.zeros(clips, frames, dtype=torch.int64),
        scene=Scene(
            torch.ones(clips, 5, dtype=torch.int64), torch.zeros(clips, 384), torch.ones(clips, dtype=torch.bool)
        ),
        vehicles=torch.zeros(clips, frames, config.n_tokens, dtype=torch.bool),
    )  # fmt: skip


def test_overfits_one_clip() -> None:
    """Loss on one clip, at fixed noise, falls at least fivefold in 150 steps."""
    config = tiny_config().dynamics
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        dynamics = Dynamics(config)
    batch = clip_batch(config, clips=1)
    settings = ObjectiveConfig(bootstrap_fraction=0.0, own_fraction=0.0)
    optimizer = torch.optim.AdamW(dynamics.parameters(), lr=5e-3)

    def loss() -> tuple[torch.Tensor, dict[str, float]]:
        return objective(dynamics, batch, settings, torch.Generator().manual_seed(1))

    first = loss()[1]
    for _ in range(150):
        optimizer.zero_grad()
        loss()[0].backward()
        optimizer.step()
    last = loss()[1]
    assert last["picture"] < first["picture"] / 5
    assert last["heads"] < first["heads"] / 5


def test_bootstrap_loss_is_finite_and_reaches_step_embeddings() -> None:
    dynamics = tiny_world().dynamics
    settings = ObjectiveConfig(bootstrap_fraction=0.5)
    loss, values = objective(dynamics, clip_batch(dynamics.config, 4), settings, torch.Generator().manual_seed(0))
    loss.backward()
    assert math.isfinite(values["jump_error"])
    gradient = dynamics.conditioner.step.weight.grad
    assert gradient is not None and (gradient[1:].abs().sum(1) > 0).all()


def test_an_own_past_is_drawn_and_depends_on_its_depth() -> None:
    dynamics = tiny_world().dynamics
    batch = clip_batch(dynamics.config, 8)
    once, *deeper = (own_past(dynamics, batch, depth, torch.Generator().manual_seed(0)).latents for depth in (1, 2, 3))
    assert (once != batch.latents).float().mean() > 0.99 and not once.requires_grad
    assert any((once != drawn).float().mean() > 0.9 for drawn in deeper)


def test_a_drawn_frame_sees_what_a_rollout_would_show_it() -> None:
    """Written and drawn in one pass equals a plain sequence of the written past that ends with the drawn frame."""
    config = tiny_config().dynamics
    dynamics = tiny_world().dynamics.eval()
    batch = clip_batch(config, clips=2, frames=5)
    g = torch.Generator().manual_seed(2)
    x = torch.randn(2, 10, config.n_tokens, config.latent_dim, generator=g)
    levels = Levels(torch.rand(2, 10, generator=g), torch.randint(0, config.step_levels, (2, 10), generator=g))
    order = Order.written_and_drawn(5, config.context_frames)
    leads = batch.motion + 0.1 * torch.randn(batch.motion.shape, generator=g)
    both = dynamics(x, batch.condition(levels, leads), batch.scene, order=order)
    for moment in range(5):
        index = torch.tensor([*range(moment), 5 + moment])
        condition = batch.condition(levels, leads)
        alone = FrameCondition(*(getattr(condition, f.name)[:, index] for f in fields(condition)))
        plain = dynamics(x[:, index], alone, batch.scene)
        assert torch.allclose(plain.latents[:, -1], both.latents[:, 5 + moment], atol=1e-4)
        assert torch.allclose(plain.state[:, -1], both.state[:, 5 + moment], atol=1e-4)
        assert torch.allclose(plain.latents[:, :-1], both.latents[:, :moment], atol=1e-4)


def test_an_own_past_is_trained_on_once_the_model_is_mature() -> None:
    dynamics = tiny_world().dynamics
    batch = clip_batch(dynamics.config, 4)
    errors = {}
    for share in (0.0, 1.0):
        settings = ObjectiveConfig(bootstrap_fraction=0.0, own_fraction=share)
        values = objective(dynamics, batch, settings, torch.Generator().manual_seed(0))[1]
        errors[share] = values
    assert "own_error" in errors[1.0] and "own_error" not in errors[0.0]
    immature = objective(
        dynamics, batch, ObjectiveConfig(bootstrap_fraction=0.0), torch.Generator().manual_seed(0), False
    )[1]
    assert immature["picture"] == errors[0.0]["picture"] != errors[1.0]["picture"]


def test_who_draws_from_nothing_learns_the_mean_square_alone() -> None:
    """The loss knows no noise of what is drawn: with a written past that is clean it is the plain squared error."""
    dynamics = tiny_world().dynamics.eval()
    batch = clip_batch(dynamics.config, 4)
    settings = ObjectiveConfig(
        draws_from=NOTHING, bootstrap_fraction=0.0, own_fraction=0.0, noise_weight=1.0, vehicle_weight=0.0,
        written_weight=0.0,
    )  # fmt: skip
    _, values = objective(dynamics, batch, settings, torch.Generator().manual_seed(0))
    noisy_past = objective(dynamics, batch, replace(settings, draws_from=NOISE), torch.Generator().manual_seed(0))[1]
    assert values["picture"] == pytest.approx(values["flow_error"]) and values["picture"] != noisy_past["picture"]
    single = clip_batch(dynamics.config, 4, frames=1)  # a lone frame has no past to be noised
    errors = [objective(dynamics, single, settings, torch.Generator().manual_seed(seed))[1] for seed in (1, 2)]
    assert errors[0]["flow_error"] == errors[1]["flow_error"]


def test_drawing_from_nothing_is_not_mixed_with_diffusion() -> None:
    with pytest.raises(ValueError, match="expected bootstrap_fraction=0 and own_fraction=0"):
        ObjectiveConfig(draws_from=NOTHING)
    with pytest.raises(ValueError, match="did you mean 'nothing'"):
        ObjectiveConfig(draws_from="nothin")


def test_tokens_of_vehicles_weigh_more() -> None:
    """An error in a token that a vehicle touches counts threefold at a weight of 2, one elsewhere less than before."""
    dynamics = tiny_world().dynamics
    batch = clip_batch(dynamics.config, 2)
    settings = ObjectiveConfig(bootstrap_fraction=0.0, own_fraction=0.0, vehicle_weight=2.0)
    one = torch.zeros_like(batch.vehicles)
    one[..., 5] = True

    def picture(vehicles: torch.Tensor, weight: float) -> float:
        g = torch.Generator().manual_seed(0)
        return objective(dynamics, replace(batch, vehicles=vehicles), replace(settings, vehicle_weight=weight), g)[1][
            "picture"
        ]

    alone = picture(one, 1e9)  # that token's error alone
    plain = picture(one, 0.0)
    n = dynamics.config.n_tokens
    assert picture(one, 2.0) == pytest.approx((n * plain + 2 * alone) / (n + 2), rel=1e-4)
    assert picture(torch.ones_like(one), 2.0) == pytest.approx(plain, rel=1e-5)


def test_vehicle_tokens_are_those_that_boxes_touch() -> None:
    boxes = [np.array([[0, 0, 16, 16, 9], [120, 60, 140, 70, 9]], np.float32), np.zeros((0, 5), np.float32)]
    touched = vehicle_tokens(boxes, 2, (64, 128), (4, 8)).reshape(2, 4, 8)
    assert np.argwhere(touched).tolist() == [[0, 0, 0], [0, 3, 7]]
    assert not vehicle_tokens([], 3, (64, 128), (4, 8)).any()


def test_dropped_conditions_are_hidden_at_their_rates() -> None:
    batch = clip_batch(tiny_config().dynamics, clips=400, frames=1)
    config = ObjectiveConfig(drop_scene=0.2, drop_text=0.0, drop_field=0.0, drop_fields=0.25, drop_motion=0.5)
    dropped = drop_conditions(batch, config, torch.Generator().manual_seed(0))
    hidden = ~dropped.scene.text_known
    assert hidden.float().mean() == pytest.approx(0.2, abs=0.06)
    assert (dropped.scene.fields[hidden] == 0).all()
    words_alone = (dropped.scene.fields[~hidden] == 0).all(1)
    assert words_alone.float().mean() == pytest.approx(0.25, abs=0.07)
    assert (dropped.scene.fields[~hidden][~words_alone] == 1).all()
    assert (~dropped.motion_known).float().mean() == pytest.approx(0.5, abs=0.08)


def test_unknown_motion_is_not_read() -> None:
    config = tiny_config().dynamics
    dynamics, batch = Dynamics(config), clip_batch(config)
    hidden = torch.zeros_like(batch.motion_known)
    values = []
    for motion in (batch.motion, torch.full_like(batch.motion, float("nan"))):
        untold = replace(batch, motion=motion, motion_known=hidden)
        values.append(objective(dynamics, untold, ObjectiveConfig(), torch.Generator().manual_seed(0))[0])
    assert torch.equal(values[0], values[1])


def test_unknown_targets_cost_nothing() -> None:
    raw = torch.randn(2, 3, len(HEAD_FIELDS))
    target = torch.full_like(raw, float("nan"))
    loss, _ = head_loss(raw, target, torch.ones(2, 3))
    assert loss == 0
    target[0, 0, 4] = 1.0
    loss, parts = head_loss(raw, target, torch.ones(2, 3))
    assert loss == parts["offroad"] > 0


def test_hazards_look_ahead_and_stop_at_the_end_of_the_record() -> None:
    event = np.array([0, 0, 0, 1, 1, 0, 0, 0], np.float32)
    assert within(event, 2).tolist()[:5] == [0, 1, 1, 1, 0]
    assert np.isnan(within(event, 2)[6:]).all()
    labels = np.zeros((8, len(LABEL_FIELDS)), np.float32)
    labels[:, LABEL_FIELDS.index("collision")] = event
    labels[:, LABEL_FIELDS.index("lead_distance_m")] = LEAD_RANGE_M
    targets = dict(zip(HEAD_FIELDS, head_targets(labels, frame_rate_hz=2.0).T, strict=True))
    assert targets["collision_soon"].tolist()[:4] == [0, 1, 1, 1]
    assert targets["lead_closeness"] == pytest.approx(np.exp(-4.0))


def test_heads_read_back_in_si_units() -> None:
    raw = torch.zeros(1, len(HEAD_FIELDS))
    raw[0, HEAD_FIELDS.index("lane_offset_m")] = 0.5
    raw[0, HEAD_FIELDS.index("lead_closeness")] = 2 * math.exp(-10 / 25)
    reading = StateHeads.read(raw)
    assert reading.lane_offset_m.item() == pytest.approx(1.0)
    assert reading.lead_distance_m.item() == pytest.approx(10.0, abs=1e-3)
    assert reading.offroad.item() == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_tokens": 30}, "n_tokens = grid_height"),
        ({"heads": 5}, "divisible by heads"),
        ({"finest_steps": 12}, "power of two"),
        ({"layers": 7}, "layers divisible"),
    ],
)
def test_impossible_sizes_are_refused(change: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DynamicsConfig(**change)
