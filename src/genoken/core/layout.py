"""The narrow waist: what a tokenizer emits (Layout) and what an objective asks of the model (HeadSpec)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

ChannelKind = Literal["category", "scalar", "lookup"]
ChannelRole = Literal["identity", "value", "genotype", "phenotype", "segment"]
AttentionPattern = Literal["full", "windowed", "next_cell_strict", "next_cell_self"]
"""Which tokens see which, see :class:`genoken.models.layers.packing.Packing`."""

CLS_ID = 0
"""Identity of the token whose final state stands for the whole sample."""
MASK_ID = 1
"""Identity that replaces a hidden token."""
SEPARATOR_ID = 2
"""Identity of the token behind a sample, where a layout has one, and between two samples in one sequence."""
NUM_SPECIALS = 3
"""Feature ``i`` of the vocabulary has identity ``NUM_SPECIALS + i``; phenotype ``i`` has ``NUM_SPECIALS + num_features + i``."""

NO_CATEGORY = 0
"""Entry of a category channel, other than the identity, at tokens that it does not apply to."""
MASK_CATEGORY = 1
"""Entry of a category channel, other than the identity, that is hidden."""
FIRST_CATEGORY = 2
"""Category ``i`` of a channel other than the identity is the entry ``FIRST_CATEGORY + i``."""


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One number per token.

    Parameters
    ----------
    name
        Key of the channel in :class:`genoken.core.batch.Tokens`.
    kind
        ``category``: an integer in ``[0, size)``; ``scalar``: a real number; ``lookup``: an index into a fixed table.
    role
        What the number means to the model: the feature's ``identity``, its ``value`` (hidden where it is NaN, which no data hold,
        or ``MASK_CATEGORY``), its ``genotype`` (an index into a table of encodings), the value of a ``phenotype``, or which
        ``segment`` the token belongs to: ``NO_CATEGORY`` in a sample itself and ``FIRST_CATEGORY`` in the successor behind it. A
        batch of samples without successors may lack that channel.
    size
        Number of entries that a category channel can have, specials, ``NO_CATEGORY`` and ``MASK_CATEGORY`` included; 0 for scalars.
    table
        Of a lookup channel, the fixed numbers that each index stands for, (indices, numbers).
    is_ordered
        Of a category channel of values, whether neighboring categories are alike, as bins are.
    """

    name: str
    kind: ChannelKind
    role: ChannelRole
    size: int = 0
    table: tuple[tuple[float, ...], ...] = ()
    is_ordered: bool = True


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The channels that a fitted tokenizer emits, and what is always true of its token sequences.

    Parameters
    ----------
    channels
        All channels, the identity channel among them.
    num_features
        Number of features in the tokenizer's vocabulary.
    has_cls
        Whether every sample starts with a CLS token.
    emits_every_feature
        Whether every sample holds every feature, in vocabulary order (then a grid is a reshape of the packed tokens).
    max_tokens
        Upper bound of the tokens of one sample, CLS included.
    num_phenotypes
        Number of phenotype tokens behind the CLS token of each sample; their identities follow those of the features.
    has_end
        Whether every sample ends with a separator.
    phenotype_bounds
        The known categories of phenotype ``i`` are the entries ``phenotype_bounds[i]`` to ``phenotype_bounds[i + 1] - 1`` of the
        phenotype channel; the entry ``FIRST_CATEGORY``, before all of them, is a value that is unknown or missing.
    is_panel
        Whether every sample holds every feature exactly once, in whatever order.
    """

    channels: tuple[Channel, ...]
    num_features: int
    has_cls: bool
    emits_every_feature: bool
    max_tokens: int
    num_phenotypes: int = 0
    has_end: bool = False
    phenotype_bounds: tuple[int, ...] = ()
    is_panel: bool = False

    @property
    def first_phenotype(self) -> int:
        """Identity of the first phenotype."""
        return NUM_SPECIALS + self.num_features

    @property
    def has_numbers(self) -> bool:
        """Whether the features' values are numbers; not so where tokens are ordered by rank or hold bins."""
        value = self.channel("value")
        return value is not None and value.kind == "scalar"

    def channel(self, role: ChannelRole) -> Channel | None:
        """Return the channel with this role, or ``None``."""
        return next((channel for channel in self.channels if channel.role == role), None)


@dataclass(frozen=True, kw_only=True)
class HeadSpec:
    """What an objective asks of the model.

    Parameters
    ----------
    outputs
        Number of outputs per target.
    level
        ``sample``: one target per sample, from the pooled state; ``token``: one per scored token.
    initial_bias
        Start value of each output's bias (for example the training mean); empty for zeros.
    tied_to
        Role of the channel whose embedding table is used again as output weights, one output per row; empty for weights of its own.
    linear
        What the linear path of a panel adds to the outputs: the ``value`` of the token's feature, or the same ``standardized``;
        how well each ``feature`` fits the token's rank, or each ``rank`` its feature; the value of the feature in the
        ``successor``; empty for nothing.
    """

    outputs: int
    level: Literal["sample", "token"] = "sample"
    initial_bias: tuple[float, ...] = field(default=())
    tied_to: Literal["", "identity", "value", "phenotype"] = ""
    linear: Literal["", "value", "standardized", "feature", "rank", "successor"] = ""
