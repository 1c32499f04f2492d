"""A finished run: its scores, and its model for new samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from genoken.core.config import RunConfig
from genoken.core.errors import RunError
from genoken.core.files import read_json
from genoken.workflows.encoder import Encoder
from genoken.workflows.own_network import NetworkFactory
from genoken.workflows.pretrained_run import PretrainedRun, load_pretrained
from genoken.workflows.state import is_pretraining
from genoken.workflows.store import FittedModel, read_model, verify_hashes

if TYPE_CHECKING:
    import pandas as pd

    from genoken.workflows.source import Input


class Run:
    """A run folder.

    Parameters
    ----------
    folder
        Where it is.
    objects
        The AnnData objects, or lists of them, that it was made from, under ``data`` or ``train``, ``val`` and ``test``, as far as
        they are still in memory: :func:`genoken.train` leaves them here.
    network
        The code of its network, where that is its user's own: what was given to :func:`genoken.train`.

    Examples
    --------
    >>> run = genoken.load_run("runs/cells-cell_type")
    >>> run.metrics["test"]["model"]["macro_f1"]
    >>> table = run.predict(new_cells)
    """

    def __init__(
        self, folder: str | Path, objects: Mapping[str, Input] | None = None, network: NetworkFactory | None = None
    ) -> None:
        self.folder = Path(folder)
        self.network = network
        self.objects: Mapping[str, Input] = dict(objects or {})

    def __repr__(self) -> str:
        """Return folder and verdict."""
        return f"Run({str(self.folder)!r}): {self.verdict}"

    @cached_property
    def model(self) -> FittedModel:
        """The model, read and checked against the manifest on first use."""
        verify_hashes(self.folder)
        return read_model(self.folder, self.network)

    @property
    def config(self) -> RunConfig:
        """Settings of the run."""
        return self.model.config

    @property
    def encoder(self) -> Encoder:
        """What turns samples into the model's token sequences and back."""
        return Encoder(self.model.tokenizer, self.model.state, self.model.symbols)

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """Content of ``metrics.json``; ``docs/run-folder.md`` explains its keys."""
        content = read_json(self.folder / "metrics.json")
        if not isinstance(content, dict):
            raise RunError("the file does not hold a JSON object", where=str(self.folder / "metrics.json"), remedy="train again")
        return content

    @property
    def verdict(self) -> str:
        """The sentence that says who wins."""
        return self.metrics["verdict"]

    def predict(
        self,
        data: Input,
        *,
        batch_size: int = 0,
        precision: Literal["auto", "bf16", "fp16", "fp32"] = "auto",
        compile: bool = False,  # noqa: A002 - the option's public name
    ) -> pd.DataFrame:
        """Return one row per sample, indexed by sample id: ``predicted`` and, for classes, ``probability_<class>``."""
        from genoken.workflows.predict import predict

        return predict(self, data, batch_size=batch_size, precision=precision, compile=compile, embed=False).table

    def embed(self, data: Input) -> pd.DataFrame:
        """Return the model's state of each sample, indexed by sample id."""
        from genoken.workflows.predict import predict

        return predict(self, data).states

    def explain(
        self,
        data: Input | None = None,
        *,
        method: str = "integrated_gradients",
        aggregate: Literal["mean", "max", "median"] = "mean",
        by: Literal["class", "group"] = "class",
        top: int = 50,
    ) -> pd.DataFrame:
        """Return the genes that the model's outputs rest on most.

        Without ``data``, in the test samples of what the run was trained on, each explained by the model of the fold that tested
        it.
        """
        from genoken.workflows.explain import explain

        return explain(self, data, method=method, aggregate=aggregate, by=by, top=top)

    def variants(
        self,
        *,
        methods: Sequence[str] = (),
        seeds: int = 1,
        null: int = 1,
        strata: str = "",
        components: int = 10,
        covariates: Sequence[str] | None = None,
        truth: str | Path | None = None,
        output: str | Path | None = None,
    ) -> pd.DataFrame:
        """Return how important each variant is to a run on genotypes, beside regressions, fine-mapping and permuted labels.

        In the test samples of what the run was trained on. The run's ``explanations/`` and report get the results, too.

        Parameters
        ----------
        methods
            Kinds of attributions whose ranks are averaged; empty for gradients, integrated gradients and attention.
        seeds, null, strata, components
            As in :class:`genoken.workflows.variant_options.VariantOptions`.
        covariates
            Of the regressions; ``None`` for the run's own.
        truth
            ``NAME.truth.tsv`` of a simulated trait, to score each ranking by.
        output
            ``.tsv``, ``.csv`` or ``.parquet`` for a copy of the table.

        Examples
        --------
        >>> run = genoken.train("people.bed", label="trait", preset="genotype")
        >>> run.variants().sort_values("rank").head()
        """
        from genoken.workflows.variant_options import DEFAULT_METHODS, VariantOptions
        from genoken.workflows.variant_truth import read_truth
        from genoken.workflows.variants import explain_variants

        options = VariantOptions(
            methods=tuple(methods) or DEFAULT_METHODS,
            seeds=seeds,
            null=null,
            strata=strata,
            components=components,
            covariates=None if covariates is None else tuple(covariates),
            causal=() if truth is None else read_truth(Path(truth)),
        )
        return explain_variants(self, options=options, output=output)

    def attention(self, data: Input | None = None, *, genes: Sequence[str] = ()) -> pd.DataFrame:
        """Return how much genes look at each other, per layer and head, and by rollout over the layers.

        Columns are ``layer, head, query, key, query_symbol, key_symbol, weight, samples``; ``head`` is ``rollout`` where ``layer``
        is missing. Without ``data``, in the test samples of what the run was trained on; without ``genes`` (identifiers or
        symbols), between the 30 that lead the run's own explanation. Attention knows nothing of the linear path.

        Examples
        --------
        >>> table = run.attention(genes=["CD3D", "CD8A", "MS4A1"])
        >>> table[table["head"] == "rollout"].pivot(index="query_symbol", columns="key_symbol", values="weight")
        """
        from genoken.workflows.explain import attention

        return attention(self, data, genes=genes)

    def report(self) -> Path:
        """Write ``report.html`` anew and return its path."""
        from genoken.workflows.report import report

        return report(self)


def load_run(folder: str | Path, *, network: NetworkFactory | None = None) -> Run | PretrainedRun:
    """Open the folder of a training or of a pretraining run.

    Parameters
    ----------
    folder
        Where it is.
    network
        The code of the run's network, where that is its user's own: what was given to :func:`genoken.train`.

    Returns
    -------
    Run or PretrainedRun
        The latter where ``genoken pretrain`` wrote the folder.

    Raises
    ------
    RunError
        When it is missing, unfinished, or its files are not the ones that were written.
    ConfigError
        When its network is its user's own and was not given, or is not and one was.
    """
    if network is None and is_pretraining(Path(folder)):
        return load_pretrained(folder)
    return load_trained(folder, network)


def load_trained(folder: str | Path, network: NetworkFactory | None = None) -> Run:
    """Open the folder of a training run, with the code of its network where that is its user's own.

    Raises
    ------
    RunError
        When it is that of a pretraining, missing, unfinished, or its files are not the ones that were written.
    """
    refuse_pretraining(Path(folder))
    run = Run(folder, network=network)
    run.model  # noqa: B018 - read now, so that a broken folder is refused here
    return run


def refuse_pretraining(folder: Path) -> None:
    """Refuse the folder of a pretraining run where one with a label is needed.

    Raises
    ------
    RunError
        With what can be done with it.
    """
    if is_pretraining(folder):
        raise RunError(
            "this is a pretraining run, which predicts no label",
            where=str(folder),
            remedy=f"genoken predict, embed and report work on it; genoken train --from {folder} makes a run with a label of it",
        )


def as_run(run: Run | PretrainedRun | str | Path) -> Run:
    """Return a training run for a run or its folder.

    Raises
    ------
    RunError
        When it is a pretraining run, or the folder cannot be used.
    """
    return run if isinstance(run, Run) else load_trained(run.folder if isinstance(run, PretrainedRun) else run)


def as_any_run(run: Run | PretrainedRun | str | Path) -> Run | PretrainedRun:
    """Return a run of either kind for a run or its folder."""
    return run if isinstance(run, (Run, PretrainedRun)) else load_run(run)
