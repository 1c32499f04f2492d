"""Samples to token sequences and back, for users who write their own training loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from genoken.core.batch import Batch
from genoken.core.calls import Calls
from genoken.core.components import component_to_dict, kind_of
from genoken.core.config import ModelSettings, build, component_from_dict
from genoken.core.contracts import MADE_OF, Tokenizer, TokenizerState, TokenObjective
from genoken.core.genotypes import BLOCK, QUALITY
from genoken.core.layout import CLS_ID, FIRST_CATEGORY, MASK_ID, NUM_SPECIALS, SEPARATOR_ID, Layout
from genoken.core.samples import Samples
from genoken.core.scale import scale_of
from genoken.core.stored_rows import StoredRows, store_rows
from genoken.data.dataset import TokenDataset
from genoken.data.genotypes.division import with_blocks
from genoken.data.phenotype_tokens import tokens_left
from genoken.models.embeddings import EmbeddingStart
from genoken.models.token_network import TokenNetwork, seeded_token_network
from genoken.vocabulary.align import Alignment, align, symbols_of
from genoken.vocabulary.phenotypes import PhenotypeVocabulary
from genoken.workflows.coverage import find_vocabulary
from genoken.workflows.source import read_source

if TYPE_CHECKING:
    from anndata import AnnData

UNKNOWN = "unknown"
"""What :meth:`Encoder.decode` calls the value of a phenotype that is missing or not in the vocabulary."""


@dataclass(frozen=True)
class Encoder:
    """A fitted tokenizer with everything that turns samples of any file into token sequences, and these back into genes.

    Parameters
    ----------
    tokenizer
        Its settings.
    state
        What it learned.
    symbols
        Readable name of each feature.
    phenotypes
        The phenotypes in front of the features; ``None`` for none.

    Examples
    --------
    >>> encoder = genoken.Encoder.fit(cells, tokenizer="rank", phenotypes=["cell_type"])
    >>> dataset = encoder.encode(cells)
    >>> loader = torch.utils.data.DataLoader(dataset, batch_size=8, shuffle=True, collate_fn=genoken.collate)
    >>> encoder.decode(next(iter(loader)))
    """

    tokenizer: Tokenizer
    state: TokenizerState
    symbols: tuple[str, ...]
    phenotypes: PhenotypeVocabulary | None = None

    @classmethod
    def fit(
        cls,
        data: str | Path | AnnData,
        *,
        tokenizer: str | Mapping[str, Any] | Tokenizer = "rank",
        phenotypes: Sequence[str] = (),
        source: str = "auto",
    ) -> Encoder:
        """Learn the vocabulary, and whatever else the tokenizer needs, from samples to train on.

        Parameters
        ----------
        data
            Path of a file, or an AnnData object.
        tokenizer
            A kind, such as ``rank``, ``binned`` or ``continuous``, or a mapping of ``kind`` and options.
        phenotypes
            Columns of ``obs`` that become tokens in front of the features.
        source
            ``auto``, ``X``, ``raw`` or ``layers/NAME``: where the values are.

        Raises
        ------
        GenokenError
            When an option is unknown, or the data cannot be used.
        """
        content = component_to_dict(tokenizer) if isinstance(tokenizer, Tokenizer) else tokenizer
        chosen = component_from_dict("tokenizers", content, path="tokenizer")
        samples = read_source(data, source).samples
        vocabulary = PhenotypeVocabulary.fit(samples.table, phenotypes, where=samples.origin) if phenotypes else None
        return cls.of_samples(room_for_phenotypes(chosen, vocabulary), samples, vocabulary)[0]

    @classmethod
    def of_samples(cls, tokenizer: Tokenizer, train: Samples, phenotypes: PhenotypeVocabulary | None) -> tuple[Encoder, Alignment]:
        """Fit a tokenizer on train samples; return with it where the features of its vocabulary are in their table."""
        state = fit_tokenizer(tokenizer, train)
        found = locate(state, train)
        return cls(tokenizer, state, names_of(state, train.features, found.columns), phenotypes), found

    @cached_property
    def layout(self) -> Layout:
        """What each token consists of; objectives and networks are built for it."""
        nothing = sp.csr_matrix((0, len(self.state.feature_ids)), dtype=np.float32)
        return TokenDataset(self.tokenizer, self.state, nothing, phenotypes=self.phenotypes).layout

    def network(
        self, objectives: Sequence[TokenObjective], model: Mapping[str, Any] | None = None, *, seed: int = 0
    ) -> TokenNetwork:
        """Return a new network for these token sequences, with a head for each objective; it starts from random weights.

        Parameters
        ----------
        objectives
            What it shall be asked; its outputs are named by their kinds.
        model
            Settings as under ``model`` in a configuration, such as ``{"width": 64, "encoder": {"layers": 2}}``.
        seed
            The start depends on it alone.

        Raises
        ------
        ConfigError
            When a setting is unknown, or an objective asks for what the tokens do not hold.
        """
        settings = build(ModelSettings, model or {}, path="model")
        heads = {kind_of(objective): objective.head(self.layout) for objective in objectives}
        return seeded_token_network(settings, self.layout, heads, EmbeddingStart(), seed)

    def encode(self, data: str | Path | AnnData, *, source: str = "auto", min_coverage: float = 0.5) -> TokenDataset:
        """Return samples as a torch ``Dataset``, each item of which is a :class:`~genoken.core.batch.Batch` of one sample.

        Parameters
        ----------
        data
            Path of a file, or an AnnData object; genes are found by id.
        source
            ``auto``, ``X``, ``raw`` or ``layers/NAME``: where the values are.
        min_coverage
            Smallest share of the vocabulary, from 0 to 1, that must be found.

        Raises
        ------
        GenokenError
            When the data cannot be used.
        """
        samples = read_source(data, source).samples
        found = find_vocabulary(samples, self.state, self.symbols, min_coverage=min_coverage, reference="the encoder")
        return self.dataset(samples, found.columns)

    def dataset(self, samples: Samples, columns: np.ndarray) -> TokenDataset:
        """Return samples as token sequences; ``columns[j]`` is the column of feature ``j``, or -1 where it is missing.

        Where the samples' values are on disk, the prepared ones go into a folder ``prepared`` beside them.
        """
        codes = None if self.phenotypes is None else self.phenotypes.codes(samples.table)
        prepared, counts = self._prepared(samples, columns)
        return TokenDataset(self.tokenizer, self.state, prepared, None, self.phenotypes, codes, counts)

    def _prepared(self, samples: Samples, columns: np.ndarray) -> tuple[sp.csr_matrix | StoredRows | Calls, np.ndarray | None]:
        """Return the prepared values; where the samples' are on disk, beside them there, and with the tokens of each sample."""
        if not isinstance(samples.values, StoredRows):
            return self.tokenizer.prepare(samples, columns, self.state), None
        scale = scale_of(samples)
        counts: list[np.ndarray] = []

        def parts() -> Iterator[sp.csr_matrix]:
            for block in samples.blocks():
                prepared = self.tokenizer.prepare(replace(block, scale=scale), columns, self.state)
                counts.append(self.tokenizer.lengths(prepared, self.state))
                yield prepared.read() if isinstance(prepared, Calls) else prepared

        stored = store_rows(parts(), samples.values.folder.with_name("prepared"), len(self.state.feature_ids))
        return stored, np.concatenate(counts)

    def decode(self, batch: Batch, sample_ids: Sequence[str] | None = None) -> pd.DataFrame:
        """Return the tokens of a batch, or of an item of the data set, one per row.

        Parameters
        ----------
        batch
            Token sequences; some tokens may be hidden.
        sample_ids
            Id of each sample of the data set, such as ``adata.obs_names``.

        Returns
        -------
        pandas.DataFrame
            ``row`` in the data set (and ``sample_id``, when given), ``position`` in the sequence, ``kind`` (``cls``, ``phenotype``,
            ``feature``, ``mask``, ``separator``), ``feature_id`` and ``symbol`` (of a phenotype its name; empty for others), then
            ``rank`` from 0, ``bin`` or ``value`` as the tokenizer has it, missing where there is none or it is hidden, and
            ``phenotype``, the value of phenotypes, where there are any.
        """
        identities = batch.channels[self._channel("identity")].cpu().numpy()
        lengths = np.asarray(batch.lengths)
        rows = np.repeat(batch.rows.cpu().numpy(), lengths)
        positions = np.arange(len(identities)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        kinds = _kinds(identities, self.layout)
        names, symbols = self._names(identities, kinds)
        columns: dict[str, Any] = {"row": rows}
        if sample_ids is not None:
            columns["sample_id"] = np.asarray(sample_ids, dtype=object)[rows]
        columns |= {"position": positions, "kind": kinds, "feature_id": names, "symbol": symbols}
        columns |= self._values(batch, positions, kinds)
        if self.phenotypes is not None:
            columns["phenotype"] = self._phenotype_values(batch)
        return pd.DataFrame(columns)

    def _channel(self, role: Any) -> str:
        channel = self.layout.channel(role)
        return "" if channel is None else channel.name

    def _names(self, identities: np.ndarray, kinds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        phenotypes = () if self.phenotypes is None else self.phenotypes.columns
        place = np.maximum(identities - NUM_SPECIALS, 0)
        is_special = ~np.isin(kinds, ("feature", "phenotype"))
        found = []
        for listed in (self.state.feature_ids, self.symbols):
            names = np.asarray([*listed, *phenotypes], dtype=object)[place]
            names[is_special] = ""
            found.append(names)
        return found[0], found[1]

    def _values(self, batch: Batch, positions: np.ndarray, kinds: np.ndarray) -> dict[str, Any]:
        """Return the column of ranks, bins or values."""
        is_feature = np.isin(kinds, ("feature", "mask"))
        channel = self.layout.channel("value")
        if channel is None:
            first = int(self.layout.has_cls) + self.layout.num_phenotypes
            return {"rank": _whole_numbers(positions - first, is_feature)}
        entries = batch.channels[channel.name].cpu().numpy()
        if channel.kind == "category":
            return {channel.name: _whole_numbers(entries - FIRST_CATEGORY, is_feature & (entries >= FIRST_CATEGORY))}
        return {channel.name: np.where(is_feature, entries, np.nan)}

    def _phenotype_values(self, batch: Batch) -> np.ndarray:
        """Return the value of each phenotype token as text, empty where it is hidden and at other tokens."""
        assert self.phenotypes is not None  # noqa: S101
        entries = batch.channels[self._channel("phenotype")].cpu().numpy()
        values = [name for names in self.phenotypes.categories for name in names]
        return np.asarray([*[""] * FIRST_CATEGORY, UNKNOWN, *values], dtype=object)[entries]


def room_for_phenotypes(tokenizer: Any, phenotypes: PhenotypeVocabulary | None) -> Any:
    """Return a tokenizer's settings with as many tokens fewer as phenotypes and a separator take, where it has a limit.

    Raises
    ------
    ConfigError
        When no room is left for features.
    """
    limit: int = getattr(tokenizer, "max_tokens", 0)
    if not limit or phenotypes is None:
        return tokenizer
    return replace(tokenizer, max_tokens=tokens_left(limit, len(phenotypes.columns), end=True))


IN_NO_BLOCK = "variants_in_no_block"
"""Fact of a tokenizer that asks for blocks: how many variants that it could have used no block holds."""


def fit_tokenizer(tokenizer: Tokenizer, train: Samples) -> TokenizerState:
    """Return what a tokenizer learns from the train split, whose variants are divided into blocks first where it wants that.

    Raises
    ------
    GenokenError
        When nothing can be learned from the samples, or a file that the tokenizer names cannot be used.
    """
    request = tokenizer.block_request(train)
    if request is None:
        return tokenizer.fit(train)
    divided = with_blocks(train, request)
    state = tokenizer.fit(replace(train, features=divided))
    outside = int((divided[BLOCK].to_numpy()[request.columns] < 0).sum())
    return replace(state, facts={**state.facts, IN_NO_BLOCK: outside, QUALITY: list(map(list, request.quality))})


def locate(state: TokenizerState, samples: Samples, symbols: tuple[str, ...] = ()) -> Alignment:
    """Return where what a vocabulary needs is in the samples that it was fitted on; one from elsewhere may need more.

    Raises
    ------
    DataError
        When the samples have none of it.
    """
    sought, names = state.sought(symbols)
    return align(
        sought,
        samples.features,
        minimum_coverage=0.0,
        where=samples.origin,
        symbols=names,
        reference="the vocabulary",
    )


def names_of(state: TokenizerState, features: pd.DataFrame, columns: np.ndarray) -> tuple[str, ...]:
    """Return the readable name of each feature: the file's, where it has the feature, else the vocabulary's, else its id.

    Features that are made of others are in no file.
    """
    own = symbols_of(features)
    known = state.symbols or state.feature_ids
    if MADE_OF in state.facts:
        return known
    return tuple(own[column] if column >= 0 else name for column, name in zip(columns, known, strict=True))


def _kinds(identities: np.ndarray, layout: Layout) -> np.ndarray:
    kinds = np.where(identities >= layout.first_phenotype, "phenotype", "feature").astype(object)
    for identity, name in ((CLS_ID, "cls"), (MASK_ID, "mask"), (SEPARATOR_ID, "separator")):
        kinds[identities == identity] = name
    return kinds


def _whole_numbers(values: np.ndarray, known: np.ndarray) -> pd.Series:
    return pd.Series(values).astype("Int64").where(pd.Series(known))
