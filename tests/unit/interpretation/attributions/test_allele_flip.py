"""Allele flips: altered samples by hand, one at a time."""

from __future__ import annotations

import numpy as np
import pytest

from genoken.core.errors import ConfigError
from genoken.interpretation.attributions import allele_flip
from genoken.interpretation.attributions.allele_flip import AlleleFlip

ROWS, CLASSES = np.arange(6), np.array([0, 1, 0, 1, 1, 0])


def output_with(subject, row: int, code: int, variant: int, value: float) -> float:
    """The output of a sample that has another prepared value at one variant."""
    dense = subject.dataset.prepared[[row]].toarray()
    dense[0, variant] = value
    altered = subject.with_values(type(subject.dataset.prepared)(dense))
    return subject.class_scores(altered.batch(np.array([0])), np.array([code])).item()


def expected(subject, row: int, code: int, to: str) -> np.ndarray:
    prepared, scores = subject.dataset.prepared[[row]].toarray()[0], []
    for variant, own in enumerate(prepared):
        if to == "missing":
            values, weights = [np.nan], np.ones(1)
        else:
            values, weights = [0.0, 1.0, 2.0], subject.population.shares[variant].copy()
            if to == "others" and not np.isnan(own):
                weights[int(own)] = 0.0
        weights = weights / weights.sum()
        mean = sum(weight * output_with(subject, row, code, variant, value) for weight, value in zip(weights, values, strict=True))
        scores.append(output_with(subject, row, code, variant, own) - mean)
    return np.array(scores)


@pytest.mark.parametrize(
    ("encoder", "encoding", "to"),
    [
        ("cnn", "dosage", "population"),
        ("cnn", "one_hot", "others"),
        ("cnn_transformer", "genotype8", "population"),
        ("transformer", "one_hot", "missing"),
    ],
)
def test_equals_samples_altered_one_by_one(genotype_subject, encoder, encoding, to):
    subject = genotype_subject(encoder=encoder, encoding=encoding)
    found = AlleleFlip(to=to).attribute(subject, ROWS, CLASSES).scores.toarray()
    wanted = np.stack([expected(subject, row, code, to) for row, code in zip(ROWS, CLASSES, strict=True)])
    assert np.abs(wanted).max() > 0.01
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_a_linear_network_gives_slope_times_difference_from_the_mean(genotype_subject):
    subject = genotype_subject(encoder="linear")
    found = AlleleFlip().attribute(subject, ROWS, CLASSES).scores.toarray()
    slopes = np.array([output_with(subject, 0, 1, v, 2.0) - output_with(subject, 0, 1, v, 1.0) for v in range(5)])
    mean = 2 * subject.dataset.state.per_feature["frequency"]
    values = np.where(np.isnan(dense := subject.dataset.prepared.toarray()), mean, dense)
    np.testing.assert_allclose(found, np.where(CLASSES == 1, 1, -1)[:, None] * slopes * (values - mean), atol=1e-5)


def test_small_passes_give_the_same(genotype_subject, monkeypatch):
    subject = genotype_subject()
    whole = AlleleFlip().attribute(subject, ROWS, CLASSES).scores.toarray()
    monkeypatch.setattr(allele_flip, "TOKENS_PER_PASS", 13)  # two copies of 6 tokens
    np.testing.assert_allclose(AlleleFlip().attribute(subject, ROWS, CLASSES).scores.toarray(), whole, atol=1e-6)


def test_genes_are_refused(subject_of):
    with pytest.raises(ConfigError, match="'allele_flip' needs genotypes"):
        AlleleFlip().attribute(subject_of(), ROWS, CLASSES)
