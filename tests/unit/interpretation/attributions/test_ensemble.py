from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from genoken.core.errors import ConfigError
from genoken.interpretation.attributions.attention import AttentionToGenes
from genoken.interpretation.attributions.ensemble import RankEnsemble, ranks_within_samples
from genoken.interpretation.attributions.gradient import GradientTimesInput
from genoken.interpretation.attributions.integrated_gradients import IntegratedGradients

ROWS, CLASSES = np.arange(6), np.array([2, 0, 1, 1, 0, 2])


def test_ranks_by_hand():
    scores = sp.csr_matrix(np.array([[0.5, -2.0, 0.0, 1.0, 0.5], [0.0, 0.0, -3.0, 0.0, 0.0], [0.0] * 5]))
    ranks = ranks_within_samples(scores)
    # Magnitudes .5, 2, 1, .5: ranks 1.5, 4, 3, 1.5 of 4.
    assert np.allclose(ranks.toarray(), [[0.5 / 3, 1.0, 0.0, 2 / 3, 0.5 / 3], [0, 0, 1.0, 0, 0], [0.0] * 5])
    assert scores[0, 1] == -2.0


def test_is_the_mean_rank_of_its_members(subject_of):
    subject = subject_of()
    found = RankEnsemble().attribute(subject, ROWS, CLASSES)
    methods = (IntegratedGradients(), GradientTimesInput(), AttentionToGenes())
    members = [method.attribute(subject, ROWS, CLASSES) for method in methods]
    expected = np.mean([ranks_within_samples(member.scores).toarray() for member in members], axis=0)
    assert np.allclose(found.scores.toarray(), expected)
    assert found.completeness_error == pytest.approx(members[0].completeness_error)
    assert found.scores.data.min() >= 0
    assert found.scores.data.max() <= 1


def test_attention_is_left_out_where_there_is_none(subject_of):
    subject = subject_of(encoder="mlp")
    found = RankEnsemble().attribute(subject, ROWS, CLASSES)
    expected = RankEnsemble(members=("integrated_gradients", "gradient")).attribute(subject, ROWS, CLASSES)
    assert np.array_equal(found.scores.toarray(), expected.scores.toarray())
    assert found.scores.toarray()[:5].max(axis=1).min() > 0.5
    with pytest.raises(ConfigError, match="the method 'attention' needs"):
        RankEnsemble(members=("attention",)).attribute(subject, ROWS, CLASSES)


def test_members_can_be_chosen(subject_of):
    subject = subject_of(encoder="mlp")
    found = RankEnsemble(members=("gradient",)).attribute(subject, ROWS, CLASSES)
    assert np.allclose(
        found.scores.toarray(), ranks_within_samples(GradientTimesInput().attribute(subject, ROWS, CLASSES).scores).toarray()
    )
    assert found.completeness_error is None


@pytest.mark.parametrize(
    ("members", "message"), [((), "no ensembles"), (("ensemble",), "no ensembles"), (("gradiant",), "gradient")]
)
def test_wrong_members_are_refused(subject_of, members, message):
    with pytest.raises(ConfigError, match=message):
        RankEnsemble(members=members).attribute(subject_of(), ROWS, CLASSES)
