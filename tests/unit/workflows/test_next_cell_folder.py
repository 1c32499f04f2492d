"""The layout of folders with next-cell data, read as it is: files of parts, neighbors, medians, vocabulary."""

from __future__ import annotations

import json

import anndata
import numpy as np
import pandas as pd
import pytest

from genoken.core.errors import DataError
from genoken.core.pretraining_settings import SuccessorSettings
from genoken.tokenizers.rank import RankTokenizer
from genoken.workflows.files import read_files
from genoken.workflows.next_cell_folder import is_next_cell_folder, read_next_cell_folder
from genoken.workflows.successor_files import read_successors

GENES = ["ENSG00000141510", "ENSG00000146648", "ENSG00000136997"]


def write_part(folder, cells, neighbors):
    folder.mkdir(parents=True)
    counts = np.arange(1, 3 * len(cells) + 1, dtype=np.float32).reshape(len(cells), 3)
    anndata.AnnData(counts, obs=pd.DataFrame(index=cells), var=pd.DataFrame(index=GENES)).write_h5ad(folder / "data.h5ad")
    (folder / "neighbors.json").write_text(json.dumps({"neighbors": neighbors}))


@pytest.fixture
def layout(tmp_path):
    write_part(tmp_path / "train", ["a", "b", "c"], {"a": ["c", "b"], "b": ["c"], "c": []})
    write_part(tmp_path / "test", ["a", "z"], {"z": ["a"]})
    vocabulary = {"vocab": {"[CLS]": 0, GENES[2]: 5, GENES[0]: 6}, "gene_to_ens": {"MYC": GENES[2]}}
    (tmp_path / "train" / "geneformer.vocab").write_text(json.dumps(vocabulary))
    (tmp_path / "train" / "medians.json").write_text(json.dumps({GENES[2]: 10.0, GENES[0]: 2.5}))
    return tmp_path


def test_the_layout_is_read_as_it_is(layout):
    assert is_next_cell_folder(layout)
    found = read_next_cell_folder(layout)
    assert found.data == {"train": layout / "train" / "data.h5ad", "test": layout / "test" / "data.h5ad"}
    assert found.key == "neighbors.json"
    samples = read_files(list(found.data.values()))
    successors = read_successors(samples, list(found.data.values()), SuccessorSettings(key=found.key)).successors
    names = [
        f"{place.split('/')[-2]}:{name.split(':')[-1]}"
        for place, name in zip(samples.table["file"], samples.table.index, strict=True)
    ]
    edges = [(names[start], names[end]) for start, end in zip(successors.starts, successors.graph.indices, strict=True)]
    assert edges == [("train:a", "train:c"), ("train:a", "train:b"), ("train:b", "train:c"), ("test:z", "test:a")]
    state = RankTokenizer(vocabulary=found.vocabulary, medians=found.medians).fit(samples.take(np.arange(3)))
    assert state.feature_ids == (GENES[2], GENES[0])
    assert state.per_feature["median"].tolist() == [10.0, 2.5]
    assert state.symbols == ("MYC", "")


def test_without_neighbors_the_graph_is_that_of_obsp(layout):
    for part in ("train", "test"):
        (layout / part / "neighbors.json").unlink()
    (layout / "train" / "medians.json").unlink()
    found = read_next_cell_folder(layout)
    assert (found.key, found.medians) == ("next_cell_ids", "")
    assert found.vocabulary == str(layout / "train" / "geneformer.vocab")


def test_what_is_missing_is_said(layout, tmp_path):
    assert not is_next_cell_folder(layout / "train")
    with pytest.raises(DataError, match="there is no folder 'train' in it"):
        read_next_cell_folder(layout / "train")
    with pytest.raises(DataError, match="the file does not exist"):
        read_next_cell_folder(tmp_path / "nowhere")
    (layout / "test" / "neighbors.json").unlink()
    with pytest.raises(DataError, match=r"there is no neighbors\.json in 'test', and there is one in 'train'"):
        read_next_cell_folder(layout)
    (layout / "test" / "data.h5ad").unlink()
    with pytest.raises(DataError, match="the file does not exist"):
        read_next_cell_folder(layout)
