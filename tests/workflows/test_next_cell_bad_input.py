"""Bad input of ``genoken pretrain`` with successors: one line that says what and how to mend it, exit code 2, no folder left."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from genoken.cli.main import main
from genoken.synthetic import planted_trajectory

TINY = ("--set", "model.width=8", "--set", "model.encoder.layers=1", "--set", "model.encoder.heads=2", "--set", "training.epochs=1",
        "--set", "model.encoder.feed_forward=8", "--set", "training.logger=none", "--set", "successors.controls=[]")  # fmt: skip
RANKS, VALUES = ("--preset", "next_cell_small"), ("--preset", "next_value_small", "--set", "tokenizer.hvgs=0")


@pytest.fixture
def refused(tmp_path, capsys):
    """Return a function that runs ``genoken pretrain`` on changed cells, checks how it is refused, and returns the line."""

    def refuse(*words, change=lambda adata: None):
        adata = planted_trajectory(samples=60, features=40, steps=4, donors=3)
        change(adata)
        adata.write_h5ad(tmp_path / "cells.h5ad")
        code = main(["pretrain", str(tmp_path / "cells.h5ad"), *TINY, *words, "-o", str(tmp_path / "out")])
        written = capsys.readouterr().err
        assert code == 2, written
        assert written.startswith("genoken: error: ")
        assert written.count("\n") == 1
        assert not (tmp_path / "out").exists()
        return written.removeprefix("genoken: error: ").strip()

    return refuse


def with_graph(graph):
    def change(adata):
        adata.obsp["next_cell_ids"] = graph(adata)

    return change


def test_a_key_that_is_not_there(refused):
    def rename(adata):
        adata.obsp["temporal_neighbors"] = adata.obsp["knn_neighbors"] = adata.obsp.pop("next_cell_ids")

    line = refused(*RANKS, change=rename)
    assert "there is no obsp['next_cell_ids']" in line
    assert line.endswith("— there are: knn_neighbors, temporal_neighbors (--successors)")


def test_no_graph_at_all(refused):
    line = refused(*RANKS, change=lambda adata: adata.obsp.pop("next_cell_ids"))
    assert "there is no obsp['next_cell_ids'] — obsp is empty; " in line
    assert "genoken successors" in line


def test_negative_weights(refused):
    def negative(adata):
        graph = adata.obsp["next_cell_ids"].copy()
        graph.data[[0, 1]] = -0.5
        return graph

    assert "2 weights of the graph are negative, for example -0.5 — weights are above zero" in refused(
        *RANKS, change=with_graph(negative)
    )


def test_a_graph_of_the_wrong_shape(refused, tmp_path):
    """AnnData writes none, so that the file has to be changed."""
    import h5py

    from genoken.workflows import pretrain as module

    plain = module.read_pretraining

    def shrink(data, paths, settings):
        with h5py.File(tmp_path / "cells.h5ad", "r+") as file:
            file["obsp/next_cell_ids"].attrs["shape"] = (60, 59)
        return plain(data, paths, settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "read_pretraining", shrink)
        line = refused(*RANKS)
    assert "this AnnData file cannot be read" in line
    assert "(60, 59)" in line


def test_no_cell_has_a_successor(refused):
    line = refused(*RANKS, change=with_graph(lambda adata: sp.csr_matrix((60, 60), dtype=np.float32)))
    assert "none of the 60 cells has a successor — make a graph with: genoken successors" in line


def test_no_cell_has_a_successor_within_its_part(refused):
    def across(adata):
        donors = adata.obs["donor_id"].astype(str).to_numpy()
        return sp.csr_matrix((donors[:, None] != donors[None, :]).astype(np.float32))

    line = refused(*RANKS, "--group", "donor_id", change=with_graph(across))
    assert "none of the 60 cells has a successor" in line


def test_a_part_in_which_no_cell_has_a_successor(refused):
    def of_one_donor(adata):
        graph = adata.obsp["next_cell_ids"].tolil()
        graph[(adata.obs["donor_id"] != "donor_00").to_numpy()] = 0
        return graph.tocsr()

    line = refused(*RANKS, "--group", "donor_id", change=with_graph(of_one_donor))
    assert " part has a successor in the same part — hold out whole groups within which cells follow each other" in line


@pytest.mark.parametrize("name", ["time", "types"])
def test_a_column_that_is_not_there(name, refused):
    assert "'psuedotime'" in refused(*RANKS, "--set", f"successors.{name}=psuedotime")


def test_one_time_point_only(refused):
    def still(adata):
        adata.obs["time"] = 7

    assert "'time' has a single time point, so nothing comes later in it" in refused(
        *RANKS, "--set", "successors.time=time", change=still
    )


def test_times_without_an_order(refused):
    assert "the order of the values of 'lineage' cannot be told" in refused(
        *RANKS, "--set", "successors.time=lineage", change=lambda adata: adata.obs.__setitem__("lineage", ["a", "b"] * 30)
    )


def test_cells_without_a_successor_where_none_may_lack_one(refused):
    line = refused(*RANKS, "--set", "successors.without=refuse")
    assert "of 60 cells have no successor — leave them out with successors.without: skip" in line


def test_phenotypes_beside_successors(refused):
    line = refused(*RANKS, "--phenotypes", "cell_type")
    assert line.endswith("phenotypes cannot stand beside successors: those of the next cell would tell it apart — "
                         "leave out --phenotypes, or successors.key")  # fmt: skip


@pytest.mark.parametrize(("preset", "kind"), [(RANKS, "next_value"), (VALUES, "next_cell_")])
def test_objectives_that_do_not_fit(preset, kind, refused):
    line = refused(*preset, "--set", f"objectives=[{kind}]")
    assert kind in line


def test_genes_that_their_positions_tell(refused):
    line = refused(*RANKS, "--set", "tokenizer={kind: binned}")
    assert "these tokens stand in the order of genes, which positions tell (model.embedding.position: learned)" in line
    assert line.endswith("or ask for values (--objective next_value), or use model.embedding.position: none")


@pytest.mark.parametrize(("tokenizer", "kind"), [("rank", "next_cell"), ("binned", "next_value")])
def test_next_cells_without_successors(tokenizer, kind, refused):
    line = refused("--set", f"tokenizer.kind={tokenizer}", "--set", f"objectives=[{kind}]")
    assert f"'{kind}' needs tokens with a segment channel" in line


def test_too_little_room(refused):
    assert "'tokenizer.max_tokens' is 3, and a cell with its successor takes 4 tokens here" in refused(
        *RANKS, "--set", "tokenizer.max_tokens=3"
    )
    assert "leaves no room for all features of the next cell" in refused(*VALUES, "--set", "tokenizer.max_tokens=50")
