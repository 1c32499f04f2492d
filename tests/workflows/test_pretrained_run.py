"""What can be done with a pretraining run: fill in phenotypes, embed, report; what cannot is refused with the way to go."""

from __future__ import annotations

import shutil

import anndata
import numpy as np
import pandas as pd
import pytest
import torch

import genoken
from genoken.cli.main import main
from genoken.core.errors import ConfigError, RunError
from genoken.core.layout import FIRST_CATEGORY, MASK_CATEGORY
from genoken.workflows.compare import compare
from genoken.workflows.embed import embed
from genoken.workflows.pretrained_run import PretrainedRun
from genoken.workflows.run import Run, load_run
from genoken.workflows.train import train

TYPES = ["type_0", "type_1", "type_2"]


@pytest.fixture(scope="module")
def loaded(pretrained) -> PretrainedRun:
    """The run as another process would open it."""
    found = genoken.load_run(pretrained.folder)
    assert isinstance(found, PretrainedRun)
    return found


@pytest.fixture(scope="module")
def unlabeled(cells) -> anndata.AnnData:
    """Cells of which two have no cell type, one has an unknown one, and none an interaction."""
    adata = cells[:12].copy()
    adata.obs["cell_type"] = ["", None, "a new type", *adata.obs["cell_type"].astype(str)[3:]]
    del adata.obs["interaction"]
    return adata


def test_runs_of_both_kinds_are_opened(run, pretrained):
    assert isinstance(genoken.load_run(run.folder), Run)
    assert repr(genoken.load_run(pretrained.folder)).startswith("PretrainedRun(")
    assert genoken.PretrainedRun is PretrainedRun


def test_missing_phenotypes_are_filled_in_and_given_ones_stay(loaded, unlabeled):
    found = loaded.predict(unlabeled)
    assert list(found) == [
        "cell_type", "cell_type_given", "cell_type_predicted", *(f"cell_type={name}" for name in TYPES),
        "interaction", "interaction_given", "interaction_predicted", "interaction=concordant", "interaction=discordant",
    ]  # fmt: skip
    assert found.index.tolist() == unlabeled.obs_names.tolist()
    assert found["cell_type_given"].tolist() == [False, False, *[True] * 10]
    assert not found["interaction_given"].any()
    probabilities = found[[f"cell_type={name}" for name in TYPES]].to_numpy()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    predicted = [TYPES[place] for place in probabilities.argmax(axis=1)]
    assert found["cell_type_predicted"].tolist() == predicted
    assert found["cell_type"].tolist() == [*predicted[:2], "a new type", *unlabeled.obs["cell_type"][3:]]


def test_probabilities_are_those_of_the_network_with_one_phenotype_hidden(loaded, unlabeled):
    found = loaded.predict(unlabeled)
    model, dataset = loaded.model, loaded.encoder.encode(unlabeled)
    batch = dataset.batch(np.arange(12))
    places = batch.offsets[:-1].long() + 1  # cell_type stands right behind CLS
    batch.channels["phenotype"][places] = MASK_CATEGORY
    with torch.inference_mode():
        logits = model.network.eval().at_places(batch, "phenotype", places)
    entries = [model.phenotypes.bounds[0] - FIRST_CATEGORY + code for code in range(3)]
    expected = logits[:, entries].softmax(dim=1).numpy()
    np.testing.assert_allclose(found[[f"cell_type={name}" for name in TYPES]], expected, atol=1e-6)


def test_a_given_value_does_not_show_in_its_own_probability(loaded, cells):
    plain, blank = cells[:20].copy(), cells[:20].copy()
    blank.obs["cell_type"] = "unknown"
    columns = [f"cell_type={name}" for name in TYPES]
    pd.testing.assert_frame_equal(loaded.predict(plain)[columns], loaded.predict(blank)[columns])


def test_states_are_those_of_the_network(loaded, cells):
    states = loaded.embed(cells)
    assert states.index.tolist() == cells.obs_names.tolist()
    with torch.inference_mode():
        expected = loaded.model.network.eval().pooled_states(loaded.encoder.encode(cells).batch(np.arange(90)))
    np.testing.assert_allclose(states, expected.numpy(), atol=1e-5)


def test_a_mean_over_tokens_is_another_state(cells, pretraining, tmp_path):
    run = pretraining(cells, tmp_path / "mean", {"model.pooling": "mean", "training.epochs": 1})
    with torch.inference_mode():
        batch = run.encoder.encode(cells).batch(np.arange(90))
        tokens = run.model.network.eval().token_states(batch)
    expected = [part.mean(dim=0).tolist() for part in tokens.split(batch.lengths)]
    np.testing.assert_allclose(run.embed(cells), expected, atol=1e-5)


def test_the_commands_write_what_the_functions_return(loaded, cells_file, cells, tmp_path, capsys):
    folder = str(loaded.folder)
    assert main(["predict", folder, str(cells_file), "-o", str(tmp_path / "t.tsv")]) == 0
    assert main(["predict", folder, str(cells_file), "-o", str(tmp_path / "p.h5ad")]) == 0
    assert main(["embed", folder, str(cells_file), "-o", str(tmp_path / "x.h5ad")]) == 0
    assert main(["embed", folder, str(cells_file), "-o", str(tmp_path / "x.csv")]) == 0
    assert main(["embed", folder, "--genes", "-o", str(tmp_path / "genes.tsv")]) == 0
    assert capsys.readouterr().err == ""
    expected, states = loaded.predict(cells), loaded.embed(cells)
    table = pd.read_csv(tmp_path / "t.tsv", sep="\t", index_col="sample_id")
    pd.testing.assert_frame_equal(table, expected, rtol=1e-5, check_dtype=False, check_names=False)
    in_file = anndata.read_h5ad(tmp_path / "p.h5ad")
    assert in_file.obs["genoken_cell_type_predicted"].astype(str).tolist() == expected["cell_type_predicted"].tolist()
    np.testing.assert_allclose(in_file.obsm["X_genoken"], states, atol=1e-5)
    embedded = anndata.read_h5ad(tmp_path / "x.h5ad")
    np.testing.assert_allclose(embedded.obsm["X_genoken"], states, atol=1e-5)
    assert list(embedded.obs) == list(cells.obs)
    np.testing.assert_allclose(pd.read_csv(tmp_path / "x.csv", index_col=0), states, atol=1e-5)
    assert pd.read_csv(tmp_path / "genes.tsv", sep="\t").shape == (40, 10)


def test_a_report_is_written_again(loaded, tmp_path, capsys):
    page = (loaded.folder / "report.html").read_bytes()
    shutil.copytree(loaded.folder, tmp_path / "run")
    (tmp_path / "run" / "report.html").unlink()
    assert main(["report", str(tmp_path / "run")]) == 0
    assert (tmp_path / "run" / "report.html").read_bytes() == page
    assert loaded.report() == loaded.folder / "report.html"


@pytest.mark.parametrize(
    "words",
    [("evaluate", "{run}", "{file}", "--label", "cell_type"), ("explain", "{run}"), ("compare", "{run}", "{run}"),
     ("explain", "{run}", "{file}"), ("embed", "{run}", "{file}", "--genes", "--contextual", "-o", "x.tsv")],
)  # fmt: skip
def test_what_needs_a_label_is_refused_with_the_way_to_go(words, pretrained, cells_file, capsys):
    code = main([word.format(run=pretrained.folder, file=cells_file) for word in words])
    assert code == 2
    assert capsys.readouterr().err == (
        f"genoken: error: {pretrained.folder}: this is a pretraining run, which predicts no label — genoken predict, embed and "
        f"report work on it; genoken train --from {pretrained.folder} makes a run with a label of it\n"
    )


def test_objects_of_pretraining_runs_are_refused_as_their_folders_are(pretrained, run, cells):
    with pytest.raises(RunError, match="predicts no label"):
        genoken.evaluate(pretrained, cells)
    with pytest.raises(RunError, match="predicts no label"):
        compare(run, pretrained.folder)


def test_without_phenotypes_there_is_nothing_to_fill_in(cells, pretraining, tmp_path):
    run = pretraining(cells, tmp_path / "run", {"training.epochs": 1})
    with pytest.raises(ConfigError, match="the run has no phenotypes to fill in — genoken embed exports its states"):
        run.predict(cells)
    assert embed(run, cells).shape == (90, 8)


def test_a_changed_file_is_noticed(pretrained, tmp_path):
    shutil.copytree(pretrained.folder, tmp_path / "run")
    (tmp_path / "run" / "phenotypes.json").write_text("{}", encoding="utf-8")
    with pytest.raises(RunError, match=r"phenotypes\.json: the file is not the one that the run wrote"):
        load_run(tmp_path / "run")


def test_an_unfinished_run_says_by_which_command_it_goes_on(pretrained, tmp_path):
    shutil.copytree(pretrained.folder, tmp_path / "run")
    (tmp_path / "run" / "manifest.json").unlink()
    with pytest.raises(RunError, match=f"the run is unfinished: genoken pretrain --resume {tmp_path / 'run'}"):
        load_run(tmp_path / "run")


def test_each_kind_of_run_is_resumed_by_its_own_command(pretrained, run):
    with pytest.raises(RunError, match="this is a pretraining run — go on with it by genoken pretrain --resume"):
        train(resume=pretrained.folder)
    with pytest.raises(RunError, match="this is a training run — go on with it by genoken train --resume"):
        genoken.pretrain(resume=run.folder)
