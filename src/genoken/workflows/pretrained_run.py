"""A finished pretraining run: its scores, and its network for new samples."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from genoken.core.config import PretrainConfig
from genoken.core.errors import ConfigError
from genoken.core.files import read_json
from genoken.core.layout import FIRST_CATEGORY, MASK_CATEGORY
from genoken.data.dataset import TokenDataset
from genoken.training.computing import computing
from genoken.workflows.encoder import Encoder
from genoken.workflows.pretrained import PRETRAINED_FILES, PretrainedModel, read_pretrained
from genoken.workflows.store import verify_hashes

if TYPE_CHECKING:
    from anndata import AnnData

    from genoken.workflows.predict_next import NextCellPrediction


@dataclass(frozen=True)
class Pass:
    """How samples are passed through a network.

    Parameters
    ----------
    batch_size
        Samples at a time.
    precision, compile
        See :func:`genoken.training.computing.computing`.
    """

    batch_size: int = 64
    precision: str = "auto"
    compile: bool = False


class PretrainedRun:
    """A folder that ``genoken pretrain`` wrote.

    Parameters
    ----------
    folder
        The run folder.
    model
        Its network, when it is at hand; else it is read on first use.

    Examples
    --------
    >>> run = genoken.load_run("runs/pretrained-cells")
    >>> states = run.embed(new_cells)
    >>> filled_in = run.predict(new_cells)
    """

    def __init__(self, folder: str | Path, model: PretrainedModel | None = None) -> None:
        self.folder = Path(folder)
        self._given = model

    def __repr__(self) -> str:
        """Return folder and verdict."""
        return f"PretrainedRun({str(self.folder)!r}): {self.verdict}"

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """Content of ``metrics.json``; ``docs/run-folder.md`` explains its keys."""
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

    @property
    def encoder(self) -> Encoder:
        """What turns samples into the network's token sequences and back."""
        return self.model.encoder

    def embed(self, data: str | Path | AnnData, *, min_coverage: float | None = None) -> pd.DataFrame:
        """Return the network's state of each sample, indexed by sample id; nothing of a sample is hidden.

        Raises
        ------
        GenokenError
            When the data cannot be used.
        """
        from genoken.workflows.embed import embed

        return embed(self, data, min_coverage=min_coverage)

    def predict(self, data: str | Path | AnnData, *, min_coverage: float | None = None) -> pd.DataFrame:
        """Fill in phenotypes: see :func:`filled_in`.

        Raises
        ------
        GenokenError
            When the run has no phenotypes, or the data cannot be used.
        """
        from genoken.workflows.predict import predict

        return predict(self, data, embed=False, min_coverage=min_coverage).table

    def predict_next_cell(
        self, data: str | Path | AnnData, *, num_predictions: int = 10, steps: int = 1, min_coverage: float | None = None
    ) -> NextCellPrediction:
        """Predict which genes the cells that come next express: see :func:`genoken.workflows.predict_next.predict_next_cell`.

        Predictions are means, and with several ``steps`` each starts from the one before, so that they drift toward averages.

        Raises
        ------
        GenokenError
            When the run was not trained with successors, or the data cannot be used.

        Examples
        --------
        >>> found = run.predict_next_cell(cells)
        >>> found.table.query("list == 'rising'").groupby("symbol")["change"].mean()
        >>> found.to_anndata().write_h5ad("next.h5ad")
        """
        from genoken.workflows.predict_next import predict_next_cell

        return predict_next_cell(self, data, num_predictions=num_predictions, steps=steps, min_coverage=min_coverage)

    def report(self) -> Path:
        """Write ``report.html`` anew and return its path."""
        from genoken.workflows.report import report

        return report(self)

    def require_phenotypes(self) -> None:
        """Refuse a run whose network was not asked for phenotypes.

        Raises
        ------
        ConfigError
            With what can be done instead.
        """
        if self.model.phenotypes is None or "phenotype" not in self.model.network.heads:
            raise ConfigError(
                "the run has no phenotypes to fill in",
                where=str(self.folder),
                remedy="genoken embed exports its states; genoken train --from learns a label",
            )


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


def sample_states(
    model: PretrainedModel,
    dataset: TokenDataset,
    how: Pass,
) -> np.ndarray:
    """Return pooled states (samples, width), float32, of CLS or the mean over tokens as ``model.pooling`` says.

    Parameters
    ----------
    model
        The network.
    dataset
        The samples, of which nothing is hidden.
    how
        How they are passed through it.
    """
    order = np.argsort(-dataset.lengths(), kind="stable")
    found = [np.zeros((0, model.config.model.width), dtype=np.float32)]
    attention = model.config.training.attention
    with computing(model.network, precision=how.precision, attention=attention, compile=how.compile) as device:
        for start in range(0, len(order), how.batch_size):
            batch = dataset.batch(order[start : start + how.batch_size]).to(device)
            found.append(model.network.pooled_states(batch).float().cpu().numpy())
    return np.concatenate(found)[np.argsort(order, kind="stable")]


def filled_in(
    model: PretrainedModel,
    dataset: TokenDataset,
    table: pd.DataFrame,
    how: Pass,
) -> pd.DataFrame:
    """Fill in missing phenotypes.

    One phenotype at a time is hidden, while the others that the sample has are shown. A value that is given stays, also one that
    the network does not know; its probabilities are those that the network gives without having seen it.

    Parameters
    ----------
    model
        A network with an objective over phenotypes.
    dataset, table
        The samples, and their table with the phenotypes that are known.
    how
        How they are passed through it.

    Returns
    -------
    pandas.DataFrame
        Indexed by sample id, for each phenotype: ``NAME``, the given value or else the most probable one; ``NAME_given``, whether
        it was given; ``NAME_predicted``, the most probable one; ``NAME=VALUE``, the probability of each value.
    """
    phenotypes = model.phenotypes
    assert phenotypes is not None  # noqa: S101
    given, columns = phenotypes.given(table), {}
    for index, (name, values) in enumerate(phenotypes.to_map().items()):
        probabilities = phenotype_probabilities(model, dataset, index, how)
        predicted = np.asarray(values, dtype=object)[probabilities.argmax(axis=1)]
        is_given = given[name] != ""
        columns[name] = np.where(is_given, given[name], predicted)
        columns[f"{name}_given"] = is_given
        columns[f"{name}_predicted"] = predicted
        columns |= {f"{name}={value}": probabilities[:, code] for code, value in enumerate(values)}
    return pd.DataFrame(columns, index=table.index)


def phenotype_probabilities(
    model: PretrainedModel,
    dataset: TokenDataset,
    phenotype: int,
    how: Pass,
) -> np.ndarray:
    """Return the probabilities (samples, values) of one phenotype's values, the phenotype itself hidden.

    Parameters
    ----------
    model
        A network with an objective over phenotypes.
    dataset
        The samples.
    phenotype
        Index of the phenotype.
    how
        How they are passed through it.
    """
    layout = dataset.layout
    channel = layout.channel("phenotype")
    assert channel is not None  # noqa: S101
    first, last = (bound - FIRST_CATEGORY for bound in layout.phenotype_bounds[phenotype : phenotype + 2])
    found = [np.zeros((0, last - first), dtype=np.float32)]
    attention = model.config.training.attention
    with computing(model.network, precision=how.precision, attention=attention, compile=how.compile) as device:
        for start in range(0, len(dataset), how.batch_size):
            batch = dataset.batch(np.arange(start, min(start + how.batch_size, len(dataset))))
            places = batch.offsets[:-1].long() + int(layout.has_cls) + phenotype
            batch.channels[channel.name][places] = MASK_CATEGORY
            outputs = model.network.at_places(batch.to(device), "phenotype", places.to(device))
            found.append(outputs[:, first:last].float().softmax(dim=1).cpu().numpy())
    return np.concatenate(found)
