"""What objectives have in common that hide which feature stands here."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from genoken.core.components import kind_of, settings
from genoken.core.layout import MASK_CATEGORY, MASK_ID, NUM_SPECIALS, HeadSpec, Layout
from genoken.objectives import _masking

if TYPE_CHECKING:
    from torch import Tensor

    from genoken.core.batch import Batch, LossTerm
    from genoken.core.contracts import FeatureStatistics, MaskDraw


@settings
class HiddenFeatureObjective(_masking.MaskedObjective):
    """Hides the identity of some tokens and asks for it: cross-entropy over all features."""

    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the target that is spread evenly over the features that are possible."""
    tied: bool = True
    """Use the embedding table of the features again as output weights."""

    @abc.abstractmethod
    def without_value(self, hidden: _masking.Hidden) -> np.ndarray:
        """Return the places of the hidden tokens whose value is hidden as well, where there is one."""

    def head(self, layout: Layout) -> HeadSpec:
        """Return one output per feature."""
        return HeadSpec(outputs=layout.num_features, level="token", tied_to="identity" if self.tied else "")

    def hide(self, batch: Batch, layout: Layout, draw: MaskDraw, statistics: FeatureStatistics | None = None) -> Batch:
        """Replace identities by ``MASK_ID`` or a random feature; labels are feature indices."""
        truth = _masking.true_identities(batch, layout)
        hidden = _masking.choose(self, batch, _masking.eligible_tokens(batch, layout, truth, self.segment), draw)
        identity = _masking.required_channel(layout, "identity", kind_of(self)).name
        identities = batch.channels[identity].numpy().copy()
        masked, random = hidden.places[hidden.actions == _masking.MASK], hidden.take(hidden.actions == _masking.RANDOM)
        identities[masked] = MASK_ID
        identities[random.places] = NUM_SPECIALS + random.below(layout.num_features)
        channels = {identity: identities}
        value = layout.channel("value")
        if value is not None:
            channels[value.name] = batch.channels[value.name].numpy().copy()
            channels[value.name][self.without_value(hidden)] = MASK_CATEGORY if value.kind == "category" else np.nan
        own = truth[hidden.places]
        return _masking.rewritten(
            batch, kind_of(self), channels, {"places": hidden.places, "labels": own - NUM_SPECIALS, "identities": own}
        )

    def loss(self, outputs: Tensor, batch: Batch, layout: Layout) -> LossTerm:
        """Return the sum of the targets' cross-entropies and their number."""
        from genoken.core.batch import LossTerm
        from genoken.objectives import _classes

        labels = batch.targets[f"{kind_of(self)}.labels"]
        losses = _classes.cross_entropy(self.possible(outputs, batch, layout)[0], labels, self.label_smoothing)
        return LossTerm(total=losses.sum(), count=len(labels))

    def measure(self, outputs: Tensor, batch: Batch, layout: Layout) -> dict[str, Tensor]:
        """Return the scores of each target, its ``place`` in the sample, and with a restriction ``num_missing``.

        ``ln(num_missing)`` is the cross-entropy of guessing among the features that are not ruled out.
        """
        from genoken.objectives import _classes

        possible, num_missing = self.possible(outputs, batch, layout)
        measures = _classes.class_measures(possible, batch.targets[f"{kind_of(self)}.labels"])
        measures["place"] = _masking.places_in_samples(batch, kind_of(self), self.segment)
        return measures if num_missing is None else measures | {"num_missing": num_missing}

    def possible(self, outputs: Tensor, batch: Batch, layout: Layout) -> tuple[Tensor, Tensor | None]:
        """Return the logits, and for each target the number of features that are not ruled out, where some are."""
        return outputs.float(), None
