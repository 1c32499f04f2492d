"""PLINK's tables read at once and line by line: the same, and what is wrong is said with its line."""

from __future__ import annotations

import numpy as np
import pytest

from genoken.core.errors import DataError
from genoken.readers import _plink_tables
from genoken.readers._plink_tables import read_sample_file, read_variant_file

BIM = "1\trs1\t0\t1000\ta\tG\n23\t.\t0.5\t2000\tC\tT\n"
PVAR = "##fileformat=VCFv4.2\n##note=µ\n#CHROM\tPOS\tID\tREF\tALT\tINFO\n1\t10\trs1\tG\tA,C\tx y\n1\t20\tNA\tg\tt\t\n"


@pytest.fixture(params=["at once", "line by line"])
def way(request, monkeypatch):
    """Both ways; of reading at once, that it was done."""
    done, at_once = [], _plink_tables._read_at_once
    if request.param == "line by line":
        monkeypatch.setattr(_plink_tables, "_read_at_once", lambda *_: None)
    else:
        monkeypatch.setattr(_plink_tables, "_read_at_once", lambda *given: done.append(at_once(*given)) or done[-1])
    yield request.param
    assert not done or done[0] is not None


def test_variants_without_names_of_columns(way, tmp_path):
    (tmp_path / "c.bim").write_text(BIM)
    found = read_variant_file(tmp_path / "c.bim", 22)
    assert (found.names, found.chromosomes, found.references) == (["rs1", "."], ["1", "X"], ["G", "T"])
    assert (found.alternates, found.meta) == ([["A"], ["C"]], ())
    assert (found.positions.tolist(), found.centimorgans.tolist()) == ([1000, 2000], [0, 0.5])


def test_variants_with_names_of_columns_and_meta_lines(way, tmp_path):
    (tmp_path / "c.pvar").write_text(PVAR, encoding="utf-8")
    found = read_variant_file(tmp_path / "c.pvar", 22)
    assert (found.names, found.references, found.alternates) == (["rs1", "NA"], ["G", "G"], [["A", "C"], ["T"]])
    assert (found.positions.tolist(), found.meta) == ([10, 20], ("##fileformat=VCFv4.2", "##note=µ"))


def test_samples(way, tmp_path):
    (tmp_path / "c.psam").write_text("#FID\tIID\tSEX\theight\n0\ta\t1\t1.5\nF\tb\t0\tNA\n")
    table, notes = read_sample_file(tmp_path / "c.psam")
    assert (list(table.index), notes) == (["a", "b"], ())
    assert table["family"].fillna("").tolist() == ["", "F"]
    np.testing.assert_array_equal(table["height"], [1.5, np.nan])


@pytest.mark.parametrize(
    "text",
    [BIM.replace("\t", " "), BIM.replace("\t", "\t\t"), BIM.replace("\n", "\r\n"), BIM.replace("\n1", "\n\n1"), " " + BIM],
    ids=["spaces", "two tabs", "Windows", "empty line", "space in front"],
)
def test_tables_that_are_written_otherwise_are_read_alike(tmp_path, text):
    (tmp_path / "c.bim").write_bytes(text.encode())
    found = read_variant_file(tmp_path / "c.bim", 22)
    assert (found.names, found.positions.tolist(), found.alternates) == (["rs1", "."], [1000, 2000], [["A"], ["C"]])


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("c.bim", BIM + "1\trs3\t0\t5\tA\n", r"c.bim, line 3: the line has 5 fields in place of 6"),
        ("c.bim", BIM.replace("2000", "x"), r"c.bim, line 2: 'x' is not a position"),
        ("c.pvar", PVAR.replace("20", "x"), r"c.pvar, line 5: 'x' is not a position"),
        ("c.pvar", PVAR + "1\t30\n", r"c.pvar, line 6: the line has 2 fields in place of 6"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path, name, text, line):
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=line):
        read_variant_file(tmp_path / name, 22)
