"""Bad genotype files at the command line: one line and exit code 2, or a counted skip and a run."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import genoken
from genoken.cli.main import main
from genoken.workflows.genotype_files import write_genotypes
from genoken.workflows.source import read_source

PEOPLE, VARIANTS = 48, 24
QUICK = [
    *("--label", "trait", "--tokenizer", "genotype", "--encoder", "mlp", "--epochs", "1", "--baselines", "majority"),
    *("--logger", "none", "--split", "random", "--principal-components", "0"),
    *("--set", "model.width=8", "--set", "evaluation.bootstrap=1"),
]


def calls() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 3, (PEOPLE, VARIANTS)).astype(np.int8)


def table(**columns) -> pd.DataFrame:
    found = {"trait": np.resize(["case", "control"], PEOPLE), "age": np.arange(PEOPLE) % 7} | columns
    return pd.DataFrame(found, index=[f"p{row}" for row in range(PEOPLE)])


def write(folder: Path, name: str, dense: np.ndarray) -> Path:
    """Write people in the format of the name; their trait is PLINK's phenotype, or beside it in ``phenotypes.csv``."""
    variants = pd.DataFrame(
        {"chromosome": "1", "position_bp": np.arange(1, VARIANTS + 1) * 1000, "counted_allele": "A", "other_allele": "G"},
        index=[f"rs{number}" for number in range(VARIANTS)],
    )
    write_genotypes(folder / name, read_source(genoken.genotypes(dense, table(), variants=variants), "auto").samples)
    table().rename_axis("sample_id").to_csv(folder / "phenotypes.csv")
    return folder / name


def cut(folder: Path) -> None:
    path = folder / "cohort.bed"
    path.write_bytes(path.read_bytes()[:-7])


def of_another_kind(folder: Path) -> None:
    (folder / "cohort.bed").write_text("chr1\t0\t1000\n", encoding="utf-8")


def without_last_line(name: str) -> Callable[[Path], None]:
    def drop(folder: Path) -> None:
        path = folder / name
        path.write_text("".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[:-1]), encoding="utf-8")

    return drop


def with_other_ids(folder: Path) -> None:
    table().add_prefix("q", axis=0).rename_axis("sample_id").to_csv(folder / "phenotypes.csv")


def with_a_telling_column(folder: Path) -> None:
    told = pd.Series(table()["trait"]).map({"case": "ill", "control": "well"})
    table(diagnosis=told).rename_axis("sample_id").to_csv(folder / "phenotypes.csv")


def change(name: str, before: str, after: str) -> Callable[[Path], None]:
    def replace(folder: Path) -> None:
        path = folder / name
        text = path.read_text(encoding="utf-8")
        assert before in text
        path.write_text(text.replace(before, after), encoding="utf-8")

    return replace


def nothing(_folder: Path) -> None: ...


CONSTANT, MISSING = np.full((PEOPLE, VARIANTS), 2, dtype=np.int8), np.full((PEOPLE, VARIANTS), -1, dtype=np.int8)
BUILDS = "##contig=<ID=2,length=242193529>\n##contig=<ID=1,length=249250621>"
REFUSED = {
    "a .fam that lacks a sample": (
        "cohort.bed", None, without_last_line("cohort.fam"), "", "calls of more samples than the 47 of .fam",
    ),
    "a .bim that lacks a variant": (
        "cohort.bed", None, without_last_line("cohort.bim"), "", "is too long: .fam has 48 samples and .bim 23",
    ),
    "a .fam of one line more": (
        "cohort.bed", None, change("cohort.fam", "p0 p0", "x y 0 0 0 -9\np0 p0"), "", "is cut off: .fam has 49 samples",
    ),
    "a .bed that is cut off": ("cohort.bed", None, cut, "", "is cut off: .fam has 48 samples and .bim 24 variants"),
    "a .bed of intervals": ("cohort.bed", None, of_another_kind, "", "this is not a PLINK file: its first bytes are others"),
    "a .fam without a column": (
        "cohort.bed", None, change("cohort.fam", "p0 p0 ", "p0 "), "", "the line has 5 fields in place of 6",
    ),
    "VCF without genotypes": ("cohort.vcf", None, change("cohort.vcf", "\tGT\t", "\tDP\t"), "", "GT"),
    "two builds in one header": (
        "cohort.vcf", None, change("cohort.vcf", "##contig=<ID=1>", BUILDS), "", "speaks of 2 genome builds",
    ),
    "ids of other people": ("cohort.bed", None, with_other_ids, "", "none of the 48 samples is among its 48 sample ids"),
    "variants that do not vary": ("cohort.bed", CONSTANT, nothing, "", "every variant has the same genotype in all samples"),
    "no call at all": ("cohort.bed", MISSING, nothing, "", "no sample is left — .*48 samples have no genotype at all"),
    "a covariate that tells": (
        "cohort.bed", None, with_a_telling_column, "--covariates diagnosis", "the covariate 'diagnosis' equals the label 'trait'",
    ),
    "a covariate that is not there": ("cohort.bed", None, nothing, "--covariates bmi", "there is no column 'bmi'"),
    "strands of calls without a phase": (
        "cohort.bed", None, nothing, "--set tokenizer.encoding=haplotype", "the encoding 'haplotype' needs phased genotypes",
    ),
    "blocks of calls without a phase": (
        "cohort.bed", None, nothing, "--tokenizer haploblock --encoder transformer", "haploblocks need phased genotypes",
    ),
    "a label that is not there": ("cohort.bed", None, nothing, "--label triat", "there is no column 'triat'"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(case, tmp_path, capsys):
    name, dense, break_it, words, line = REFUSED[case]
    path = write(tmp_path, name, calls() if dense is None else dense)
    break_it(tmp_path)
    phenotypes = ["--phenotypes", str(tmp_path / "phenotypes.csv")]
    assert main(["train", str(path), *QUICK, *phenotypes, *words.split(), "-o", str(tmp_path / "run")]) == 2
    out, said = capsys.readouterr()
    assert said.startswith("genoken: error: ")
    assert said.count("\n") == 1
    assert re.search(line, said)
    assert "Run folder" not in out
    assert not (tmp_path / "run").exists()


def test_files_of_other_variants_are_not_joined(tmp_path, capsys):
    path, other = write(tmp_path, "cohort.bed", calls()), write(tmp_path, "other.bed", calls())
    bim = other.with_suffix(".bim")
    bim.write_text(bim.read_text(encoding="utf-8").replace("rs", "snp"), encoding="utf-8")
    words = ["--phenotypes", str(tmp_path / "phenotypes.csv"), "-o", str(tmp_path / "run")]
    assert main(["train", str(path), str(other), *QUICK, *words]) == 2
    line = "genoken: error: other: of 24 and 24 variants, 0 are shared and none can be used — join tables with the same variant ids"
    assert capsys.readouterr().err.startswith(line)


def test_what_is_missing_in_plink_files_is_counted_and_left_out(tmp_path, capsys):
    dense = calls()
    dense[:, 3] = 1
    dense[5] = -1
    path = write(tmp_path, "cohort.bed", dense)
    lines = [line.split() for line in path.with_suffix(".fam").read_text(encoding="utf-8").splitlines()]
    traits = ["-9" if row in (7, 8) else str(1 + row % 2) for row in range(PEOPLE)]
    spaced = [" ".join([*fields[:5], trait]) for fields, trait in zip(lines, traits, strict=True)]
    path.with_suffix(".fam").write_text("\n".join(spaced) + "\n", encoding="utf-8")
    words = [*QUICK, "--label", "phenotype", "--task", "classification"]
    assert main(["train", str(path), *words, "-o", str(tmp_path / "run")]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "2 samples have no value in 'phenotype' and are left out" in said
    assert "1 sample has no genotype at all and is left out" in said
    assert "1 variant has the same genotype in all samples and is left out" in said
    assert len(pd.read_parquet(tmp_path / "run" / "split.parquet")) == PEOPLE - 3


def test_haploid_and_multi_allelic_calls_and_people_without_phenotypes_are_counted(tmp_path, capsys):
    path = write(tmp_path, "cohort.vcf", calls())
    records = path.read_text(encoding="utf-8").splitlines()
    first = next(place for place, line in enumerate(records) if not line.startswith("#"))
    fields = records[first].split("\t")
    records[first] = "\t".join([*fields[:4], "A,T", *fields[5:9], *np.resize(["0/1", "1/2", "2/2"], PEOPLE)])
    fields = records[first + 1].split("\t")
    records[first + 1] = "\t".join([*fields[:9], *np.resize(["0", "1"], PEOPLE)])
    path.write_text("\n".join(records) + "\n", encoding="utf-8")
    table().iloc[4:].rename_axis("sample_id").to_csv(tmp_path / "phenotypes.csv")
    words = ["--phenotypes", str(tmp_path / "phenotypes.csv"), "-o", str(tmp_path / "run")]
    assert main(["train", str(path), *QUICK, *words]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "1 site with several alternate alleles becomes one variant per allele" in said
    assert "haploid" in said
    assert "44 of 48 samples have phenotypes in phenotypes.csv" in said
    assert "4 samples have no value in 'trait' and are left out" in said
    assert len(pd.read_parquet(tmp_path / "run" / "split.parquet")) == PEOPLE - 4
