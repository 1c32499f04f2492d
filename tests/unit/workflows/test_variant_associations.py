"""Regressions beside importance: which class they speak of, and the sign and size of a planted effect."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from genoken.core.config import DataSettings
from genoken.core.genotypes import sparse_dosages
from genoken.core.samples import Samples
from genoken.workflows.inputs import Study, build_study
from genoken.workflows.variant_associations import Cohort, associate
from genoken.workflows.variant_options import VariantOptions
from genoken.workflows.variant_results import effect_words

OPTIONS = VariantOptions(components=0, null=0, most_loci=1)
CARRIERS = np.repeat([1, 0, 1, 0], [30, 10, 10, 30])
"""Of 40 cases 30 carry the allele, of 40 controls 10: the odds ratio of a case is (30/10) / (10/30) = 9."""


def cohort_of(names: tuple[str, str], positive: str = "") -> Cohort:
    """Forty of each of two classes; the first is that of the 30 carriers. A second variant tells nothing."""
    dense = np.stack([CARRIERS, np.tile([0, 1], 40)], axis=1).astype(np.int8)
    features = pd.DataFrame(
        {"chromosome": "1", "position_bp": [100, 9_000_000], "counted_allele": "T", "other_allele": "C", "build": ""},
        index=["rs1", "rs2"],
    )
    table = pd.DataFrame({"trait": np.repeat(names, 40)}, index=[f"p{row}" for row in range(80)])
    samples = Samples(sparse_dosages(dense), table, features, "dosage", "planted")
    study = build_study(samples, DataSettings(label="trait", positive=positive), seed=0, guess_group=False)
    return Cohort(study, features, dense)


@pytest.mark.parametrize(
    ("names", "positive", "positive_class", "odds_ratio"),
    [
        (("case", "control"), "", "case", 9.0),
        (("2", "1"), "", "2", 9.0),
        (("ill", "well"), "ill", "ill", 9.0),
        (("case", "control"), "control", "control", 1 / 9),
    ],
)
def test_odds_are_those_of_the_positive_class(names, positive, positive_class, odds_ratio):
    cohort = cohort_of(names, positive)
    found = associate(cohort, np.array([1.0, 0.5]), OPTIONS).best
    assert found["beta"][0] == pytest.approx(np.log(odds_ratio), rel=1e-4)
    assert cohort.study.classes[found["class_code"][0]] == positive_class
    assert effect_words(cohort.study) == f"log odds of '{positive_class}' per copy of the counted allele"


def test_effects_of_numbers_and_of_several_classes_are_said():
    study = Study(cohort_of(("case", "control")).study.samples, "regression", "BMI", CARRIERS * 1.0, (), "", "", None, ())
    assert effect_words(study) == "change of 'BMI' per copy of the counted allele"
    several = Study(study.samples, "classification", "color", CARRIERS, ("a", "b", "c"), "", "", None, ())
    assert effect_words(several) == "log odds, against all other classes, of the class in glm_class per copy of the counted allele"
