"""Size and shape of the dynamics transformer: one dataclass, every default the `small` preset."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from worldsim.types import CameraSpec
from worldsim.views import Views


@dataclass
class DynamicsConfig:
    """Block-causal transformer over (time, space); see ``worldsim/dynamics/transformer.py``.

    ``context_frames`` is the window of time attention, so a rollout's memory and step cost are
    fixed by it. ``finest_steps`` is the number of sampling steps of the finest step size, a power of two.
    """

    n_tokens: int = 32  # latent tokens a frame, of all its views
    grid_height: int = 4  # rows of a view's tokens; n_tokens = views * grid_height * grid_width
    grid_width: int = 8
    cameras: dict[str, CameraSpec] = field(default_factory=dict)  # of each view; none: one view. The data set says
    any_view: bool = False  # told grid and camera of each view, for several sizes or cameras. The data sets say
    latent_dim: int = 32
    width: int = 192
    layers: int = 8
    heads: int = 3
    kv_heads: int = 1
    time_every: int = 2  # time attention in every n-th layer
    registers: int = 2
    mlp_ratio: float = 2.6667
    condition_width: int = 128  # per-frame conditioning vector
    context_frames: int = 24
    warp_width: int = 64  # of the ego warp, which shows each frame what its past looks like after the motion; 0: none
    warp_blocks: int = 4
    finest_steps: int = 16
    text_dim: int = 384

    def __post_init__(self) -> None:
        if self.views.tokens != self.n_tokens:
            raise ValueError(
                f"DynamicsConfig: expected n_tokens = grid_height * grid_width of {self.views.count} views, "
                f"got {self.n_tokens} and {self.grid_height} x {self.grid_width}"
            )
        if self.cameras and not self.any_view:
            raise ValueError(
                f"this world has one view and is not told of cameras, so it cannot have {list(self.cameras)}; "
                "train one on a data set encoded with them, as in data=FOLDER@front+left"
            )
        if self.width % self.heads or self.heads % self.kv_heads or (self.width // self.heads) % 2:
            raise ValueError(
                "DynamicsConfig: expected width divisible by heads into an even head size, and heads by kv_heads, "
                f"got width={self.width}, heads={self.heads}, kv_heads={self.kv_heads}"
            )
        if self.layers % self.time_every:
            raise ValueError(
                f"DynamicsConfig: expected layers divisible by time_every, got {self.layers} and {self.time_every}"
            )
        if self.finest_steps < 1 or self.finest_steps & (self.finest_steps - 1):
            raise ValueError(f"DynamicsConfig: expected finest_steps to be a power of two, got {self.finest_steps}")
        if self.warp_width < 0 or (self.warp_width and self.warp_blocks < 1):
            raise ValueError(
                "DynamicsConfig: expected a warp_width of at least 0, and with one at least one of warp_blocks, "
                f"got {self.warp_width} and {self.warp_blocks}"
            )
        if self.context_frames < 2:
            raise ValueError(f"DynamicsConfig: expected context_frames of at least 2, got {self.context_frames}")

    @property
    def views(self) -> Views:
        """What a frame consists of."""
        return Views(self.grid_height, self.grid_width, tuple(self.cameras.items()))

    def at(self, views: Views) -> DynamicsConfig:
        """The same network looking through other ``views``; ValueError for cameras that it is not told of."""
        return replace(
            self, n_tokens=views.tokens, grid_height=views.rows, grid_width=views.columns, cameras=dict(views.cameras)
        )

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.width // self.heads

    @property
    def hidden(self) -> int:
        """Width of the SwiGLU hidden layer, a multiple of 32."""
        return max(32, round(self.width * self.mlp_ratio / 32) * 32)

    @property
    def step_levels(self) -> int:
        """Number of step sizes: 1/finest, ..., 1/2, 1."""
        return self.finest_steps.bit_length()

    @property
    def frame_tokens(self) -> int:
        """Tokens a frame including registers and the state token."""
        return self.n_tokens + self.registers + 1
