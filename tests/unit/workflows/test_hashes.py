"""Hashes of files that are read together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from genoken.core.files import sha256_of_file
from genoken.core.genotypes import sparse_dosages
from genoken.core.samples import Samples
from genoken.workflows.hashes import hash_of_file, hash_of_samples


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


def test_strands_and_alleles_of_genotypes_count():
    calls = sparse_dosages(np.array([[0, 1], [2, 1]], dtype=np.int8))
    variants = pd.DataFrame({"counted_allele": ["A", "C"], "other_allele": ["G", "T"]}, index=["rs1", "rs2"])
    plain = Samples(calls, pd.DataFrame(index=["p0", "p1"]), variants, "dosage", "typed")
    strands = [sparse_dosages(np.array(strand, dtype=np.int8)) for strand in ([[0, 1], [1, 0]], [[0, 0], [1, 0]])]
    others = [replace(plain, first_strand=strand) for strand in strands]
    others.append(replace(plain, features=variants.assign(counted_allele=["G", "C"], other_allele=["A", "T"])))
    assert len({hash_of_samples(found) for found in (plain, *others)}) == 4
    assert hash_of_samples(plain) == hash_of_samples(replace(plain, origin="another"))
