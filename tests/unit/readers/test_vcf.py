"""VCF typed by hand: phase, several alleles, haploid and missing calls; what is refused with which line."""

from __future__ import annotations

import gzip
import sys

import numpy as np
import pytest

from genoken.core.errors import DataError, MissingExtraError
from genoken.readers.vcf import VcfReader
from genoken.tokenizers.genotype import GenotypeTokenizer
from genoken.tokenizers.haploblock import HaploblockTokenizer
from genoken.workflows.encoder import fit_tokenizer

NAN = np.nan
HEAD = (
    "##fileformat=VCFv4.2\n##contig=<ID=chr1,length=248956422>\n##contig=<ID=chrX>\n"
    '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n##FORMAT=<ID=DP,Number=1,Type=Integer,Description="Depth">\n'
)
NAMES = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ta\tb\tc\n"


def record(place, name, alleles, *calls, kind="GT"):
    return f"chr{place[0]}\t{place[1]}\t{name}\t{alleles[0]}\t{alleles[1]}\t.\t.\t.\t{kind}\t" + "\t".join(calls) + "\n"


PHASED = [
    record((1, 5), "rs1", ("A", "C,g"), "0|1", "2|1", ".|0"),
    record((1, 6), ".", ("at", "A"), "1|1", "0|0", "1|0"),
    record(("X", 7), "rs3", ("G", "T"), "1", "0", "0|1"),
]


@pytest.fixture
def read(tmp_path):
    """Return a function that writes text and reads it."""

    def write_and_read(*records, head=HEAD + NAMES, name="cohort.vcf"):
        content = (head + "".join(records)).encode()
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return VcfReader().read(tmp_path / name)

    return write_and_read


@pytest.mark.parametrize("name", ["cohort.vcf", "cohort.vcf.gz"])
def test_phased_calls(read, name):
    found = read(*PHASED, name=name)
    np.testing.assert_array_equal(found.values.toarray(), [[1, 0, 2, 2], [1, 1, 0, 0], [NAN, NAN, 1, 1]])
    np.testing.assert_array_equal(found.first_strand.toarray(), [[0, 0, 1, 1], [0, 1, 0, 0], [NAN, NAN, 1, 0]])
    assert list(found.features.index) == ["1:5:A:C", "1:5:A:G", "1:6:AT:A", "rs3"]
    assert found.features.to_dict("list") == {
        "chromosome": ["1", "1", "1", "X"],
        "position_bp": [5, 5, 6, 7],
        "counted_allele": ["C", "G", "A", "T"],
        "other_allele": ["A", "A", "AT", "G"],
        "build": ["GRCh38"] * 4,
    }
    assert list(found.table.index) == ["a", "b", "c"]
    assert (found.value_kind, found.origin) == ("dosage", f"{name}:calls")
    assert found.notes == ("1 site with several alternate alleles becomes one variant per allele",)


def test_blocks_of_records_are_put_together(read, monkeypatch):
    whole = read(*PHASED)
    monkeypatch.setattr("genoken.readers.vcf._RECORDS_AT_ONCE", 2)
    found = read(*PHASED)
    np.testing.assert_array_equal(found.values.toarray(), whole.values.toarray())
    np.testing.assert_array_equal(found.first_strand.toarray(), whole.first_strand.toarray())


@pytest.mark.parametrize("place", [0, 1])
def test_many_heterozygous_calls_without_phase_make_the_whole_file_unphased_which_is_said(read, monkeypatch, place):
    monkeypatch.setattr("genoken.readers.vcf._RECORDS_AT_ONCE", 1)
    records = [record((1, 9), "u", ("A", "C"), "0|1", "0/1", "0|0"), record((1, 10), "p", ("A", "C"), "1|1", "0|1", "1|0")]
    found = read(records[place], records[1 - place])
    assert found.first_strand is None
    np.testing.assert_array_equal(found.values.columns([place]).toarray(), [[1], [1], [0]])
    why = "the phase is not used, because 1 of 4 heterozygous calls have none, the first at 1:9 in b, and at most 1% may be so"
    assert found.notes == (why,)
    for tokenizer in (GenotypeTokenizer(encoding="haplotype"), HaploblockTokenizer()):
        with pytest.raises(DataError, match=f"need.? phased genotypes, and {why}"):
            fit_tokenizer(tokenizer, found)


@pytest.mark.parametrize("at_once", [1, 256])
def test_few_heterozygous_calls_without_phase_have_no_strand(read, monkeypatch, at_once):
    monkeypatch.setattr("genoken.readers.vcf._RECORDS_AT_ONCE", at_once)
    lines = [record((1, 3), "h", ("A", "C"), "0/0", "1/1", "./.")]  # these have nothing to be known
    lines += [record((1, 9), "u", ("A", "C,G"), "1/2", "0|1", "1|0")]
    lines += [record((1, 10 + row), f"v{row}", ("A", "C"), "0|1", "1|0", "1|1") for row in range(49)]
    found = read(*lines)
    assert found.notes[-1] == (
        "the phase is known, but 1 of 101 heterozygous calls have none, the first at 1:9 in a; "
        "for what needs the phase, these are missing"
    )
    np.testing.assert_array_equal(found.values.toarray()[:, :4], [[0, 1, 1, 1], [2, 1, 0, 1], [NAN, 1, 0, 2]])
    np.testing.assert_array_equal(found.first_strand.toarray()[:, :4], [[0, NAN, NAN, 0], [1, 0, 0, 1], [NAN, 1, 0, 1]])
    signed = found.values.read(found.first_strand).toarray()
    np.testing.assert_array_equal(signed[:, :4], [[0, NAN, NAN, -1], [2, -1, 0, 1], [NAN, 1, 0, 2]])
    assert read(*lines[:-1]).first_strand is None  # 1 of 99


def test_homozygous_calls_need_no_phase_but_a_file_without_any_phase_has_none(read):
    assert read(record((1, 9), "v", ("A", "C"), "0|1", "0/0", "1/1")).first_strand is not None
    assert read(record((1, 9), "v", ("A", "C"), "1/1", "0/0", "1/1")).first_strand is None


@pytest.mark.parametrize("call", ["./.", ".", "./1", "1/.", ".|1"])
def test_a_call_with_an_allele_missing_is_missing(read, call):
    np.testing.assert_array_equal(read(record((1, 9), "v", ("A", "C"), call, "0/1", "1/1")).values.toarray(), [[NAN], [1], [2]])


def test_haploid_calls(read):
    found = read(record(("X", 9), "v", ("A", "C"), "1", "0", "."))
    np.testing.assert_array_equal(found.values.toarray(), [[2], [0], [NAN]])
    assert found.notes == ()
    found = read(record((1, 9), "v", ("A", "C"), "1", "0", "0/1"))
    np.testing.assert_array_equal(found.values.toarray(), [[2], [0], [1]])
    assert found.notes == ("haploid calls on chromosomes other than X, Y and MT are read as 0 or 2 copies: 2",)


def test_sites_without_an_alternate_allele_are_left_out_with_a_count(read):
    found = read(record((1, 4), "mono", ("A", "."), "0/0", "0/0", "./."), record((1, 9), "v", ("A", "C"), "0/0", "0/1", "1/1"))
    assert list(found.features.index) == ["v"]
    assert found.notes == ("sites without an alternate allele are left out: 1",)


def test_ids_that_repeat_are_replaced_by_place_and_alleles(read):
    lines = [record((1, 4), "rs1", ("A", "C"), "0/0", "0/1", "1/1"), record((1, 9), "rs1", ("A", "G"), "0/0", "0/1", "1/1")]
    assert list(read(*lines, record((1, 12), "rs2", ("A", "C"), "0/0", "0/1", "1/1")).features.index) == [
        "1:4:A:C",
        "1:9:A:G",
        "rs2",
    ]
    with pytest.raises(DataError, match=r"cohort.vcf:calls: 1 variant id occurs more than once \(1:4:A:C\)"):
        read(lines[0], lines[0])


SITES = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
GOOD = record((1, 9), "v", ("A", "C"), "0/0", "0/1", "1/1")


@pytest.mark.parametrize(
    ("records", "head", "message"),
    [
        ([], HEAD + NAMES, "there are no variants in it"),
        ([record((1, 4), "m", ("A", "."), "0/0", "0/0", "0/0")], HEAD + NAMES, "no site in it has an alternate allele"),
        (["chr1\t5\trs\tA\tC\t.\t.\t.\n"], HEAD + SITES, "there are no samples in it, only sites"),
        (
            [record((1, 5), "v", ("A", "C"), "1", "2", "3", kind="DP")],
            (HEAD + NAMES).replace("##FORMAT=<ID=GT,", "##FORMAT=<ID=XX,"),
            "it has no genotypes: its header announces no field GT",
        ),
        (
            [record((1, 5), "v", ("A", "C"), "0.1", "0.9", "2", kind="DS")],
            (HEAD + NAMES).replace("##FORMAT=<ID=GT,", "##FORMAT=<ID=DS,"),
            r"it has no genotypes: .* no field GT, only imputed dosages \(DS\), which are fractions — write the most",
        ),
        (
            [GOOD, record((1, 12), "v", ("A", "C"), "1", "2", "3", kind="DP")],
            HEAD + NAMES,
            "cohort.vcf, chr1:12: this variant has no genotypes",
        ),
        (
            [record((1, 9), "v", ("A", "C"), "0/0/1", "0/1/1", "1/1/1")],
            HEAD + NAMES,
            "chr1:9: calls have 3 alleles, and genotypes have two",
        ),
        ([GOOD], "hello\n", "this is not a VCF file"),
        ([], "", r"the file is empty \(0 bytes\)"),
        ([], HEAD, r"the file is damaged or cut off \(.*header.*\)"),
        ([GOOD.replace("\t9\t", "\tnine\t")], HEAD + NAMES, r"the file is damaged or cut off — copy or download it again"),
        (
            [GOOD],
            HEAD.replace("##contig=<ID=chrX>", "##contig=<ID=chr2,length=243199373>") + NAMES,
            "the header speaks of 2 genome builds: GRCh37 .*GRCh38",
        ),
    ],
)
def test_files_that_cannot_be_used_end_in_one_clear_line(read, records, head, message, capfd):
    with pytest.raises(DataError, match=message) as caught:
        read(*records, head=head)
    assert "cohort.vcf" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_without_cyvcf2_the_extra_is_named(read, monkeypatch):
    monkeypatch.setitem(sys.modules, "cyvcf2", None)
    with pytest.raises(MissingExtraError, match=r"'cyvcf2' is not installed — install it with: pip install 'genoken\[genotype\]'"):
        read(*PHASED)


def test_bcf_and_a_real_file_that_is_cut_off(tmp_path, real_data):
    import cyvcf2

    source = real_data / "genotypes" / "kgp_eur_chr20_phased" / "reference.vcf.gz"
    if not source.is_file():
        pytest.skip(f"{source} is not here")
    content = source.read_bytes()
    (tmp_path / "cut.vcf.gz").write_bytes(content[: len(content) // 20])
    with pytest.raises(DataError, match="the file is damaged or cut off"):
        VcfReader().read(tmp_path / "cut.vcf.gz")
    reader = cyvcf2.VCF(str(source))
    writer = cyvcf2.Writer(str(tmp_path / "part.bcf"), reader, mode="wb")
    expected = []
    for _, variant in zip(range(50), reader, strict=False):
        writer.write_record(variant)
        expected.append([first + second for first, second, _ in variant.genotypes])
    writer.close()
    found = VcfReader().read(tmp_path / "part.bcf")
    np.testing.assert_array_equal(found.values.toarray(), np.array(expected).T)
    assert found.first_strand is not None
