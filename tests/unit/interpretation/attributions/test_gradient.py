from __future__ import annotations

from dataclasses import replace

import numpy as np

from genoken.interpretation.attributions.gradient import GradientTimesInput

ROWS, CLASSES = np.arange(6), np.array([2, 0, 1, 1, 0, 2])


def test_linear_path_alone_is_attributed_exactly(linear_subject, linear_terms):
    found = GradientTimesInput().attribute(linear_subject, ROWS, CLASSES)
    assert np.allclose(found.scores.toarray(), linear_terms(linear_subject, CLASSES), atol=1e-5)
    assert found.completeness_error is None


def test_equals_finite_differences(subject_of):
    subject = subject_of(combine="multiplicative")
    found = GradientTimesInput().attribute(subject, ROWS[:5], CLASSES[:5]).scores.toarray()
    subject.network.double().eval()
    values = subject.dataset.prepared.astype(np.float64)
    for row, stored in ((0, 2), (2, 3), (4, 1)):
        place, step = values.indptr[row] + stored, 1e-5
        outputs = []
        for sign in (1, -1):
            batch = subject.batch(ROWS[[row]])
            moved = batch.channels["value"].double().clone()
            moved[1 + stored] += sign * step
            batch = replace(batch, channels={"feature": batch.channels["feature"], "value": moved})
            # The linear path computes in float32, so it is left to its own formula.
            outputs.append(subject.network.head(subject.network.pooled_states(batch))[0, CLASSES[row]].item())
        feature = values.indices[place]
        path = subject.network.linear_path
        slope = (outputs[0] - outputs[1]) / (2 * step) + (path.weight[feature, CLASSES[row]] * path.scale[feature]).item()
        assert np.isclose(found[row, feature], slope * values.data[place], rtol=1e-3, atol=1e-4)


def test_samples_alone_and_permuted_give_the_same(subject_of):
    subject, method = subject_of(), GradientTimesInput()
    together = method.attribute(subject, ROWS, CLASSES).scores.toarray()
    alone = np.concatenate([method.attribute(subject, ROWS[[row]], CLASSES[[row]]).scores.toarray() for row in range(6)])
    assert np.allclose(together, alone, atol=1e-5)
    order = np.array([3, 5, 0, 4, 1, 2])
    assert np.allclose(method.attribute(subject, ROWS[order], CLASSES[order]).scores.toarray(), together[order], atol=1e-5)


def test_the_class_decides_the_sign_for_two_classes(subject_of):
    subject = subject_of(classes=2)
    first, second = (GradientTimesInput().attribute(subject, ROWS, np.full(6, code)).scores.toarray() for code in (0, 1))
    assert np.allclose(first, -second)
    assert np.abs(first).max() > 0.01
