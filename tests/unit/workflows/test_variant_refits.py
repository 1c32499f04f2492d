from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from genoken.core.errors import ConfigError
from genoken.core.samples import Samples
from genoken.workflows.inputs import Study
from genoken.workflows.variant_refits import permuted

WORDS = np.array(["train"] * 40 + ["val"] * 20 + ["unused"] * 4)
SITES = np.array(["a", "b"] * 32)


@pytest.fixture
def study() -> Study:
    """People of whom those of site a are mostly of class 1."""
    labels = np.where(SITES == "a", 1, 0)
    labels[:8] = 1 - labels[:8]
    table = pd.DataFrame({"site": SITES}, index=[f"p{index}" for index in range(64)])
    samples = Samples(sp.csr_matrix((64, 1), dtype=np.float32), table, pd.DataFrame(index=["rs1"]), "dosage", "made up")
    return Study(samples, "classification", "trait", labels, ("no", "yes"), "", "", None, ())


def counts(labels: np.ndarray, *within: np.ndarray) -> dict:
    return pd.Series(labels).groupby([*within]).sum().to_dict()


def test_labels_move_within_parts_alone(study):
    found = permuted(study, WORDS, strata="", seed=1, draw=1)
    assert (found.labels != study.labels).sum() > 10
    assert counts(found.labels, WORDS) == counts(study.labels, WORDS)
    assert counts(found.labels, WORDS, SITES) != counts(study.labels, WORDS, SITES)
    assert found.samples is study.samples


def test_labels_move_within_strata_where_these_are_named(study):
    found = permuted(study, WORDS, strata="site", seed=1, draw=1)
    assert (found.labels != study.labels).any()
    assert counts(found.labels, WORDS, SITES) == counts(study.labels, WORDS, SITES)


def test_the_draw_decides(study):
    one, same, other = (permuted(study, WORDS, strata="", seed=1, draw=draw).labels for draw in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_a_column_that_is_not_there_is_refused(study):
    with pytest.raises(ConfigError, match="no column 'center'"):
        permuted(study, WORDS, strata="center", seed=1, draw=1)
