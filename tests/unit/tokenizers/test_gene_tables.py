"""Token dictionaries, medians and bin edges from files, and files that are refused in one line."""

from __future__ import annotations

import json
import pickle
import shlex
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from genoken.core.errors import ConfigError, DataError
from genoken.tokenizers import _gene_tables

TSV = "ensembl_id\ttoken_id\tnonzero_median_30M\tsymbol\n<pad>\t0\t\t\nE2\t3\t1.5\tB\nE1\t2\t0.25\t\nE3\t4\t2\tC\n"


def written(folder, name, content):
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def test_a_table_gives_vocabulary_and_medians(tmp_path):
    path = written(tmp_path, "genes.tsv", TSV)
    vocabulary, medians = _gene_tables.read_vocabulary(path), _gene_tables.read_medians(path)
    assert (vocabulary.ids, vocabulary.symbols) == (("E1", "E2", "E3"), ("", "B", "C"))
    assert (medians.ids, medians.values) == (("E2", "E1", "E3"), (1.5, 0.25, 2.0))
    pd.read_csv(path, sep="\t").to_csv(tmp_path / "genes.tsv.gz", sep="\t", index=False)
    assert _gene_tables.read_vocabulary(str(tmp_path / "genes.tsv.gz")) == vocabulary


def test_dictionaries_come_from_json(tmp_path):
    tokens = written(tmp_path, "tokens.json", {"<pad>": 0, "<mask>": 1, "[CLS]": 9, "E2": 5, "E1": 4})
    assert _gene_tables.read_vocabulary(tokens) == _gene_tables.GeneTable(("E1", "E2"), (4.0, 5.0))
    medians = written(tmp_path, "medians.json", {"E2": 5, "E1": 0.5})
    assert _gene_tables.read_medians(medians) == _gene_tables.GeneTable(("E2", "E1"), (5.0, 0.5))


def test_a_geneformer_vocabulary_is_read_as_it_is(tmp_path):
    content = {"vocab": {"[CLS]": 0, "[MASK]": 1, "E2": 6, "E1": 5, "E3": 7}, "gene_to_ens": {"A": "E1", "B": "E2", "OLD_B": "E2"}}
    path = written(tmp_path, "geneformer.vocab", content)
    assert _gene_tables.read_vocabulary(path) == _gene_tables.GeneTable(("E1", "E2", "E3"), (5.0, 6.0, 7.0), ("A", "B", ""))
    only = written(tmp_path, "only.vocab", {"vocab": {"E2": 6}})
    assert _gene_tables.read_vocabulary(only) == _gene_tables.GeneTable(("E2",), (6.0,))


def test_edges_come_from_json_tables_and_parquet(tmp_path):
    expected = {"E1": (0.1, 2.0), "E2": (1.0,)}
    assert _gene_tables.read_edges(written(tmp_path, "edges.json", {"E1": [0.1, 2], "E2": [1.0]})) == expected
    path = written(tmp_path, "edges.tsv", "gene\tlow\thigh\nE1\t0.1\t2\nE2\t1\t\n")
    assert _gene_tables.read_edges(path) == expected
    pd.read_csv(path, sep="\t").to_parquet(tmp_path / "edges.parquet")
    assert _gene_tables.read_edges(str(tmp_path / "edges.parquet")) == expected


class Runs:
    """Would run code when it is unpickled."""

    def __reduce__(self):
        return print, ("it ran",)


def converted(path):
    """Run the command that the refusal of a pickle names."""
    with pytest.raises(DataError) as caught:
        _gene_tables.read_medians(str(path))
    assert str(caught.value).startswith(f"{path}: a pickle can run code")
    assert "\n" not in str(caught.value)
    command = shlex.split(caught.value.remedy.partition("nothing: ")[2])
    return subprocess.run([sys.executable, *command[1:]], capture_output=True, text=True, timeout=60, check=False)


def test_a_pickle_is_refused_with_a_command_that_converts_it(tmp_path):
    path = tmp_path / "medians.pkl"
    path.write_bytes(pickle.dumps({"E1": 2.5, "E2": np.float64(1.25)}))
    done = converted(path)
    assert done.returncode == 0, done.stderr
    assert _gene_tables.read_medians(str(tmp_path / "medians.json")) == _gene_tables.GeneTable(("E1", "E2"), (2.5, 1.25))


def test_the_command_runs_nothing_that_a_pickle_holds(tmp_path):
    path = tmp_path / "medians.pickle"
    path.write_bytes(pickle.dumps({"E1": Runs()}))
    done = converted(path)
    assert done.returncode == 1
    assert done.stderr.strip() == "refused: print"
    assert "it ran" not in done.stdout


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.json", {"E1": -1.0}, "1 medians are not above zero and finite, the first that of E1 \\(-1\\)"),
        ("m.json", {"E1": "2"}, "the value of E1 is not a number"),
        ("m.json", {"E1": True}, "the value of E1 is not a number"),
        ("m.json", {"<pad>": 1}, "names no gene"),
        ("m.json", [1, 2], "the JSON is no object"),
        ("m.json", "{", "cannot read the file"),
        ("m.csv", "a,b", "no table of genes — use .json"),
        ("m.tsv", "gene\tx\nE1\t1\n", "one column with 'median' in its name is needed, found 0 — its columns: gene, x"),
        ("m.tsv", "gene\tmedian\nE1\thigh\n", "the value of E1 is not a number"),
    ],
)
def test_other_files_are_refused_in_one_line(tmp_path, name, content, message):
    path = written(tmp_path, name, content)
    with pytest.raises(DataError, match=message) as caught:
        _gene_tables.read_medians(path)
    assert path in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.tsv: cannot read the file"):
        _gene_tables.read_vocabulary(str(tmp_path / "nowhere.tsv"))


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ([1, 1], "must increase, not 1, 1"),
        ([2, 1], "must increase, not 2, 1"),
        ([0, 1], "above zero and finite"),
        ([0.1, float("inf")], "above zero and finite"),
        ([], "there is no bin edge"),
    ],
)
def test_edges_that_make_no_bins_are_refused(tmp_path, edges, message):
    with pytest.raises(ConfigError, match=message):
        _gene_tables.read_edges(written(tmp_path, "edges.json", {"E0": [1.0], "E1": edges}))


@pytest.mark.parametrize(("content", "message"), [({"E1": 3}, "the edges of E1 are not a list"), ({}, "the file holds no edge")])
def test_files_without_edges_are_refused(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        _gene_tables.read_edges(written(tmp_path, "edges.json", content))
