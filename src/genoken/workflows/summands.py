"""Predictions of a network, whole and with one of its two summands left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from genoken.evaluation.verdict import ENCODER_ONLY, PATH_ONLY
from genoken.training.fit import predict

if TYPE_CHECKING:
    from genoken.core.config import RunConfig
    from genoken.core.contracts import TargetState
    from genoken.data.dataset import TokenDataset
    from genoken.models.network import Network


def predict_model(network: Network, dataset: TokenDataset, config: RunConfig, target: TargetState) -> np.ndarray:
    """Return probabilities (samples, classes) or values (samples,), in batches of validation's size."""
    training = config.training
    predicted, _ = predict(
        network,
        dataset,
        config.objective,
        target,
        batch_size=training.samples_per_pass,
        precision=training.precision,
        attention=training.attention,
    )
    return predicted


def predict_summands(network: Network, dataset: TokenDataset, config: RunConfig, target: TargetState) -> dict[str, np.ndarray]:
    """Return what the encoder alone and the linear path alone predict; nothing is trained again for them.

    Empty where the network has no linear path.
    """
    if network.linear_path is None:
        return {}
    found = {}
    with network.only("encoder"):
        found[ENCODER_ONLY] = predict_model(network, dataset, config, target)
    with network.only("linear_path"):
        found[PATH_ONLY] = predict_model(network, dataset, config, target)
    return found
