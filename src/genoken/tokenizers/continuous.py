"""Continuous tokens: one token per gene, its identity and its log-normalized value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from genoken.core.components import settings
from genoken.core.contracts import Tokenizer, TokenizerState
from genoken.core.errors import DataError
from genoken.core.layout import CLS_ID, NUM_SPECIALS, Channel, Layout

if TYPE_CHECKING:
    import scipy.sparse as sp

    from genoken.core.batch import Tokens
    from genoken.core.samples import Samples


@settings
class ContinuousTokenizer(Tokenizer):
    """One token per gene: its identity and ``log1p(target_sum * x / sum(x))``, after a CLS token.

    Counts are scaled to ``target_sum`` per sample and logged, normalized values are logged, log values are taken as they are, and
    scaled values are refused, because a z-score has no zero that could mean "not expressed". The real values of a dense panel are
    taken as they are too, where every gene becomes a token (``tokens: all`` without a limit), so that no zero has to mean that; the
    genes that vary most are then those of the largest standard deviation.

    References
    ----------
    Stuart et al., Cell 177:1888 (2019), doi:10.1016/j.cell.2019.05.031, for the ``seurat_v3`` choice of variable genes.
    """

    tokens: Literal["expressed", "all"] = "expressed"
    """``expressed``: only genes with a value above zero become tokens; ``all``: every gene of the vocabulary does."""
    hvgs: Annotated[int, Field(ge=0)] = 2000
    """Number of highly variable genes, chosen on the train split; 0 for every gene that the train split expresses."""
    target_sum: Annotated[float, Field(gt=0)] = 10_000.0
    """Total per sample to which counts are scaled."""
    max_tokens: Annotated[int, Field(ge=0)] = 0
    """Most tokens of one sample, CLS included; 0 for no limit. The highest values stay, ties by the lower gene index."""

    def fit(self, train: Samples) -> TokenizerState:
        """Choose the vocabulary on the train split and note each gene's moments there.

        Raises
        ------
        DataError
            When the values are scaled or of unknown kind, or real while not every gene becomes a token, or nothing is expressed.
        """
        from genoken.tokenizers import _features

        normalized = self._normalize(train)
        if train.value_kind == "real":
            columns = _features.varying_features(train, self.hvgs)
        else:
            columns = (
                _features.variable_features(train, normalized, self.hvgs) if self.hvgs else _features.expressed_features(train)
            )
        return TokenizerState(
            feature_ids=tuple(train.features.index[columns].astype(str)),
            per_feature=_features.train_moments(normalized[:, columns]),
            facts={"value_kind": train.value_kind, "train_samples": train.num_samples},
        )

    def layout(self, state: TokenizerState) -> Layout:
        """Return the identity and the value channel."""
        from genoken.tokenizers import _features

        num_features = len(state.feature_ids)
        longest = _features.longest_sample(num_features, self.max_tokens)
        return Layout(
            channels=(
                Channel(name="feature", kind="category", role="identity", size=NUM_SPECIALS + num_features),
                Channel(name="value", kind="scalar", role="value"),
            ),
            num_features=num_features,
            has_cls=True,
            emits_every_feature=self.tokens == "all" and longest == num_features + 1,
            max_tokens=longest,
        )

    def prepare(self, samples: Samples, columns: np.ndarray, state: TokenizerState) -> sp.csr_matrix:
        """Return log values (samples, vocabulary); totals run over all genes of the file, before the choice of columns."""
        from genoken.tokenizers import _gathering

        return _gathering.gather_columns(self._normalize(samples), columns)

    def encode(self, prepared: sp.csr_matrix, rows: np.ndarray, state: TokenizerState) -> Tokens:
        """Return packed tokens of these rows, genes in vocabulary order within each sample."""
        from genoken.core.batch import Tokens
        from genoken.tokenizers import _packing

        layout = self.layout(state)
        rows = np.ascontiguousarray(rows, dtype=np.int64)
        every_feature = self.tokens == "all"
        if every_feature and not layout.emits_every_feature:
            # A limit on all genes keeps the highest values, so zeros are the first to go: the expressed ones, then none.
            every_feature = False
        offsets = _packing.count_tokens(prepared.indptr, rows, layout.max_tokens - 1, layout.num_features, every_feature)
        pack = _packing.pack_every_feature if every_feature else _packing.pack_expressed
        identities, values = pack(prepared.indptr, prepared.indices, prepared.data, rows, offsets, CLS_ID, NUM_SPECIALS)
        stored = int((prepared.indptr[rows + 1] - prepared.indptr[rows]).sum())
        truncated = 0 if every_feature else stored - int(offsets[-1] - len(rows))
        return Tokens(channels={"feature": identities, "value": values}, offsets=offsets, num_truncated=truncated)

    def lengths(self, prepared: sp.csr_matrix, state: TokenizerState) -> np.ndarray:
        """Return the tokens of each sample, CLS included: all genes, or the expressed ones, up to the limit."""
        layout = self.layout(state)
        if layout.emits_every_feature:
            return np.full(prepared.shape[0], layout.max_tokens, dtype=np.int64)
        return np.minimum(np.diff(prepared.indptr).astype(np.int64) + 1, layout.max_tokens)

    def _normalize(self, samples: Samples) -> sp.csr_matrix:
        from genoken.tokenizers import _features

        if samples.value_kind == "real":
            if self.tokens != "all" or self.max_tokens:
                raise DataError(
                    "the values are real numbers, in which no zero means that a gene is not expressed",
                    where=samples.origin,
                    remedy="make every gene a token with --set tokenizer.tokens=all, without tokenizer.max_tokens",
                )
            return samples.values
        _features.refuse_scores(samples, "continuous")
        return _features.log_values(samples, self.target_sum)
