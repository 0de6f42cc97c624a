"""Muon for convolutions.

torch.optim.Muon takes matrices only. A kernel (out, in, kh, kw) is the matrix (out, in * kh * kw) of the same
memory: Muon turns that matrix, and the kernel turns with it (Jordan et al. 2024, "Muon", section "Empirical
considerations": convolutional parameters are flattened to matrices).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn


class KernelMuon(torch.optim.Muon):
    """torch.optim.Muon on convolution kernels; takes its settings. Make it after the model is on its device."""

    def __init__(self, kernels: Iterable[Tensor], **settings: Any) -> None:
        self.kernels = list(kernels)
        super().__init__([nn.Parameter(kernel.detach().view(len(kernel), -1)) for kernel in self.kernels], **settings)

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step, from the gradients of the kernels."""
        for kernel, matrix in zip(self.kernels, self.param_groups[0]["params"], strict=True):
            matrix.grad = None if kernel.grad is None else kernel.grad.view_as(matrix)
        loss: float | None = super().step(closure)
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of kernels and matrices."""
        super().zero_grad(set_to_none)
        for kernel in self.kernels:
            kernel.grad = None
