"""Samples of several files as one, typed by hand: by gene id, with an account of every file; what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from genoken.core.errors import DataError
from genoken.core.samples import Samples
from genoken.workflows.join import join_samples

GENES = ["TP53", "EGFR", "MYC", "KRAS"]
MOUSE = ["Trp53", "Egfr", "Myc", "Kras"]
ENSEMBL = ["ENSG00000141510", "ENSG00000146648", "ENSG00000136997", "ENSG00000133703"]


def samples(values, genes, name="a", kind="counts", notes=(), features=None, **columns):
    values = np.asarray(values, dtype=np.float32)
    table = pd.DataFrame(columns, index=[f"{name}{row}" for row in range(len(values))])
    return Samples(sp.csr_matrix(values), table, pd.DataFrame(features, index=genes), kind, f"{name}.h5ad:X", notes)


def join(*parts, names=None, column="file", min_coverage=0.5, shared="first"):
    names = names or [part.origin.split(":")[0] for part in parts]
    return join_samples(parts, names, column=column, min_coverage=min_coverage, shared=shared)


ONE = samples([[1, 2, 3], [0, 5, 0]], GENES[:3], "a", cell_type=["A", "B"])
TWO = samples([[7, 8, 9]], ["KRAS", "MYC", "TP53"], "b", cell_type=["C"], age=[4.5])


@pytest.mark.parametrize(
    ("shared", "genes", "values", "lines"),
    [
        (
            "first",
            ["TP53", "EGFR", "MYC"],
            [[1, 2, 3], [0, 5, 0], [9, 0, 8]],
            (
                "a.h5ad:X: 3 genes, which are looked up in the other files",
                "b.h5ad:X: 2 of 3 genes found (66.7%), matched by index; missing: EGFR",
            ),
        ),
        (
            "common",
            ["TP53", "MYC"],
            [[1, 3], [0, 0], [9, 8]],
            (
                "a.h5ad:X: 3 genes, which are looked up in the other files",
                "b.h5ad:X: 2 of 3 genes found (66.7%), matched by index; missing: EGFR",
            ),
        ),
        (
            "union",
            ["TP53", "EGFR", "MYC", "KRAS"],
            [[1, 2, 3, 0], [0, 5, 0, 0], [9, 0, 8, 7]],
            ("a.h5ad:X: 3 of the 4 genes of all files", "b.h5ad:X: 3 of the 4 genes of all files"),
        ),
    ],
)
def test_genes_are_found_by_id_whatever_their_column(shared, genes, values, lines):
    found = join(ONE, TWO, shared=shared)
    assert list(found.features.index) == genes
    np.testing.assert_array_equal(found.values.toarray(), values)
    assert found.values.has_sorted_indices
    assert np.count_nonzero(found.values.data) == found.values.nnz
    assert found.notes == lines
    assert list(found.table["file"]) == ["a.h5ad", "a.h5ad", "b.h5ad"]
    assert list(found.table["cell_type"]) == ["A", "B", "C"]
    assert found.table["age"].isna().tolist() == [True, True, False]
    assert (found.value_kind, found.origin) == ("counts", "a.h5ad:X + b.h5ad:X")


@given(st.permutations(range(6)), st.permutations(range(6)))
def test_the_order_of_the_columns_never_matters(one, two):
    names = np.array([*GENES, "JUN", "FOS"])
    values = np.arange(24).reshape(4, 6)
    found = join(samples(values[:2, one], names[one], "a"), samples(values[2:, two], names[two], "b"))
    np.testing.assert_array_equal(found.values.toarray(), values[:, one])
    union = join(samples(values[:2, one], names[one], "a"), samples(values[2:, two], names[two], "b"), shared="union")
    np.testing.assert_array_equal(union.values.toarray(), values[:, one])


def test_files_with_the_same_genes_are_put_under_each_other_as_they_are():
    found = join(ONE, samples([[4, 4, 4]], GENES[:3], "b"))
    np.testing.assert_array_equal(found.values.toarray(), [[1, 2, 3], [0, 5, 0], [4, 4, 4]])
    assert found.notes[1] == "b.h5ad:X: the same 3 genes"


def test_three_files_and_more_have_one_short_origin():
    parts = [samples([[1, 2, number]], GENES[:3], f"f{number}") for number in range(5)]
    assert join(*parts).origin == "f0.h5ad:X and 4 more files"
    new = samples([[5, 6]], ["JUN", "TP53"], "c")
    found = join(ONE, TWO, new, shared="union")
    assert list(found.features.index) == [*GENES, "JUN"]
    np.testing.assert_array_equal(found.values.toarray()[3], [6, 0, 0, 0, 5])


def test_versions_of_ensembl_ids_are_not_compared():
    one = samples([[1, 2]], [f"{ENSEMBL[0]}.14", f"{ENSEMBL[1]}.3"], "a")
    two = samples([[3, 4]], [f"{ENSEMBL[2]}.1", f"{ENSEMBL[0]}.9"], "b")
    np.testing.assert_array_equal(join(one, two).values.toarray(), [[1, 2], [4, 0]])
    found = join(one, two, shared="union")
    np.testing.assert_array_equal(found.values.toarray(), [[1, 2, 0], [4, 0, 3]])
    assert list(found.features.index) == [f"{ENSEMBL[0]}.14", f"{ENSEMBL[1]}.3", f"{ENSEMBL[2]}.1"]


def test_a_column_of_ids_bridges_two_types():
    other = samples([[7, 8, 9]], [ENSEMBL[2], ENSEMBL[0], ENSEMBL[1]], "b", features={"gene_symbol": ["MYC", "TP53", "EGFR"]})
    found = join(ONE, other)
    np.testing.assert_array_equal(found.values.toarray(), [[1, 2, 3], [0, 5, 0], [8, 9, 7]])
    assert "matched by column 'gene_symbol'" in found.notes[1]


def test_sample_ids_that_collide_get_their_file_in_front():
    other = samples([[4, 4, 4]], GENES[:3], "a")
    found = join(ONE, other, names=["x.h5ad", "y.h5ad"])
    assert list(found.table.index) == ["x.h5ad:a0", "x.h5ad:a1", "y.h5ad:a0"]
    assert list(join(ONE, TWO).table.index) == ["a0", "a1", "b0"]


def test_what_the_readers_noted_is_kept_and_a_replaced_column_is_said():
    noted = samples([[4, 4, 4]], GENES[:3], "b", notes=("1 sample has missing values and is left out",), file=["mine"])
    found = join(ONE, noted)
    assert found.notes[0] == "b.h5ad:X: 1 sample has missing values and is left out"
    assert found.notes[-1] == "the column 'file' of the files is replaced by their names"
    assert list(found.table["file"]) == ["a.h5ad", "a.h5ad", "b.h5ad"]


def panel(values, name, genes=GENES[:3]):
    return samples(values, genes, name, "real")


LEVEL3 = panel([[8.5, 10.0, 2.5]], "a")


def test_panels_are_joined_where_they_hold_the_same_features():
    found = join(LEVEL3, panel([[1.5, 2.5, 3.5]], "b", ["MYC", "TP53", "EGFR"]))
    np.testing.assert_array_equal(found.values.toarray(), [[8.5, 10.0, 2.5], [2.5, 3.5, 1.5]])
    assert found.value_kind == "real"


@pytest.mark.parametrize(
    ("parts", "shared", "message"),
    [
        ((ONE, samples([[0.5, 1, 2]], GENES[:3], "b", "log")), "first", "kinds of values: a.h5ad counts, b.h5ad log — choose"),
        (
            (LEVEL3, panel([[0.5, -1, 2]], "b")),
            "first",
            "different kinds of values: a.h5ad real values above 0, b.h5ad real values on both sides of 0",
        ),
        ((LEVEL3, panel([[500, 100, 2]], "b")), "first", "a.h5ad real values above 0, b.h5ad real values up to above 25"),
        ((ONE, samples([[1, 2, 3, 4]], MOUSE, "b")), "first", "different species: a.h5ad of human, b.h5ad of mouse"),
        ((ONE, samples([[1, 2, 3, 4]], MOUSE, "b")), "union", "the files are of different species"),
        (
            (samples([[1, 2]], ENSEMBL[:2]), samples([[1, 2]], ["ENSMUSG00000059552", "ENSMUSG00000020122"], "b")),
            "first",
            "a.h5ad of human, b.h5ad of mouse",
        ),
        (
            (samples([[1, 2]], GENES[:2], organism=["Sus scrofa"]), samples([[1, 2]], GENES[:2], "b", organism=["Homo sapiens"])),
            "first",
            "a.h5ad of pig, b.h5ad of human",
        ),
        (
            (ONE, samples([[1, 2, 3, 4]], ENSEMBL, "b")),
            "first",
            "types of gene ids: a.h5ad has symbol ids, b.h5ad has ensembl ids — add a column with symbol ids",
        ),
        ((ONE, samples([[1, 2, 3, 4]], ENSEMBL, "b")), "union", "the files have different types of gene ids"),
        ((ONE, samples([[1, 2]], ["JUN", "FOS"], "b")), "first", r"in common with the first file: .*JUN, FOS\) — are these"),
        ((ONE, samples([[1, 2]], ["JUN", "FOS"], "b")), "union", "b.h5ad: no gene in common with the files before it"),
        ((ONE, samples([[1, 2]], ["TP53", "FOS"], "b")), "first", r"too few genes in common: 1 of 3 genes found .*50% are needed"),
        ((LEVEL3, panel([[1.5, 2.5]], "b", GENES[:2])), "first", "b.h5ad: 1 of 3 features are not in this panel, and 0"),
        ((LEVEL3, panel([[1.5, 2.5, 3, 4]], "b", GENES)), "union", "a.h5ad: 1 of 4 features are not in this panel"),
    ],
)  # fmt: skip
def test_files_that_do_not_fit_are_refused_in_one_clear_line(parts, shared, message):
    with pytest.raises(DataError, match=message) as caught:
        join(*parts, shared=shared)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy


def test_panels_keep_what_they_have_in_common_when_asked():
    found = join(LEVEL3, panel([[1.5, 2.5]], "b", ["MYC", "TP53"]), shared="common")
    assert list(found.features.index) == ["TP53", "MYC"]
    np.testing.assert_array_equal(found.values.toarray(), [[8.5, 2.5], [2.5, 1.5]])


def test_symbols_in_capitals_may_be_of_a_species_that_the_table_names():
    pig = samples([[1, 2, 3]], GENES[:3], "b", organism=["Sus scrofa"])
    assert join(ONE, pig).num_samples == 3


def test_a_smaller_overlap_is_taken_when_asked():
    few = samples([[6, 7]], ["TP53", "FOS"], "b")
    np.testing.assert_array_equal(join(ONE, few, min_coverage=0.3).values.toarray()[2], [6, 0, 0])
