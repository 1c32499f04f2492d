"""Orientation of alleles: every case typed by hand, and two real cohorts that share people."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from genoken.core.errors import DataError
from genoken.core.genotypes import other_strand
from genoken.data.genotypes.alleles import join_variants, oriented


def table(rows, build=""):
    """Return a feature table of (id, chromosome, position, counted, other)."""
    names = ["id", "chromosome", "position_bp", "counted_allele", "other_allele"]
    return pd.DataFrame(rows, columns=names).set_index("id").assign(build=build)


def pair(first: str, second: str):
    """Return the join of two variants of one id, given as ``counted/other``, beside one that is the same in both."""
    tables = [table([("rs1", "1", 5, *alleles.split("/")), ("anchor", "2", 5, "A", "C")]) for alleles in (first, second)]
    return join_variants(*tables)


CASES = [
    ("A/C", "A/C", "same"),
    ("A/C", "C/A", "flipped"),
    ("A/C", "T/G", "complement"),
    ("A/C", "G/T", "complement_flipped"),
    ("A/T", "A/T", "ambiguous"),
    ("A/T", "T/A", "ambiguous"),
    ("C/G", "C/G", "ambiguous"),
    ("A/C", "A/G", "mismatched"),
    ("A/T", "C/G", "mismatched"),
    ("A/AC", "A/AC", "same"),
    ("AC/A", "T/GT", "complement_flipped"),
    ("D/I", "I/D", "flipped"),
    ("0/G", "A/G", "same"),
    ("0/G", "G/A", "flipped"),
    ("0/G", "T/C", "complement"),
    ("0/G", "C/T", "complement_flipped"),
    ("0/G", "C/G", "ambiguous"),
    ("A/C", "0/0", "ambiguous"),
    ("AT/A", "AT/A", "same"),
]


@pytest.mark.parametrize(("first", "second", "orientation"), CASES)
def test_orientations_are_typed_by_hand(first, second, orientation):
    found = pair(first, second)
    counts = dict(zip(found.report["orientation"], found.report["variants"], strict=True))
    expected = dict.fromkeys(counts, 0)
    expected["same"] += 1
    expected[orientation] += 1
    assert counts == expected
    kept = orientation not in ("ambiguous", "mismatched")
    assert found.first.tolist() == found.second.tolist() == ([0, 1] if kept else [1])
    assert found.flipped.tolist() == ([orientation.endswith("flipped")] if kept else []) + [False]


def test_tables_of_two_builds_are_joined_by_id_in_the_order_of_the_first():
    first = table([("rs3", "1", 30, "A", "C"), ("rs1", "1", 40, "A", "C"), ("only", "1", 50, "A", "C")], "hg18")
    second = table([("rs1", "1", 9, "A", "C"), ("rs2", "1", 30, "A", "C"), ("rs3", "1", 99, "C", "A")], "hg19")
    found = join_variants(first, second)
    assert (found.first.tolist(), found.second.tolist(), found.flipped.tolist()) == ([0, 1], [2, 0], [True, False])
    assert (found.only_first, found.only_second) == (1, 1)
    assert found.sentences == (
        "1 variants: both tables count the same allele",
        "1 variants: the tables count opposite alleles: copies in the second are taken from 2",
        "1 variants: left out, because only the first table has them",
        "1 variants: left out, because only the second table has them",
    )


def test_variants_without_ids_are_joined_by_place_and_alleles_in_one_build():
    first = table(
        [("rs1", "1", 10, "A", "C"), ("1:20:G:T", "1", 20, "G", "T"), (".", "1", 30, "A", "G"), ("rs4", "1", 40, "A", "G")]
    )
    second = table(
        [("chr1:30", "1", 30, "C", "T"), ("1:10", "1", 10, "C", "A"), ("x", "1", 20, "G", "T"), ("rs9", "1", 40, "A", "G")]
    )
    found = join_variants(first.assign(build="b"), second.assign(build="b"))
    # rs4 and rs9 stand at one place with one pair of alleles, but under two names of their own.
    assert (found.first.tolist(), found.second.tolist(), found.flipped.tolist()) == ([0, 1, 2], [1, 2, 0], [True, False, True])
    with pytest.raises(DataError, match="4 and 4 variants, 0 are shared"):
        join_variants(first.assign(build="b"), second.assign(build="c"))


def test_two_variants_at_one_place_with_the_same_alleles_are_not_guessed_between():
    first = table([(".", "1", 30, "A", "G"), ("rs1", "1", 40, "A", "G")], "b")
    second = table([("x", "1", 30, "A", "G"), ("y", "1", 30, "G", "A"), ("rs1", "1", 40, "A", "G")], "b")
    assert join_variants(first, second).first.tolist() == [1]


def test_ids_made_of_places_say_nothing_in_another_build():
    first = table([("1:30", "1", 30, "A", "G"), ("rs1", "1", 40, "A", "G")], "hg18")
    assert join_variants(first, first.assign(build="hg19")).first.tolist() == [1]
    assert join_variants(first, first).first.tolist() == [0, 1]


def test_one_id_at_two_places_of_one_build_is_dropped():
    first = table([("rs1", "1", 10, "A", "C"), ("rs2", "1", 20, "A", "C"), ("rs3", "1", 30, "A", "C")], "b")
    second = table([("rs1", "2", 10, "A", "C"), ("rs2", "1", 21, "A", "C"), ("rs3", "1", 30, "A", "C")], "b")
    found = join_variants(first, second)
    assert found.first.tolist() == [2]
    assert found.report.set_index("orientation").loc["elsewhere", "variants"] == 2


def test_mixed_builds_are_refused():
    mixed = table([("rs1", "1", 10, "A", "C"), ("rs2", "1", 20, "A", "C")]).assign(build=["hg18", "hg19"])
    with pytest.raises(DataError, match="the second table mixes the builds 'hg18' and 'hg19'"):
        join_variants(mixed.iloc[:1], mixed)


def test_copies_are_flipped_and_missing_calls_stay():
    dense = np.array([[0, 1, 2], [2, -1, -1]], dtype=np.int8)
    found = oriented(dense, np.array([2, 0, 1]), np.array([True, False, True]))
    assert found.tolist() == [[0, 0, 1], [-1, 2, -1]]
    assert found.dtype == np.int8


def test_people_of_two_real_cohorts_have_the_same_genotypes(cohorts):
    first, second = cohorts
    # Plant what real files do: count the other allele, or read the other strand.
    moved = second.features.copy()
    moved.loc[moved.index[::3], ["counted_allele", "other_allele"]] = moved.loc[
        moved.index[::3], ["other_allele", "counted_allele"]
    ].to_numpy()
    for column in ("counted_allele", "other_allele"):
        moved.loc[moved.index[::5], column] = moved.loc[moved.index[::5], column].map(other_strand)
    copies = second.dense.copy()
    copies[:, ::3] = 2 - copies[:, ::3]
    found = join_variants(first.features, moved)
    counts = found.report.set_index("orientation")["variants"]
    assert counts["ambiguous"] == 1015
    assert counts[["mismatched", "elsewhere"]].tolist() == [0, 0]
    assert len(found.first) == 14_079 - 1015
    assert (counts[["same", "flipped", "complement", "complement_flipped"]] > 500).all()
    assert (first.features.index != second.features.index).sum() == 190
    row_of = {person: row for row, person in enumerate(second.people)}
    shared = [(row, row_of[person]) for row, person in enumerate(first.people) if person in row_of]
    assert len(shared) == 564
    ours = first.dense[[row for row, _ in shared]][:, found.first]
    theirs = oriented(copies, found.second, found.flipped)[[row for _, row in shared]]
    assert (theirs != -1).all()
    called = ours != -1
    agreeing = ((ours == theirs) & called).sum(axis=0)
    # The cohorts were typed by two techniques: an array, and sequencing at low coverage.
    assert agreeing.sum() / called.sum() > 0.99
    assert (agreeing > ((ours == 2 - theirs) & called).sum(axis=0)).all()
