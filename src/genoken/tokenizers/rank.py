"""Rank tokens: the genes of a sample in the order of their expression, each measured by what is usual for it."""

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
    from genoken.tokenizers._gene_tables import GeneTable

TARGET_SUM = 10_000.0
"""Total to which counts are scaled before medians are taken; it changes no rank, but medians from a file are of this total."""


@settings
class RankTokenizer(Tokenizer):
    """Genes by descending ``x / median``, after a CLS token; ties by the lower gene index.

    ``x`` is the count scaled to a total of 10,000, or the normalized value; log values are taken back to it where they are divided
    by medians. ``values: expressed`` leaves genes at zero out (Geneformer). ``values: all`` ranks every gene of a dense panel by
    its values as they are, logarithms and z-scores too: a gene that is not stored counts as 0, and may be above others.

    Source: Geneformer's rank value encoding. There, ties are in no defined order and the vocabulary is a fixed dictionary.

    References
    ----------
    Theodoris et al., Nature 618:616 (2023), doi:10.1038/s41586-023-06139-9.
    """

    order: Literal["rank_order", "gene_order"] = "rank_order"
    """``rank_order``: the place in the sample is the rank, the token names the gene; ``gene_order`` (with ``values: all``): the
    place is the gene, the channel ``rank`` holds its rank."""
    values: Literal["expressed", "all"] = "expressed"
    """``expressed``: genes at zero are left out; ``all``: every gene of a dense panel is ranked, negative values too."""
    scale: Literal["median", "none"] = "median"
    """``median``: divide by the gene's median over the train samples where it is not zero; ``none``: rank the values themselves."""
    medians: str = ""
    """File of medians to divide by (JSON ``{gene: median}`` or TSV); genes that it lacks take the train split's. Empty: all do."""
    vocabulary: str = ""
    """File that lists the genes (JSON ``{gene: token id}`` or TSV), in the order of their ids; empty: genes of the train split."""
    hvgs: Annotated[int, Field(ge=0)] = 0
    """Number of highly variable genes, chosen on the train split; 0 for every gene that the train split expresses."""
    max_tokens: Annotated[int, Field(ge=0)] = 2048
    """Most tokens of one sample, CLS included; 0 for no limit. The highest ranks stay."""

    def __post_init__(self) -> None:
        """Refuse settings that contradict each other."""
        if self.order == "gene_order" and self.values == "expressed":
            raise ConfigError("'order: gene_order' needs every gene of a panel", remedy="add values: all, or use order: rank_order")
        if self.hvgs and (self.vocabulary or self.values == "all"):
            other = "a vocabulary file" if self.vocabulary else "values: all"
            raise ConfigError(f"'hvgs' chooses genes, and so does {other}", remedy="leave one of them out")
        if self.medians and self.scale == "none":
            raise ConfigError("'medians' names a file that 'scale: none' does not use", remedy="leave one of them out")

    def fit(self, train: Samples) -> TokenizerState:
        """Choose the vocabulary and learn the medians on the train split.

        Raises
        ------
        DataError
            When the values have no zero (``values: expressed``), nothing is expressed, a file of genes cannot be used, or a median
            is not above zero.
        """
        from genoken.tokenizers import _features, _gene_tables

        self._refuse_scores(train)
        listed = _gene_tables.read_medians(self.medians) if self.medians else None
        symbols: tuple[str, ...] = ()
        if self.vocabulary:
            table = _gene_tables.read_vocabulary(self.vocabulary)
            ids, columns, symbols = table.ids, _columns(table, train), table.symbols
            known = np.full(len(ids), np.nan) if listed is None else _looked_up(listed, ids)
        else:
            usual = np.full(train.num_features, np.nan) if listed is None else _by_column(listed, train)
            columns = self._chosen_columns(train, usual if self.medians else None)
            ids, known = tuple(train.features.index[columns].astype(str)), usual[columns]
        self._refuse_too_many(len(ids), train)
        chosen = self._gathered(train, columns)
        facts: dict[str, Any] = {"value_kind": train.value_kind, "train_samples": train.num_samples}
        if self.scale == "none":
            return TokenizerState(ids, _features.train_moments(chosen), facts, symbols)
        medians, sources = _fill_medians(known, chosen)
        if not (medians > 0).all():
            wrong = int(np.flatnonzero(~(medians > 0))[0])
            raise DataError(
                f"the median of {ids[wrong]} is {medians[wrong]:.3g}, and dividing by it would turn ranks around",
                where=train.origin,
                remedy="set tokenizer.scale=none",
            )
        moments = _features.train_moments(self._gathered(train, columns, medians))
        return TokenizerState(ids, {"median": medians} | moments, facts | sources, symbols)

    def layout(self, state: TokenizerState) -> Layout:
        """Return the identity channel, and in gene order the channel of ranks."""
        from genoken.tokenizers import _features

        num_features = len(state.feature_ids)
        longest = _features.longest_sample(num_features, self.max_tokens)
        ranks = Channel(name="rank", kind="category", role="value", size=FIRST_CATEGORY + num_features)
        return Layout(
            channels=(
                Channel(name="feature", kind="category", role="identity", size=NUM_SPECIALS + num_features),
                *((ranks,) if self.order == "gene_order" else ()),
            ),
            num_features=num_features,
            has_cls=True,
            emits_every_feature=self.order == "gene_order",
            max_tokens=longest,
            is_panel=self.values == "all" and longest == num_features + 1,
        )

    def prepare(self, samples: Samples, columns: np.ndarray, state: TokenizerState) -> sp.csr_matrix:
        """Return the values that are ranked, (samples, vocabulary); totals run over all genes of the file."""
        self._refuse_scores(samples)
        return self._gathered(samples, columns, state.per_feature.get("median"))

    def encode(self, prepared: sp.csr_matrix, rows: np.ndarray, state: TokenizerState) -> Tokens:
        """Return packed tokens of these rows, by rank or, in gene order, by gene."""
        from genoken.core.batch import Tokens
        from genoken.tokenizers import _packing, _sorting

        layout = self.layout(state)
        rows = np.ascontiguousarray(rows, dtype=np.int64)
        csr = prepared.indptr, prepared.indices, prepared.data, rows
        if self.values == "all":
            order = _sorting.order_every_feature(*csr, layout.num_features)
            offsets = np.arange(len(rows) + 1, dtype=np.int64) * layout.max_tokens
            truncated = len(rows) * (layout.num_features + 1 - layout.max_tokens)
            return Tokens(channels=self._panel_channels(order, layout), offsets=offsets, num_truncated=truncated)
        offsets = _packing.count_tokens(prepared.indptr, rows, layout.max_tokens - 1, layout.num_features, False)
        identities = _sorting.pack_ranked(*csr, offsets, CLS_ID, NUM_SPECIALS)
        stored = int((prepared.indptr[rows + 1] - prepared.indptr[rows]).sum())
        return Tokens(channels={"feature": identities}, offsets=offsets, num_truncated=stored - int(offsets[-1] - len(rows)))

    def lengths(self, prepared: sp.csr_matrix, state: TokenizerState) -> np.ndarray:
        """Return the tokens of each sample, CLS included: the whole panel, or the expressed genes, up to the limit."""
        layout = self.layout(state)
        if self.values == "all":
            return np.full(prepared.shape[0], layout.max_tokens, dtype=np.int64)
        return np.minimum(np.diff(prepared.indptr).astype(np.int64) + 1, layout.max_tokens)

    def _refuse_scores(self, samples: Samples) -> None:
        from genoken.tokenizers import _features

        if self.values == "expressed":
            _features.refuse_scores(samples, "rank")

    def _gathered(self, samples: Samples, columns: np.ndarray, medians: np.ndarray | None = None) -> sp.csr_matrix:
        """Return values of the vocabulary on the scale on which medians are taken, divided by medians where there are any."""
        from genoken.tokenizers import _features, _gathering

        values = samples.values
        if self.values == "expressed" and self.scale == "median" and samples.value_kind == "log":
            values = values.expm1()
        factors = _features.row_factors(values, TARGET_SUM, samples.totals) if samples.value_kind == "counts" else None
        return _gathering.gather_columns(values, columns, factors, medians)

    def _chosen_columns(self, train: Samples, medians: np.ndarray | None) -> np.ndarray:
        from genoken.tokenizers import _features

        if self.values == "all":
            return np.arange(train.num_features)
        if self.hvgs:
            columns = _features.variable_features(train, _features.log_values(train, TARGET_SUM), self.hvgs)
        else:
            columns = _features.expressed_features(train)
        if medians is not None:
            columns = columns[np.isfinite(medians[columns])]
            if not len(columns):
                raise DataError("no expressed gene has a median there", where=self.medians, remedy="leave tokenizer.medians out")
        return columns

    def _refuse_too_many(self, num_features: int, train: Samples) -> None:
        if self.order == "gene_order" and 0 < self.max_tokens <= num_features:
            raise DataError(
                f"'gene_order' emits all {num_features:,} genes and CLS, more than max_tokens {self.max_tokens:,}",
                where=train.origin,
                remedy=f"set tokenizer.max_tokens={num_features + 1}, or 0",
            )

    def _panel_channels(self, order: np.ndarray, layout: Layout) -> dict[str, np.ndarray]:
        """Return the channels of a dense panel from the features of each sample by rank."""
        shape = len(order), layout.max_tokens
        identities = np.full(shape, CLS_ID, dtype=np.int64)
        if self.order == "rank_order":
            identities[:, 1:] = NUM_SPECIALS + order[:, : layout.max_tokens - 1]
            return {"feature": identities.ravel()}
        identities[:, 1:] = NUM_SPECIALS + np.arange(layout.num_features)
        ranks = np.full(shape, NO_CATEGORY, dtype=np.int64)
        ranks[:, 1:] = FIRST_CATEGORY + inverse_permutation(order)
        return {"feature": identities.ravel(), "rank": ranks.ravel()}


def order_of(values: Any) -> np.ndarray:
    """Return which feature has which rank: entry ``[i, r]`` is the feature of rank ``r`` in sample ``i``, 0 the highest value.

    Parameters
    ----------
    values
        Matrix (samples, features), dense or sparse, compared as float32; what is not stored is 0. Ties go to the lower index.

    Returns
    -------
    numpy.ndarray
        int32 of shape (samples, features), a permutation in each row; :func:`ranks_of` is its inverse.
    """
    from genoken.core.matrix import as_csr
    from genoken.tokenizers import _sorting

    csr = as_csr(values, "values")
    return _sorting.order_every_feature(csr.indptr, csr.indices, csr.data, np.arange(csr.shape[0]), csr.shape[1])


def ranks_of(values: Any) -> np.ndarray:
    """Return which rank each feature has: entry ``[i, g]`` is the rank of feature ``g`` in sample ``i``; see :func:`order_of`."""
    return inverse_permutation(order_of(values))


def inverse_permutation(permutations: np.ndarray) -> np.ndarray:
    """Return the inverse of the permutation in each row: ``result[i, permutations[i, j]] == j``."""
    inverse = np.empty_like(permutations)
    places = np.broadcast_to(np.arange(permutations.shape[1], dtype=permutations.dtype), permutations.shape)
    np.put_along_axis(inverse, permutations.astype(np.int64), places, axis=1)
    return inverse


def _columns(table: GeneTable, train: Samples) -> np.ndarray:
    """Return the column of the train split that holds each gene of a table, -1 where there is none."""
    from genoken.vocabulary.align import align

    return align(table.ids, train.features, minimum_coverage=0.0, where=train.origin, symbols=table.symbols).columns


def _by_column(table: GeneTable, train: Samples) -> np.ndarray:
    """Return the number of the gene in each column of the train split, NaN where the table lacks it."""
    columns = _columns(table, train)
    found = columns >= 0
    numbers = np.full(train.num_features, np.nan)
    numbers[columns[found]] = np.asarray(table.values)[found]
    return numbers


def _looked_up(table: GeneTable, ids: tuple[str, ...]) -> np.ndarray:
    numbers = dict(zip(table.ids, table.values, strict=True))
    return np.array([numbers.get(gene, np.nan) for gene in ids])


def _fill_medians(known: np.ndarray, train_values: sp.csr_matrix) -> tuple[np.ndarray, dict[str, int]]:
    """Return the medians, those that are not known from the train values, and how many came from where.

    A gene that the train split never expresses has none; it counts as 1, which is about what others have.
    """
    from genoken.tokenizers import _sorting

    columns = train_values.tocsc()
    own = _sorting.column_medians(columns.indptr, columns.data)
    unknown, nowhere = np.isnan(known), np.isnan(known) & np.isnan(own)
    medians = np.where(nowhere, 1.0, np.where(unknown, own, known))
    return medians, {
        "medians_from_file": int(np.count_nonzero(~unknown)),
        "medians_from_train": int(np.count_nonzero(unknown & ~nowhere)),
        "medians_set_to_1": int(np.count_nonzero(nowhere)),
    }
