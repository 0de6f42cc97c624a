"""What a learner is: whatever makes a policy better, one iteration at a time."""

from __future__ import annotations

from typing import Any, Protocol

from ..policy.network import Policy


class Learner(Protocol):
    """Improves ``policy`` in place. Equal settings, seed and state go on equally, on one machine in one thread."""

    policy: Policy

    @property
    def steps(self) -> int:
        """Steps taken so far in the world where it learns, or moments learned from."""
        ...

    def iterate(self) -> dict[str, float]:
        """Collect and learn once; figures by name, such as return, speed_mps, trust, crash_rate and offroad_rate."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """All there is to go on from between two iterations: tensors, plain values, and lists and dicts of them."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state``. Raises as torch does where it does not fit."""
        ...
