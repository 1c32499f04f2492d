"""What a network takes over from a pretrained one, and what of it is not learned any more."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from genoken.core.errors import ConfigError, RunError
from genoken.models.network import Network
from genoken.models.token_network import TokenNetwork


def take_over(network: Network, pretrained: TokenNetwork, num_phenotypes: int) -> None:
    """Copy the weights of embedding and encoder of a pretrained network, in place; the head stays as it is.

    The two have one tokenizer, one width and one vocabulary. What the pretrained network has for phenotype tokens and for hidden
    values stays behind: rows of its tables that stand for phenotypes, and the positions that these took behind the CLS token.

    Parameters
    ----------
    network
        At its start.
    pretrained
        Where the weights come from.
    num_phenotypes
        Number of phenotype tokens behind the CLS token in pretraining.

    Raises
    ------
    RunError
        When the two do not fit.
    """
    theirs = pretrained.state_dict()
    with torch.no_grad():
        for name, own in network.state_dict().items():
            if name.startswith(("embedding.", "encoder.")):
                found = theirs.get(name)
                fitting = None if found is None else _fitting(name, found, own, num_phenotypes)
                if fitting is None or fitting.shape != own.shape:
                    raise RunError(
                        f"the pretrained network does not fit: '{name}' is missing or of another shape",
                        remedy="leave out settings of the tokenizer and the model, which are the pretrained ones then",
                    )
                own.copy_(fitting)


def _fitting(name: str, found: Tensor, own: Tensor, num_phenotypes: int) -> Tensor:
    """Return the rows that stand for specials and features, or for the places of these in a sample."""
    if name == "embedding.positions.weight":
        found = torch.cat([found[:1], found[1 + num_phenotypes :]])
    return found[: len(own)] if found.ndim and num_phenotypes else found


def freeze_layers(network: nn.Module, count: int) -> None:
    """Let the embedding and the lowest ``count`` blocks learn nothing; with 0, everything learns.

    Raises
    ------
    ConfigError
        When the encoder has fewer blocks.
    """
    blocks = list(getattr(network.encoder, "blocks", []))
    if count > len(blocks):
        raise ConfigError(
            f"'training.freeze_layers' is {count}, but the encoder has {len(blocks)} blocks", remedy=f"use at most {len(blocks)}"
        )
    for part in [network.embedding, *blocks[:count]] if count else []:
        part.requires_grad_(requires_grad=False)
