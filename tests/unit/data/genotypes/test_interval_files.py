"""Interval tables and genetic maps in files, typed by hand."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest

from genoken.core.errors import DataError
from genoken.data.genotypes.interval_files import genetic_positions, read_genetic_map, read_intervals

EXPECTED = [["1", 10, 20], ["X", 5, 5]]
FILES = {
    "blocks.tsv": "chromosome\tstart_bp\tend_bp\nchr1\t10\t20\nX\t5\t5\n",
    "others.txt": "name\tEnd\tstart\tCHROM\na\t20\t10\tchr1\nb\t5\t5\tchrX\n",
    "blocks.bed": "track name=x\n# made by hand\nchr1\t9\t20\tname\nchrX\t4\t5\n",
    "plink.blocks.det": " CHR   BP1   BP2  KB  NSNPS SNPS\n   1    10    20 0.011  2 rs1|rs2\n   X     5     5 0.001  1 rs3\n",
}


@pytest.mark.parametrize("name", FILES)
def test_each_kind_of_file_gives_the_same_intervals(tmp_path, name):
    (tmp_path / name).write_text(FILES[name])
    found = read_intervals(tmp_path / name)
    assert found[["chromosome", "start_bp", "end_bp"]].values.tolist() == EXPECTED
    assert set(found["method"]) == {"plink" if name.endswith("det") else "file"}
    assert list(found.columns) == ["chromosome", "start_bp", "end_bp", "method", "parameters"]


def test_what_was_written_is_read_back(tmp_path):
    table = pd.DataFrame({"chromosome": ["1"], "start_bp": [3], "end_bp": [4], "method": ["linkage"], "parameters": ['{"a": 1}']})
    table.to_csv(tmp_path / "a.tsv", sep="\t", index=False)
    assert read_intervals(tmp_path / "a.tsv").equals(table)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tsv", b"chromosome\tbegin\tend\n1\t2\t3\n", "there is no column 'start_bp'"),
        ("a.tsv", b"chromosome\tstart\tend\n1\tx\t3\n", "'x' in 'start_bp' is no number"),
        ("a.tsv", b"chromosome\tstart\tend\n1\t2.5\t3\n", "'2.5' in 'start_bp' is no whole number"),
        ("a.tsv", b"chromosome\tstart\tend\n1\t1\t3\n1\t3\t5\n", "1:1-3 and 1:3-5 overlap"),
        ("a.tsv", b"", "cannot be read as a table"),
        ("a.bed", b"\x6c\x1b\x01\x00", "PLINK genotypes, not intervals"),
        ("a.bed", b"1\t2\n", "fewer than the three columns"),
        ("a.bed", b"\xff\xfe\x00", "cannot be read as text"),
    ],
)
def test_bad_files_are_refused_in_one_line(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_intervals(tmp_path / name)
    assert name in str(caught.value)


@pytest.mark.parametrize("header", ["pos chr cM", "position_bp\tchromosome\tposition_cm", "Position(bp) Chr Map(cM)"])
def test_genetic_maps_are_read(tmp_path, header):
    with gzip.open(tmp_path / "map.gz", "wt") as file:
        file.write(f"{header}\n100 chr1 0.5\n200 1 1.5\n")
    found = read_genetic_map(tmp_path / "map.gz")
    assert found.values.tolist() == [["1", 100, 0.5], ["1", 200, 1.5]]
    features = pd.DataFrame({"chromosome": ["1", "1", "1", "2"], "position_bp": [125, 50, 300, 125]})
    assert np.array_equal(genetic_positions(features, found), [0.75, 0.5, 1.5, np.nan], equal_nan=True)


@pytest.mark.parametrize(
    ("written", "num_autosomes", "expected"),
    [
        ("23", 22, "X"),
        ("chr25", 22, "XY"),
        ("chrM", 22, "MT"),
        ("chrx", 22, "X"),
        ("23", 26, "23"),
        ("30", 29, "X"),
        ("CHR7", 22, "7"),
    ],
)
def test_chromosomes_are_named_as_in_genotypes(tmp_path, written, num_autosomes, expected):
    (tmp_path / "a.tsv").write_text(f"chromosome\tstart\tend\n{written}\t1\t3\n")
    assert read_intervals(tmp_path / "a.tsv", num_autosomes)["chromosome"].tolist() == [expected]
    (tmp_path / "a.map").write_text(f"chr pos cM\n{written} 1 3\n")
    assert read_genetic_map(tmp_path / "a.map", num_autosomes)["chromosome"].tolist() == [expected]
