"""The trivial floors of a pretraining run: what they are fitted on, and which targets they are asked for."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from genoken.core.components import kind_of
from genoken.core.contracts import TokenObjective
from genoken.core.layout import FIRST_CATEGORY, NUM_SPECIALS
from genoken.data.dataset import Part, TokenDataset
from genoken.data.holdout import draw_within
from genoken.evaluation import floors
from genoken.evaluation.floors import Floors, PackedTokens, Questions, Targets, linear_floor_note
from genoken.evaluation.phenotype_floors import phenotype_floors
from genoken.training.masked import MaskedTask
from genoken.workflows.pretrained import PretrainedModel

_DRAWS = 5
"""Draws of masks, those of the first epochs, from which rules learn what is asked about train samples."""
_MOST_LEARNED_FROM = 20_000
"""Train samples that floors are fitted on; more of them as dense tables would not fit into memory."""
_SAMPLES_PER_PASS = 256

Measures = Mapping[str, np.ndarray]
"""Measure to array (targets,)."""


def floors_of(
    model: PretrainedModel,
    task: MaskedTask,
    dataset: TokenDataset,
    rows: Mapping[str, np.ndarray],
    found: Mapping[str, Measures],
    table: pd.DataFrame,
) -> tuple[dict[str, Floors], dict[str, list[str]]]:
    """Return what trivial rules, fitted on the train part, score at the same targets, and sentences on rules that are left out.

    Parameters
    ----------
    model, dataset
        The network, and all samples as its tokens.
    task
        The objectives with their masks.
    rows
        Rows of ``train`` that floors are fitted on, and of ``test`` that were scored.
    found
        Objective to what was measured at its targets: their ``row`` in the test part and ``place`` in the sample.
    table
        Sample table, for groups that samples resemble each other by.
    """
    data = model.config.data
    parts = _Parts(model, task, dataset.take(rows["train"]), dataset.take(rows["test"]))
    units, contexts = _column(table, data.group), _column(table, data.floor_by)
    units = None if units is None else units[rows["train"]]
    result: dict[str, Floors] = {}
    notes: dict[str, list[str]] = {}
    for objective in model.config.objectives:
        name = kind_of(objective)
        if name == "masked_feature":
            groups = (None, None) if contexts is None else (contexts[rows["train"]], contexts[rows["test"]])
            restricted = bool(getattr(objective, "restrict_to_missing", False))
            result[name] = parts.of_features(found[name], groups, units, restricted=restricted)
        elif name == "masked_value":
            result[name] = parts.of_values(objective, found[name], units)
        elif name == "phenotype":
            result[name] = parts.of_phenotypes(found[name])
        notes[name] = parts.notes(objective, found[name], result[name], data.floor_by)
    return result, notes


def drawn_to_fit(rows: np.ndarray, seed: int) -> np.ndarray:
    """Return the train samples that floors may be fitted on, by their rows: all, or a draw of them, in their order."""
    return draw_within(rows, _MOST_LEARNED_FROM, seed=seed, purpose="floors")


class _Parts:
    """Train and test part, as floors take them."""

    def __init__(self, model: PretrainedModel, task: MaskedTask, train: TokenDataset, test: TokenDataset) -> None:
        self.task, self.train, self.test = task, train, test
        self.packed_train, self.packed_test = packed_tokens(train), packed_tokens(test)
        self.num_features = len(model.state.feature_ids)

    def _targets(self, found: Measures) -> Targets:
        return Targets(self.packed_test.offsets[found["row"]] + found["place"])

    def notes(self, objective: TokenObjective, found: Measures, fitted: Floors, floor_by: str) -> list[str]:
        """Return a sentence on each floor of an objective that one could expect and that was not fitted."""
        name, notes = kind_of(objective), []
        if name == "phenotype":
            return []
        if getattr(objective, "absent_swap", 0):
            return ["Linear floors were left out: features are asked for that a sample does not hold."]
        if name == "masked_feature" and floor_by and "position_frequency_by_group" not in fitted:
            notes.append(f"Train frequencies by '{floor_by}' were left out: it has too many values, or some that train lacks.")
        if not fitted.keys() & {"ridge", "linear_gaussian"}:
            note = linear_floor_note(self.packed_train, self.packed_test, self._targets(found), self.num_features)
            notes += [note] if note else []
        return notes

    def of_features(
        self,
        found: Measures,
        groups: tuple[np.ndarray | None, np.ndarray | None],
        units: np.ndarray | None,
        *,
        restricted: bool,
    ) -> Floors:
        """Return the floors of masked features."""
        return floors.feature_floors(
            self.packed_train,
            self.packed_test,
            self._targets(found),
            self.num_features,
            restricted=restricted,
            units_train=units,
            groups_train=groups[0],
            groups_test=groups[1],
        )

    def of_values(self, objective: TokenObjective, found: Measures, units: np.ndarray | None) -> Floors:
        """Return the floors of masked values, of categories or of numbers."""
        channel = self.test.layout.channel("value")
        assert channel is not None  # noqa: S101
        num_categories = channel.size - FIRST_CATEGORY if channel.kind == "category" else 0
        if getattr(objective, "absent_swap", 0):
            known = asked_in_training(self.task, self.train, "masked_value")
            asked = Questions(found["feature"], found["value"], found["row"])
            if not num_categories:
                return floors.swapped_value_floors(known, asked, self.num_features)
            return floors.swapped_category_floors(known, asked, self.num_features, num_categories, units_train=units)
        train, test, targets = self.packed_train, self.packed_test, self._targets(found)
        if not num_categories:
            return floors.value_floors(train, test, targets, self.num_features, units_train=units)
        return floors.category_floors(train, test, targets, self.num_features, num_categories, units_train=units)

    def of_phenotypes(self, found: Measures) -> Floors:
        """Return the floors of masked phenotypes."""
        train, test = self.train.phenotype_codes, self.test.phenotype_codes
        assert train is not None  # noqa: S101
        assert test is not None  # noqa: S101
        return phenotype_floors(
            np.where(train > FIRST_CATEGORY, train, -1),
            np.where(test > FIRST_CATEGORY, test, -1),
            found["row"],
            found["column"],
            self.train.values,
            self.test.values,
        )


def asked_in_training(task: MaskedTask, train: Part, kind: str) -> Questions:
    """Return what the first epochs ask of train items by an objective: it holds answers that do not stand in any token."""
    asked = []
    for epoch in range(_DRAWS):
        for start in range(0, len(train), _SAMPLES_PER_PASS):
            rows = np.arange(start, min(start + _SAMPLES_PER_PASS, len(train)))
            batch = task.training_batch(train, rows, epoch)
            features, answers, places = (batch.targets[f"{kind}.{name}"].numpy() for name in ("features", "labels", "places"))
            samples = rows[np.searchsorted(batch.offsets.numpy(), places, side="right") - 1]
            asked.append(Questions(features, answers, samples))
    return Questions(*(np.concatenate([getattr(part, name) for part in asked]) for name in ("features", "answers", "samples")))


def _column(table: pd.DataFrame, name: str) -> np.ndarray | None:
    """Return a column of the sample table as text; nothing where none is named."""
    return table[name].astype(str).to_numpy() if name else None


def packed_tokens(dataset: TokenDataset) -> PackedTokens:
    """Return the complete tokens of a data set, as floors take them."""
    batch, layout = dataset.batch(np.arange(len(dataset))), dataset.layout
    identity, value = layout.channel("identity"), layout.channel("value")
    assert identity is not None  # noqa: S101
    identities = batch.channels[identity.name].numpy()
    is_feature = (identities >= NUM_SPECIALS) & (identities < layout.first_phenotype)
    categories, values = None, None
    if value is not None and value.kind == "category":
        categories = np.where(is_feature, batch.channels[value.name].numpy() - FIRST_CATEGORY, -1)
    elif value is not None:
        values = batch.channels[value.name].numpy()
    return PackedTokens(
        features=np.where(is_feature, identities - NUM_SPECIALS, -1),
        categories=categories,
        values=values,
        offsets=batch.offsets.numpy().astype(np.int64),
    )
