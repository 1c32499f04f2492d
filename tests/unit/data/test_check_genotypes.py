"""What the input doctor says about genotypes with planted faults."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import genoken

EXPRESSION_WORDS = ("are 0", "empty sample", "constant", "No missing values", "Features have", "finite", "gene")


@pytest.fixture
def cohort():
    """30 people at 240 variants: a twin, a person and a variant with few calls, one rare variant and one without variation."""
    rng = np.random.default_rng(3)
    calls = rng.binomial(2, 0.4, size=(30, 240)).astype(np.int8)
    calls[1] = calls[0]
    calls[1, :2] = 2 - calls[1, :2]
    calls[2, :60] = -1
    calls[:15, 100] = -1
    calls[:, 101] = 0
    calls[:, 102] = [1, *[0] * 29]
    alleles = {"counted_allele": ["A"] * 239 + ["AT"], "other_allele": ["T"] * 5 + ["G"] * 234 + ["A"]}
    columns = {"chromosome": ["1"] * 200 + ["2"] * 40, "position_bp": range(240), "build": "GRCh37"} | alleles
    variants = pd.DataFrame(columns, index=[f"rs{place}" for place in range(240)])
    people = pd.DataFrame({"sex": ["male", "female"] * 15}, index=[f"p{row}" for row in range(30)])
    return genoken.genotypes(calls, people, variants=variants)


def test_planted_faults_are_found_and_nothing_is_said_of_expression(cohort):
    result = genoken.check(cohort)
    found = {finding["title"]: finding for finding in result["findings"]}
    assert found["Genotypes of 30 samples at 240 variants on 2 chromosomes (1, 2)"]["detail"].startswith("genome build GRCh37")
    # 60 calls of p2 and 15 of rs100
    assert "1.04% of the calls are missing" in found
    assert found["1 sample with more than 10% of the calls missing"]["detail"] == "the worst: p2 (25%)"
    assert found["1 variant with more than 10% of the calls missing"]["detail"] == "the worst: rs100 (50%)"
    assert found["1 monomorphic variant"]["level"] == "ok"
    assert found["5 of 240 variants are strand-ambiguous"]["level"] == "ok"
    assert "1 variant is not of single bases" in found
    assert "too few variants" in found["Samples were not compared"]["detail"]
    assert found["The sample table has sex"]["detail"] == "sex (15 female, 15 male)"
    assert found["No family column was found"]["level"] == "warning"
    assert "from 1% to 5%" in found["Frequencies of the rarer allele"]["detail"]
    assert ": 0 below 1%, 1 from 1% to 5%, " in found["Frequencies of the rarer allele"]["detail"]
    assert not [title for title in found if any(word in title for word in EXPRESSION_WORDS)]
    assert result["identifiers"]["type"] == "variant"


def test_samples_without_a_call_are_named():
    calls = np.array([[0, 1, 2], [-1, -1, -1], [1, 2, 0]], dtype=np.int8)
    found = {finding["title"]: finding for finding in genoken.check(genoken.genotypes(calls))["findings"]}
    assert found["1 sample without any call"]["detail"] == "sample_1"
    assert found["No alleles are named"]["level"] == "warning"


def test_two_builds_are_an_error():
    columns = {"chromosome": "1", "position_bp": [1, 2], "counted_allele": "A", "other_allele": "C", "build": ["GRCh37", "GRCh38"]}
    adata = genoken.genotypes(np.array([[0, 1], [1, 2]]), variants=pd.DataFrame(columns, index=["a", "b"]))
    errors = [finding["title"] for finding in genoken.check(adata)["findings"] if finding["level"] == "error"]
    assert errors == ["The variants have positions of 2 genome builds: 1 of GRCh37, 1 of GRCh38"]


def test_the_suggestion_has_the_preset_and_the_phenotypes(cohort, tmp_path):
    assert genoken.check(cohort, label="sex")["suggestion"] == "genoken.train(adata, label='sex', preset='genotype')"
    path = tmp_path / "cohort.h5ad"
    cohort.obs["code"] = range(30)
    cohort.obs = cohort.obs[["code"]]
    cohort.write_h5ad(path)
    assert genoken.check(path)["suggestion"] == (
        f"genoken train {path} --label COLUMN --phenotypes FILE --preset genotype -o runs/cohort"
    )
    traits = tmp_path / "traits.tsv"
    traits.write_text("sample_id\ttrait\n" + "".join(f"p{row}\t{'case' if row % 3 else 'control'}\n" for row in range(30)))
    found = genoken.check(path, label="trait", phenotypes=traits)
    assert found["suggestion"] == f"genoken train {path} --label trait --phenotypes {traits} --preset genotype -o runs/cohort"


def checked(calls, **places):
    columns = places | {"counted_allele": "A", "other_allele": "G"}
    variants = pd.DataFrame(columns, index=[f"rs{place}" for place in range(calls.shape[1])])
    people = pd.DataFrame({"height": 1.0}, index=[f"p{row}" for row in range(len(calls))])
    findings = genoken.check(genoken.genotypes(calls, people, variants=variants))["findings"]
    return {finding["title"]: finding for finding in findings}


@pytest.mark.parametrize("is_twin", [True, False])
def test_a_person_who_is_there_twice_is_named(is_twin):
    calls = np.random.default_rng(3).binomial(2, 0.4, size=(30, 600)).astype(np.int8)
    calls[1] = calls[0] if is_twin else calls[1]
    found = checked(calls, chromosome="1", position_bp=range(600))
    if is_twin:
        assert found["Repeated samples"]["level"] == "warning"
        assert found["Repeated samples"]["detail"] == "1 pair with a kinship above 0.354, for example p0 and p1"
    else:
        assert found["No repeated samples"]["level"] == "ok"


def test_one_region_is_named_and_its_haplotypes_are_no_repeats():
    """200 people with two of six haplotypes of 300 variants: many have the same two."""
    rng = np.random.default_rng(0)
    haplotypes = rng.integers(0, 2, (6, 300))
    calls = haplotypes[rng.integers(0, 6, (200, 2))].sum(axis=1).astype(np.int8)
    found = checked(calls, chromosome="15", position_bp=28_000_000 + 1000 * np.arange(300))
    assert "Repeated samples" not in found
    assert found["Samples were not compared"]["level"] == "ok"
    region = found["All variants are of one region"]
    assert region["level"] == "warning"
    assert region["detail"].startswith("chromosome 15 from 28.00 to 28.30 Mb: ")
    assert region["remedy"].endswith("--principal-components 0")
