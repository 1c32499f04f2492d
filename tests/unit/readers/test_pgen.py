"""PLINK 2 files: calls written with Pgenlib, tables typed by hand."""

from __future__ import annotations

import sys

import numpy as np
import pyarrow as pa
import pytest

from genoken.core.errors import DataError, MissingExtraError
from genoken.readers.pgen import PgenReader

pgenlib = pytest.importorskip("pgenlib")
NAN = np.nan
CALLS = np.array([[0, 1, 2], [1, -9, 0]], dtype=np.int8)  # variants, samples
PVAR = (
    "##fileformat=VCFv4.2\n##contig=<ID=1,length=249250621>\n#CHROM\tPOS\tID\tREF\tALT\n1\t100\trs1\tg\tA\nchrX\t200\trs2\tC\tT\n"
)
PSAM = "#FID\tIID\tSEX\tBMI\tpheno2\nF1\ts1\t1\t21.5\tlow\n0\ts2\t2\t-9\tNA\nF2\ts3\tNA\t30\thigh\n"
# Three samples at a site with two alternate alleles and at one with one; a pair of alleles per call.
PHASED = np.array([[0, 1, 2, 0, -9, -9], [1, 0, 1, 1, 0, 1]], dtype=np.int32)


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a data set and returns the path of its .pgen file."""

    def write_files(pvar=PVAR, psam=PSAM, alleles=None, phased=True):
        path = tmp_path / "cohort.pgen"
        name = str(path).encode()
        if alleles is None:
            writer = pgenlib.PgenWriter(name, 3, variant_ct=2, nonref_flags=False)
            writer.append_biallelic_batch(CALLS)
        else:
            writer = pgenlib.PgenWriter(name, 3, variant_ct=2, nonref_flags=False, allele_ct_limit=3, hardcall_phase_present=phased)
            for row in alleles:
                writer.append_alleles(row, all_phased=phased)
        writer.close()
        (tmp_path / "cohort.psam").write_text(psam)
        (tmp_path / "cohort.pvar").write_text(pvar)
        return path

    return write_files


def test_hard_calls_and_tables(write):
    found = PgenReader().read(write())
    np.testing.assert_array_equal(found.values.toarray(), [[0, 1], [1, NAN], [2, 0]])
    assert found.features.to_dict("list") == {
        "chromosome": ["1", "X"],
        "position_bp": [100, 200],
        "counted_allele": ["A", "T"],
        "other_allele": ["G", "C"],
        "build": ["GRCh37", "GRCh37"],
    }
    assert list(found.table.index) == ["s1", "s2", "s3"]
    assert found.table["sex"].where(found.table["sex"].notna(), None).tolist() == ["male", "female", None]
    np.testing.assert_array_equal(found.table["BMI"], [21.5, NAN, 30])
    assert found.table["pheno2"].tolist()[::2] == ["low", "high"]
    assert found.table["pheno2"].isna().tolist() == [False, True, False]
    assert found.first_strand is None


def test_blocks_of_variants_are_put_together(write, monkeypatch):
    monkeypatch.setattr("genoken.readers.pgen._VARIANTS_AT_ONCE", 1)
    np.testing.assert_array_equal(PgenReader().read(write()).values.toarray(), [[0, 1], [1, NAN], [2, 0]])


def test_a_compressed_variant_table(write):
    path = write()
    plain = path.with_suffix(".pvar")
    path.with_name("cohort.pvar.zst").write_bytes(pa.compress(plain.read_bytes(), codec="zstd", asbytes=True))
    plain.unlink()
    assert PgenReader().read(path).features["position_bp"].tolist() == [100, 200]


def test_phase_and_several_alternate_alleles(write):
    pvar = PVAR.replace("rs1\tg\tA", "rs1\tG\tA,C")
    found = PgenReader().read(write(pvar, alleles=PHASED))
    assert list(found.features.index) == ["1:100:G:A", "1:100:G:C", "rs2"]
    np.testing.assert_array_equal(found.values.toarray(), [[1, 0, 1], [0, 1, 2], [NAN, NAN, 1]])
    np.testing.assert_array_equal(found.first_strand.toarray(), [[0, 0, 1], [0, 1, 1], [NAN, NAN, 0]])
    assert found.notes[-1] == "1 site with several alternate alleles becomes one variant per allele"
    unphased = PgenReader().read(write(pvar, alleles=PHASED, phased=False))
    np.testing.assert_array_equal(unphased.values.toarray(), found.values.toarray())
    assert unphased.first_strand is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"psam": PSAM + "F\ts4\t1\t1\tlow\n"}, r"cohort.pgen: .*fit to its tables: .psam has 4 samples and .pvar 2 variants"),
        ({"pvar": PVAR + "2\t1\trs3\tA\tC\n"}, r"cohort.pgen: .*fit to its tables: .psam has 3 samples and .pvar 3 variants"),
        ({"pvar": PVAR.replace("\trs2\tC\tT", "\trs2\tC")}, r"cohort.pvar, line 5: the line has 4 fields in place of 5"),
        ({"pvar": PVAR.replace("\tREF", "\tRED")}, r"cohort.pvar: the table of variants has no column REF"),
        (
            {"pvar": PVAR.replace("##contig", "##contig=<ID=2,length=242193529>\n##contig")},
            r"the header speaks of 2 genome builds: GRCh37 .* GRCh38",
        ),
        ({"psam": PSAM.replace("s2", "s1").replace("0\t", "F1\t")}, r"cohort.psam: 1 sample id occurs more than once \(s1\)"),
    ],
)
def test_files_that_cannot_be_used_end_in_one_clear_line(write, change, message):
    with pytest.raises(DataError, match=message) as caught:
        PgenReader().read(write(**change))
    assert "\n" not in str(caught.value)


def test_other_bytes_and_cut_off_files(write):
    path = write()
    content = path.read_bytes()
    path.write_bytes(b"hello")
    with pytest.raises(DataError, match="this is not a PLINK 2 file"):
        PgenReader().read(path)
    path.write_bytes(content[:-1])
    with pytest.raises(DataError, match="the file is damaged"):
        PgenReader().read(path)


def test_without_pgenlib_the_extra_is_named(write, monkeypatch):
    path = write()
    monkeypatch.setitem(sys.modules, "pgenlib", None)
    with pytest.raises(MissingExtraError, match=r"'Pgenlib' is not installed — install it with: pip install 'genoken\[genotype\]'"):
        PgenReader().read(path)
