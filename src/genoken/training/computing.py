"""Putting a network to work without training it: on which device, in which number format, with which attention backend."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from genoken.models.layers.attention import choose_backend
from genoken.models.network import Network, compile_blocks
from genoken.models.token_network import TokenNetwork
from genoken.training.precision import choose_device, choose_precision


@contextlib.contextmanager
def computing(
    network: Network | TokenNetwork,
    *,
    precision: str = "auto",
    attention: str = "auto",
    compile: bool = False,  # noqa: A002 - the option's public name
) -> Iterator[torch.device]:
    """Within the block, a network is in evaluation mode on the best device, and nothing is recorded for gradients.

    Afterwards it is on the CPU again.

    Parameters
    ----------
    network
        The network.
    precision
        Number format; ``auto``: by the device.
    attention
        Attention backend; ``auto``: by device and number format.
    compile
        Compile the encoder's layers first, which pays for many samples.

    Yields
    ------
    torch.device
        Where batches belong.

    Raises
    ------
    ConfigError
        When the number format or the backend cannot be used here.
    """
    device = choose_device()
    chosen = choose_precision(precision, device)
    backend = choose_backend(attention, device, chosen.dtype).backend
    network.to(device).eval()
    network.set_attention_backend(backend)
    if compile:
        compile_blocks(network)
    try:
        with torch.inference_mode(), torch.autocast(device.type, dtype=chosen.dtype, enabled=chosen.name != "fp32"):
            yield device
    finally:
        network.cpu()
