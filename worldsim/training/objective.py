"""The loss of the dynamics on one batch of clips: shortcut forcing and the state heads.

Every moment of a clip is there twice: as it is written into the past, slightly noised, and as it is drawn, at any level
of noise, from the written ones before it. So each drawn frame has the past that it will have in a rollout; in diffusion
forcing (Chen et al. 2024), where every frame is past and drawn at once, few do.

Axis legend: b clips, t moments, n latent tokens, d latent channels, k captions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from worldsim.diffusion.path import noisy, ramp_weight
from worldsim.diffusion.shortcut import Levels, Predict, flow_levels, past_levels, shortcut_levels, shortcut_target
from worldsim.dynamics.attention import Order
from worldsim.dynamics.conditioning import FrameCondition, Scene
from worldsim.dynamics.heads import head_loss
from worldsim.dynamics.transformer import Dynamics, Prediction
from worldsim.errors import choose
from worldsim.training.registration import leading_motions
from worldsim.training.sway import swayed
from worldsim.training.veil import Veil

NOISE, NOTHING = "noise", "nothing"


@dataclass
class ObjectiveConfig:
    """Weights and rates of the training objective.

    A frame is drawn from ``noise``, or from ``nothing``: in one pass from zeros, by least squares, which makes a
    deterministic model to compare with (``worldsim evaluate baseline=``). ValueError where that is asked for beside
    clips that train large steps or an own past, which are of diffusion alone.
    """

    draws_from: str = NOISE
    bootstrap_fraction: float = 0.25  # of clips that train large steps
    own_fraction: float = 0.4  # of the other clips, whose past is what the model itself drew
    own_depth: int = 2  # times at most that an own past is drawn from an own past
    swayed_fraction: float = 0.0  # of clips, each of whose frames is drawn where another motion would have led
    bootstrap_after: int = 1000  # steps of plain denoising before large steps, or an own past, are trained
    noise_weight: float = 0.3  # of a frame of pure noise, where the layout is decided; a clean one weighs 1
    written_weight: float = 0.25  # of written frames beside drawn ones
    vehicle_weight: float = 2.0  # extra weight of a token that a vehicle touches
    head_weight: float = 0.1
    drop_scene: float = 0.1  # of clips with neither fields nor text
    drop_text: float = 0.2  # of clips without text
    drop_fields: float = 0.3  # of clips with text: words alone must then say what the scene is
    drop_field: float = 0.15  # of each field
    drop_motion: float = 0.05  # of clips without ego motion

    def __post_init__(self) -> None:
        choose(self.draws_from, (NOISE, NOTHING), "objective.draws_from")
        if self.draws_from == NOTHING and (self.bootstrap_fraction or self.own_fraction):
            raise ValueError(
                f"objective.draws_from={NOTHING}: expected bootstrap_fraction=0 and own_fraction=0, "
                f"got {self.bootstrap_fraction} and {self.own_fraction}"
            )


@dataclass(frozen=True)
class ClipBatch:
    """Clips as the objective takes them, on the model's device."""

    latents: Tensor  # (b, t, n, d) standardised
    motion: Tensor  # (b, t, m); ``motion[:, t]`` led into frame t
    motion_known: Tensor  # (b, t) bool
    targets: Tensor  # (b, t, heads), NaN where unknown
    command: Tensor  # (b, t) int64
    scene: Scene
    vehicles: Tensor  # (b, t, n) bool, tokens that a vehicle touches

    def condition(self, levels: Levels, leads: Tensor) -> FrameCondition:
        """Conditions of every moment, written and then drawn; ``levels`` (b, 2 t), drawn under motions ``leads``."""
        known, command = (torch.cat((x, x), dim=1) for x in (self.motion_known, self.command))
        return FrameCondition(levels.signal, levels.step, torch.cat((self.motion, leads), dim=1), known, command)

    def cut(self, first: int, end: int) -> ClipBatch:
        """Clips ``first`` to ``end``."""
        part = slice(first, end)
        return ClipBatch(
            self.latents[part], self.motion[part], self.motion_known[part], self.targets[part], self.command[part],
            self.scene.select(torch.arange(first, end, device=self.latents.device)), self.vehicles[part],
        )  # fmt: skip


@dataclass(frozen=True)
class Past:
    """What stands in the memory in place of a batch's frames, and how each true frame is reached from there."""

    latents: Tensor  # (b, t, n, d)
    leads: Tensor  # (b, t, m): the motion that leads from the remembered frame before t to the true frame t

    def cut(self, first: int, end: int) -> Past:
        """Clips ``first`` to ``end``."""
        return Past(self.latents[first:end], self.leads[first:end])

    def then(self, other: Past) -> Past:
        """These clips and then those."""
        return Past(torch.cat((self.latents, other.latents)), torch.cat((self.leads, other.leads)))


def drop_conditions(batch: ClipBatch, config: ObjectiveConfig, generator: torch.Generator) -> ClipBatch:
    """Hide motion, text and fields of random clips, so that the model also works without them."""

    def chance(p: float, *shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, device=generator.device) < p

    b, scene = len(batch.latents), batch.scene
    everything = chance(config.drop_scene, b)
    text_known = scene.text_known & ~everything & ~chance(config.drop_text, b)
    wordy = text_known & chance(config.drop_fields, b)
    hide = (everything | wordy)[:, None] | chance(config.drop_field, *scene.fields.shape)
    scene = Scene(torch.where(hide, 0, scene.fields), scene.text, text_known)
    motion_known = batch.motion_known & ~chance(config.drop_motion, b)[:, None]
    return replace(batch, scene=scene, motion_known=motion_known)


def objective(
    dynamics: Dynamics,
    batch: ClipBatch,
    config: ObjectiveConfig,
    generator: torch.Generator,
    mature: bool = True,
    veil: Veil | None = None,
) -> tuple[Tensor, dict[str, float]]:
    """Mean ramp-weighted squared error in x-space plus head losses, and its parts.

    The first clips train large steps, the last ones go on from what the model drew itself, those between are plain;
    all are plain unless the model is ``mature``. Where a ``veil`` lies over what is remembered, all of them go on from
    there to what was truly seen; what is true of the frames below need not show, so nothing is learned about them.
    Frames that are drawn where another motion would have led (``swayed``) have no labels either.
    """
    b, t = batch.latents.shape[:2]
    finest = dynamics.config.finest_steps
    large = round(config.bootstrap_fraction * b) if mature and finest > 1 else 0
    own = round(config.own_fraction * (b - large)) if mature and t > 1 else 0
    past = Past(batch.latents, batch.motion)
    if own:
        past = past.cut(0, b - own).then(own_past(dynamics, batch.cut(b - own, b), config.own_depth, generator))
    share = config.swayed_fraction if mature else 0.0
    sway = swayed(dynamics, batch.latents, batch.motion, batch.motion_known, share, generator)
    clear = torch.ones(b, dtype=torch.bool, device=batch.latents.device) if veil is None else veil.clear
    past = Past(past.latents if veil is None else veil.over(past.latents), past.leads + sway.motion)
    jump, flow = shortcut_levels(large, t, finest, generator), flow_levels(b - large, t, generator)
    levels = Levels(torch.cat((jump.signal, flow.signal)), torch.cat((jump.step, flow.step)))
    two = _Streams.begin(dynamics, batch, past, generator)
    noise = torch.randn(batch.latents.shape, generator=generator, device=generator.device)
    x = noisy(sway.seen, noise, levels.signal)
    if config.draws_from == NOTHING:
        x, levels = torch.zeros_like(x), Levels(torch.zeros_like(levels.signal), levels.step)
    goal = sway.seen
    if large:
        target = shortcut_target(two.cut(0, large).drawing(), x[:large], jump, finest)
        goal = torch.cat((target, goal[large:]))
    seen = two.predict(x, levels)
    counts = 1.0 + config.vehicle_weight * batch.vehicles  # (b, t, n)

    def error(frames: Tensor, wanted: Tensor) -> Tensor:
        return ((frames.float() - wanted).square().mean(dim=3) * counts).sum(dim=2) / counts.sum(dim=2)

    drawn_error, written_error = error(seen.latents[:, t:], goal), error(seen.latents[:, :t], batch.latents)
    ramp = ramp_weight(levels.signal, config.noise_weight)
    picture = (ramp * drawn_error).mean() + config.written_weight * (written_error * clear[:, None]).mean()
    told = clear[:, None].expand_as(ramp)
    weight = torch.cat((told, config.written_weight * ramp * ~sway.clips[:, None]), dim=1)
    heads, parts = head_loss(seen.state, torch.cat((batch.targets, batch.targets), dim=1), weight)
    values = {"picture": picture, "heads": heads, "written_error": written_error[: b - own].mean()}
    values |= _errors(drawn_error, large, own, sway.clips, ~clear)
    values |= {f"head/{name}": value for name, value in parts.items()}
    return picture + config.head_weight * heads, {name: float(value.detach()) for name, value in values.items()}


def _errors(drawn: Tensor, large: int, own: int, sways: Tensor, veiled: Tensor) -> dict[str, Tensor]:
    """Mean errors of ``drawn`` frames, each (b, t), by what their clips train, where any do."""
    b = len(drawn)
    errors = {"flow_error": drawn[large : b - own].mean()}
    parts = {"jump": drawn[:large], "own": drawn[b - own :], "swayed": drawn[sways], "astray": drawn[veiled]}
    return errors | {f"{name}_error": part.mean() for name, part in parts.items() if len(part)}


@torch.no_grad()
def own_past(dynamics: Dynamics, batch: ClipBatch, depth: int, generator: torch.Generator) -> Past:
    """The batch's frames as the model draws them, each from those before as it drew them before that.

    Learning to go on from these, towards the true next frame, keeps a rollout from feeding on its own blur (after
    Resampling Forcing, Guo et al. 2025: history is degraded in parallel rather than by rolling out). Every frame is
    drawn in one pass from some level of noise, so that its faults are of every size, 1 to ``depth`` times.
    """
    b, t = batch.latents.shape[:2]
    past = Past(batch.latents, batch.motion)
    for _ in range(int(torch.randint(1, depth + 1, (), generator=generator, device=generator.device))):
        levels = flow_levels(b, t, generator)
        noise = torch.randn(batch.latents.shape, generator=generator, device=generator.device)
        two = _Streams.begin(dynamics, batch, past, generator)
        past = led(
            dynamics, batch, two.predict(noisy(batch.latents, noise, levels.signal), levels).latents[:, t:].float()
        )
    return past


def led(dynamics: Dynamics, batch: ClipBatch, drawn: Tensor) -> Past:
    """A past of frames that were ``drawn`` (b, t, n, d) in place of the batch's, from where these stand."""
    views = dynamics.config.views
    leads = leading_motions(dynamics.warp, drawn, batch.latents, batch.motion, batch.motion_known, views)
    return Past(drawn, leads)


@dataclass(frozen=True)
class _Streams:
    """The written moments of a batch, from which drawn ones are predicted."""

    dynamics: Dynamics
    batch: ClipBatch
    written: Tensor  # (b, t, n, d) noised
    leads: Tensor  # (b, t, m) from each of them to the true frame after it
    levels: Levels

    @classmethod
    def begin(cls, dynamics: Dynamics, batch: ClipBatch, past: Past, generator: torch.Generator) -> _Streams:
        b, t = past.latents.shape[:2]
        levels = past_levels(b, t, generator)
        noise = torch.randn(past.latents.shape, generator=generator, device=generator.device)
        return cls(dynamics, batch, noisy(past.latents, noise, levels.signal), past.leads, levels)

    def cut(self, first: int, end: int) -> _Streams:
        """Clips ``first`` to ``end``."""
        levels = Levels(self.levels.signal[first:end], self.levels.step[first:end])
        written, leads = self.written[first:end], self.leads[first:end]
        return _Streams(self.dynamics, self.batch.cut(first, end), written, leads, levels)

    def predict(self, x: Tensor, levels: Levels) -> Prediction:
        """Of the written moments and then of those drawn, (b, 2 t, ...), from noisy ``x`` (b, t, n, d)."""
        order = Order.written_and_drawn(x.shape[1], self.dynamics.config.context_frames, x.device)
        condition = self.batch.condition(self.levels.then(levels), self.leads)
        return self.dynamics(torch.cat((self.written, x), dim=1), condition, self.batch.scene, order=order)

    def drawing(self) -> Predict:
        """The drawn moments' clean latents as a function of (noisy latents, signal, step level)."""
        t = self.written.shape[1]
        return lambda x, signal, step: self.predict(x, Levels(signal, step)).latents[:, t:].float()
