"""Continuous tokens: one token per gene, its identity and its log-normalized value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from genoken.core.components import settings
from genoken.core.contracts import Tokenizer, TokenizerState
from genoken.core.errors import DataError
from genoken.core.layout import CLS_ID, NUM_SPECIALS, Channel, Layout
from genoken.core.scale import Scale, scale_of

if TYPE_CHECKING:
    import scipy.sparse as sp

    from genoken.core.batch import Tokens
    from genoken.core.samples import Samples


FAR_APART = 2.0
"""Factor between the totals of two files from which on their scales are taken to differ."""


@settings
class ContinuousTokenizer(Tokenizer):
    """One token per gene: its identity and ``log1p(target_sum * x / sum(x))``, after a CLS token.

    Counts are scaled to ``target_sum`` per sample and logged, normalized values are logged, log values are taken as they are, and
    scaled values are refused, because a z-score has no zero that could mean "not expressed". The real values of a dense panel are
    taken as they are too, where every gene becomes a token (``tokens: all`` without a limit), so that no zero has to mean that; the
    genes that vary most are then those of the largest standard deviation. Values of other
    samples are brought to the total of the train split's wherever both totals are known.

    References
    ----------
    Stuart et al., Cell 177:1888 (2019), doi:10.1016/j.cell.2019.05.031, for the ``seurat_v3`` choice of variable genes.
    """

    tokens: Literal["expressed", "all"] = "expressed"
    """``expressed``: only genes with a value above zero become tokens; ``all``: every gene of the vocabulary does."""
    hvgs: Annotated[int, Field(ge=0)] = 2000
    """Number of highly variable genes, chosen on the train split; 0 for every gene that the train split expresses."""
    target_sum: Annotated[float, Field(ge=0)] = 10_000.0
    """Total per sample to which counts are scaled; 0 leaves them as they are, as the likelihood of counts needs them."""
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

        of_counts = Scale(self.target_sum, is_constant=self.target_sum > 0)
        scale = of_counts if train.value_kind == "counts" else _scale_of_train(train)
        normalized = self._normalize(train, scale)
        if train.value_kind == "real":
            columns = _features.varying_features(train, self.hvgs)
        else:
            columns = (
                _features.variable_features(train, normalized, self.hvgs) if self.hvgs else _features.expressed_features(train)
            )
        return TokenizerState(
            feature_ids=tuple(train.features.index[columns].astype(str)),
            per_feature=_features.train_moments(normalized[:, columns]),
            facts={
                "value_kind": train.value_kind,
                "train_samples": train.num_samples,
                "train_total": scale.total,
                "train_total_is_constant": scale.is_constant,
            },
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
            is_panel=self.tokens == "all" and longest == num_features + 1,
        )

    def prepare(self, samples: Samples, columns: np.ndarray, state: TokenizerState) -> sp.csr_matrix:
        """Return log values (samples, vocabulary) of the train split's total.

        Totals run over all genes of the file, before the choice of columns. Counts are scaled to the train split's total where all
        its samples had one, else to ``target_sum``. Log and normalized values are rescaled where their samples have one total and
        those of the train split had another; else they stay as they are, which :meth:`notes` says when totals are far apart.
        """
        from genoken.tokenizers import _gathering

        return _gathering.gather_columns(self._normalize(samples, _train_scale(state)), columns)

    def notes(self, samples: Samples, state: TokenizerState) -> tuple[str, ...]:
        """Say when values were rescaled, or when their scale cannot be told and may not be that of the train split."""
        train = _train_scale(state)
        if not train.total or samples.value_kind == "real":
            return ()
        ours = f"those that the model was trained on to about {train.total:,.0f}"
        if samples.value_kind == "counts":
            if train.is_constant:
                return ()
            why = f"the values that the model was trained on have no common total (median {train.total:,.0f} before the logarithm)"
            remedy = "normalize these samples as the train file's were"
            return (f"counts are scaled to {self.target_sum:,.0f} per sample, but {why}, and predictions may be wrong: {remedy}",)
        scale = scale_of(samples)
        sums = f"the {samples.value_kind} values sum to about {scale.total:,.0f} per sample"
        sums += " before the logarithm" if samples.value_kind == "log" else ""
        if _factor(scale, train) != 1:
            return (f"{sums}, {ours}; they were rescaled to that",)
        if scale.total and not 1 / FAR_APART <= scale.total / train.total <= FAR_APART:
            why = "they were not rescaled, because not all these sums are alike or they are too few"
            remedy = "give counts, or values of all genes that were normalized as the train file's were"
            return (f"{sums}, {ours}; {why}, and predictions may be wrong: {remedy}",)
        return ()

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

    def _normalize(self, samples: Samples, train: Scale) -> sp.csr_matrix:
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
        result = _features.log_values(samples, train.total if train.is_constant else self.target_sum)
        factor = 1.0 if samples.value_kind == "counts" else _factor(scale_of(samples), train)
        return result if factor == 1 else _features.rescale_log1p(result, factor)


def _scale_of_train(train: Samples) -> Scale:
    """Return the scale of the train values; real values of a panel have none."""
    return Scale(0.0, is_constant=False) if train.value_kind == "real" else scale_of(train)


def _train_scale(state: TokenizerState) -> Scale:
    return Scale(state.facts.get("train_total", 0.0), is_constant=state.facts.get("train_total_is_constant", False))


def _factor(scale: Scale, train: Scale) -> float:
    """Return by how much values must be multiplied before the logarithm to have the train split's total; 1 where it is unknown."""
    known = scale.is_constant and train.is_constant
    return train.total / scale.total if known and not scale.equals(train) else 1.0
