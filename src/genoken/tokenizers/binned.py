"""Binned tokens: one token per expressed gene, its identity and the bin of its value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from genoken.core.components import settings
from genoken.core.contracts import Tokenizer, TokenizerState
from genoken.core.errors import ConfigError, DataError
from genoken.core.layout import CLS_ID, FIRST_CATEGORY, NO_CATEGORY, NUM_SPECIALS, Channel, Layout

if TYPE_CHECKING:
    import scipy.sparse as sp

    from genoken.core.batch import Tokens
    from genoken.core.samples import Samples

_EDGE = "edge_{}"


@settings
class BinnedTokenizer(Tokenizer):
    """One token per expressed gene: its identity and the bin of its value, after a CLS token.

    Bin ``k`` of fixed edges holds ``edges[k - 1] <= x < edges[k]``, as ``numpy.digitize``; bin 0, below the first edge, is no
    token. Quantile bins are those of the sample's own non-zero values, as in scGPT, where equal values are spread over bins at
    random; here they share the lowest of these bins, so that a sample has the same tokens every time.

    References
    ----------
    Cui et al., Nature Methods 21:1470 (2024), doi:10.1038/s41592-024-02201-0, for the quantile bins.
    """

    bins: Literal["fixed", "per_gene", "quantile"] = "fixed"
    """``fixed``: ``edges`` for all genes; ``per_gene``: those of ``edges_file``; ``quantile``: of each sample's non-zero values."""
    edges: tuple[float, ...] = (0.1,)
    """Fixed bin edges on the prepared values, above zero and increasing."""
    edges_file: str = ""
    """File of bin edges per gene (JSON ``{gene: [edges]}``, Parquet or TSV); genes that it lacks are left out."""
    num_bins: Annotated[int, Field(ge=3, le=4096)] = 51
    """Number of quantile bins, the empty bin 0 of genes at zero included."""
    target_sum: Annotated[float, Field(ge=0)] = 10_000.0
    """Total per sample to which counts are scaled; 0 leaves them as they are."""
    log: bool = True
    """Bin ``log1p`` of the values; log values are taken as they are."""
    hvgs: Annotated[int, Field(ge=0)] = 0
    """Number of highly variable genes, chosen on the train split, in the file's order; 0 for every gene that is expressed there."""
    top_genes: Annotated[int, Field(ge=0)] = 0
    """The same, but the vocabulary begins with the most variable gene; 0 for none of it."""
    max_tokens: Annotated[int, Field(ge=0)] = 2048
    """Most tokens of one sample, CLS included; 0 for no limit. The highest bins stay, then the lower gene index."""

    def __post_init__(self) -> None:
        """Refuse edges that do not increase, and settings that contradict each other."""
        from genoken.tokenizers import _gene_tables

        _gene_tables.check_edges(self.edges, "tokenizer.edges")
        if self.hvgs and self.top_genes:
            raise ConfigError("'hvgs' and 'top_genes' both choose genes", remedy="leave one of them out")
        if (self.bins == "per_gene") != bool(self.edges_file):
            raise ConfigError("'bins: per_gene' and 'edges_file' need each other", remedy="give both or neither")

    def fit(self, train: Samples) -> TokenizerState:
        """Choose the vocabulary on the train split and note the edges of its genes.

        Raises
        ------
        DataError
            When the values are scaled, nothing is expressed, or the file of edges cannot be used.
        ConfigError
            When edges in the file do not increase.
        """
        from genoken.tokenizers import _features

        self._refuse(train)
        columns = self._chosen_columns(train)
        facts: dict[str, Any] = {"value_kind": train.value_kind, "train_samples": train.num_samples}
        per_feature: dict[str, np.ndarray] = {}
        if self.bins == "per_gene":
            edges = self._edges_by_column(train)[columns]
            has_edges = ~np.isnan(edges[:, 0])
            facts["genes_without_edges"] = int(np.count_nonzero(~has_edges))
            columns, edges = columns[has_edges], edges[has_edges]
            if not len(columns):
                raise DataError("no expressed gene has edges there", where=self.edges_file)
            per_feature = {_EDGE.format(place): edges[:, place] for place in range(edges.shape[1])}
        return TokenizerState(
            feature_ids=tuple(train.features.index[columns].astype(str)),
            per_feature=_features.train_moments(self._gathered(train, columns)) | per_feature,
            facts=facts,
        )

    def layout(self, state: TokenizerState) -> Layout:
        """Return the identity channel and the channel of bins."""
        from genoken.tokenizers import _features

        num_features = len(state.feature_ids)
        num_bins = self.num_bins if self.bins == "quantile" else self._edges(state).shape[1] + 1
        return Layout(
            channels=(
                Channel(name="feature", kind="category", role="identity", size=NUM_SPECIALS + num_features),
                Channel(name="bin", kind="category", role="value", size=FIRST_CATEGORY + num_bins),
            ),
            num_features=num_features,
            has_cls=True,
            emits_every_feature=False,
            max_tokens=_features.longest_sample(num_features, self.max_tokens),
        )

    def prepare(self, samples: Samples, columns: np.ndarray, state: TokenizerState) -> sp.csr_matrix:
        """Return the values that are binned, (samples, vocabulary); totals run over all genes of the file."""
        self._refuse(samples)
        return self._gathered(samples, columns)

    def encode(self, prepared: sp.csr_matrix, rows: np.ndarray, state: TokenizerState) -> Tokens:
        """Return packed tokens of these rows, genes in vocabulary order within each sample."""
        from genoken.core.batch import Tokens
        from genoken.tokenizers import _bins

        rows = np.ascontiguousarray(rows, dtype=np.int64)
        offsets, truncated = self._count(prepared, rows, state)
        csr = prepared.indptr, prepared.indices, prepared.data, rows, offsets
        if self.bins == "quantile":
            quantiles = np.linspace(0, 1, self.num_bins - 1)
            identities, bins = _bins.pack_quantile_bins(*csr, quantiles, NUM_SPECIALS, FIRST_CATEGORY)
        else:
            identities, bins = _bins.pack_fixed_bins(*csr, self._edges(state), NUM_SPECIALS, FIRST_CATEGORY)
        identities[offsets[:-1]] = CLS_ID
        bins[offsets[:-1]] = NO_CATEGORY
        return Tokens(channels={"feature": identities, "bin": bins}, offsets=offsets, num_truncated=truncated)

    def lengths(self, prepared: sp.csr_matrix, state: TokenizerState) -> np.ndarray:
        """Return the tokens of each sample, CLS included: the genes with a bin above 0, up to the limit."""
        return np.diff(self._count(prepared, np.arange(prepared.shape[0]), state)[0])

    def _count(self, prepared: sp.csr_matrix, rows: np.ndarray, state: TokenizerState) -> tuple[np.ndarray, int]:
        """Return the offsets of the packed tokens and the number of tokens that the limit cut off."""
        from genoken.tokenizers import _bins, _features

        first_edges = np.array([-np.inf]) if self.bins == "quantile" else np.ascontiguousarray(self._edges(state)[:, 0])
        room = _features.longest_sample(len(state.feature_ids), self.max_tokens) - 1
        return _bins.count_binned(prepared.indptr, prepared.indices, prepared.data, rows, first_edges, room)

    def _edges(self, state: TokenizerState) -> np.ndarray:
        """Return edges (1, edges) for all genes or (features, edges), infinity where a gene has fewer."""
        if self.bins == "fixed":
            return np.array([self.edges], dtype=np.float64)
        names = [name for name in state.per_feature if name.startswith(_EDGE.format(""))]
        stored = [state.per_feature[_EDGE.format(place)] for place in range(len(names))]
        edges = np.array(stored, dtype=np.float64).reshape(len(names), len(state.feature_ids)).T
        return np.where(np.isnan(edges), np.inf, edges)

    def _refuse(self, samples: Samples) -> None:
        from genoken.tokenizers import _features

        _features.refuse_scores(samples, "binned")
        if samples.value_kind == "log" and not self.log:
            raise DataError(
                "the values are logarithms, and tokenizer.log is off",
                where=samples.origin,
                remedy="set tokenizer.log=true, or choose counts with --source",
            )

    def _gathered(self, samples: Samples, columns: np.ndarray) -> sp.csr_matrix:
        """Return normalized values of the vocabulary."""
        from genoken.tokenizers import _features, _gathering

        scaled = samples.value_kind == "counts" and self.target_sum > 0
        factors = _features.row_factors(samples.values, self.target_sum, samples.totals) if scaled else None
        gathered = _gathering.gather_columns(samples.values, columns, factors)
        if self.log and samples.value_kind != "log":
            np.log1p(gathered.data, out=gathered.data)
        return gathered

    def _chosen_columns(self, train: Samples) -> np.ndarray:
        from genoken.tokenizers import _features

        log_values = _features.log_values(train, self.target_sum or 10_000.0)
        if self.top_genes:
            return _features.ranked_variable_features(train, log_values, self.top_genes)
        return _features.variable_features(train, log_values, self.hvgs) if self.hvgs else _features.expressed_features(train)

    def _edges_by_column(self, train: Samples) -> np.ndarray:
        """Return the edges of the gene in each column of the train split, (features, edges), NaN where it has fewer or none."""
        from genoken.tokenizers import _gene_tables
        from genoken.vocabulary.align import align

        listed = _gene_tables.read_edges(self.edges_file)
        columns = align(tuple(listed), train.features, minimum_coverage=0.0, where=train.origin).columns
        edges = np.full((train.num_features, max(map(len, listed.values()))), np.nan)
        for column, own in zip(columns, listed.values(), strict=True):
            if column >= 0:
                edges[column, : len(own)] = own
        return edges
