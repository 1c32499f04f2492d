"""genoken simulate: files that genoken's own readers read as what was simulated, and one line for what cannot be."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from genoken.cli.main import main
from genoken.cli.simulate import ENGINES as cli_engines
from genoken.cli.simulate import TRAITS
from genoken.core.errors import DataError, RunError
from genoken.core.genotypes import dense_dosages, sparse_dosages
from genoken.core.samples import Samples
from genoken.synthetic_traits import ARCHITECTURES, TraitModel
from genoken.workflows.files import read_file
from genoken.workflows.genotype_files import write_genotypes
from genoken.workflows.simulate import ENGINES, PeopleModel, read_genetic_map, simulate, simulated_people

PEOPLE = PeopleModel(samples=60, variants=40, populations=2, children=1)
TRAIT = TraitModel(num_causal=3, heritability=0.5, prevalence=0.2)


@pytest.fixture(autouse=True)
def _needs_readers():
    pytest.importorskip("bed_reader")
    pytest.importorskip("cyvcf2")


@pytest.mark.parametrize("name", ["out.bed", "out.vcf", "out.vcf.gz", "out.h5ad"])
def test_what_is_read_is_what_was_simulated(tmp_path, name):
    expected = simulated_people(PEOPLE, 3)
    simulate(tmp_path / name, PEOPLE, TRAIT, seed=3)
    found = read_file(tmp_path / name)
    np.testing.assert_array_equal(dense_dosages(found.values), dense_dosages(expected.values))
    columns = ["chromosome", "position_bp", "counted_allele", "other_allele"]
    pd.testing.assert_frame_equal(found.features[columns], expected.features[columns], check_names=False)
    assert list(found.table.index) == list(expected.table.index)
    if name == "out.bed":
        assert found.first_strand is None
    else:
        np.testing.assert_array_equal(dense_dosages(found.first_strand), dense_dosages(expected.first_strand))


def test_tables_tell_the_trait_and_the_truth(tmp_path):
    simulate(tmp_path / "out.bed", PEOPLE, TRAIT, seed=3)
    traits = pd.read_csv(tmp_path / "out.traits.tsv", sep="\t")
    truth = pd.read_csv(tmp_path / "out.truth.tsv", sep="\t")
    samples = read_file(tmp_path / "out.bed")
    assert list(traits["sample_id"]) == list(samples.table.index)
    assert list(traits.columns) == ["sample_id", "trait", "population"]
    assert dict(traits["trait"].value_counts()) == {"control": 48, "case": 12}
    assert list(traits["population"]) == list(simulated_people(PEOPLE, 3).table["population"])
    assert list(truth["role"]) == ["additive"] * 3
    assert set(truth["variant_id"]) <= set(samples.features.index)
    fam = pd.read_csv(tmp_path / "out.fam", sep=r"\s+", header=None)
    assert list(fam[5]) == list(traits["trait"].map({"control": 1, "case": 2}))
    assert list(fam.loc[2, [0, 2, 3]]) == ["family_1", "PERSON00001", "PERSON00002"]


def test_numbers_of_a_quantitative_trait_are_phenotypes(tmp_path):
    simulate(tmp_path / "out.bed", PEOPLE, TraitModel(num_causal=1), seed=1)
    traits = pd.read_csv(tmp_path / "out.traits.tsv", sep="\t")
    fam = pd.read_csv(tmp_path / "out.fam", sep=r"\s+", header=None)
    assert list(fam[5]) == pytest.approx(list(traits["trait"]))


def test_missing_calls_are_written(tmp_path):
    dense = np.array([[0, 1, 2], [-1, 2, 0]], dtype=np.int8)
    table = {"chromosome": ["1", "1", "X"], "position_bp": [5, 6, 7], "counted_allele": list("ACG"), "other_allele": list("CGT")}
    features = pd.DataFrame({**table, "build": [""] * 3}, index=["a", "b", "c"])
    samples = Samples(sparse_dosages(dense), pd.DataFrame(index=["x", "y"]), features, "dosage", "typed")
    for name in ("out.bed", "out.vcf", "out.h5ad"):
        write_genotypes(tmp_path / name, samples)
        found = dense_dosages(read_file(tmp_path / name).values)
        assert list(found[1]) == [-1, 2, 0]
        assert list(found[0]) == [0, 1, 2]
    assert "\t./.\t" not in (tmp_path / "out.vcf").read_text().splitlines()[-1]
    assert "0/0\t./.\n" in (tmp_path / "out.vcf").read_text()


@pytest.fixture
def panel(tmp_path):
    simulate(tmp_path / "panel.vcf.gz", PeopleModel(samples=30, variants=80), TRAIT, seed=5)
    return tmp_path / "panel.vcf.gz"


def test_a_panel_is_recombined(tmp_path, panel):
    (tmp_path / "map.txt").write_text("pos chr cM\n1 chr1 0\n100000 chr1 0.5\n")
    people = PeopleModel(samples=200, variants=50, panel=panel, genetic_map=tmp_path / "map.txt")
    found, source = simulated_people(people, 1), read_file(panel)
    rows = source.features.index.get_indexer(found.features.index)
    assert (np.diff(rows) > 0).all()
    ours, theirs = (dense_dosages(values).mean(axis=0) / 2 for values in (found.values, source.values.columns(rows)))
    assert np.abs(ours - theirs).mean() < 0.03
    assert found.features["position_cm"].to_numpy() == pytest.approx((found.features["position_bp"] - 1) * 0.5 / 99_999)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"engine": "coping"}, "'coping' is not an engine — did you mean 'copying'"),
        ({"engine": "msprime"}, "children cannot be chosen with msprime"),
        ({"genetic_map": "map.txt"}, "a genetic map is used with a panel alone"),
    ],
)
def test_refuses_people_that_cannot_be(changes, message):
    with pytest.raises(DataError) as error:
        simulated_people(PeopleModel(**{"samples": 10, "variants": 10, "children": 1, **changes}), 0)
    assert message in str(error.value)


def test_refuses_panels_that_cannot_be_recombined(tmp_path, panel):
    with pytest.raises(DataError, match=r"the panel has \d+ variants that are called .* not 81"):
        simulated_people(PeopleModel(samples=5, variants=81, panel=panel, min_frequency=0.0), 0)
    with pytest.raises(DataError, match="populations cannot be chosen with a panel"):
        simulated_people(PeopleModel(populations=2, panel=panel), 0)
    simulate(tmp_path / "lost.bed", PeopleModel(samples=10, variants=20), TraitModel(num_causal=1))
    with pytest.raises(DataError, match="the panel's phase is not known"):
        simulated_people(PeopleModel(panel=tmp_path / "lost.bed"), 0)


def test_refuses_bad_maps(tmp_path):
    (tmp_path / "map.txt").write_text("pos chromosome cM\n1 1 0\n")
    with pytest.raises(DataError, match="the genetic map has no column 'chr'"):
        read_genetic_map(tmp_path / "map.txt")
    with pytest.raises(DataError, match="the file does not exist"):
        read_genetic_map(tmp_path / "none.txt")


def test_replaces_nothing_unasked(tmp_path):
    (tmp_path / "out.truth.tsv").write_text("mine")
    with pytest.raises(RunError, match="the file exists"):
        simulate(tmp_path / "out.bed", PEOPLE, TRAIT)
    assert not (tmp_path / "out.bed").exists()
    simulate(tmp_path / "out.bed", PEOPLE, TRAIT, overwrite=True)
    assert (tmp_path / "out.truth.tsv").read_text() != "mine"


def test_the_command_writes_and_says_what(tmp_path, capsys):
    words = "--samples 50 --variants 30 --trait dominant --heritability 0.4 --causal 2 --prevalence 0.1 --seed 4"
    assert main(["simulate", str(tmp_path / "out.bed"), *words.split()]) == 0
    output = capsys.readouterr().out
    assert "50 people, 30 variants" in output
    assert "2 causal variants (dominant) explain 40.0%" in output.replace("\n", " ")
    assert (tmp_path / "out.traits.tsv").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["out.txt"], "genotypes are not written to files of this ending"),
        (["out.bed", "--trait", "additiv"], "did you mean 'additive'"),
        (["out.bed", "--heritability", "1.5"], "1.5 is not a share of the variance"),
        (["out.bed", "--samples", "0"], "0 samples cannot be simulated"),
        (["out.bed", "--panel", "none.vcf"], "none.vcf"),
        (["out.bed", "--prevalence", "0.0001", "--samples", "20", "--variants", "50"], "makes all or none of 20 people cases"),
    ],
)
def test_bad_input_is_one_line(tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    assert main(["simulate", *words]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert message in lines[0]
    assert not list(tmp_path.iterdir())


def test_the_command_offers_all_there_is():
    assert TRAITS == ARCHITECTURES
    assert cli_engines == ENGINES
