"""The batch size that is left to the machine: found by trial steps on the first fold, shown beside what other sizes would take."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np

from genoken.core.config import RunConfig
from genoken.core.errors import ConfigError
from genoken.core.feature_words import noun_of_state
from genoken.models.network import Network
from genoken.training.batch_size import BatchChoice, choose_batch_size
from genoken.training.fit import choose_compute
from genoken.training.processes import is_one_of_several
from genoken.workflows.assemble import prepare_fold
from genoken.workflows.design import Job
from genoken.workflows.fold import task_of
from genoken.workflows.show import Show

SHOWN_FEATURES = (1_000, 10_000, 50_000, 100_000)
SHOWN_SAMPLES = (1, 8, 32, 128)
GIB = 2**30


def settle_batch_size(job: Job) -> Job:
    """Return the job with a number for ``training.batch_size: auto``, and what it rests on in ``batch_choice``; else as it is.

    Trial steps are those of the first fold; all folds, and the final model, then have batches of that size.

    Raises
    ------
    ConfigError
        In a process that torchrun or SLURM started together with others: each would find a number of its own.
    TrainingError
        When not even one sample fits into memory.
    """
    if job.config.training.batch_size != "auto":
        return job
    if is_one_of_several():
        raise ConfigError("'training.batch_size' is auto, which one process alone can find out", remedy="name a number")
    train, val = (np.flatnonzero(job.folds[0] == part) for part in ("train", "val"))
    prepared = prepare_fold(job.config, job.study, train, job.start, val=val)
    task = task_of(job.config, prepared, len(train), prepared.dataset(val))
    choice = choose_batch_size(prepared.model.network, prepared.dataset(train), task, job.config.training)
    _show(job.show, job.config, prepared.model.network, choice, noun_of_state(prepared.model.state))
    config = replace(job.config, training=replace(job.config.training, batch_size=choice.size))
    estimate = estimated_bytes(job.config, prepared.model.network, prepared.values.shape[1], choice.size)
    return replace(job, config=config, batch_choice=asdict(choice) | {"estimate": estimate})


def estimated_bytes(config: RunConfig, network: Network, num_features: int, samples: int) -> int:
    """Return about how many bytes training takes by the network's sizes alone, attention included; nothing is measured.

    Weights, gradients, both moments and the average are 20 bytes per weight; those that belong to single features grow with their
    number. To them come what the backward pass needs of each sample (see :meth:`genoken.core.contracts.Encoder.kept_numbers`), with
    recomputation one block's and the states between blocks. The encoder sees every feature here, also where its tokens are fewer.

    Parameters
    ----------
    config
        The run's.
    network
        As it is for the run's own features.
    num_features
        Features for which the estimate is.
    samples
        Per batch.
    """
    _, precision, backend = choose_compute(network, config.training)
    encoder, width, training = config.model.encoder, config.model.width, config.training
    own_features = len(network.feature_table)
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    per_feature = sum(weight.numel() for weight in weights if weight.shape and weight.shape[0] >= own_features)
    others = sum(weight.numel() for weight in weights) - per_feature
    learned = others + per_feature * num_features // max(own_features, 1)
    kept = encoder.kept_numbers(num_features, width, all_pairs=backend.backend == "eager")
    layers = getattr(encoder, "layers", 1)
    if training.gradient_checkpointing and layers > 1:
        kept = kept // layers + layers * num_features * width
    size = 4 if precision.name == "fp32" else 2
    return learned * 4 * (4 + (training.average_decay > 0)) + samples * kept * size


def _show(show: Show, config: RunConfig, network: Network, choice: BatchChoice, noun: str) -> None:
    """Show what was measured, and about what other numbers of features and samples would take."""
    own = len(network.feature_table)
    sizes = sorted({*SHOWN_SAMPLES, choice.size})
    measured = [_gigabytes(choice.fixed + choice.per_sample * size) for size in sizes]
    rows = [[f"{own:,} {noun}s, as measured", *measured]]
    if config.model.encoder.kept_numbers(own, config.model.width):
        rows += [
            [f"{count:,} {noun}s, estimated", *(_gigabytes(estimated_bytes(config, network, count, size)) for size in sizes)]
            for count in sorted({own, *SHOWN_FEATURES})
        ]
    title = "Memory of training in GB, by samples per batch"
    show.table(title, ["", *(f"{size:,}" for size in sizes)], rows)
    show.line(
        f"Batches have {choice.size:,} samples ({choice.reason}); training may take {_gigabytes(choice.budget)} GB "
        f"(training.memory_use: {config.training.memory_use})."
    )


def _gigabytes(count: int) -> str:
    return f"{count / GIB:,.2f}" if count < 100 * GIB else f"{count / GIB:,.0f}"


def used_batches(facts: dict[str, Any], config: RunConfig) -> str:
    """Return the sentence that a fold says when memory ran out in it and its batches were made smaller; else nothing."""
    used = tuple(facts["batches"])
    asked = (config.training.samples_per_batch, config.training.accumulate)
    if used == asked:
        return ""
    return (
        f"memory ran out, so that batches had {used[0]} samples, {used[1]} of them per step: the same {used[0] * used[1]} samples"
    )
