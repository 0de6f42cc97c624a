"""Returns of rollouts that a critic carries on where they stop.

Axis legend: t steps of b rollouts.
"""

from __future__ import annotations

import torch
from torch import Tensor


def lambda_returns(reward: Tensor, after: Tensor, ended: Tensor, discount: float, mixing: float) -> Tensor:
    """TD(lambda) returns (t, b), from the end backwards (Sutton & Barto 2018, section 12.1).

    ``after`` (t, b) is the critic's value of where each step led, 0 where the drive was over there; ``ended`` (t, b)
    says that the next row is another drive's, so that nothing is taken from it. ``mixing`` is lambda: 0 believes the
    critic after one step, 1 only where the rollout stops.
    """
    returns, beyond = torch.empty_like(reward), after[-1]
    for t in reversed(range(len(reward))):
        ahead = torch.where(ended[t], after[t], (1 - mixing) * after[t] + mixing * beyond)
        returns[t] = beyond = reward[t] + discount * ahead
    return returns
