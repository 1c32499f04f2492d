"""A run of three files sees what the same files hold when they are given to it afterwards."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from genoken.core.errors import DataError
from genoken.workflows.evaluate import evaluate


def logged(adata, total):
    dense = adata.X.toarray()
    return anndata.AnnData(
        np.log1p(dense / dense.sum(axis=1, keepdims=True) * total).astype(np.float32), obs=adata.obs, var=adata.var
    )


def with_more_genes(adata, seed):
    """Return the cells with 20 genes, of many counts, that no other file has."""
    counts = np.random.default_rng(seed).poisson(200, size=(adata.n_obs, 20)).astype(np.float32)
    names = [f"MORE{seed}_{gene}" for gene in range(20)]
    values = sp.csr_matrix(np.hstack([counts[:, :10], adata.X.toarray(), counts[:, 10:]]))
    return anndata.AnnData(values, obs=adata.obs, var=pd.DataFrame(index=[*names[:10], *adata.var_names, *names[10:]]))


@pytest.fixture(scope="module")
def plain(cells):
    parts = {"train": cells[:50], "val": cells[50:65], "test": cells[65:]}
    return {name: part.copy() for name, part in parts.items()}


@pytest.fixture(scope="module")
def parts(plain):
    return plain | {"val": with_more_genes(plain["val"], 1), "test": with_more_genes(plain["test"], 2)}


@pytest.fixture(scope="module")
def trained(parts, tiny, tmp_path_factory):
    return tiny(None, tmp_path_factory.mktemp("three") / "run", {"split.kind": "auto"}, full=True, **parts)


def test_the_runs_own_test_is_what_evaluate_says_of_the_same_file(trained, parts, plain, tmp_path):
    found = evaluate(trained, parts["test"], output=tmp_path / "scored")
    own, again = (
        pd.read_parquet(folder / "predictions.parquet").set_index("sample_id") for folder in (trained.folder, tmp_path / "scored")
    )
    probabilities = [f"probability_type_{code}" for code in range(3)]
    np.testing.assert_allclose(own[probabilities], again.loc[own.index, probabilities], atol=1e-6)
    for name, scores in trained.metrics["test"]["baselines"].items():
        for metric in ("accuracy", "macro_f1", "log_loss", "roc_auc"):
            assert found["test"]["baselines"][name][metric] == pytest.approx(scores[metric], abs=1e-6), (name, metric)
    without = trained.predict(plain["test"])
    assert np.abs(own[probabilities] - without.loc[own.index, probabilities]).to_numpy().max() > 0.01  # the totals are seen


@pytest.mark.parametrize(("part", "known"), [("train", 50), ("val", 15), ("test", 0)])
def test_train_and_validation_files_are_known_again_and_the_test_file_is_not(part, known, trained, parts, said):
    found = evaluate(trained, parts[part], show=said)
    assert found["split"]["leaky"] is (known > 0)
    warnings = [line for line in said.lines if line.startswith("warning")]
    line = f"{known} of {known} samples are ones that the model was trained on, so these scores are no test"
    assert warnings == ([f"warning: {line}"] if known else [])


def test_files_of_different_totals_are_refused_before_anything_is_learned(plain, tiny, tmp_path):
    parts = {name: logged(part, 1e6 if name == "test" else 1e4) for name, part in plain.items()}
    with pytest.raises(DataError) as caught:
        tiny(None, tmp_path / "run", {"split.kind": "auto"}, **parts)
    assert str(caught.value) == (
        "AnnData:X + AnnData:X + AnnData:X: the files were normalized to different totals per sample: train to about 10,000, "
        "val to about 10,000, test to about 1,000,000 — normalize them alike, or give counts"
    )
    assert not (tmp_path / "run").exists()
