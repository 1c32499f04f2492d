"""Bad input of ``genoken pretrain``: one line that says where, what and how to mend it, exit code 2, and no folder left behind."""

from __future__ import annotations

import json
import shutil

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest

from genoken.cli.main import main
from genoken.core.errors import GenokenError
from genoken.core.files import read_json
from genoken.workflows.pretrain import pretrain

TINY_FLAGS = ("--tokenizer", "binned", "--width", "8", "--layers", "1", "--heads", "2", "--feed-forward", "8", "--epochs", "1",
              "--batch-size", "16", "--logger", "none")  # fmt: skip


@pytest.fixture
def refused(tmp_path, capsys):
    """Return a function that runs ``genoken pretrain``, checks that it is refused as it should be, and returns the line."""

    def refuse(*words):
        code = main(["pretrain", *map(str, words), *([] if "-o" in words else ["-o", str(tmp_path / "out")])])
        written = capsys.readouterr().err
        assert code == 2, written
        assert written.startswith("genoken: error: ")
        assert written.count("\n") == 1
        assert not (tmp_path / "out").exists()
        return written.removeprefix("genoken: error: ").strip()

    return refuse


@pytest.fixture
def file(cells, tmp_path):
    """Return a function that writes a changed copy of the cells, and its path."""

    def write(name="cells.h5ad", change=lambda adata: None):
        adata = cells.copy()
        changed = change(adata)
        (adata if changed is None else changed).write_h5ad(tmp_path / name)
        return tmp_path / name

    return write


def named(names):
    def change(adata):
        adata.var_names = names

    return change


HUMAN = [f"ENSG{number:011d}" for number in range(1, 41)]
MOUSE = [f"ENSMUSG{number:011d}" for number in range(1, 41)]


# --- files ---


def test_no_file_and_a_missing_one(refused, file, tmp_path):
    assert refused() == "no file to pretrain on is named — for example: genoken pretrain shard_{0..9}.h5ad"
    assert "cells_1.h5ad: the file does not exist" in refused(tmp_path / "cells_{1..2}.h5ad")
    assert "no file matches this pattern — check it" in refused(tmp_path / "shard_*.h5ad")
    assert "this file is named twice" in refused(file(), tmp_path / "*.h5ad")


def test_a_truncated_file_among_others(refused, file, tmp_path):
    good, cut = file("a.h5ad"), tmp_path / "b.h5ad"
    cut.write_bytes(good.read_bytes()[:9000])
    assert "b.h5ad: the file is damaged: it starts as HDF5 but is cut off" in refused(good, cut)
    (tmp_path / "c.gctx").write_bytes(good.read_bytes()[:9000])
    assert "c.gctx: the file is damaged" in refused(tmp_path / "c.gctx")


def test_files_of_two_species(refused, file):
    line = refused(file("a.h5ad", named(HUMAN)), file("b.h5ad", named(MOUSE)))
    assert line.startswith("b.h5ad: the files are of different species: a.h5ad of human, b.h5ad of mouse — leave one out")


def test_files_with_two_types_of_ids(refused, file):
    line = refused(file("a.h5ad", named(HUMAN)), file("b.h5ad", named([f"{number}" for number in range(1, 41)])))
    assert line.startswith("b.h5ad: the files have different types of gene ids: a.h5ad has ensembl ids, b.h5ad has entrez ids")
    assert line.endswith("add a column with ensembl ids to its feature table")


def test_panels_without_a_common_gene(refused, file):
    others = [f"ENSG{number:011d}" for number in range(101, 141)]
    line = refused(file("a.h5ad", named(HUMAN)), file("b.h5ad", named(others)))
    assert "b.h5ad: no gene in common with the first file" in line
    assert line.endswith("are these the right files?")


def test_a_vocabulary_without_a_common_gene(refused, file, tmp_path):
    (tmp_path / "tokens.json").write_text(json.dumps({name: number for number, name in enumerate(MOUSE)}), encoding="utf-8")
    line = refused(file(change=named(HUMAN)), "--tokenizer", "rank", "--set", f"tokenizer.vocabulary={tmp_path / 'tokens.json'}")
    assert "no gene in common" in line
    assert "human Ensembl ids" in line
    assert "mouse Ensembl ids" in line


def test_a_run_to_go_on_from_without_a_common_gene(refused, pretrained, file):
    line = refused(file(change=named(HUMAN)), "--from", pretrained.folder, "--config", pretrained.folder / "config.yaml")
    assert "no gene in common with the model" in line


# --- L1000 ---


def write_gctx(path, values, ids=True):
    with h5py.File(path, "w") as gctx:
        gctx["0/DATA/0/matrix"] = values.astype(np.float32)
        for place, count in (("ROW", values.shape[1]), ("COL", values.shape[0])):
            gctx.create_group(f"0/META/{place}")
            if ids:
                gctx[f"0/META/{place}/id"] = [f"{place}{number}".encode() for number in range(count)]
    return path


def test_gctx_without_metadata(refused, tmp_path):
    path = write_gctx(tmp_path / "p.gctx", np.ones((4, 3)), ids=False)
    assert "p.gctx: there is no metadata: the ids of the features, /0/META/ROW/id, are missing — write it with its ids" in refused(
        path
    )


def test_profiles_with_missing_values_are_left_out_or_refused(refused, tmp_path, said):
    values = 8 + np.random.default_rng(1).normal(size=(40, 12))
    values[[3, 9], [2, 5]] = np.nan, -666
    path = write_gctx(tmp_path / "p.gctx", values)
    settings = {"training.epochs": 1, "model.width": 8, "training.logger": "none", "model.encoder.heads": 2}
    pretrain(
        path,
        settings=settings | {"tokenizer": {"kind": "continuous", "tokens": "all", "hvgs": 0}},
        output=tmp_path / "run",
        show=said,
    )
    assert "  2 samples have missing values and are left out." in said.lines
    assert len(pd.read_parquet(tmp_path / "run" / "split.parquet")) == 38
    assert refused(path, "--strict").endswith("— leave these samples out, or run without --strict")


# --- columns ---


def test_phenotypes_that_no_file_has(refused, file):
    assert refused(file(), "--phenotypes", "tissue") == (
        f"{file().name}:X: no file has the phenotype 'tissue' in obs — columns: cell_type, donor_id, interaction, score"
    )
    assert "no file has the phenotype 'cell_typ' in obs — did you mean 'cell_type'?" in refused(file(), "--phenotypes", "cell_typ")
    assert (
        "the objective 'phenotype' needs tokens with a phenotype channel, and there is none — choose other --phenotypes"
        in refused(file(), "--objective", "phenotype")
    )


def test_a_phenotype_map_of_other_columns(refused, file, tmp_path):
    path = tmp_path / "map.json"
    path.write_text(json.dumps({"tissue": ["blood", "skin"]}), encoding="utf-8")
    assert refused(file(), "--phenotype-map", path) == (
        f"{file().name}:X: no file has the phenotype 'tissue' in obs — columns: cell_type, donor_id, interaction, score"
    )
    assert refused(file(), "--phenotype-map", path, "--phenotypes", "cell_type") == (
        f"{path}: the phenotypes are cell_type, but the phenotype map has tissue — name the same columns, or leave --phenotypes out"
    )


def test_a_phenotype_without_values_or_named_twice(refused, file):
    def empty(adata):
        adata.obs["tissue"] = "unknown"

    assert "the phenotype column 'tissue' has no value in any train sample — leave it out" in refused(
        file(change=empty), "--phenotypes", "tissue"
    )
    assert "named twice" in refused(file(), "--phenotypes", "cell_type,cell_type")


def test_a_group_column_that_is_not_there(refused, file):
    assert "there is no column 'donor' in the sample table (obs) — did you mean 'donor_id'?" in refused(file(), "--group", "donor")


def test_too_few_samples_to_hold_any_out(refused, file):
    line = refused(file(change=lambda adata: adata[:2].copy()))
    assert "2 samples are too few to hold any out: the" in line


# --- what is hidden ---


def test_edges_of_bins_that_do_not_increase(refused, file):
    line = refused(file(), "--tokenizer", "binned", "--set", "tokenizer.edges=[2.0, 1.0]")
    assert line == "tokenizer.edges: bin edges must increase, not 2, 1 — sort them and leave out repeated ones"
    assert "bin edges must be above zero" in refused(file(), "--tokenizer", "binned", "--set", "tokenizer.edges=[0.0, 1.0]")


def test_values_where_there_are_none_to_hide(refused, file):
    line = refused(file(), "--tokenizer", "rank", "--objective", "masked_value")
    assert line.startswith("the objective 'masked_value' needs tokens with a value channel, and there is none — choose another")


def test_nothing_is_hidden(refused, file):
    line = refused(file(), *TINY_FLAGS, "--objective", "masked_feature", "--mask-probability", "0")
    assert "nothing is hidden" in line


def test_a_part_in_which_an_objective_has_nothing_to_ask_for(refused, file):
    def label_few(adata):
        adata.obs["tissue"] = [None] * 88 + ["skin", "blood"]

    line = refused(file(change=label_few), *TINY_FLAGS, "--phenotypes", "tissue", "--objective", "phenotype")
    assert "nothing is hidden: the objective 'phenotype' finds no token to ask for in the" in line


def test_samples_in_which_nothing_can_be_hidden_are_counted(cells, pretraining, said, tmp_path):
    values = cells.X.toarray()
    values[:7] = 0
    values[:7, 3] = 5
    others = anndata.AnnData(values[:, [3, *range(4, 40)]], obs=cells.obs, var=cells.var.iloc[[3, *range(4, 40)]])
    kept = {"tokenizer.edges": [20.0], "tokenizer.target_sum": 0.0, "tokenizer.log": False}
    run = pretraining(others, tmp_path / "run", {**kept, "objectives": [{"kind": "masked_feature"}]}, show=said)
    num_bare = int((~(others.X >= 20).any(axis=1)).sum())
    assert 7 <= num_bare < 80
    assert f"  {num_bare} samples have no token of a feature, so that none can be hidden in them." in said.lines
    assert np.isfinite(run.metrics["held_out_loss"])


# --- settings and folders ---


def test_unknown_words(refused, file):
    assert "'masked_genes' is not among its words — did you mean 'masked_" in refused(file(), "--objective", "masked_genes")
    assert "there is no preset of pretraining 'l1000_ranks' — did you mean 'l1000_rank'" in refused(
        file(), "--preset", "l1000_ranks"
    )
    assert "there is no preset of pretraining 'mlp'" in refused(file(), "--preset", "mlp")
    assert "unknown option 'model.widht' — did you mean 'width'" in refused(file(), "--set", "model.widht=8")
    assert "an objective is named twice" in refused(file(), "--objective", "phenotype,phenotype")


def test_a_folder_to_go_on_from_that_is_none(refused, file, run, tmp_path):
    assert "no finished pretraining run is in this folder (it has no phenotypes.json)" in refused(file(), "--from", run.folder)
    assert "nowhere: there is no such folder" in refused(file(), "--from", tmp_path / "nowhere")
    (tmp_path / "photos").mkdir()
    assert "photos: no finished pretraining run is in this folder" in refused(file(), "--from", tmp_path / "photos")


def test_an_earlier_run_with_other_settings(refused, file, pretrained):
    line = refused(file(), "--from", pretrained.folder, "--width", "16")
    assert "'model.width' is 16, but the pretrained network has 8 — leave it out" in line


def test_a_folder_that_is_there_is_kept(refused, file, pretrained):
    before = (pretrained.folder / "manifest.json").read_bytes()
    line = refused(file(), "-o", pretrained.folder)
    assert line.endswith("the output folder exists and is not empty — choose another one, or add --overwrite to replace it")
    assert (pretrained.folder / "manifest.json").read_bytes() == before
    assert read_json(pretrained.folder / "state.json")["status"] == "finished"


@pytest.mark.parametrize("store", ["memory", "disk"])
def test_a_run_is_replaced_only_by_one_that_can_be_trained(store, cells, file, pretrained, pretraining, tmp_path):
    folder = shutil.copytree(pretrained.folder, tmp_path / "run")
    before = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    two = file("two.h5ad", lambda adata: adata[:2].copy())
    same = file("same.h5ad", lambda adata: adata[:2].copy())
    settings = {"data.store": store, "training.epochs": 1}
    for data, named, message in (
        (two, {}, "2 samples are too few to hold any out"),
        (two, {"evaluate_on": same}, "all samples to pretrain on are in the files to report on too"),
        (file(), {"mask_probability": 0.0}, "nothing is hidden"),
    ):
        with pytest.raises(GenokenError, match=message):
            pretraining(data, folder, settings, overwrite=True, **named)
        assert {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
        assert not (folder / "cache").exists()
        assert not (folder / "replaced").exists()
    run = pretraining(cells, folder, settings, overwrite=True)
    assert read_json(folder / "manifest.json")["seed"] == run.model.config.training.seed
    assert not (folder / "replaced").exists()
    assert {path.name for path in folder.iterdir()} <= {path.split("/")[0] for path in before}


def test_empty_samples_are_left_out_or_refused(refused, file, said, tmp_path, pretraining):
    def empty_two(adata):
        values = adata.X.toarray()
        values[[3, 50]] = 0
        return anndata.AnnData(values, obs=adata.obs, var=adata.var)

    path = file(change=empty_two)
    run = pretraining(path, tmp_path / "run", show=said)
    assert "  2 samples have no values above zero and are left out." in said.lines
    assert sum(run.metrics["split"]["samples"].values()) == 88
    assert "2 samples have no values above zero — remove them" in refused(path, "--strict")
