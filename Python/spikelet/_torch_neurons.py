"""The neurons' rules in PyTorch, with gradients in place of those that a spike does not have. Imports PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

DIGITS = ("RadixNeuron", "DigitNeuron")
"""Whose spikes are the digits of one number, which is computed at once."""
RATES = ("IFNode", "SignedIFNeuron", "BurstIFNeuron")
"""Which are simulated step by step."""


class _Surrogate(torch.autograd.Function):
    """``value`` forward; backward ``slope`` where ``inside``, and 0 elsewhere, in place of the derivative of ``value`` by ``potential``."""

    @staticmethod
    def forward(ctx: Any, potential: Tensor, value: Tensor, inside: Tensor, slope: float) -> Tensor:
        ctx.save_for_backward(inside)
        ctx.slope = slope
        return value.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (inside,) = ctx.saved_tensors
        return gradient * inside * ctx.slope, None, None, None


def digits(kind: str, parameters: Mapping[str, Any], potential: Tensor) -> Tensor:
    """The number that a layer sends by its digits.

    Parameters
    ----------
    kind : {"RadixNeuron", "DigitNeuron"}
    parameters : mapping
        ``digits``, K.
    potential : Tensor, [N, C, …]
        u, all steps together, in the unit of the last digit.

    Returns
    -------
    Tensor, [N, C, …]
        With L = 2^K − 1: n = clip(⌊u + ½⌋, 0, L), of signed digits n = sign(u) · min(⌊|u| + ½⌋, L). Backward the derivative of the
        clipping alone, ∂n/∂u = [0 ≤ ⌊u + ½⌋ ≤ L], or [⌊|u| + ½⌋ ≤ L]: the straight-through estimator of QCFS (Bu et al., ICLR 2022;
        arXiv 2303.04347).
    """
    most = 2 ** parameters["digits"] - 1
    with torch.no_grad():
        rounded = torch.floor((potential if kind == "RadixNeuron" else potential.abs()) + 0.5)
        inside = (rounded >= 0) & (rounded <= most)
        value = rounded.clamp(0, most)
        if kind == "DigitNeuron":
            value = value * potential.sign()
    return _Surrogate.apply(potential, value, inside, 1.0)


class Membranes:
    """A layer of neurons while it is simulated. Of every rule the gradient goes through the reset, too, but not through counts of spikes.

    With a height of 1/θ and a width of θ the windows below pass on what arrives exactly once, in the step that decides about the spike: by a
    constant current, the number of spikes has the gradient of the clipped ReLU that the layer stands for.
    """

    def __init__(self, kind: str, parameters: Mapping[str, Any], offsets: Tensor | None, like: Tensor) -> None:
        self.kind, self.parameters = kind, parameters
        self.potential = torch.full_like(like, float(parameters.get("initialMembrane", 0)))
        if offsets is not None:
            self.potential = self.potential + offsets.reshape(-1, *[1] * (like.ndim - 2))
        self.standing = torch.zeros_like(like)

    def integrate(self, current: Tensor) -> None:
        """v ← v + x."""
        self.potential = self.potential + current

    def emit(self) -> Tensor:
        """The spikes of one step, [N, C, …], and the membranes reset.

        Rectangles in place of derivatives, after STBP (Wu et al., Frontiers in Neuroscience 2018, h₁ with a = θ): ∂s/∂v = 1/θ where a
        decision is at most θ/2 away, that is for θ/2 ≤ v < 3θ/2; of signed neurons where a spike may be sent, and for −θ/2 ≤ v < θ/2
        where one may be taken back; of bursts of up to b spikes for θ/2 ≤ v < (b + ½) θ.
        """
        v, threshold = self.potential, float(self.parameters["threshold"])
        with torch.no_grad():
            if self.kind == "BurstIFNeuron":
                most = self.parameters["maximumBurst"]
                value = torch.floor(v / threshold).clamp(0, most)
                inside = (v >= threshold / 2) & (v < (most + 0.5) * threshold)
            elif self.kind == "SignedIFNeuron":
                most = self.parameters.get("maximumCount") or float("inf")
                sends, takes = self.standing < most, self.standing > 0
                value = ((v >= threshold) & sends).to(v.dtype) - ((v < 0) & takes).to(v.dtype)
                inside = (v >= threshold / 2) & (v < 1.5 * threshold) & sends | (v >= -threshold / 2) & (v < threshold / 2) & takes
                self.standing = self.standing + value
            else:
                value = (v >= threshold).to(v.dtype)
                inside = (v >= threshold / 2) & (v < 1.5 * threshold)
        spikes = _Surrogate.apply(v, value, inside, 1 / threshold)
        reset = self.parameters.get("reset") or {}
        if "to" in reset:
            # What is set does not depend on what was there.
            self.potential = torch.where(value > 0, torch.full_like(v, float(reset["to"]["_0"])), v)
        else:
            self.potential = v - threshold * spikes
        return spikes


def simulate(kind: str, parameters: Mapping[str, Any], offsets: Tensor | None, currents: Sequence[Tensor], waits: bool) -> list[Tensor]:
    """The spikes of a layer in every step.

    Parameters
    ----------
    kind : {"IFNode", "SignedIFNeuron", "BurstIFNeuron"}
    parameters : mapping
        The rule's own, as a file has them.
    offsets : Tensor, [C], optional
        What is added to the membranes before the first step.
    currents : sequence of Tensor, T times [N, C, …]
        In the unit of the threshold.
    waits : bool
        Whether all steps are integrated before the first spike: the layer-synchronous schedule.
    """
    layer = Membranes(kind, parameters, offsets, currents[0])
    if waits:
        for current in currents:
            layer.integrate(current)
        return [layer.emit() for _ in currents]
    spikes = []
    for current in currents:
        layer.integrate(current)
        spikes.append(layer.emit())
    return spikes
