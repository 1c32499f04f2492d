"""Hashes of files that are read together."""

from __future__ import annotations

from genoken.core.files import sha256_of_file
from genoken.workflows.hashes import hash_of_file


def test_all_files_of_a_data_set_count(tmp_path):
    path = tmp_path / "cohort.bed"
    for ending in (".bed", ".bim", ".fam"):
        path.with_suffix(ending).write_text(ending)
    before = hash_of_file(path)
    assert before == hash_of_file(path.with_suffix(""))
    path.with_suffix(".fam").write_text("other")
    assert hash_of_file(path) != before


def test_a_single_file_has_its_own_hash(tmp_path):
    path = tmp_path / "cells.h5ad"
    path.write_text("values")
    assert hash_of_file(path) == sha256_of_file(path)
