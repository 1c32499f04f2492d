"""A finished pretraining run: its scores, and its network for new samples."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from genoken.core.config import PretrainConfig
from genoken.core.errors import ConfigError
from genoken.core.files import read_json
from genoken.core.layout import FIRST_CATEGORY, MASK_CATEGORY
from genoken.data.dataset import TokenDataset
from genoken.workflows.inputs import read_source
from genoken.workflows.pretrained import PRETRAINED_FILES, PretrainedModel, read_pretrained
from genoken.workflows.store import verify_hashes

if TYPE_CHECKING:
    from anndata import AnnData

_SAMPLES_PER_PASS = 64


class PretrainedRun:
    """A folder that ``genoken pretrain`` wrote.

    Parameters
    ----------
    folder
        The run folder.
    model
        Its network, when it is at hand; else it is read on first use.
    """

    def __init__(self, folder: str | Path, model: PretrainedModel | None = None) -> None:
        self.folder = Path(folder)
        self._given = model

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """Content of ``metrics.json``."""
        return dict(read_json(self.folder / "metrics.json"))

    @property
    def verdict(self) -> str:
        """What the network knows that no trivial rule does, in a sentence for each objective."""
        return str(self.metrics["verdict"])

    @cached_property
    def model(self) -> PretrainedModel:
        """The network with its tokenizer; the files are checked against the manifest first."""
        if self._given is not None:
            return self._given
        verify_hashes(self.folder, names=PRETRAINED_FILES)
        return read_pretrained(self.folder)

    @property
    def config(self) -> PretrainConfig:
        """Settings of the run."""
        return self.model.config

    def embed(self, data: str | Path | AnnData, *, min_coverage: float | None = None) -> pd.DataFrame:
        """Return the network's state of each sample, indexed by sample id; nothing of a sample is hidden.

        Raises
        ------
        GenokenError
            When the data cannot be used.
        """
        samples = read_source(data, self.config.data.source).samples
        dataset, _ = self.model.aligned(samples, min_coverage)
        states = sample_states(self.model, dataset)
        return pd.DataFrame(states, index=samples.table.index, columns=[f"genoken_{index}" for index in range(states.shape[1])])

    def predict(self, data: str | Path | AnnData, *, min_coverage: float | None = None) -> pd.DataFrame:
        """Fill in phenotypes: each sample's most probable value of each phenotype, and the probabilities of all values.

        One phenotype at a time is hidden, while the others that the sample has are shown.

        Returns
        -------
        pandas.DataFrame
            Indexed by sample id: ``COLUMN`` and ``COLUMN=VALUE`` for each phenotype and value.

        Raises
        ------
        GenokenError
            When the run has no phenotypes, or the data cannot be used.
        """
        phenotypes = self.model.phenotypes
        if phenotypes is None or "phenotype" not in self.model.network.heads:
            raise ConfigError("the run has no phenotypes to fill in", where=str(self.folder), remedy="use genoken embed")
        samples = read_source(data, self.config.data.source).samples
        dataset, _ = self.model.aligned(samples, min_coverage)
        columns: dict[str, Any] = {}
        for index, column in enumerate(phenotypes.columns):
            probabilities = phenotype_probabilities(self.model, dataset, index)
            names = phenotypes.to_map()[column]
            columns[column] = np.asarray(names, dtype=object)[probabilities.argmax(axis=1)]
            columns |= {f"{column}={name}": probabilities[:, code] for code, name in enumerate(names)}
        return pd.DataFrame(columns, index=samples.table.index)


def load_pretrained(folder: str | Path) -> PretrainedRun:
    """Return a finished pretraining run.

    Raises
    ------
    RunError
        When the folder holds none, or its files were changed.
    """
    run = PretrainedRun(folder)
    _ = run.model  # read now, so that a broken folder is refused here
    return run


def sample_states(model: PretrainedModel, dataset: TokenDataset) -> np.ndarray:
    """Return pooled states (samples, width), float32."""
    order = np.argsort(-dataset.lengths(), kind="stable")
    network = model.network.eval()
    with torch.inference_mode():
        found = [
            network.pooled_states(dataset.batch(order[start : start + _SAMPLES_PER_PASS])).float().numpy()
            for start in range(0, len(order), _SAMPLES_PER_PASS)
        ]
    return np.concatenate(found)[np.argsort(order, kind="stable")]


def phenotype_probabilities(model: PretrainedModel, dataset: TokenDataset, phenotype: int) -> np.ndarray:
    """Return the probabilities (samples, values) of one phenotype's values, the phenotype itself hidden.

    Parameters
    ----------
    model
        A network with an objective over phenotypes.
    dataset
        The samples.
    phenotype
        Index of the phenotype.
    """
    layout, network = dataset.layout, model.network.eval()
    channel = layout.channel("phenotype")
    assert channel is not None  # noqa: S101
    first, last = layout.phenotype_bounds[phenotype : phenotype + 2]
    found = []
    with torch.inference_mode():
        for start in range(0, len(dataset), _SAMPLES_PER_PASS):
            batch = dataset.batch(np.arange(start, min(start + _SAMPLES_PER_PASS, len(dataset))))
            places = batch.offsets[:-1].long() + int(layout.has_cls) + phenotype
            batch.channels[channel.name][places] = MASK_CATEGORY
            outputs = network.at_places(batch, "phenotype", places)
            found.append(outputs[:, first - FIRST_CATEGORY : last - FIRST_CATEGORY].softmax(dim=1).numpy())
    return np.concatenate(found)
