"""Genotypes in AnnData objects: known by the columns of var."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata import AnnData

from genoken.core.errors import DataError
from genoken.readers._anndata import inspect_anndata, samples_from_anndata
from genoken.workflows.files import read_file

NAN = np.nan
CALLS = np.array([[0, 2, NAN], [1, NAN, 2]], dtype=np.float32)


def variants(**columns):
    table = {
        "chromosome": ["chr1", "1", "X"],
        "position_bp": [10, 20, 30],
        "counted_allele": ["a", "C", "T"],
        "other_allele": ["G", "T", "A"],
    }
    return pd.DataFrame(table | columns, index=["rs1", "rs2", "rs3"])


def with_values(values, **columns):
    return AnnData(values, obs=pd.DataFrame(index=["s1", "s2"]), var=variants(**columns))


@pytest.mark.parametrize(
    "values", [CALLS, sp.csr_matrix(CALLS), sp.csc_matrix(CALLS), np.where(np.isnan(CALLS), -1, CALLS).astype(np.int8)],
    ids=["dense", "csr", "csc", "int8"],
)  # fmt: skip
def test_values_of_every_form(values):
    found = inspect_anndata(with_values(values))
    samples = found.usable()
    np.testing.assert_array_equal(samples.values.toarray(), CALLS)
    assert (samples.value_kind, samples.origin) == ("dosage", "AnnData:X")
    assert samples.values.nnz == 5  # zeros are not stored
    assert samples.features["chromosome"].tolist() == ["1", "1", "X"]
    assert samples.features["counted_allele"].tolist() == ["A", "C", "T"]
    assert samples.features["build"].tolist() == ["", "", ""]
    assert [(matrix.name, matrix.state.kind, matrix.used) for matrix in found.matrices] == [("X", "dosage", True)]
    assert "33.33% of the calls are missing" in found.matrices[0].state.evidence


def test_strands_and_a_file(tmp_path):
    adata = with_values(CALLS)
    adata.layers["first_strand"] = np.array([[0, 1, NAN], [1, NAN, 1]], dtype=np.float32)
    adata.write_h5ad(tmp_path / "cohort.h5ad")
    found = read_file(tmp_path / "cohort.h5ad")
    np.testing.assert_array_equal(found.first_strand.toarray(), [[0, 1, NAN], [1, NAN, 1]])
    np.testing.assert_array_equal(found.take(np.array([1])).first_strand.toarray(), [[1, NAN, 1]])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([[0, 1, 3], [0, 0, 0]]), r"genotypes are 0 to 2, found 3 at sample 0, variant 2"),
        (np.array([[0, 1, 2], [0, 0.25, 0]]), r"found 0.25 at sample 1, variant 1 .* — round imputed dosages"),
        (np.array([[0, 1, 2], [0, -2, 0]]), r"found -2 at sample 1, variant 1"),
        (np.array([[0, 1, 2], [0, np.inf, 0]]), r"found inf at sample 1, variant 1"),
    ],
)
def test_other_values_are_refused(values, message):
    with pytest.raises(DataError, match=message):
        samples_from_anndata(with_values(values))


def test_bad_tables():
    with pytest.raises(DataError, match=r"positions of 2 genome builds: 2 of GRCh37, 1 of GRCh38 — bring all positions to one"):
        samples_from_anndata(with_values(CALLS, build=["GRCh37", "GRCh37", "GRCh38"]))
    with pytest.raises(DataError, match=r"1 variants have no position, the first is 'rs2'"):
        samples_from_anndata(with_values(CALLS, position_bp=[1, None, 3]))
    adata = with_values(CALLS)
    adata.var_names = ["rs1", "rs1", "rs3"]
    with pytest.raises(DataError, match=r"1 variant id occurs more than once \(rs1\)"):
        samples_from_anndata(adata)
    with pytest.raises(DataError, match="no matrix 'raw' — there are: X"):
        samples_from_anndata(with_values(CALLS), "raw")
