"""Every verb takes every kind of file: the same cells give the same run, and panels of real numbers are trained on."""

from __future__ import annotations

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy.io import mmwrite

from genoken.core.errors import DataError, RunError
from genoken.core.files import read_json
from genoken.core.random import generator
from genoken.workflows.check import check
from genoken.workflows.evaluate import evaluate
from genoken.workflows.predict import predict

ALL_GENES = {"tokenizer.tokens": "all", "data.label": "cell_type"}


def weights(run):
    return (run.folder / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def store(cells, tmp_path_factory):
    """The cells as a zarr store."""
    path = tmp_path_factory.mktemp("store") / "cells.zarr"
    cells.write_zarr(path)
    return path


@pytest.fixture(scope="module")
def panel(cells, tmp_path_factory):
    """The cells' logarithms, centered, as a GCTX file; two wells have no values."""
    values = np.log1p(cells.X.toarray()) - 1
    values += generator(0, "panel").normal(scale=0.05, size=values.shape)
    values[[3, 50]] = np.nan
    path = tmp_path_factory.mktemp("panel") / "plate.gctx"
    with h5py.File(path, "w") as file:
        file["0/DATA/0/matrix"] = values.astype(np.float32)
        file["0/META/ROW/id"] = [str(number) for number in range(1, 41)]
        file["0/META/ROW/pr_gene_symbol"] = list(cells.var_names)
        file["0/META/COL/id"] = list(cells.obs_names)
        for name in ("cell_type", "donor_id"):
            file[f"0/META/COL/{name}"] = list(cells.obs[name].astype(str))
    return path


@pytest.fixture(scope="module")
def panel_run(panel, tiny, tmp_path_factory):
    """A run on the panel."""
    return tiny(panel, tmp_path_factory.mktemp("panel") / "run", ALL_GENES)


def test_a_store_is_trained_on_like_the_file_and_explained_from_its_own_samples(store, tiny, lean, tmp_path):
    run = tiny(store, tmp_path / "run")
    assert weights(run) == weights(lean)
    entry = read_json(run.folder / "manifest.json")["data"][0]
    assert (entry["path"], entry["samples"], len(entry["sha256"])) == (str(store), 90, 64)
    assert set(run.explain(method="gradient", top=2)["class"]) == {"type_0", "type_1", "type_2"}


def test_a_store_that_changed_is_no_longer_the_run_s_own(cells, tiny, tmp_path):
    cells.write_zarr(tmp_path / "cells.zarr")
    run = tiny(tmp_path / "cells.zarr", tmp_path / "run")
    changed = cells.copy()
    changed.X = changed.X * 2
    changed.write_zarr(tmp_path / "cells.zarr")
    with pytest.raises(RunError, match=r"cells\.zarr: the data changed since the run began"):
        run.explain(method="gradient")


def test_a_matrix_of_10x_is_predicted_and_embedded(lean, cells, tmp_path):
    folder = tmp_path / "matrix"
    folder.mkdir()
    mmwrite(folder / "matrix.mtx", cells.X.T.astype(int))
    (folder / "genes.tsv").write_text("".join(f"ENSG{number:011d}\t{name}\n" for number, name in enumerate(cells.var_names)))
    (folder / "barcodes.tsv").write_text("".join(f"{name}\n" for name in cells.obs_names))
    expected, found = predict(lean, cells), predict(lean, folder, tmp_path / "out.h5ad")
    assert "matched by column 'gene_symbol'" in found.coverage
    pd.testing.assert_frame_equal(found.table, expected.table, rtol=1e-5)
    written = anndata.read_h5ad(tmp_path / "out.h5ad")
    assert list(written.obs["genoken_predicted"]) == list(expected.table["predicted"])
    assert written.obsm["X_genoken"].shape == (90, 8)


def test_a_panel_is_checked_with_what_was_left_out_and_the_way_to_train_on_it(panel):
    found = check(panel, label="cell_type")
    assert (found["samples"], found["file"]) == (88, str(panel))
    assert found["matrices"][0]["kind"] == "real"
    levels = {finding["title"]: finding["level"] for finding in found["findings"]}
    assert levels["2 samples have missing values and are left out"] == "warning"
    assert levels["X holds real values of a dense panel"] == "ok"
    assert "error" not in levels.values()
    expected = f"genoken train {panel} --label cell_type --group donor_id --set tokenizer.tokens=all -o runs/plate"
    assert found["suggestion"] == expected


def test_a_panel_is_trained_on_as_it_is(panel_run, panel, tiny, said, tmp_path):
    tiny(panel, tmp_path / "run", ALL_GENES, show=said)
    assert said.lines[0] == "plate.gctx:X: 88 samples x 40 genes, real values; predicting 3 classes of 'cell_type'."
    assert "  2 samples have missing values and are left out." in said.lines
    assert len(pd.read_parquet(panel_run.folder / "split.parquet")) == 88
    assert panel_run.metrics["test"]["model"]["accuracy"] > 0.6
    symbols = pd.read_parquet(panel_run.folder / "vocabulary.parquet")["symbol"]
    assert symbols.iloc[0].startswith("GENE")


def test_a_panel_needs_every_gene_as_a_token(panel, tiny, tmp_path):
    with pytest.raises(DataError, match=r"the values are real numbers.* — make every gene a token with --set tokenizer.tokens=all"):
        tiny(panel, tmp_path / "run")
    with pytest.raises(DataError, match="the values are real numbers"):
        tiny(panel, tmp_path / "run", ALL_GENES | {"tokenizer.max_tokens": 10})
    with pytest.raises(DataError, match=r"plate\.gctx: 2 samples have missing values; .*without --strict"):
        tiny(panel, tmp_path / "run", ALL_GENES | {"data.strict": True})


def test_a_panel_is_predicted_and_scored_without_the_samples_that_have_no_values(panel_run, panel, said, tmp_path):
    found = predict(panel_run, panel, tmp_path / "out.h5ad", show=said)
    assert said.lines[0] == "2 samples have missing values and are left out."
    assert len(found.table) == 88
    written = anndata.read_h5ad(tmp_path / "out.h5ad")
    assert list(written.obs_names) == list(found.table.index)
    assert list(written.obs["genoken_predicted"]) == list(found.table["predicted"])
    scored = evaluate(panel_run, panel, show=said)
    assert scored["test"]["samples"] == 88
    assert "  2 samples have missing values and are left out." in said.lines


def test_three_parts_may_be_of_different_kinds_and_say_what_each_holds(cells, tiny, said, tmp_path):
    cells[:54].copy().write_h5ad(tmp_path / "train.h5ad")
    cells[54:, ::-1].copy().write_zarr(tmp_path / "test.zarr")
    parts = {"train": tmp_path / "train.h5ad", "test": tmp_path / "test.zarr"}
    run = tiny(None, tmp_path / "run", {"split.kind": "auto"}, show=said, **parts)
    assert "  test.zarr:X: 40 of 40 genes found (100.0%), matched by index." in said.lines
    assert [entry["samples"] for entry in read_json(run.folder / "manifest.json")["data"]] == [54, 36]


def test_an_unknown_kind_of_file_is_refused_by_every_verb(lean, tmp_path, tiny):
    path = tmp_path / "cells.xlsx"
    path.write_text("cells")
    for verb in (
        check,
        lean.predict,
        lean.embed,
        lean.explain,
        lambda data: evaluate(lean, data),
        lambda data: tiny(data, tmp_path / "run"),
    ):
        with pytest.raises(
            DataError, match=r"'\.xlsx' is the ending of no known kind of file — known are .*\.gctx.*\.h5ad.*\.zarr"
        ):
            verb(path)
    assert not (tmp_path / "run").exists()
