from __future__ import annotations

import anndata
import numpy as np
import pytest

from genoken.core.errors import ConfigError, DataError, RunError
from genoken.core.files import write_json
from genoken.workflows import glance
from genoken.workflows.glance import refuse_runs_without_variants, refuse_unusable


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "cells.h5ad"
    anndata.AnnData(np.array([[1.0, np.nan], [3.0, 4.0]], dtype=np.float32)).write_h5ad(path)
    return path


def test_nothing_named_is_fine():
    refuse_unusable([])


def test_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"gone\.h5ad"):
        refuse_unusable([tmp_path / "gone.h5ad"])


def test_a_small_file_is_refused_for_its_values_where_these_are_known(file):
    with pytest.raises(DataError, match=r"NaN|finite|missing"):
        refuse_unusable([file])
    refuse_unusable([file], source=None)


def test_a_large_file_only_has_to_be_there(file, monkeypatch):
    monkeypatch.setattr(glance, "MOST_BYTES", 10)
    refuse_unusable([file])


def test_a_damaged_file_is_refused_whatever_its_source(file):
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(DataError, match=r"cells\.h5ad"):
        refuse_unusable([file], source=None)


@pytest.mark.parametrize("facts", [{}, {"counted_allele": ["A"], "made_of": ["rs1"]}, None])
def test_runs_on_other_features_than_variants_are_refused(tmp_path, facts):
    write_json(tmp_path / "tokenizer.json", {"facts": facts})
    with pytest.raises(ConfigError, match="the run is not on genotypes"):
        refuse_runs_without_variants(tmp_path)


def test_runs_on_variants_and_unfinished_ones_pass(tmp_path):
    refuse_runs_without_variants(tmp_path)
    write_json(tmp_path / "tokenizer.json", {"facts": {"counted_allele": ["A"]}})
    refuse_runs_without_variants(tmp_path)
    with pytest.raises(RunError, match="there is no such folder"):
        refuse_runs_without_variants(tmp_path / "none")
