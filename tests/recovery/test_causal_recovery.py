"""What the benchmark of causal recovery is made of: its measures by hand, and gates that find what a p-value cannot."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from genoken.core.genotypes import dense_dosages
from genoken.evaluation.association.glm import linear_association
from genoken.synthetic_genotypes import simulate_genotypes
from genoken.synthetic_traits import TraitModel, simulate_trait


@pytest.fixture(autouse=True)
def _benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "benchmarks"))
    yield
    for name in ("_recovery_scores", "_single_effects"):
        sys.modules.pop(name, None)


def test_measures_typed_by_hand():
    from _recovery_scores import overlap, recovery

    linkage = np.eye(12)
    linkage[0, 1] = linkage[1, 0] = 0.9  # the first two tag each other
    linkage[2, 3] = linkage[3, 2] = 0.6
    is_causal = np.isin(np.arange(12), [1, 3])
    found = recovery(np.array([12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1.0]), is_causal, linkage)
    assert found["average_precision"] == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert found["recall_at_10"] == 1
    assert found["linkage_recall"] == 1
    # clumps start at 0 (which tags a causal variant) and at 2 (which has an r² of 0.6 with one)
    assert found["signal_fdr"] == 0.5
    assert overlap(np.arange(12.0), np.arange(12.0)) == 1
    assert overlap(np.arange(12.0), np.arange(12.0)[::-1]) == pytest.approx(8 / 12)


@pytest.mark.parametrize(("architecture", "pairs"), [("additive", 0), ("recessive", 0), ("epistatic_pure", 1)])
def test_gates_find_causal_variants(architecture, pairs):
    from _recovery_scores import recovery
    from _single_effects import attributions, coded, fit

    people = simulate_genotypes(800, 60, seed=3, chromosomes=12, min_frequency=0.2)
    trait = simulate_trait(people, TraitModel(architecture, 2, heritability=0.4, min_frequency=0.1), seed=2)
    dosages = dense_dosages(people.values)
    is_causal, linkage = people.features.index.isin(trait.causal), np.corrcoef(dosages.T.astype(float)) ** 2
    inputs = coded(dosages)
    found = attributions(fit(inputs, trait.liability, effects=3, pairs=pairs, steps=120), inputs)
    for scores in found.values():
        assert recovery(scores, is_causal, linkage)["signal_fdr"] == 0
    if architecture == "epistatic_pure":
        p_values = linear_association(dosages, trait.liability)["minus_log10_p"].to_numpy()
        assert p_values[is_causal].max() < 3
