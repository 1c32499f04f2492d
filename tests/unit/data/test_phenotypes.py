"""Tables of phenotypes typed by hand, joined by sample id."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from genoken.core.errors import DataError
from genoken.core.samples import Samples
from genoken.data.phenotypes import Phenotypes, join_phenotypes, read_phenotypes, says_all_are_there

NAN = np.nan


@pytest.fixture
def read(tmp_path):
    """Return a function that writes text and reads it."""

    def write_and_read(text, name="traits.csv"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return read_phenotypes(tmp_path / name).table

    return write_and_read


@pytest.mark.parametrize("separator", [",", "\t", " ", ";"], ids=["comma", "tab", "space", "semicolon"])
def test_separators_missing_words_and_numbers(read, separator):
    text = "FID,IID,bmi,coat\nF1,a,21.5,black\nF1,b,-9,NA\n0,c,30,white\n".replace(",", separator)
    found = read(text)
    assert list(found.index) == ["a", "b", "c"]
    assert list(found.columns) == ["family", "bmi", "coat"]
    assert found["family"].where(found["family"].notna(), None).tolist() == ["F1", "F1", None]
    np.testing.assert_array_equal(found["bmi"], [21.5, NAN, 30])
    assert found["coat"].where(found["coat"].notna(), None).tolist() == ["black", None, "white"]


@pytest.mark.parametrize("name", ["sample_id", "IID", "iid", "id"])
def test_the_column_of_ids_may_stand_anywhere(read, name):
    found = read(f"bmi,{name}\n1,a\n2,b\n")
    assert (list(found.index), found["bmi"].tolist()) == (["a", "b"], [1, 2])


def test_else_the_first_column_holds_the_ids_and_quotes_are_heeded(read):
    found = read('\ufeffperson,note\na,"tall, thin"\n"b",short\n')
    assert (list(found.index), found["note"].tolist()) == (["a", "b"], ["tall, thin", "short"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,x\na,1\nb,2\na,3\n", r"traits.csv: 1 sample id occurs more than once \(a\) — keep one line for each sample"),
        ("ann 1.5\nbob 2\n", r"traits.csv: the first line looks like data, not like names \(ann, 1.5\) — write a first line"),
        ("ann,2,2\nbob,2,3\n", r"the first line looks like data, not like names \(ann, 2, 2\)"),
        ("id,x,x\na,1,2\n", "the column 'x' occurs twice"),
        ("id,x\na,1\nb\n", "traits.csv, row 3: the line has 1 fields, and the line of names has 2"),
        ("id,x\n", "a table of phenotypes has a line of names and one for each sample"),
    ],
)
def test_tables_that_cannot_be_used(read, text, message):
    with pytest.raises(DataError, match=message):
        read(text)


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match="the file of phenotypes does not exist"):
        read_phenotypes(tmp_path / "none.csv")


def samples_of(*names, **columns):
    table = pd.DataFrame(columns, index=list(names))
    values = sp.csr_matrix(np.ones((len(names), 1), dtype=np.float32))
    return Samples(values, table, pd.DataFrame(index=["v"]), "dosage", "cohort.bed:calls", notes=("first",))


def test_join_by_id_counts_who_has_a_line_and_keeps_the_order():
    samples = samples_of("c", "a", "b", sex=["male", "female", "male"], phenotype=[NAN, NAN, NAN])
    traits = pd.DataFrame({"phenotype": [1.0, 2.0, 3.0], "age": [30, 40, 50]}, index=["a", "x", "c"])
    found = join_phenotypes(samples, Phenotypes(traits), "some/traits.csv")
    assert list(found.table.index) == ["c", "a", "b"]
    assert list(found.table.columns) == ["sex", "phenotype", "age"]
    np.testing.assert_array_equal(found.table["phenotype"], [3, 1, NAN])
    np.testing.assert_array_equal(found.table["age"], [50, 30, NAN])
    assert found.notes == ("first", "2 of 3 samples have phenotypes in traits.csv, which has 1 other sample too")


def test_a_note_that_all_samples_have_a_line_is_no_warning():
    everyone = join_phenotypes(samples_of("a", "b"), Phenotypes(pd.DataFrame({"age": [30, 40]}, index=["a", "b"])), "traits.csv")
    assert says_all_are_there(everyone.notes[-1])
    others = Phenotypes(pd.DataFrame({"age": [30, 40, 50]}, index=["a", "b", "x"]))
    assert not says_all_are_there(join_phenotypes(samples_of("a", "b"), others, "traits.csv").notes[-1])
    assert not says_all_are_there(join_phenotypes(samples_of("a", "c"), others, "traits.csv").notes[-1])


def test_no_sample_with_a_line_is_refused():
    traits = Phenotypes(pd.DataFrame({"age": [30]}, index=["sample-a"]))
    with pytest.raises(
        DataError, match=r"traits.csv: none of the 2 samples is among its 1 sample ids — .* like 'a', .* like 'sample-a'"
    ):
        join_phenotypes(samples_of("a", "b"), traits, "traits.csv")


def test_codes_of_cases_are_plinks_in_its_own_tables_only(tmp_path):
    (tmp_path / "pheno.txt").write_text("FID IID case bmi\nF a 0 -9\nF b 1 20\nF c 2 21\nF d 2 22\n")
    found = read_phenotypes(tmp_path / "pheno.txt")
    np.testing.assert_array_equal(found.table["case"], [NAN, 1, 2, 2])
    assert found.notes == (
        "-9 is read as missing: bmi (1)",
        "0 is read as missing where all numbers are 0, 1 and 2, as PLINK codes cases: case (1)",
    )
    (tmp_path / "pheno.csv").write_text("sample_id,stage\na,0\nb,1\nc,2\nd,2\n")
    found = read_phenotypes(tmp_path / "pheno.csv")
    np.testing.assert_array_equal(found.table["stage"], [0, 1, 2, 2])
    assert found.notes == ()


def test_what_was_read_as_missing_is_noted_after_the_join(tmp_path):
    (tmp_path / "t.csv").write_text("sample_id,bmi\na,-9\nb,20\n")
    found = join_phenotypes(samples_of("a", "b"), read_phenotypes(tmp_path / "t.csv"), "t.csv")
    assert found.notes == ("first", "2 of 2 samples have phenotypes in t.csv", "-9 is read as missing: bmi (1)")


FAMILIES = "FID IID bmi\nF1 1 10\nF1 2 20\nF2 1 30\nF3 1 40\n"


@pytest.mark.parametrize(
    ("samples", "text", "expected"),
    [
        # families share ids, so that the reader of .fam named people by both
        (samples_of("F2_1", "F1_1", "F1_2", family=["F2", "F1", "F1"]), FAMILIES, [30, 10, 20]),
        # none of the people in the table has the same id as another, and so not both
        (samples_of("F2_1", "F1_1", "F1_2", family=["F2", "F1", "F1"]), "FID IID bmi\nF2 1 30\nF1 2 20\n", [30, NAN, 20]),
        # only the table has people with the same id
        (samples_of("2", "1", family=["F1", "F3"]), FAMILIES, [20, 40]),
        (samples_of("2", "1", family=["F1", NAN]), FAMILIES.replace("F3", "0"), [20, 40]),
        # families are named otherwise, and the ids are enough
        (samples_of("a", "b", family=["x", "y"]), "FID IID bmi\n0 b 1\n0 a 2\n", [2, 1]),
    ],
)
def test_families_that_share_ids_are_told_apart(tmp_path, samples, text, expected):
    (tmp_path / "t.txt").write_text(text)
    found = join_phenotypes(samples, read_phenotypes(tmp_path / "t.txt"), "t.txt")
    np.testing.assert_array_equal(found.table["bmi"], expected)
    assert list(found.table.index) == list(samples.table.index)
    known = samples.table["family"].where(samples.table["family"].notna(), None).tolist()
    assert found.table["family"].where(found.table["family"].notna(), None).tolist() == known


def test_a_person_twice_in_a_family_is_refused(read):
    with pytest.raises(DataError, match=r"1 sample id occurs more than once \(F_a\)"):
        read("FID,IID,x\nF,a,1\nG,a,2\nF,a,3\n")
