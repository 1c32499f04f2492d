from __future__ import annotations

import numpy as np

from genoken.interpretation import locus_attention as module
from genoken.interpretation.attributed import union_of
from genoken.interpretation.draw import Part, draw_samples
from genoken.interpretation.locus_attention import locus_attention

IDS = ["rs1", "rs4", "rs2"]


def found_of(subject):
    parts = [Part(subject, np.arange(4), tuple("abcde"))]
    return locus_attention(parts, draw_samples(parts, 0), union_of(parts), IDS, 0)


def test_attention_between_tokens(genotype_subject):
    subject = genotype_subject(encoder="transformer")
    weights = np.mean([subject.attention(row)[0].numpy() for row in range(4)], axis=0)
    places = [2, 5, 3]  # CLS stands in front
    np.testing.assert_allclose(found_of(subject), weights[np.ix_(places, places)], rtol=1e-5)


def test_attention_between_patches_is_shared_out(genotype_subject):
    subject = genotype_subject(encoder="cnn_transformer")
    weights = np.mean([np.mean([layer.numpy() for layer in subject.attention(row)], axis=0) for row in range(4)], axis=0)
    patch, size = np.array([0, 2, 1]), np.array([2, 1, 2])  # 5 variants, patches of 2
    np.testing.assert_allclose(found_of(subject), weights[np.ix_(patch, patch)] / size, rtol=1e-5)


def test_none_without_attention_or_with_too_many_tokens(genotype_subject, monkeypatch):
    assert found_of(genotype_subject(encoder="cnn")) is None
    monkeypatch.setattr(module, "MOST_TOKENS", 5)
    assert found_of(genotype_subject(encoder="transformer")) is None
