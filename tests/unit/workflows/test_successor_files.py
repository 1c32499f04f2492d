"""Successors from files: by name and by file, whatever was left out or joined; what is refused."""

from __future__ import annotations

import json

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from genoken.core.errors import DataError
from genoken.core.pretraining_settings import SuccessorSettings
from genoken.core.samples import Samples
from genoken.workflows.files import distinct_names, read_files
from genoken.workflows.inputs import without_empty
from genoken.workflows.successor_files import read_successors

GENES = ["TP53", "EGFR", "MYC", "KRAS"]


def adata_of(names, edges=(), key="next_cell_ids", empty=(), make=sp.csr_matrix, **columns):
    """Cells of counts; ``edges`` are (cell, cell, weight); those in ``empty`` express nothing."""
    counts = np.arange(1, 4 * len(names) + 1, dtype=np.float32).reshape(-1, 4)
    counts[[names.index(name) for name in empty]] = 0
    adata = anndata.AnnData(sp.csr_matrix(counts), obs=pd.DataFrame(columns, index=list(names)), var=pd.DataFrame(index=GENES))
    if edges:
        dense = np.zeros((len(names), len(names)))
        for start, end, weight in edges:
            dense[names.index(start), names.index(end)] = weight
        adata.obsp[key] = make(dense)
    return adata


def samples_of(paths) -> Samples:
    return without_empty(read_files(paths), strict=False)


def found_in(paths, key="next_cell_ids", time="", samples=None):
    samples = samples or samples_of(paths)
    found = read_successors(samples, paths, SuccessorSettings(key=key, time=time))
    cycles = [warning for warning in found.warnings if "come after themselves" in warning]
    assert len(cycles) == (found.successors.num_on_cycles() > 0)
    return samples, found.successors, (*found.notes, *(warning for warning in found.warnings if warning not in cycles))


def named_edges(samples, successors):
    """Edges by file, name in the file, and weight."""
    files = samples.table["file"] if "file" in samples.table else [""] * samples.num_samples
    names = [f"{file}/{name.split(':')[-1]}" for file, name in zip(files, samples.table.index, strict=True)]
    triples = zip(successors.starts, successors.graph.indices, successors.graph.data, strict=True)
    return {(names[start], names[end], float(weight)) for start, end, weight in triples}


FIRST = [("a", "c", 2.0), ("b", "e", 1.0), ("c", "d", 0.5), ("e", "a", 4.0), ("d", "b", 1.0)]
LAST = [("c", "a", 3.0), ("z", "c", 1.0), ("a", "z", 7.0)]


@pytest.fixture
def three(tmp_path):
    """Five cells of which one is empty, two without a graph, three with names that the first file has too."""
    adata_of(["a", "b", "c", "d", "e"], FIRST, empty=["d"]).write_h5ad(tmp_path / "first.h5ad")
    adata_of(["a", "q"]).write_h5ad(tmp_path / "middle.h5ad")
    adata_of(["c", "z", "a"], LAST).write_zarr(tmp_path / "last.zarr")
    return [tmp_path / "first.h5ad", tmp_path / "middle.h5ad", tmp_path / "last.zarr"]


def test_every_successor_of_joined_files_is_the_cell_that_its_file_named(three):
    samples, successors, notes = found_in(three)
    assert samples.num_samples == 9
    assert samples.table.index.tolist()[:2] == ["first.h5ad:a", "first.h5ad:b"]
    expected = {(f"first.h5ad/{start}", f"first.h5ad/{end}", weight) for start, end, weight in FIRST if "d" not in (start, end)}
    expected |= {(f"last.zarr/{start}", f"last.zarr/{end}", weight) for start, end, weight in LAST}
    assert named_edges(samples, successors) == expected
    assert notes == ("middle.h5ad: there is no obsp['next_cell_ids'], so its cells have no successors",)


@pytest.mark.parametrize("order", [[2, 0, 1], [1, 2, 0], [0, 2]])
def test_the_order_of_files_changes_no_name(three, order):
    samples, successors, _ = found_in([three[place] for place in order])
    whole = found_in(three)
    assert named_edges(samples, successors) == named_edges(*whole[:2])


def test_samples_in_any_order_keep_their_successors(three):
    samples = samples_of(three)
    rows = np.random.default_rng(0).permutation(samples.num_samples)[:7]
    taken = samples.take(rows)
    _, successors, _ = found_in(three, samples=taken)
    names = set(zip(taken.table["file"], [name.split(":")[-1] for name in taken.table.index], strict=True))
    whole = named_edges(*found_in(three)[:2])
    expected = {edge for edge in whole if all(tuple(end.split("/")) in names for end in edge[:2])}
    assert named_edges(taken, successors) == expected
    assert len(expected) >= 2


def test_files_of_one_name_are_told_apart(tmp_path):
    paths = []
    for folder, edges in (("x", [("a", "b", 1.0)]), ("y", [("b", "a", 1.0)])):
        (tmp_path / folder).mkdir()
        paths.append(tmp_path / folder / "data.h5ad")
        adata_of(["a", "b"], edges).write_h5ad(paths[-1])
    samples, successors, _ = found_in(paths)
    names = distinct_names(paths)
    assert named_edges(samples, successors) == {(f"{names[0]}/a", f"{names[0]}/b", 1.0), (f"{names[1]}/b", f"{names[1]}/a", 1.0)}


@pytest.mark.parametrize("make", [sp.csr_matrix, sp.csc_matrix, np.asarray])
@pytest.mark.parametrize("kind", ["h5ad", "zarr", "memory"])
def test_one_file_or_object(tmp_path, kind, make):
    adata = adata_of(["a", "b", "c"], [("a", "c", 2.0), ("c", "b", 1.0)], key="mine", make=make)
    path = tmp_path / f"cells.{kind}"
    if kind != "memory":
        getattr(adata, f"write_{kind}")(path)
    samples = Samples(adata.X, adata.obs, adata.var, "counts", "cells") if kind == "memory" else samples_of([path])
    found = read_successors(samples, adata if kind == "memory" else [path], SuccessorSettings(key="mine"))
    assert named_edges(samples, found.successors) == {("/a", "/c", 2.0), ("/c", "/b", 1.0)}
    assert found.notes == ()


def test_nothing_but_the_graph_is_read(tmp_path):
    adata = adata_of(["a", "b"], [("a", "b", 1.0)])
    adata.write_h5ad(tmp_path / "cells.h5ad")
    samples = samples_of([tmp_path / "cells.h5ad"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("anndata.io.read_h5ad", lambda *arguments: pytest.fail("the whole file is read"))
        assert found_in([tmp_path / "cells.h5ad"], samples=samples)[1].num_edges == 1


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ((), "cells.h5ad: there is no obsp['next_cell_ids'] — obsp is empty; make a graph with: genoken successors"),
        (
            ("connectivities", "distances"),
            "there is no obsp['next_cell_ids'] — there are: connectivities, distances (--successors)",
        ),
        (("next_cell_id",), "there is no obsp['next_cell_ids'] — did you mean 'next_cell_id'? (--successors)"),
    ],
)
def test_a_missing_key_lists_those_that_are_there(tmp_path, keys, words):
    adata = adata_of(["a", "b"])
    for key in keys:
        adata.obsp[key] = sp.eye(2).tocsr()
    adata.write_h5ad(tmp_path / "cells.h5ad")
    with pytest.raises(DataError) as refused:
        found_in([tmp_path / "cells.h5ad"])
    assert words in str(refused.value)


def test_a_graph_without_edges_is_refused(tmp_path):
    adata_of(["a", "b", "c"], [("a", "c", 0.0)]).write_h5ad(tmp_path / "cells.h5ad")
    with pytest.raises(DataError, match="none of the 3 cells has a successor — make a graph with: genoken successors"):
        found_in([tmp_path / "cells.h5ad"])


@pytest.mark.parametrize(
    ("weight", "words"), [(-1.0, "1 weight of the graph is negative"), (np.nan, "1 weight of the graph is not finite")]
)
def test_bad_weights_name_file_and_key(tmp_path, weight, words):
    adata_of(["a", "b"], [("a", "b", weight)]).write_h5ad(tmp_path / "cells.h5ad")
    with pytest.raises(DataError) as refused:
        found_in([tmp_path / "cells.h5ad"])
    assert str(refused.value).startswith(f"cells.h5ad:obsp['next_cell_ids']: {words}")


@pytest.mark.parametrize(
    ("place", "value", "words"), [("indices", 7, "7 is none of 2 cells"), ("shape", [3, 3], "the graph has the shape 3 x 3")]
)
def test_graphs_of_other_cells_are_refused(tmp_path, place, value, words):
    import h5py

    adata_of(["a", "b"], [("a", "b", 1.0)]).write_h5ad(tmp_path / "cells.h5ad")
    with h5py.File(tmp_path / "cells.h5ad", "r+") as file:
        group = file["obsp/next_cell_ids"]
        if place == "shape":
            group.attrs["shape"] = value
            del group["indptr"]
            group["indptr"] = np.array([0, 1, 1, 1])
        else:
            group["indices"][0] = value
    samples = samples_of_broken(tmp_path / "cells.h5ad")
    with pytest.raises(DataError) as refused:
        found_in([tmp_path / "cells.h5ad"], samples=samples)
    assert words in str(refused.value)


def samples_of_broken(path):
    return Samples(
        sp.csr_matrix(np.ones((2, 4), np.float32)), pd.DataFrame(index=["a", "b"]), pd.DataFrame(index=GENES), "counts", path.name
    )


def write_json(path, neighbors):
    path.write_text(json.dumps({"neighbors": neighbors}))
    return str(path)


def test_names_in_json(tmp_path):
    path = tmp_path / "cells.h5ad"
    adata_of(["a", "b", "c", "d"], empty=["d"]).write_h5ad(path)
    key = write_json(tmp_path / "who.json", {"c": ["b", "a"], "a": ["d", "c"], "b": []})
    samples, successors, notes = found_in([path], key=key)
    assert successors.starts.tolist() == [0, 2, 2], "cells that were left out of the samples are known to the file"
    assert successors.graph.indices.tolist() == [2, 1, 0], "in the order in which they are listed"
    assert successors.graph.data.tolist() == [1, 1, 1]
    assert notes == ()
    twice = write_json(tmp_path / "twice.json", {"c": ["b", "b"]})
    assert named_edges(samples, found_in([path], key=twice)[1]) == {("/c", "/b", 2.0)}


def test_json_for_several_files(tmp_path, monkeypatch):
    paths = []
    for folder, names in (("x", ["a", "b"]), ("y", ["c", "d"]), ("z", ["e", "f"])):
        (tmp_path / folder).mkdir()
        paths.append(tmp_path / folder / f"{folder}.h5ad")
        adata_of(names).write_h5ad(paths[-1])
    write_json(tmp_path / "x" / "neighbors.json", {"a": ["b"]})
    write_json(tmp_path / "y" / "neighbors.json", {"d": ["c"]})
    samples, successors, notes = found_in(paths, key="neighbors.json")
    assert named_edges(samples, successors) == {("x.h5ad/a", "x.h5ad/b", 1.0), ("y.h5ad/d", "y.h5ad/c", 1.0)}
    assert notes == ("z.h5ad: there is no neighbors.json beside it, so its cells have no successors",)
    shared = write_json(tmp_path / "all.json", {"a": ["f"], "e": ["d", "b"]})
    expected = {("x.h5ad/a", "z.h5ad/f", 1.0), ("z.h5ad/e", "y.h5ad/d", 1.0), ("z.h5ad/e", "x.h5ad/b", 1.0)}
    assert named_edges(samples, found_in(paths, key=shared)[1]) == expected
    monkeypatch.chdir(tmp_path)
    assert named_edges(samples, found_in(paths, key="all.json")[1]) == expected
    with pytest.raises(DataError, match="the file does not exist"):
        found_in(paths, key="none.json")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            {"neighbors": {"a": ["x", "y"], "w": ["a", "b", "x"]}},
            "3 of the 5 cells that it names are not in the data, for example 'w'",
        ),
        ({"a": ["b"]}, "this does not say who follows whom"),
        ({"neighbors": {"a": "b"}}, "this does not say who follows whom"),
        ({"neighbors": {"a": [1]}}, "this does not say who follows whom"),
        ([], "this does not say who follows whom"),
        ({"neighbors": {"a": []}}, "none of the 2 cells has a successor"),
        ("{", "the file cannot be read as JSON"),
    ],
)
def test_json_that_is_refused(tmp_path, content, words):
    adata_of(["a", "b"]).write_h5ad(tmp_path / "cells.h5ad")
    (tmp_path / "who.json").write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(DataError) as refused:
        found_in([tmp_path / "cells.h5ad"], key=str(tmp_path / "who.json"))
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_name_that_several_files_have_is_ambiguous(three, tmp_path):
    key = write_json(tmp_path / "who.json", {"b": ["q"]})
    with pytest.raises(DataError, match="2 names are those of cells in several files, for example 'a'"):
        found_in(three, key=key)


def write_scdl(folder, indptr, indices, values):
    folder.mkdir()
    np.array(indptr, dtype=np.uint64).tofile(folder / "neighbor_indptr.npy")
    np.array(indices, dtype=np.uint32).tofile(folder / "neighbor_indices.npy")
    np.array(values, dtype=np.float32).tofile(folder / "neighbor_values.npy")
    return str(folder)


def test_neighbors_of_an_scdl_folder(three, tmp_path):
    key = write_scdl(tmp_path / "scdl", [0, 2, 2, 3, 4, 4], [3, 1, 4, 2], [0.5, 2, 1, 3])
    samples, successors, notes = found_in(three[:1], key=key)
    assert named_edges(samples, successors) == {("/a", "/b", 2.0), ("/c", "/e", 1.0)}, "the fourth cell was left out"
    assert notes == (f"{key}: its rows are taken for those of first.h5ad, in order",)
    with pytest.raises(DataError, match="an SCDL folder holds cells without names, and 3 data files are given"):
        found_in(three, key=key)
    with pytest.raises(DataError, match="the graph has the shape 5 x 5, and there are 2 cells"):
        found_in(three[1:2], key=key)


def timed(tmp_path, **columns):
    edges = [("a", "b", 1.0), ("b", "c", 1.0), ("c", "a", 1.0), ("c", "b", 1.0)]
    adata_of(["a", "b", "c"], edges, **columns).write_h5ad(tmp_path / "cells.h5ad")
    return [tmp_path / "cells.h5ad"]


def test_cycles_are_warned_about(tmp_path):
    path = tmp_path / "cells.h5ad"
    adata_of(["a", "b", "c", "d"]).write_h5ad(path)
    key = write_json(tmp_path / "who.json", {"a": ["b"], "b": ["a"], "c": ["d"], "d": []})
    found = read_successors(samples_of([path]), [path], SuccessorSettings(key=key))
    assert found.warnings == ("2 of 4 cells come after themselves, so that time goes backward somewhere on the way",)


def test_edges_backward_in_time_are_counted(tmp_path):
    _, successors, notes = found_in(timed(tmp_path, day=[1, 2, 3]), time="day")
    assert successors.num_edges == 4
    assert notes == ("2 of 4 edges (50.0%) go backward in 'day'",)
    with pytest.raises(DataError, match="'day' has a single time point, so nothing comes later in it"):
        found_in(timed(tmp_path, day=[1, 1, 1]), time="day")
    with pytest.raises(DataError, match="'days'"):
        found_in(timed(tmp_path, day=[1, 2, 3]), time="days")
