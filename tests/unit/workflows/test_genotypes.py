"""Genotypes in arrays: what they become, how they are checked and taken for training."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import genoken
from genoken.core.config import DataSettings
from genoken.core.errors import DataError
from genoken.workflows.inputs import build_study
from genoken.workflows.source import read_inputs

NAN = np.nan
CALLS = np.array([[0, 2, NAN, 1], [1, NAN, 2, 1], [2, 0, 0, 1]])


def variants():
    names = {"chromosome": ["1", "1", "2", "X"], "position_bp": [5, 9, 7, 1], "counted_allele": list("ACGT")}
    return pd.DataFrame(names | {"other_allele": list("GTAC")}, index=["rs1", "rs2", "rs3", "rs4"])


@pytest.mark.parametrize("dosages", [CALLS, np.where(np.isnan(CALLS), -1, CALLS).astype(np.int8)], ids=["float", "int8"])
def test_arrays_are_read_as_genotypes(dosages):
    table = pd.DataFrame({"trait": [1.5, 2.5, 0.5]}, index=["a", "b", "c"])
    adata = genoken.genotypes(dosages, table, variants=variants(), first_strand=np.minimum(CALLS, 1))
    samples = read_inputs({"data": adata}, DataSettings()).samples
    np.testing.assert_array_equal(samples.values.toarray(), CALLS)
    np.testing.assert_array_equal(samples.first_strand.toarray(), np.minimum(CALLS, 1))
    assert samples.value_kind == "dosage"
    assert samples.features["position_bp"].tolist() == [5, 9, 7, 1]
    assert samples.table["trait"].tolist() == [1.5, 2.5, 0.5]


def test_labels_alone_will_do():
    adata = genoken.genotypes(CALLS, labels=["x", "y", "x"])
    samples = read_inputs({"data": adata}, DataSettings()).samples
    assert samples.table["label"].tolist() == ["x", "y", "x"]
    assert samples.features["position_bp"].tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dosages": CALLS[0]}, "genotypes are a matrix of samples by variants, not of 1 dimensions"),
        ({"dosages": CALLS * 2}, "genotypes are 0 to 2, found 4"),
        ({"dosages": CALLS, "labels": ["x"]}, "labels has 1 samples, and the genotypes have 3"),
        ({"dosages": CALLS, "variants": variants().iloc[:3]}, "the table of variants has 3 variants, and the genotypes have 4"),
        ({"dosages": CALLS, "variants": variants().drop(columns="position_bp")}, "has no column 'position_bp'"),
        ({"dosages": CALLS, "first_strand": CALLS}, "genotypes are 0 to 1, found 2"),
        ({"dosages": [[0, 1], [2]]}, "genotypes: samples have different numbers of variants"),
        ({"dosages": CALLS + 0.37}, "genotypes are 0 to 2, found 0.37 .* — round imputed dosages"),
        ({"dosages": CALLS.astype(str)}, "genotypes are whole numbers from 0 to 2, not <U"),
        ({"dosages": CALLS.astype(object)}, "genotypes are whole numbers from 0 to 2, not object"),
        ({"dosages": np.where(CALLS == 2, 3, 0)}, "genotypes are 0 to 2, found 3 at sample 0, variant 1"),
        ({"dosages": np.where(CALLS == 2, np.inf, 0)}, "genotypes are 0 to 2, found inf"),
        ({"dosages": CALLS, "labels": "x"}, "labels are one for each sample, not of 0 dimensions"),
        ({"dosages": CALLS, "labels": [[1], [2], [3]]}, "labels are one for each sample, not of 2 dimensions"),
        ({"dosages": CALLS, "labels": list("wxyz")}, "labels has 4 samples, and the genotypes have 3"),
        ({"dosages": CALLS, "table": pd.DataFrame(index=["a"])}, "the table has 1 samples, and the genotypes have 3"),
        ({"dosages": CALLS, "first_strand": np.zeros((3, 3))}, "first_strand has 3 variants, and the genotypes have 4"),
        (
            {"dosages": CALLS, "first_strand": np.zeros((3, 4))},
            "first_strand: 0 of 2 copies on the first strand at sample 0, variant 1",
        ),
        (
            {"dosages": CALLS, "first_strand": np.ones((3, 4))},
            "first_strand: 1 of 0 copies on the first strand at sample 0, variant 0",
        ),
    ],
)
def test_arrays_that_do_not_fit(arguments, message):
    with pytest.raises(DataError, match=message) as caught:
        genoken.genotypes(**arguments)
    assert "\n" not in str(caught.value)


def test_samples_without_any_call_and_monomorphic_variants_are_left_out_of_a_study():
    calls = np.vstack([CALLS, np.full(4, NAN)])
    adata = genoken.genotypes(calls, pd.DataFrame({"trait": [1.5, 2.5, 0.5, 3.0]}, index=list("abcd")), variants=variants())
    settings = DataSettings(label="trait", task="regression")
    study = build_study(read_inputs({"data": adata}, settings).samples, settings, seed=0, guess_group=False)
    assert list(study.samples.table.index) == ["a", "b", "c"]
    assert list(study.samples.features.index) == ["rs1", "rs2", "rs3"]
    assert study.notes == (
        "1 sample has no genotype at all and is left out",
        "1 variant has the same genotype in all samples and is left out",
    )
    strict = DataSettings(label="trait", task="regression", strict=True)
    with pytest.raises(DataError, match="1 sample has no genotype at all — remove them, or run without --strict"):
        build_study(read_inputs({"data": adata}, strict).samples, strict, seed=0, guess_group=False)


def test_a_sample_without_any_copy_of_the_counted_alleles_is_not_empty():
    adata = genoken.genotypes(np.array([[0, 0], [1, 2], [2, 1]]), pd.DataFrame({"trait": [1.0, 2, 3]}, index=list("abc")))
    settings = DataSettings(label="trait", task="regression")
    assert build_study(read_inputs({"data": adata}, settings).samples, settings, seed=0, guess_group=False).labels.tolist() == [
        1,
        2,
        3,
    ]


def test_phenotypes_of_a_table_are_read_with_the_samples(tmp_path):
    path = tmp_path / "traits.tsv"
    path.write_text("IID\ttrait\nc\t7\na\t5\n")
    adata = genoken.genotypes(CALLS, pd.DataFrame(index=list("abc")), variants=variants())
    plain, joined = (read_inputs({"data": adata}, DataSettings(phenotypes_file=name)) for name in ("", str(path)))
    np.testing.assert_array_equal(joined.samples.table["trait"], [5, NAN, 7])
    assert joined.samples.notes == ("2 of 3 samples have phenotypes in traits.tsv",)
    assert joined.files[0]["sha256"] != plain.files[0]["sha256"]
    result = genoken.check(adata, phenotypes=path, label="trait")
    assert "2 of 3 samples have phenotypes in traits.tsv" in [finding["title"] for finding in result["findings"]]
