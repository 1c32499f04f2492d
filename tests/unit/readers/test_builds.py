"""Header lines typed by hand, and the genome build that they speak of."""

from __future__ import annotations

import pytest

from genoken.core.errors import DataError
from genoken.readers._builds import build_of_header


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["##reference=file:///lab38/people/refs/human.fa"], ""),
        (["##reference=file:///lab38/people/refs/lab38.fa"], ""),
        (["##reference=/refs/hg19/masked/genome.fa"], ""),  # only the file is named by who made it
        (["##reference=file:///refs/hg38.fa.gz"], "GRCh38"),
        (["##reference=C:\\lab37\\hg38.fa"], "GRCh38"),
        (["##reference=hs37d5.fa"], "GRCh37"),
        (["##reference=human_g1k_v37_decoy.fasta"], "GRCh37"),
        (["##reference=GCA_000001405.15_GRCh38_no_alt.fna"], "GRCh38"),
        (["##reference=Homo_sapiens_assembly38.fasta"], "GRCh38"),
        (["##reference=GRCh38.p14"], "GRCh38"),
        (["##reference=hg380.fa"], ""),
        (["##assembly=ftp://host/hg19/"], "GRCh37"),
        (["##contig=<ID=1,assembly=b37>"], "GRCh37"),
        (["##contig=<ID=1,length=248956422,assembly=b37>", "##reference=/nfs/lab37/hg19.fa"], "GRCh38"),  # lengths win
        (["##contig=<ID=chr20,length=63025520>", "##contig=<ID=5,length=7>"], "GRCh37"),
        (["##contig=<ID=5,length=7>", "##contig=<ID=6>"], ""),
        ([], ""),
    ],
)
def test_builds(lines, expected):
    assert build_of_header(lines, "a.vcf") == expected


@pytest.mark.parametrize(
    "lines",
    [
        ["##contig=<ID=1,length=248956422>", "##contig=<ID=2,length=243199373>"],
        ["##contig=<ID=1,assembly=b37>", "##reference=hg38.fa"],
    ],
    ids=["lengths", "names"],
)
def test_two_builds_are_refused(lines):
    with pytest.raises(DataError, match=r"^a.vcf: the header speaks of 2 genome builds: GRCh37 \(.*\), GRCh38 \(.*\) — bring all"):
        build_of_header(lines, "a.vcf")
