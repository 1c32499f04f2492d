"""Features of a vocabulary found in another file."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genoken.core.errors import DataError
from genoken.vocabulary.align import align, symbols_of

IDS = ["ENSG00000141510", "ENSG00000012048", "ENSG00000139618", "ENSG00000146648"]
SYMBOLS = ["TP53", "BRCA1", "BRCA2", "EGFR"]


def find(ids, features, minimum=0.5, symbols=()):
    return align(ids, features, minimum_coverage=minimum, where="new.h5ad", symbols=symbols)


def test_the_index_comes_first_and_order_is_that_of_the_vocabulary():
    features = pd.DataFrame({"other": [IDS[0], IDS[1], IDS[2], "x"]}, index=[IDS[3], "ENSG00000000001", IDS[0], IDS[1]])
    found = find(IDS, features)
    assert found.columns.dtype == np.int64
    assert found.columns.tolist() == [2, 3, -1, 0]
    assert (found.coverage, found.matched_by, found.missing) == (0.75, "index", (IDS[2],))
    assert found.line == "3 of 4 genes found (75.0%), matched by index; missing: ENSG00000139618"


def test_versions_do_not_matter():
    features = pd.DataFrame(index=[f"{name}.7" for name in reversed(IDS)])
    found = find([f"{name}.12" for name in IDS], features)
    assert found.columns.tolist() == [3, 2, 1, 0]
    assert found.matched_by == "index without versions"


@pytest.mark.parametrize("as_category", [False, True])
def test_the_column_that_finds_most_is_taken(as_category):
    features = pd.DataFrame(
        {"few": [IDS[0], "a", "b", "c"], "gene_ids": [IDS[1] + ".3", IDS[0], None, IDS[2]], "number": [1, 2, 3, 4]},
        index=["BRCA1", "TP53", "x", "BRCA2"],
    )
    if as_category:
        features["gene_ids"] = features["gene_ids"].astype("category")
    found = find(IDS, features)
    assert found.columns.tolist() == [1, 0, 3, -1]
    assert found.matched_by == "column 'gene_ids'"


def test_the_vocabulary_may_hold_symbols_and_the_file_ensembl_ids():
    features = pd.DataFrame({"feature_name": SYMBOLS[::-1]}, index=IDS[::-1])
    found = find(SYMBOLS, features)
    assert found.columns.tolist() == [3, 2, 1, 0]
    assert found.matched_by == "column 'feature_name'"


def test_symbols_of_the_vocabulary_help():
    found = find(IDS, pd.DataFrame(index=SYMBOLS[::-1]), symbols=SYMBOLS)
    assert found.columns.tolist() == [3, 2, 1, 0]
    assert found.matched_by == "symbols in the index"


def test_case_is_ignored_only_when_nothing_else_is_enough():
    features = pd.DataFrame(index=["Tp53", "Brca1", "BRCA2", "Egfr"])
    assert find(SYMBOLS, features).matched_by == "index, ignoring case"
    assert find(SYMBOLS, features).columns.tolist() == [0, 1, 2, 3]
    found = find(SYMBOLS, features, minimum=0.25)
    assert (found.matched_by, found.columns.tolist()) == ("index", [-1, -1, 2, -1])


def test_ambiguous_names_are_left_out_and_counted():
    features = pd.DataFrame({"symbol": ["TP53", "TP53", "BRCA1", "EGFR"]}, index=["a", "b", "c", "d"])
    found = find(SYMBOLS, features)
    assert found.columns.tolist() == [-1, 2, -1, 3]
    assert "1 of these left out because their name occurs more than once" in found.line
    versions = ["ENSG00000141510.1", "ENSG00000141510.2", IDS[1], IDS[2]]
    found = find(versions, pd.DataFrame(index=[name + ".9" for name in IDS]))
    assert found.columns.tolist() == [-1, -1, 1, 2]
    assert "2 of these" in found.line


def test_pseudoautosomal_copies_stay_apart():
    features = pd.DataFrame(index=["ENSG00000182378.2_PAR_Y", "ENSG00000182378.2"])
    assert find(["ENSG00000182378.14", "ENSG00000182378.14_PAR_Y"], features).columns.tolist() == [1, 0]


@pytest.mark.parametrize("empty", ["", "nan", "NA", "None"])
def test_empty_names_never_match(empty):
    features = pd.DataFrame({"symbol": [empty, "TP53"]}, index=["a", "b"])
    assert find([empty, "TP53"], features).columns.tolist() == [-1, 1]


def test_too_little_in_common_is_refused_with_figures():
    features = pd.DataFrame(index=["TP53", "AAA", "BBB"])
    with pytest.raises(DataError) as caught:
        find(SYMBOLS, features)
    text = str(caught.value)
    assert text.startswith("new.h5ad: too few genes in common: 1 of 4 genes found (25.0%)")
    for part in ("missing: BRCA1, BRCA2, EGFR", "50% are needed", "the file has TP53, AAA, BBB", "--min-coverage"):
        assert part in text
    assert find(SYMBOLS, features, minimum=0.25).coverage == 0.25


@pytest.mark.parametrize(
    ("index", "parts"),
    [
        (
            ["TP53", "BRCA1", "EGFR"],
            ("no gene in common", "human Ensembl ids (ENSG", "human gene symbols (TP53", "add a column with human"),
        ),
        (["ENSMUSG00000059552"], ("mouse Ensembl ids", "the model is of human, the file of mouse", "orthologs")),
        (["ENSG00000999999"], ("are these the right file and the right run?",)),
        ([], ("no feature",)),
    ],
)
def test_nothing_in_common_says_why(index, parts):
    with pytest.raises(DataError) as caught:
        find(IDS, pd.DataFrame(index=index), minimum=0.0)
    for part in parts:
        assert part in str(caught.value)


def test_variants_are_called_variants():
    file = pd.DataFrame(index=["rs1", "rs5"])
    found = align(["rs1", "rs2"], file, minimum_coverage=0.5, where="new.bed", noun="variant")
    assert found.line == "1 of 2 variants found (50.0%), matched by index; missing: rs2"
    with pytest.raises(DataError, match="too few variants in common: 1 of 2 variants found"):
        align(["rs1", "rs2"], file, minimum_coverage=0.6, where="new.bed", noun="variant")
    with pytest.raises(
        DataError, match="no variant in common with the model: it knows rs7, the file has rs1, rs5 — name variants alike"
    ):
        align(["rs7"], file, minimum_coverage=0.6, where="new.bed", noun="variant")


def test_an_empty_vocabulary_is_refused():
    with pytest.raises(DataError, match="empty"):
        find([], pd.DataFrame(index=["a"]))


@given(st.permutations(range(12)), st.sets(st.integers(0, 11), max_size=5))
def test_columns_point_to_the_very_id(order, absent):
    ids = [f"ENSG{number:011d}" for number in range(12)]
    features = pd.DataFrame(index=[ids[place] for place in order if place not in absent])
    found = find(ids, features)
    assert [None if column < 0 else features.index[column] for column in found.columns] == [
        None if place in absent else name for place, name in enumerate(ids)
    ]
    assert found.coverage == pytest.approx(1 - len(absent) / 12)
    assert found.missing == tuple(ids[place] for place in sorted(absent))


def test_symbols_come_from_the_usual_column_and_fall_back_to_the_id():
    features = pd.DataFrame({"Gene_Symbol": ["TP53", "", None, "EGFR"], "symbol": ["x"] * 4}, index=IDS)
    assert symbols_of(features) == ["TP53", IDS[1], IDS[2], "EGFR"]
    assert symbols_of(features.assign(Gene_Symbol=["TP53", "", "", ""])) == ["x"] * 4
    assert symbols_of(pd.DataFrame({"symbol": [1, 2, 3, 4]}, index=IDS)) == IDS
    assert symbols_of(features[["symbol"]].astype("category")) == ["x"] * 4
