"""PLINK 1 files typed byte by byte; what is refused with which line."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

from genoken.core.errors import DataError
from genoken.readers.plink import PlinkReader
from genoken.workflows.files import files_of, inspect_file, read_file

NAN = np.nan
# Two bits per call, the first sample lowest: 00 two copies of A1, 01 missing, 10 one copy, 11 none.
BED = b"\x6c\x1b\x01" + bytes([0b00_10_01_00, 0b00_00_10_11])
BIM = "1\trs1\t0\t1000\ta\tG\n23\t.\t0\t2000\tC\tT\n"
FAM = "F1 s1 0 0 1 -9\nF1 s2 s1 0 2 1.5\n0 s3 0 0 0 2.5\n"


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a data set and returns the path of its .bed file."""

    def write_files(bed=BED, bim=BIM, fam=FAM):
        for ending, content in ((".bed", bed), (".bim", bim), (".fam", fam)):
            if content is not None:
                (tmp_path / f"cohort{ending}").write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path / "cohort.bed"

    return write_files


def test_calls_and_tables_typed_by_hand(write):
    found = PlinkReader().read(write())
    np.testing.assert_array_equal(found.values.toarray(), [[2, 0], [NAN, 1], [1, 2]])
    assert (found.value_kind, found.origin, found.first_strand) == ("dosage", "cohort.bed:calls", None)
    assert found.notes[0] == "-9 is read as missing: phenotype (1)"
    expected = pd.DataFrame(
        {
            "chromosome": ["1", "X"],
            "position_bp": [1000, 2000],
            "counted_allele": ["A", "C"],
            "other_allele": ["G", "T"],
            "build": ["", ""],
        },
        index=["rs1", "X:2000:T:C"],
    )
    pd.testing.assert_frame_equal(found.features, expected, check_dtype=False)
    assert found.features["position_bp"].dtype == np.int64
    assert list(found.table.index) == ["s1", "s2", "s3"]
    table = found.table.where(found.table.notna(), None)
    assert table["family"].tolist() == ["F1", "F1", None]
    assert table["father"].tolist() == [None, "s1", None]
    assert table["mother"].tolist() == [None, None, None]
    assert table["sex"].tolist() == ["male", "female", None]
    np.testing.assert_array_equal(found.table["phenotype"], [NAN, 1.5, 2.5])


@pytest.mark.parametrize("separator", [" ", "\t", "   "], ids=["space", "tab", "spaces"])
def test_tables_may_be_separated_by_spaces_or_tabs(write, separator):
    path = write(bim=BIM.replace("\t", separator), fam=FAM.replace(" ", separator))
    found = PlinkReader().read(path)
    np.testing.assert_array_equal(found.values.toarray(), [[2, 0], [NAN, 1], [1, 2]])
    assert found.features["position_bp"].tolist() == [1000, 2000]


def test_genetic_positions_are_kept_where_there_are_some(write):
    found = PlinkReader().read(write(bim=BIM.replace("\t0\t2000", "\t1.25\t2000")))
    assert found.features["position_cm"].tolist() == [0, 1.25]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("1", "2", "0"), [1, 2, NAN]),  # codes of controls and cases, 0 for missing
        (("0", "1", "3"), [0, 1, 3]),
        (("NA", "-9", "0.5"), [NAN, NAN, 0.5]),
        (("-9.0", "-9.000", "0.5"), [NAN, NAN, 0.5]),
        (("-8", "-9", "-10"), [-8, -9, -10]),
        (("-9", "-9", "-9"), [NAN, NAN, NAN]),
    ],
)
def test_missing_phenotypes(write, words, expected):
    fam = "".join(f"F s{number} 0 0 1 {word}\n" for number, word in enumerate(words))
    np.testing.assert_array_equal(PlinkReader().read(write(fam=fam)).table["phenotype"], expected)


CODES = ["22", "23", "24", "25", "26"]


def bim_of(chromosomes):
    return "".join(f"{name}\tv{row}\t0\t{row + 1}\tA\tC\n" for row, name in enumerate(chromosomes))


@pytest.mark.parametrize(
    ("codes", "autosomes", "expected", "note"),
    [
        (
            CODES,
            22,
            ["22", "X", "Y", "XY", "MT"],
            "chromosome 23, 24, 25, 26 is read as X, Y, XY, MT, that of a genome of 22 autosomes",
        ),
        (CODES, 26, CODES, None),
        (
            ["26", "27", "29", "30"],
            26,
            ["26", "X", "XY", "MT"],
            "chromosome 27, 29, 30 is read as X, XY, MT, that of a genome of 26",
        ),
        (
            ["chr23", "29"],
            22,
            ["23", "29"],
            "chromosomes are numbered up to 29, beyond a genome of 22 autosomes, which data.autosomes",
        ),
        (["chr23", "29"], 29, ["23", "29"], None),
        (["1", "chrX", "XY", "M"], 22, ["1", "X", "XY", "MT"], None),
    ],
)
def test_numbers_after_the_autosomes_are_those_of_sex(write, codes, autosomes, expected, note):
    fam = FAM.replace("-9", "0")
    path = write(bed=BED[:3] + bytes(len(codes)), bim=bim_of(codes), fam=fam)
    found = PlinkReader(autosomes=autosomes).read(path)
    assert found.features["chromosome"].tolist() == expected
    assert [said[: len(note or "")] for said in found.notes] == ([note] if note else [])
    assert inspect_file(path, autosomes=autosomes).samples.features["chromosome"].tolist() == expected


def test_variants_at_negative_positions_or_without_a_place_are_left_out_with_a_count(write):
    bim = "1\ta\t0\t-5\tA\tC\n0\tb\t0\t7\tA\tC\n1\tc\t0\t9\tA\tC\n0\td\t0\t0\tA\tC\n"
    bed = BED[:3] + bytes([0b11_11_11, 0b11_11_11, 0b11_10_00, 0b11_11_11])
    found = PlinkReader().read(write(bed=bed, bim=bim, fam=FAM.replace("-9", "0")))
    assert (list(found.features.index), found.values.toarray().tolist()) == (["c"], [[2], [1], [0]])
    said = "variants at negative positions are left out: 1", "variants without a place (chromosome 0) are left out: 2"
    assert found.notes == said
    found = PlinkReader().read(write(bed=bed, bim=bim.replace("1\t", "0\t"), fam=FAM.replace("-9", "0")))
    assert (list(found.features.index), found.notes) == (["b", "c", "d"], said[:1])  # none has a place, so all of them stay
    with pytest.raises(DataError, match="no variant in it has a position that is not negative"):
        PlinkReader().read(write(bed=bed[:4], bim=bim[: bim.index("0\tb")]))


def test_the_common_name_of_the_files_will_do(write):
    path = write()
    name = path.with_suffix("")
    assert files_of(name) == (path, path.with_suffix(".bim"), path.with_suffix(".fam"))
    np.testing.assert_array_equal(read_file(name).values.toarray(), read_file(path).values.toarray())


def test_the_same_individual_id_in_two_families(write):
    found = PlinkReader().read(write(fam=FAM.replace("0 s3", "F2 s1")))
    assert list(found.table.index) == ["F1_s1", "F1_s2", "F2_s1"]
    assert found.notes[0] == "samples of several families have the same id, so all are named FAMILY_INDIVIDUAL"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"bed": BED[:-1]},
            r"cohort.bed: the file of 4 bytes is cut off: .fam has 3 samples and .bim 2 variants, which take 5 bytes",
        ),
        ({"bed": BED + b"\0"}, r"the file of 6 bytes is too long: .fam has 3 samples and .bim 2 variants"),
        ({"fam": FAM + "F s4 0 0 1 1\nF s5 0 0 1 1\n"}, r"the file of 5 bytes is cut off: .fam has 5 samples and .bim 2 variants"),
        ({"fam": FAM[: FAM.index("0 s3")]}, r"cohort.bed: it holds calls of more samples than the 2 of .fam"),
        ({"bim": BIM + "1 rs3 0 9 A C\n"}, r"the file of 5 bytes is cut off: .fam has 3 samples and .bim 3 variants"),
        ({"bed": b"chr1\t10\t20\n"}, r"cohort.bed: this is not a PLINK file: its first bytes are others"),
        ({"bed": BED[:2] + b"\x00" + BED[3:]}, r"the calls are stored sample by sample, .* — write it again with plink --make-bed"),
        ({"bed": b""}, r"the file is empty \(0 bytes\)"),
        ({"fam": FAM.replace(" 1.5", "")}, r"cohort.fam, line 2: the line has 5 fields in place of 6"),
        ({"bim": BIM.replace("\tT", "")}, r"cohort.bim, line 2: the line has 5 fields in place of 6"),
        ({"bim": BIM.replace("1000", "here")}, r"cohort.bim, line 1: 'here' is not a position"),
        ({"fam": None}, r"cohort.bed: there is no cohort.fam beside it"),
        ({"fam": FAM.replace("F1 s2", "F1 s1")}, r"cohort.fam: 1 sample id occurs more than once \(s1\)"),
        ({"bim": BIM.replace(".", "rs1")}, r"cohort.bed:calls: 1 variant id occurs more than once \(rs1\)"),
    ],
)
def test_files_that_cannot_be_used_end_in_one_clear_line(write, files, message):
    with pytest.raises(DataError, match=message) as caught:
        PlinkReader().read(write(**files))
    assert "\n" not in str(caught.value)


def test_a_genotype_file_holds_one_matrix(write):
    with pytest.raises(DataError, match="no matrix 'raw'"):
        PlinkReader(source="raw").read(write())


def test_reading_needs_no_extra(write, monkeypatch):
    monkeypatch.setitem(sys.modules, "bed_reader", None)
    assert PlinkReader().read(write()).num_samples == 3


def test_calls_are_those_of_bed_reader_whatever_the_size_of_a_block(tmp_path, monkeypatch):
    bed_reader = pytest.importorskip("bed_reader")
    monkeypatch.setattr("genoken.readers.plink._BYTES_AT_ONCE", 10)  # blocks of 3 variants, which are no whole bytes
    theirs = np.random.default_rng(3).choice(np.array([0, 1, 2, -127], dtype=np.int8), (9, 23))
    bed_reader.to_bed(tmp_path / "cohort.bed", theirs, count_A1=True)
    np.testing.assert_array_equal(PlinkReader().read(tmp_path / "cohort.bed").values.dense(), np.maximum(theirs, -1))


def test_load_gives_an_object_that_reads_as_the_same_genotypes(write):
    from genoken.readers._anndata import samples_from_anndata

    path = write()
    found = samples_from_anndata(PlinkReader().load(path).adata)
    np.testing.assert_array_equal(found.values.toarray(), PlinkReader().read(path).values.toarray())
    assert found.value_kind == "dosage"


def test_real_cohorts(real_data):
    folder = real_data / "genotypes" / "hapmap3_1kg"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here")
    found = read_file(folder / "HM3_thinned_autosomal_overlap")
    other = read_file(folder / "1kg.ref.phase1_release_v3.20101123_thinned_autosomal_overlap.bed")
    assert (found.values.shape, other.values.shape) == ((957, 14079), (1092, 14079))
    assert set(found.features.index) == set(other.features.index)
    missing = found.values.counts()[3].sum() / (957 * 14079)
    assert missing == pytest.approx(0.0015, abs=5e-5)
    assert set(found.table["sex"]) == {"male", "female"}
