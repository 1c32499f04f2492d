"""Groups of a study: relatives among genotypes, a column when asked, and no person on both sides of a split."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from genoken.core.config import DataSettings, RunConfig, build
from genoken.core.errors import DataError
from genoken.core.genotypes import sparse_dosages
from genoken.core.samples import Samples
from genoken.workflows.grouping import KINSHIP, find_groups, refuse_straddling_duplicates, region_notes, strata_of, untold_copies
from genoken.workflows.inputs import Study


def people(num_variants=2500, pairs=10):
    """Return twenty people and, of the first ten, a second sample each; families of four by their table."""
    rng = np.random.default_rng(0)
    dense = rng.binomial(2, rng.uniform(0.2, 0.5, num_variants), (20, num_variants)).astype(np.int8)
    dense = np.concatenate([dense, dense[:pairs]])
    features = pd.DataFrame({"chromosome": "1", "position_bp": np.arange(num_variants)}, index=np.arange(num_variants).astype(str))
    family = [f"f{row // 4}" for row in range(len(dense))]
    table = pd.DataFrame({"family": family, "y": np.arange(len(dense)) / 7}, index=[f"p{row}" for row in range(len(dense))])
    return Samples(sparse_dosages(dense), table, features, "dosage", "people")


def test_relatives_are_the_groups_of_genotypes_unless_a_column_is_named():
    name, groups, notes = find_groups(people(), DataSettings(label="y"), guess=True)
    assert name == KINSHIP
    assert groups.tolist() == [f"p{row % 20}" for row in range(30)]
    assert len(notes) == 1
    assert notes[0].startswith("relatives stay together: 20 of 30 samples have some (kinship from 0.")
    assert notes[0].endswith("which makes 20 groups")
    name, groups, notes = find_groups(people(), DataSettings(label="y", group="family"), guess=True)
    assert (name, groups[:5].tolist(), notes) == ("family", ["f0"] * 4 + ["f1"], [])


def test_a_column_called_kinship_is_that_column():
    samples = people()
    samples = replace(samples, table=samples.table.assign(kinship="all"))
    assert set(find_groups(samples, DataSettings(label="y", group=KINSHIP), guess=True)[1]) == {"all"}


def test_too_few_variants_fall_back_on_a_usual_column_and_refuse_when_asked():
    name, groups, notes = find_groups(people(100), DataSettings(label="y"), guess=True)
    assert (name, groups[4]) == ("family", "f1")
    assert notes == [
        "samples are not grouped by kinship: 100 variants are too few to tell relatives from strangers",
        "'family' is taken for the column of groups, by its name (--group names another)",
    ]
    with pytest.raises(DataError, match="cannot be grouped by kinship: 100 variants are too few"):
        find_groups(people(100, pairs=0), DataSettings(label="y", group=KINSHIP), guess=True)


@pytest.mark.parametrize("group", ["", KINSHIP])
def test_few_variants_keep_copies_of_a_person_together(group):
    samples = people(100)
    samples = samples if group else replace(samples, table=samples.table[["y"]])
    name, groups, notes = find_groups(samples, DataSettings(label="y", group=group), guess=True)
    assert (name, groups.tolist()) == (KINSHIP, [f"p{row % 20}" for row in range(30)])
    assert (
        notes[-1] == "100 variants are too few to tell relatives from strangers; samples that have the same genotypes stay together"
    )


def test_a_person_in_train_and_in_test_is_refused_by_few_variants():
    study = replace(study_of(None, ""), samples=people(100))
    with pytest.raises(DataError, match="10 pairs of samples are one person in train and in test"):
        refuse_straddling_duplicates(study, np.array([["train"] * 15 + ["val"] * 5 + ["test"] * 10]))
    assert untold_copies(study, np.array([["train"] * 20 + ["test"] * 10])) == ""


def test_too_few_variants_leave_open_whether_a_person_is_in_both():
    words = np.array([["train"] * 20 + ["test"] * 10])
    study = replace(study_of(None, ""), samples=people(5))
    refuse_straddling_duplicates(study, words)
    assert untold_copies(study, words).startswith("Samples have the same genotypes, or nearly, at all 5 variants: one person")
    expression = replace(study, samples=replace(study.samples, value_kind="counts"))
    assert untold_copies(expression, words) == ""


def test_one_family_alone_is_no_division():
    samples = people()
    rng = np.random.default_rng(1)
    parents = rng.random((2, 2, 2500)) < rng.uniform(0.2, 0.5, 2500)
    siblings = np.array([[parent[rng.integers(0, 2, 2500), np.arange(2500)] for parent in parents] for _ in range(18)]).sum(axis=1)
    together = np.vstack([siblings.astype(np.int8), samples.values[:12].toarray().astype(np.int8)])
    name, _, notes = find_groups(replace(samples, values=sparse_dosages(together)), DataSettings(label="y"), guess=True)
    assert name == "family"
    assert notes[0].startswith(
        "samples are not grouped by kinship: 18 of 30 samples are of one group of relatives (kinship from 0."
    )


def test_other_values_have_no_kinship():
    samples = replace(people(), value_kind="counts")
    assert find_groups(samples, DataSettings(label="y"), guess=True)[0] == "family"
    assert find_groups(samples, DataSettings(label="y"), guess=False) == ("", None, [])


def study_of(groups, group):
    samples = people()
    return Study(samples, "regression", "y", samples.table["y"].to_numpy(), (), "", group, groups, ())


@pytest.mark.parametrize(
    ("group", "groups"), [("", None), ("family", np.resize(["a", "b"], 30)), (KINSHIP, np.resize(["a", "b"], 30))]
)
def test_a_person_in_train_and_in_test_is_refused(group, groups):
    words = np.array([["train"] * 15 + ["val"] * 5 + ["test"] * 10])
    with pytest.raises(DataError) as caught:
        refuse_straddling_duplicates(study_of(groups, group), words)
    assert str(caught.value).startswith(
        "split: 10 pairs of samples are one person in train and in test (by their genotypes), for example 'p0' and 'p20'"
    )


def test_a_person_twice_on_one_side_passes():
    words = np.array([["train"] * 10 + ["test"] * 10 + ["train"] * 10])
    refuse_straddling_duplicates(study_of(None, ""), words)
    refuse_straddling_duplicates(study_of(None, ""), np.array([["unused"] * 10 + ["train"] * 10 + ["test"] * 10]))
    expression = study_of(None, "")
    expression = replace(expression, samples=replace(expression.samples, value_kind="counts"))
    refuse_straddling_duplicates(expression, np.array([["train"] * 20 + ["test"] * 10]))


def test_strata_are_the_column_that_is_named_or_the_population_of_genotypes():
    study = study_of(None, "")
    rows = np.array([0, 5, 9])
    assert strata_of(build(RunConfig, {}), study, rows) is None
    column, values = strata_of(build(RunConfig, {"data": {"strata": "family"}}), study, rows)
    assert (column, values.tolist()) == ("family", ["f0", "f1", "f2"])
    table = study.samples.table.assign(population=["CEU", None] * 15)
    named = replace(study, samples=replace(study.samples, table=table))
    assert strata_of(build(RunConfig, {}), named, rows)[1].tolist() == ["CEU", "", ""]
    assert strata_of(build(RunConfig, {}), replace(named, label="population"), rows) is None
    assert strata_of(build(RunConfig, {}), replace(named, samples=replace(named.samples, value_kind="counts")), rows) is None
    with pytest.raises(DataError, match="no column 'tribe'"):
        strata_of(build(RunConfig, {"data": {"strata": "tribe"}}), study, rows)


def test_components_of_one_region_are_said_to_be_no_ancestry():
    samples = people(50)
    features = samples.features.assign(chromosome="15", position_bp=28_000_000 + 1000 * np.arange(50))
    region = replace(samples, features=features)
    (said,) = region_notes(region, DataSettings())
    assert said.startswith("all variants are on chromosome 15 from 28.00 to 28.05 Mb: their principal components are no ancestry")
    assert said.endswith("--principal-components 0")
    assert region_notes(region, DataSettings(principal_components=0)) == ()
    assert region_notes(replace(region, features=features.assign(position_bp=10**6 * np.arange(1, 51))), DataSettings()) == ()
