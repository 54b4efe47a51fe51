"""What scripts for SpikingJelly call on networks, under its names."""

from __future__ import annotations

from typing import Any


def reset_net(net: Any) -> None:
    """Resets every module of a network that can be.

    Parameters
    ----------
    net : SpikingNetwork, or anything with ``modules()``
        Those of its modules that have a ``reset()``.

    Examples
    --------
    >>> spikelet.functional.reset_net(snn)
    """
    for module in net.modules():
        reset = getattr(module, "reset", None)
        if callable(reset):
            reset()
