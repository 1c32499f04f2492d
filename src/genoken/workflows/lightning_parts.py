"""A LightningModule and a LightningDataModule for users who make their own ``lightning.Trainer``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genoken.core.errors import ConfigError
from genoken.data.dataset import Part
from genoken.training.datamodule import TokenDataModule
from genoken.training.fit import planned
from genoken.training.own_trainer import OwnTrainerModule
from genoken.workflows.preparation import divided, prepare, requested
from genoken.workflows.pretraining_data import Files, files_of, read_pretraining
from genoken.workflows.pretraining_fit import task_of, validation_part
from genoken.workflows.pretraining_request import Hiding, check_phenotypes
from genoken.workflows.show import Show
from genoken.workflows.start import read_start

if TYPE_CHECKING:
    from anndata import AnnData


def training_parts(  # noqa: PLR0913 - as genoken.pretrain
    data: Files | AnnData,
    *,
    evaluate_on: Files | None = None,
    group: str = "",
    phenotypes: Sequence[str] = (),
    preset: str = "",
    config: str | Path | Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    mask_probability: float | None = None,
    mask_share: float | None = None,
    random_share: float | None = None,
    start_from: str | Path | None = None,
    show: Show | None = None,
) -> tuple[OwnTrainerModule, TokenDataModule[Part]]:
    """Prepare what :func:`genoken.pretrain` trains, for a trainer of one's own: masked pretraining, or next cells.

    Samples are read and divided, and vocabulary and start values learned on train, as there; validation is held out by the same
    shares and groups. No run folder is written, no trivial rule is scored: the network is ``model.network``.

    Parameters
    ----------
    data, evaluate_on, group, phenotypes, preset, config, settings, mask_probability, mask_share, random_share, start_from, show
        See :func:`genoken.pretrain`. Of the settings of training, epochs, batches per step, precision, devices and strategy are
        those of the trainer instead, see :class:`genoken.training.own_trainer.OwnTrainerModule`.

    Returns
    -------
    tuple
        A LightningModule and a LightningDataModule.

    Raises
    ------
    GenokenError
        When a setting or the data cannot be used, or the values take more memory than ``data.memory_gb`` allows.

    Examples
    --------
    >>> model, data = genoken.training_parts(cells, preset="next_cell_small", group="donor_id")
    >>> lightning.Trainer(max_epochs=5).fit(model, data)
    """
    show = show or Show(quiet=True)
    start = None if start_from is None else read_start(Path(start_from))
    resolved = requested(
        data,
        group=group,
        phenotypes=phenotypes,
        preset=preset,
        config=config,
        settings=dict(settings or {}),
        hiding=Hiding(mask_probability, mask_share, random_share),
        start=start,
    )
    reading = read_pretraining(data, files_of(data, evaluate_on), resolved.data)
    if reading.joint is not None:
        raise ConfigError(
            f"the values would take {reading.gigabytes:,.1f} GB of memory, and only a run folder can keep them on disk",
            remedy="set data.store to memory, name fewer files, or use genoken.pretrain",
        )
    check_phenotypes(resolved, reading.source.samples)
    division = divided(reading, resolved, data, start, cache=Path(), show=show)
    prepared = prepare(division, resolved, start, show)
    task, train = task_of(prepared, where=division.source.samples.origin)
    training = planned(resolved.training, train)
    model = OwnTrainerModule(prepared.model.network, task, training)
    return model, TokenDataModule(train, validation_part(prepared), task, training)
