"""Bad input ends with one error of one line that says where, what and how to mend it, and leaves nothing half-written."""

from __future__ import annotations

import shutil

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from genoken.core.errors import ConfigError, DataError, GenokenError, RunError
from genoken.workflows.train import train


@pytest.fixture
def refused(tiny, tmp_path):
    """Return a function that trains, checks that this is refused as it should be, and returns the line."""

    def refuse(data, error=DataError, changes=None, **named):
        with pytest.raises(GenokenError) as caught:
            tiny(data, tmp_path / "out" / "run", changes, **named)
        assert type(caught.value) is error
        line = str(caught.value)
        assert "\n" not in line
        assert caught.value.where
        assert caught.value.remedy
        assert not (tmp_path / "out" / "run").exists()
        return line

    return refuse


# --- files ---


def test_a_missing_file(refused, tmp_path):
    (tmp_path / "cells.h5ad").write_bytes(b"")
    assert refused(tmp_path / "cell.h5ad") == f"{tmp_path / 'cell.h5ad'}: the file does not exist — did you mean 'cells.h5ad'?"


def test_a_truncated_file(refused, cells_file, tmp_path):
    path = tmp_path / "cut.h5ad"
    path.write_bytes(cells_file.read_bytes()[: cells_file.stat().st_size // 2])
    assert "cut.h5ad: the file is damaged: it starts as HDF5 but is cut off" in refused(path)


def test_a_file_of_another_kind(refused, tmp_path):
    with h5py.File(tmp_path / "other.h5ad", "w") as file:
        file["measurements"] = [1, 2, 3]
    assert "this HDF5 file is not an AnnData file: it holds measurements" in refused(tmp_path / "other.h5ad")
    (tmp_path / "text.h5ad").write_text("gene,cell", encoding="utf-8")
    assert "this is not an HDF5 file, so it is not .h5ad" in refused(tmp_path / "text.h5ad")


def test_bad_files_are_refused_by_every_other_verb(run, cells_file, tmp_path):
    path = tmp_path / "cut.h5ad"
    path.write_bytes(cells_file.read_bytes()[:4000])
    for verb in (run.predict, run.embed, run.explain):
        with pytest.raises(DataError, match="the file is damaged"):
            verb(path)


# --- columns ---


def test_columns_that_are_not_there(refused, cells):
    assert refused(cells, label="celltype") == (
        "AnnData:X: there is no column 'celltype' in the sample table (obs) — did you mean 'cell_type'?"
    )
    assert refused(cells, group="donor").endswith("— did you mean 'donor_id'?")
    assert "no label column is named" in refused(cells, ConfigError, label="")
    assert "did you mean 'type_1'" in refused(cells, positive="type1")
    assert "'cell_type' is both label and group" in refused(cells, ConfigError, group="cell_type")


def with_missing_labels(cells):
    adata = cells.copy()
    adata.obs["cell_type"] = adata.obs["cell_type"].where(np.arange(90) % 9 > 0)
    return adata


def test_samples_without_a_label_are_left_out_with_a_count(cells, tiny, said, tmp_path):
    run = tiny(with_missing_labels(cells), tmp_path / "run", show=said)
    assert "  10 samples have no value in 'cell_type' and are left out." in said.lines
    assert len(pd.read_parquet(run.folder / "split.parquet")) == 80
    assert run.metrics["classes"] == ["type_0", "type_1", "type_2"]


def test_samples_without_a_label_are_refused_when_strict(refused, cells):
    line = refused(with_missing_labels(cells), changes={"data.strict": True})
    assert line == "AnnData:X: 10 samples have no value in 'cell_type' — remove them, or run without --strict"


def test_samples_without_a_group(refused, cells):
    adata = cells.copy()
    adata.obs["donor_id"] = adata.obs["donor_id"].where(np.arange(90) > 1)
    assert "2 samples have no value in the group column 'donor_id'" in refused(adata, group="donor_id")


def test_one_class(refused, cells):
    adata = cells.copy()
    adata.obs["cell_type"] = "B"
    assert refused(adata) == "AnnData:X: 'cell_type' has a single class, 'B' — choose another --label"


def test_no_label_at_all(refused, cells):
    adata = cells.copy()
    adata.obs["cell_type"] = np.nan
    assert "no sample is left — 90 samples have no value in 'cell_type' and are left out" in refused(adata)


def test_classes_in_too_few_groups(refused, cells):
    adata = cells[cells.obs["cell_type"] != "type_2"].copy()
    adata = adata[(adata.obs["cell_type"] == "type_0") | adata.obs["donor_id"].isin(["donor_00", "donor_01"])].copy()
    line = refused(adata)
    assert "a class needs at least 3 groups to be in train and in test; too few: 'type_1' (2 groups)" in line
    assert "--split random ignores groups and is too optimistic" in line
    adata = cells[(cells.obs["cell_type"] != "type_2") | (cells.obs["donor_id"] == "donor_00")].copy()
    assert "at least 2 groups to be in train and in test; too few: 'type_2' (1 group)" in refused(adata)


def test_classes_of_too_few_samples(refused, cells):
    adata = cells[(cells.obs["cell_type"] != "type_2") | (np.cumsum(cells.obs["cell_type"] == "type_2") <= 2)].copy()
    line = refused(adata, changes={"split.kind": "random"})
    assert "needs at least 3 samples to be in train and in test; too few: 'type_2' (2 samples)" in line


# --- values ---


def with_values(cells, change, dtype=np.float32):
    values = cells.X.toarray().astype(dtype)
    change(values)
    return anndata.AnnData(values, obs=cells.obs.copy(), var=cells.var.copy())


def empty_some(values):
    values[[3, 50]] = 0


def test_cells_without_a_count_are_left_out_or_refused(refused, cells, tiny, said, tmp_path):
    adata = with_values(cells, empty_some)
    tiny(adata, tmp_path / "kept", show=said)
    assert "  2 samples have no values above zero and are left out." in said.lines
    line = refused(adata, changes={"data.strict": True})
    assert line.startswith("AnnData:X: 2 samples have no values above zero — remove them")


def test_nothing_but_zeros(refused, cells):
    assert "X is unknown (every value is 0)" in refused(with_values(cells, lambda values: values.fill(0)))


def test_gene_and_sample_names_that_occur_twice(refused, cells):
    adata = cells.copy()
    adata.var_names = ["TP53", "TP53", *adata.var_names[2:]]
    line = refused(adata)
    assert "AnnData: adata.var_names: 1 gene name occurs more than once (TP53) — add up their columns, or name them apart" in line
    adata = cells.copy()
    adata.obs_names = ["a", "a", *adata.obs_names[2:]]
    assert "adata.obs_names: 1 sample name occurs more than once (a)" in refused(adata)


def set_value(value):
    def change(values):
        values[4, 5] = value

    return change


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite(value, refused, cells):
    line = refused(with_values(cells, set_value(value)))
    assert "AnnData:X: 1 value is missing or infinite, the first at sample 4, feature 5 (counted from 0) — replace them" in line


def test_a_negative_value_among_counts(refused, cells):
    line = refused(with_values(cells, set_value(-3)))
    assert "negative values (down to -3)" in line


def scaled(cells):
    dense = np.log1p(cells.X.toarray())
    return anndata.AnnData((dense - dense.mean(axis=0)) / dense.std(axis=0), obs=cells.obs.copy(), var=cells.var.copy())


def test_scaled_values_without_raw(refused, cells):
    line = refused(scaled(cells))
    assert "no counts, normalized or log values found: X is scaled (negative values" in line
    assert "put the counts into adata.layers['counts'], or log-normalized values into adata.raw" in line
    assert "the values are scaled" in refused(scaled(cells), changes={"data.source": "X"})


def test_scaled_values_with_raw_are_read_from_raw(cells, tiny, said, tmp_path):
    adata = scaled(cells)
    adata.raw = cells
    tiny(adata, tmp_path / "run", show=said)
    assert said.lines[0].startswith("AnnData:raw: 90 samples x 40 genes, counts values")


@pytest.mark.parametrize("form", ["csc", "dense"])
def test_other_forms_of_the_matrix_give_the_same_run(form, cells, tiny, lean, tmp_path):
    values = sp.csc_matrix(cells.X) if form == "csc" else cells.X.toarray()
    run = tiny(anndata.AnnData(values, obs=cells.obs, var=cells.var), tmp_path / "run")
    assert (run.folder / "model.safetensors").read_bytes() == (lean.folder / "model.safetensors").read_bytes()


def test_no_gene_in_common_between_three_files(refused, cells):
    test = cells[60:].copy()
    test.var_names = [f"ENSG{number:011d}" for number in range(40)]
    line = refused(None, changes={"split.kind": "auto"}, train=cells[:60].copy(), test=test)
    assert "no gene in common with the first file" in line
    assert "add a column with" in line or "are these the right file" in line


# --- settings ---


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training.epoch": 3}, "unknown option 'training.epoch' — did you mean 'epochs'"),
        ({"trainig": {}}, "unknown option 'trainig' — did you mean 'training'"),
        ({"training.epochs": "ten"}, "'training.epochs': input should be a valid integer, got 'ten' (str)"),
        ({"training.learning_rate": -1.0}, "'training.learning_rate'"),
        ({"model.encoder.kind": "transformers"}, "'transformers' is not one of the encoders — did you mean 'transformer'"),
    ],
)
def test_unknown_and_mistyped_settings(changes, message, cells, tiny, tmp_path):
    with pytest.raises(ConfigError) as caught:
        tiny(cells, tmp_path / "run", changes)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_configuration_file_with_a_typing_error_is_named(cells, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("model:\n  widht: 8\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        train(cells, label="cell_type", config=path, output=tmp_path / "run")
    assert str(caught.value) == f"{path}: unknown option 'model.widht' — did you mean 'width'?"
    path.write_text("model: [", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"c\.yaml: this is not valid YAML") as caught:
        train(cells, label="cell_type", config=path, output=tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_configuration_that_is_not_there(cells, tmp_path):
    with pytest.raises(ConfigError) as caught:
        train(cells, label="cell_type", config=tmp_path / "none.yaml", output=tmp_path / "run")
    assert str(caught.value) == f"{tmp_path / 'none.yaml'}: the configuration file does not exist"
    with pytest.raises(ConfigError, match="there is no preset 'gene_transfomer' — did you mean 'gene_transformer'"):
        train(cells, label="cell_type", preset="gene_transfomer", output=tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_settings_that_only_the_network_refuses_leave_nothing(cells, tiny, tmp_path):
    with pytest.raises(ConfigError) as caught:
        tiny(cells, tmp_path / "run", {"model.encoder.heads": 3})
    assert "heads" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


# --- folders ---


def test_an_occupied_folder_is_kept_unless_it_may_be_overwritten(cells, tiny, lean, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(lean.folder, folder)
    before = (folder / "manifest.json").read_bytes()
    with pytest.raises(RunError) as caught:
        tiny(cells, folder)
    assert str(caught.value) == (
        f"{folder}: the output folder exists and is not empty — choose another one, or add --overwrite to replace it"
    )
    assert (folder / "manifest.json").read_bytes() == before
    (folder / "of_the_old_run").write_text("x", encoding="utf-8")
    tiny(cells, folder, overwrite=True)
    assert not (folder / "of_the_old_run").exists()
    assert (folder / "manifest.json").read_bytes() != before


@pytest.mark.parametrize("files", [["thesis.doc"], ["config.yaml"], ["config.yaml", "manifest.json"], ["state.json"]])
def test_a_foreign_folder_is_never_overwritten(files, cells, tiny, tmp_path):
    for name in files:
        (tmp_path / name).write_text("{}", encoding="utf-8")
    with pytest.raises(RunError, match="holds files that genoken did not write, so it is not overwritten — choose another"):
        tiny(cells, tmp_path, overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(files)


def test_a_folder_with_the_data_in_it_is_never_overwritten(cells, tiny, lean, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(lean.folder, folder)
    cells.write_h5ad(folder / "cells.h5ad")
    with pytest.raises(RunError, match=r"the data, cells\.h5ad, is in the folder that would be emptied — move it elsewhere first"):
        tiny(folder / "cells.h5ad", folder, overwrite=True)
    assert (folder / "cells.h5ad").is_file()
    assert (folder / "manifest.json").is_file()


def test_a_file_in_the_place_of_the_folder(cells, tiny, tmp_path):
    (tmp_path / "run").write_text("mine", encoding="utf-8")
    for overwrite in (False, True):
        with pytest.raises(RunError, match="a file of this name is in the way — choose another output folder"):
            tiny(cells, tmp_path / "run", overwrite=overwrite)
    assert (tmp_path / "run").read_text(encoding="utf-8") == "mine"
