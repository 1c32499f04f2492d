"""Networks that are trained beside the model, by the same machinery on the same samples."""

from __future__ import annotations

from dataclasses import replace

from genoken.core.config import RunConfig, component_from_dict
from genoken.evaluation.verdict import SCRATCH


def rival_name(rival: str) -> str:
    """Return what a rival is called among predictors: a linear network is not the baseline ``linear``."""
    return "linear_network" if rival == "linear" else rival


def rival_config(config: RunConfig, rival: str) -> RunConfig:
    """Return the configuration of a rival.

    It starts from random weights, so all of them learn, at the full rate.

    Parameters
    ----------
    config
        The run's.
    rival
        ``scratch`` for the same network, otherwise the kind of another encoder.
    """
    model = config.model
    if rival != SCRATCH:
        model = replace(
            model,
            encoder=component_from_dict("encoders", rival),
            head="linear" if rival == "linear" else "mlp",
            linear_path=False,
        )
    training = replace(config.training, logger="none", freeze_layers=0, layer_decay=1.0)
    return replace(config, model=model, training=training)
