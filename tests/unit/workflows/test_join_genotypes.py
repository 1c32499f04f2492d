"""Genotypes of several files as one, typed by hand: flips, the other strand, what is dropped, phases; and two real cohorts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from genoken.core.errors import DataError
from genoken.core.genotypes import MISSING, dense_dosages, sparse_dosages
from genoken.core.samples import Samples
from genoken.data.genotypes.relatives import duplicates
from genoken.workflows.grouping import refuse_straddling_duplicates
from genoken.workflows.inputs import Study
from genoken.workflows.join_genotypes import join_genotypes
from genoken.workflows.source import COHORT_COLUMN, read_source


def samples(dense, variants, name, *, build="", first=None, **columns):
    """Return genotypes; variants are lines such as ``rs1 1 100 A G``: id, chromosome, position, counted and other allele."""
    rows = [line.split() for line in variants]
    features = pd.DataFrame(
        {
            "chromosome": [row[1] for row in rows],
            "position_bp": [int(row[2]) for row in rows],
            "counted_allele": [row[3] for row in rows],
            "other_allele": [row[4] for row in rows],
            "build": build,
        },
        index=[row[0] for row in rows],
    )
    dense = np.array(dense, dtype=np.int8)
    table = pd.DataFrame(columns, index=[f"{name}{row}" for row in range(len(dense))])
    strand = None if first is None else sparse_dosages(np.array(first, dtype=np.int8))
    return Samples(sparse_dosages(dense), table, features, "dosage", f"{name}.bed:calls", first_strand=strand)


FIRST = samples(
    [[0, 1, 2, 0, 1, 2, 1], [2, -1, 1, 1, 0, 0, 2]],
    ["rs1 1 100 A G", "rs2 1 200 C A", "rs3 1 300 G T", "rs4 2 100 A C", "rs5 2 200 A T", "rs6 2 300 C T", "rs7 2 400 A G"],
    "a",
    build="GRCh37",
    trait=["x", "y"],
)
SECOND = samples(
    [[0, 1, 2, -1, 1, 2, 0]],
    [
        "rs4 2 150 T G",  # the other strand
        "rs3 1 350 T G",  # the other allele is counted
        "rs9 1 360 A C",
        "rs2 1 250 T G",  # both
        "rs5 2 250 A T",  # A/T: no one can tell
        "rs1 1 150 A G",
        "rs6 2 350 C G",  # other alleles
    ],
    "b",
    build="GRCh38",
    trait=["x"],
)


def join(*parts, min_coverage=0.5, column="cohort"):
    return join_genotypes(parts, ["one", "two", "three"][: len(parts)], column=column, min_coverage=min_coverage)


def test_alleles_are_those_of_the_first_file_and_the_rest_is_dropped_and_counted():
    found = join(FIRST, SECOND)
    assert list(found.samples.features.index) == ["rs1", "rs2", "rs3", "rs4"]
    assert found.samples.features.equals(FIRST.features.iloc[:4])
    np.testing.assert_array_equal(dense_dosages(found.samples.values), [[0, 1, 2, 0], [2, MISSING, 1, 1], [2, MISSING, 1, 0]])
    assert found.samples.table["cohort"].tolist() == ["one", "one", "two"]
    assert found.samples.table["trait"].tolist() == ["x", "y", "x"]
    assert found.samples.table.index.tolist() == ["a0", "a1", "b0"]
    assert (found.samples.value_kind, found.samples.origin) == ("dosage", "a.bed:calls + b.bed:calls")
    assert found.account.set_index(["file", "outcome"])["variants"].to_dict() == {
        ("two", "same"): 1,
        ("two", "flipped"): 1,
        ("two", "complement"): 1,
        ("two", "complement_flipped"): 1,
        ("two", "ambiguous"): 1,
        ("two", "mismatched"): 1,
        ("two", "elsewhere"): 0,
        ("two", "only_first"): 1,
        ("two", "only_here"): 1,
        ("all", "kept"): 4,
    }
    notes = found.samples.notes
    assert sum("dropped, because the alleles (A/T or C/G" in note for note in notes) == 1
    moved = "b.bed:calls: 4 variants stand at other places (GRCh38, and GRCh37 in the first file); the positions of the first file"
    assert f"{moved} are kept" in notes
    assert notes[-1] == "4 variants are used, which each of the 2 files has"


def test_flips_of_calls_are_seen_in_the_dosages():
    flipped = samples([[0, 1, 2, -1]], ["rs1 1 100 G A", "rs2 1 200 A C", "rs3 1 300 T G", "rs4 2 100 C A"], "b")
    np.testing.assert_array_equal(dense_dosages(join(FIRST, flipped).samples.values)[2], [2, 1, 0, MISSING])


def test_a_variant_must_be_usable_in_every_file():
    third = samples([[1, 1]], ["rs3 1 300 G T", "rs1 1 100 A G"], "c")
    found = join(FIRST, SECOND, third, min_coverage=0.2)
    assert list(found.samples.features.index) == ["rs1", "rs3"]
    np.testing.assert_array_equal(dense_dosages(found.samples.values), [[0, 2], [2, 1], [2, 1], [1, 1]])
    with pytest.raises(DataError, match=r"2 of the first file's 7 variants can be used in all files, and 50% are needed"):
        join(FIRST, SECOND, third)


PHASED = samples([[0, 1, 2], [1, -1, 1]], ["rs1 1 1 A G", "rs2 1 2 A G", "rs3 1 3 A G"], "a", first=[[0, 1, 1], [0, -1, 1]])
PHASED_FLIPPED = samples([[0, 1, 1], [2, -1, 1]], ["rs1 1 1 G A", "rs2 1 2 G A", "rs3 1 3 A G"], "b", first=[[0, 1, 1], [1, -1, 0]])


def test_strands_are_flipped_with_their_alleles():
    found = join(PHASED, PHASED_FLIPPED).samples
    np.testing.assert_array_equal(dense_dosages(found.values), [[0, 1, 2], [1, -1, 1], [2, 1, 1], [0, -1, 1]])
    np.testing.assert_array_equal(dense_dosages(found.first_strand), [[0, 1, 1], [0, -1, 1], [1, 0, 1], [0, -1, 0]])


def test_strands_are_left_out_where_a_file_has_none():
    unphased = samples([[1, 1, 1]], ["rs1 1 1 A G", "rs2 1 2 A G", "rs3 1 3 A G"], "b")
    found = join(PHASED, unphased).samples
    assert found.first_strand is None
    assert found.notes[-1] == "strands are left out, because only 1 of 2 files are phased"


def test_arrays_without_alleles_are_taken_to_count_the_same_ones():
    one = FIRST.features.assign(counted_allele="", other_allele="")
    parts = [Samples(part.values, part.table, one, "dosage", part.origin) for part in (FIRST, FIRST)]
    assert join(*parts).samples.num_features == 7
    with pytest.raises(DataError, match="two: of 7 and 7 variants, 7 are shared and none can be used"):
        join(FIRST, parts[1])


def test_ids_that_collide_get_the_name_of_their_file_in_front():
    assert join(FIRST, FIRST).samples.table.index.tolist() == ["one:a0", "one:a1", "two:a0", "two:a1"]


@pytest.mark.parametrize(
    ("second", "line"),
    [
        (Samples(FIRST.values, FIRST.table, FIRST.features, "counts", "b"), "different kinds of values: one dosage, two counts"),
        (samples([[1]], ["rs99 1 100 A G"], "b"), "two: of 7 and 1 variants, 0 are shared and none can be used"),
    ],
)
def test_what_cannot_be_joined_is_refused(second, line):
    with pytest.raises(DataError, match=line) as caught:
        join(FIRST, second)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy


def test_two_real_cohorts_are_one(real_data):
    folder = real_data / "genotypes" / "hapmap3_1kg"
    if not folder.is_dir():
        pytest.skip("no real genotypes here: set GENOKEN_DATA to a folder that holds genotypes/hapmap3_1kg/")
    stems = ["HM3_thinned_autosomal_overlap", "1kg.ref.phase1_release_v3.20101123_thinned_autosomal_overlap"]
    source = read_source([folder / f"{stem}.bed" for stem in stems], "auto")
    joined = source.samples
    assert (joined.num_samples, joined.num_features) == (957 + 1092, 14_079 - 1015)
    assert source.joined.set_index(["file", "outcome"]).loc[(stems[1], "ambiguous"), "variants"] == 1015
    assert joined.table[COHORT_COLUMN].value_counts().to_dict() == {stems[0]: 957, stems[1]: 1092}
    assert any("variants stand at other places, as in another genome build" in note for note in joined.notes)
    names = joined.table.index.str.split(":").str[1].to_numpy()
    pairs = duplicates(joined)
    first, second = (pairs[name].to_numpy() for name in ("first", "second"))
    is_shared = names[first] == names[second]
    assert is_shared.sum() == 564
    ids = [pd.read_csv(folder / f"{stem}.bim", sep=r"\s+", header=None)[1] for stem in stems]
    moved = np.flatnonzero(joined.features.index.isin(ids[0][(ids[0] != ids[1]).to_numpy()]))
    assert 150 < len(moved) <= 190  # some of the 190 are ambiguous
    dense = dense_dosages(joined.values, moved)
    ours, theirs = dense[first[is_shared]], dense[second[is_shared]]
    straddling = np.where(np.stack([joined.table[COHORT_COLUMN] == stem for stem in stems]), "test", "train")
    study = Study(joined, "regression", "y", np.zeros(joined.num_samples), (), "", COHORT_COLUMN, None, ())
    with pytest.raises(DataError, match=r"5\d\d pairs of samples are one person in train and in test"):
        refuse_straddling_duplicates(study, straddling)
    called = (ours != MISSING) & (theirs != MISSING)
    assert ((ours == theirs) & called).sum() > 0.99 * called.sum()
