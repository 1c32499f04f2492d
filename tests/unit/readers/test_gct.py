"""GCT files: both versions typed by hand, compressed or not; what is refused with which line."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from genoken.core.errors import DataError
from genoken.readers.gct import GctReader

OLD = "#1.2\n2\t3\nName\tDescription\ts1\ts2\ts3\nG1\tfirst\t1.5\t2.5\t3.5\nG2\tna\t-4\t5e0\t6.25\n"
NEW = (
    "#1.3\n2\t3\t1\t2\n"
    "id\tpr_gene_id\ts1\ts2\ts3\n"
    "cell_id\tna\tA375\t-666\tPC3\n"
    "dose\tna\t10\t-666\t0.5\n"
    "G1\t5720\t1.5\t2.5\t3.5\n"
    "G2\t466\t-4\t5e0\t6.25\n"
)
VALUES = np.array([[1.5, -4], [2.5, 5], [3.5, 6.25]], dtype=np.float32)


@pytest.fixture
def read(tmp_path):
    """Return a function that writes text and reads it."""

    def write_and_read(text, name="panel.gct", **settings):
        content = text if isinstance(text, bytes) else text.encode()
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return GctReader(**settings).read(tmp_path / name)

    return write_and_read


@pytest.mark.parametrize("name", ["panel.gct", "panel.gct.gz"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"], ids=["unix", "windows"])
def test_version_2(read, name, ending):
    found = read(OLD.replace("\n", ending), name)
    np.testing.assert_array_equal(found.values.toarray(), VALUES)
    assert found.values.format == "csr"
    assert list(found.table.index) == ["s1", "s2", "s3"]
    assert list(found.features.index) == ["G1", "G2"]
    assert found.features["Description"].iloc[0] == "first"
    assert found.features["Description"].isna().tolist() == [False, True]
    assert (found.value_kind, found.origin, found.notes) == ("real", f"{name}:X", ())


def test_version_3_with_annotations(read):
    found = read(NEW)
    np.testing.assert_array_equal(found.values.toarray(), VALUES)
    assert found.table["cell_id"].tolist()[::2] == ["A375", "PC3"]
    assert found.table["cell_id"].isna().tolist() == [False, True, False]
    np.testing.assert_array_equal(found.table["dose"].to_numpy(), [10, np.nan, 0.5])
    assert found.features["pr_gene_id"].tolist() == ["5720", "466"]


def test_counts_stay_counts_and_annotations_that_are_numbers_become_numbers(read):
    found = read("#1.3\n2\t3\t0\t1\nid\ts1\ts2\ts3\nday\t1\t2\t3\nG1\t0\t7\t30\nG2\t5\t0\t100\n")
    assert found.value_kind == "counts"
    assert found.table["day"].tolist() == [1, 2, 3]
    assert found.table["day"].dtype.kind == "i"
    np.testing.assert_array_equal(found.values.toarray(), [[0, 5], [7, 0], [30, 100]])
    assert found.values.nnz == 4


@pytest.mark.parametrize("word", ["NA", "-666", "", "NaN", "n/a"])
def test_samples_with_missing_values_are_left_out_with_a_count(read, word):
    found = read(OLD.replace("5e0", word))
    np.testing.assert_array_equal(found.values.toarray(), VALUES[[0, 2]])
    assert list(found.table.index) == ["s1", "s3"]
    assert found.notes == ("1 sample has missing values and is left out",)
    with pytest.raises(DataError, match=r"1 sample has missing values — .*without --strict"):
        read(OLD.replace("5e0", word), strict=True)


def test_text_may_be_latin1(read):
    assert read(NEW.replace("A375", "µM").encode("latin-1")).table["cell_id"].iloc[0] == "µM"
    assert read(NEW.replace("A375", "µM")).table["cell_id"].iloc[0] == "µM"
    assert read(b"\xef\xbb\xbf" + NEW.encode()).num_samples == 3


def test_blocks_of_rows_are_put_together(read, monkeypatch):
    monkeypatch.setattr("genoken.readers.gct._BLOCK_ROWS", 2)
    rows = np.arange(1, 16).reshape(5, 3) + 0.5
    lines = [f"G{number}\tna\t" + "\t".join(map(str, row)) for number, row in enumerate(rows)]
    found = read("#1.2\n5\t3\nName\tDescription\ts1\ts2\ts3\n" + "\n".join(lines))
    np.testing.assert_array_equal(found.values.toarray(), rows.T)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"the file is empty \(0 bytes\)"),
        ("gene,s1\n", "this is not a GCT file: it starts with 'gene,s1'"),
        ("#1.2\n", "line 1: the file ends before the numbers of rows and columns: it is cut off"),
        ("#1.2\ntwo\tthree\n", "line 2: this line holds no numbers of rows and columns: 'two three'"),
        ("#1.3\n2\t3\n", "line 2: this line holds no numbers of rows and columns: '2 3'"),
        (OLD.replace("\ts3", ""), "line 3: there are 4 names, but line 2 announces 1 annotations and 3 samples"),
        (OLD[: OLD.index("G2")], "line 4: the file ends before row 2 of 2: it is cut off — copy or download it again"),
        (OLD[: OLD.index("5e0")], "line 5: the line has 4 fields in place of 5: the file is cut off or damaged"),
        (NEW[: NEW.index("dose")], "line 4: the file ends before the annotations of the samples: it is cut off"),
        (OLD + "G3\tna\t1\t2\t3\n", "line 6: there are more rows than the 2 that line 2 announces"),
        (OLD.replace("2.5", "high"), r"line 4: a value is not a number \(could not convert string to float: 'high'\)"),
        (OLD.replace("G2", "G1"), r"1 gene name occurs more than once \(G1\)"),
        ("#1.2\n0\t3\nName\tDescription\ts1\ts2\ts3\n", "there are no features in it"),
        (gzip.compress(OLD.encode(), mtime=0), "the file is compressed with gzip"),
    ],
)
def test_files_that_cannot_be_read_end_in_one_clear_line(read, text, message):
    with pytest.raises(DataError, match=message) as caught:
        read(text)
    assert "panel.gct" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_compressed_files_that_are_cut_off_or_not_compressed(tmp_path):
    path = tmp_path / "panel.gct.gz"
    whole = gzip.compress((OLD + " " * 5000).encode())
    for content in (whole[: len(whole) // 2], whole[:-6], OLD.encode()):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"the file is damaged or cut off \(.*\) — copy or download it again"):
            GctReader().read(path)


def test_a_real_file_holds_what_the_same_wells_hold_in_gctx(real_data):
    from genoken.readers.gctx import GctxReader

    folder = real_data / "expression" / "l1000"
    plate, stack = folder / "LJP009_A375_24H_X1_B20_QNORM_n371x978.gct", folder / "l1000_level3_n1429x978.gctx"
    if not (plate.is_file() and stack.is_file()):
        pytest.skip(f"{plate} or {stack} is not here")
    found, other = GctReader().read(plate), GctxReader().read(stack)
    assert (found.values.shape, found.value_kind, found.notes) == ((371, 978), "real", ())
    assert found.features["pr_gene_symbol"].iloc[0] == "PSME1"
    assert found.table["pert_iname"].iloc[0] == "vorinostat"
    columns = other.features.index.get_indexer(found.features["pr_gene_id"])
    rows = np.flatnonzero(other.table["rna_plate"] == found.table["rna_plate"].iloc[0])
    wells = dict(zip(other.table["rna_well"].iloc[rows], rows, strict=True))
    matched = np.array([wells[well] for well in found.table["rna_well"]])
    assert len(rows) == 371
    np.testing.assert_array_equal(found.values.toarray(), other.values[matched].toarray()[:, columns])
