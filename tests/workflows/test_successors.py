"""Making successors: a planted trajectory, from the command line and from Python, read back by name; every refusal."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest

import genoken
from genoken.cli.main import main
from genoken.core.errors import GenokenError
from genoken.core.pretraining_settings import SuccessorSettings
from genoken.core.random import generator
from genoken.workflows.source import read_source
from genoken.workflows.successor_files import read_successors

NUM_STEPS, PER_STEP, NUM_GENES = 5, 24, 60


@pytest.fixture(scope="module")
def trajectory() -> anndata.AnnData:
    """Counts of cells of two lineages at five times: each of 10 genes per step and lineage is on at its step."""
    rng = generator(0, "trajectory")
    steps = np.tile(np.arange(NUM_STEPS), PER_STEP)
    lineages = np.repeat([0, 1], len(steps) // 2)
    rates = np.full((len(steps), NUM_GENES), 1.0)
    for cell, (step, lineage) in enumerate(zip(steps, lineages, strict=True)):
        first = 30 * lineage + 5 * step
        rates[cell, first : first + 10] = 80
    order = rng.permutation(len(steps))
    counts = rng.poisson(rates[order]).astype(np.float32)
    obs = pd.DataFrame(
        {
            "day": [f"E{8 + step / 2:g}" for step in steps[order]],
            "lineage": [f"L{lineage}" for lineage in lineages[order]],
            "pseudotime": steps[order] + rng.uniform(0, 0.5, len(steps)),
            "one": 1,
            "word": rng.choice(["x", "y"], len(steps)),
        },
        index=[f"cell{cell}" for cell in range(len(steps))],
    )
    found = anndata.AnnData(counts, obs=obs, var=pd.DataFrame(index=[f"GENE{gene}A" for gene in range(NUM_GENES)]))
    found.obsm["X_line"] = np.stack([steps[order], 100.0 * lineages[order]], axis=1).astype(np.float32)
    return found


def step_of(adata):
    return adata.obs["day"].str[1:].astype(float).to_numpy()


def test_from_the_command_line_to_the_edges_by_name(trajectory, tmp_path, capsys):
    path, output = tmp_path / "cells.h5ad", tmp_path / "out.h5ad"
    trajectory.write_h5ad(path)
    before = path.read_bytes()
    words = ["successors", path, "--by", "time", "--column", "day", "--neighbors", 4, "-o", output]
    assert main([str(word) for word in words]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "cells.h5ad: 96 of 120 cells have successors, 24 have none; 384 edges.",
        "The median step in 'day' is 0.5.",
        f"Wrote obsp['next_cell_ids'] to {output}.",
    ]
    assert path.read_bytes() == before, "the input is left as it is"
    samples = read_source(output, "auto").samples
    found = read_successors(samples, [output], SuccessorSettings(key="next_cell_ids", time="day"))
    assert found.notes == ()
    table = trajectory.obs.loc[samples.table.index]
    lineage, steps = table["lineage"].to_numpy(), found.successors.steps(table["day"].str[1:].astype(float).to_numpy())
    assert (steps == 0.5).all()
    same = lineage[found.successors.starts] == lineage[found.successors.graph.indices]
    assert same.mean() == 1.0, "genes tell the lineages apart, and so do their principal components"
    written = anndata.read_h5ad(output)
    assert written.uns["next_cell_ids"]["made_by"] == f"genoken {genoken.__version__}"
    assert {name: written.uns["next_cell_ids"][name] for name in ("by", "column", "within", "neighbors")} == {
        "by": "time",
        "column": "day",
        "within": "",
        "neighbors": 4,
    }
    assert written.uns["next_cell_ids"]["representation"] == "50 principal components of log-normalized values of 60 features"
    np.testing.assert_array_equal(written.X, trajectory.X)


def test_by_pseudotime_within_lineages_of_an_object_in_memory(trajectory):
    adata = trajectory.copy()
    summary = genoken.successors(adata, by="pseudotime", column="pseudotime", within="lineage", neighbors=6, key="mine")
    graph = adata.obsp["mine"].tocoo()
    times, lineage = adata.obs["pseudotime"].to_numpy(), adata.obs["lineage"].to_numpy()
    assert (times[graph.col] > times[graph.row]).all()
    assert (lineage[graph.col] == lineage[graph.row]).all()
    assert (summary.edges, summary.key, summary.cells, summary.notes) == (graph.nnz, "mine", 120, ())
    assert summary.with_successors == (np.diff(adata.obsp["mine"].indptr) > 0).sum() > 100
    assert summary.median_step == pytest.approx(np.median(times[graph.col] - times[graph.row]))
    assert graph.dtype == np.float32


def test_by_similarity_in_a_named_space(trajectory):
    adata = trajectory.copy()
    summary = genoken.successors(adata, by="knn", neighbors=11, representation="X_line")
    assert summary.median_step is None
    assert (np.diff(adata.obsp["next_cell_ids"].indptr) == 11).all()
    graph = adata.obsp["next_cell_ids"].tocoo()
    assert (adata.obsm["X_line"][graph.row] == adata.obsm["X_line"][graph.col]).all(), "the twelve cells of one place"
    assert adata.uns["next_cell_ids"]["representation"] == "obsm['X_line']"


def test_cells_without_a_time_or_a_group_are_counted(trajectory):
    adata = trajectory.copy()
    adata.obs.loc[adata.obs_names[:3], "day"] = None
    adata.obs.loc[adata.obs_names[2:4], "lineage"] = None
    summary = genoken.successors(adata, by="time", column="day", within="lineage")
    assert summary.notes == (
        "3 cells have no value in 'day', so they have no successors and are none",
        "2 cells have no value in 'lineage', so they have no successors and are none",
    )
    graph = adata.obsp["next_cell_ids"].tocoo()
    assert min(*graph.row, *graph.col) >= 4


def test_nothing_is_replaced_unless_asked(trajectory, tmp_path):
    adata, output = trajectory.copy(), tmp_path / "out.h5ad"
    options = {"by": "knn", "representation": "X_line"}
    genoken.successors(adata, **options, output=output)
    first = output.read_bytes()
    with pytest.raises(GenokenError, match="the file exists — choose another one, or add --overwrite"):
        genoken.successors(output, **options, output=output)
    with pytest.raises(GenokenError, match=r"there is an obsp\['next_cell_ids'\] already"):
        genoken.successors(adata, **options)
    assert output.read_bytes() == first
    genoken.successors(output, **options, neighbors=2, output=output, overwrite=True)
    assert np.diff(anndata.read_h5ad(output).obsp["next_cell_ids"].indptr).tolist() == [2] * 120


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"by": "tim", "column": "day"}, "successors are made by time, pseudotime, knn, not by 'tim' — did you mean 'time'"),
        ({"by": "time"}, "successors by time need a column of obs that holds it — add --column COLUMN"),
        ({"by": "knn", "column": "day"}, "successors by knn know no time, so 'day' is not used"),
        ({"by": "knn", "neighbors": 0}, "a cell needs at least one neighbor, not 0"),
        ({"by": "knn", "output": "x.csv"}, "'.csv' says no format that this can be written in — use .h5ad"),
        ({"by": "time", "column": "days"}, "'days'"),
        ({"by": "time", "column": "one"}, "'one' has a single time point, so nothing comes later in it"),
        ({"by": "time", "column": "word"}, "the order of the values of 'word' cannot be told: 'x' holds no number"),
        ({"by": "time", "column": "day", "within": "day"}, "no cell has a successor within a value of 'day'"),
        ({"by": "knn", "representation": "X_lin"}, "there is no obsm['X_lin'] — did you mean 'X_line'?"),
        ({"by": "knn", "representation": "X_bad"}, "obsm['X_bad'] holds something else than finite numbers in rows"),
        ({"by": "knn", "source": "raw"}, "no matrix 'raw'"),
    ],
)
def test_what_is_refused_is_said_in_one_line(trajectory, options, words):
    adata = trajectory.copy()
    adata.obsm["X_bad"] = np.full((120, 2), np.nan)
    with pytest.raises(GenokenError) as refused:
        genoken.successors(adata, **options)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not adata.obsp


def test_bad_input_ends_with_2(trajectory, tmp_path, capsys):
    path = tmp_path / "cells.h5ad"
    trajectory.write_h5ad(path)
    assert main(["successors", str(path), "--by", "time", "--column", "one", "-o", str(tmp_path / "o.h5ad")]) == 2
    assert capsys.readouterr().err == (
        "genoken: error: cells.h5ad: 'one' has a single time point, so nothing comes later in it — choose another column\n"
    )
    assert not (tmp_path / "o.h5ad").exists()
    with pytest.raises(GenokenError, match=r"no file to write is named — add -o FILE\.h5ad"):
        genoken.successors(path, by="knn")
