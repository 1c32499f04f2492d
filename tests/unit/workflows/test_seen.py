"""Samples known again: by their values, by their ids where values differ, and with the part that forbids most."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from genoken.core.contracts import TokenizerState
from genoken.core.errors import RunError
from genoken.core.genotypes import MISSING, sparse_dosages
from genoken.core.samples import Samples
from genoken.workflows.join import join_samples
from genoken.workflows.seen import KNOWN_SAMPLES, hashes_of, parts_in_pretraining, write_known_samples

GENES = tuple(f"g{column:02d}" for column in range(12))


def samples_of(values, ids, genes=GENES):
    values = sp.csr_matrix(np.asarray(values, dtype=np.float32))
    return Samples(values, pd.DataFrame(index=list(ids)), pd.DataFrame(index=list(genes)), "counts", "typed:X")


def values_of(num_samples, seed=0):
    return np.random.default_rng(seed).integers(1, 9, (num_samples, 12)).astype(np.float32)


def write(folder, values, ids, words, earlier=None):
    write_samples(folder, samples_of(values, ids), words, earlier)


def write_samples(folder, samples, words, earlier=None):
    folder.mkdir(exist_ok=True)
    model = SimpleNamespace(state=TokenizerState(feature_ids=GENES), symbols=GENES)
    write_known_samples(folder, samples, model, np.array(words), earlier=earlier)


def two_files(first, second, ids):
    """Two files in which samples have the same ids, joined."""
    parts = [samples_of(first, ids), samples_of(second, ids)]
    return join_samples(parts, ["d1", "d2"], column="file", min_coverage=0.5)


@pytest.fixture
def run(tmp_path):
    write(tmp_path / "p", values_of(4), "abcd", ["train", "val", "test", "train"])
    return tmp_path / "p"


def test_the_file_has_one_row_per_sample(run):
    table = pd.read_parquet(run / KNOWN_SAMPLES)
    assert table["sample_id"].tolist() == list("abcd")
    assert table["part"].tolist() == ["train", "val", "test", "train"]
    assert table["hash"].nunique() == 4


def test_values_tell_samples_whatever_their_ids(run):
    values = np.vstack([values_of(4)[[2, 0, 1]], values_of(1, seed=9)])
    assert parts_in_pretraining(run, samples_of(values, "wxya")).tolist() == ["test", "train", "val", ""]


def test_a_sample_of_several_parts_has_the_one_that_forbids_most(tmp_path):
    values = np.repeat(values_of(1), 3, axis=0)
    write(tmp_path / "p", values, "abc", ["test", "train", "val"])
    assert parts_in_pretraining(tmp_path / "p", samples_of(values[:1], "z")).tolist() == ["train"]


def test_other_values_are_known_by_their_ids_if_half_of_them_agree(run):
    logged = np.log1p(values_of(4))
    assert parts_in_pretraining(run, samples_of(logged, "abcd")).tolist() == ["train", "val", "test", "train"]
    assert parts_in_pretraining(run, samples_of(logged, "cxay")).tolist() == ["test", "", "train", ""]
    assert parts_in_pretraining(run, samples_of(logged, "axyz")).tolist() == ["", "", "", ""]
    assert parts_in_pretraining(run, samples_of(logged[:2], "ax")).tolist() == ["train", ""]


def test_ids_count_for_nothing_where_values_agree_elsewhere(run):
    values = np.vstack([values_of(4)[:3], values_of(1, seed=9)])
    assert parts_in_pretraining(run, samples_of(values, "abcd")).tolist() == ["train", "val", "test", ""]


def test_samples_with_few_values_are_known_by_their_ids(tmp_path):
    values = values_of(3)
    values[2, 3:] = 0
    write(tmp_path / "p", values, "abc", ["train", "test", "train"])
    assert pd.read_parquet(tmp_path / "p" / KNOWN_SAMPLES)["hash"].isna().tolist() == [False, False, True]
    assert parts_in_pretraining(tmp_path / "p", samples_of(values, "abc")).tolist() == ["train", "test", "train"]
    assert parts_in_pretraining(tmp_path / "p", samples_of(values, "abz")).tolist() == ["train", "test", ""]


def test_a_run_that_goes_on_knows_the_samples_of_the_earlier_one(run, tmp_path):
    write(tmp_path / "p2", np.vstack([values_of(4)[2:3], values_of(1, seed=9)]), "ce", ["train", "test"], earlier=run)
    known = samples_of(np.vstack([values_of(4), values_of(1, seed=9)]), "abcde")
    assert parts_in_pretraining(tmp_path / "p2", known).tolist() == ["train", "val", "train", "train", "test"]
    (run / KNOWN_SAMPLES).unlink()
    with pytest.raises(RunError, match=r"it has no known_samples\.parquet"):
        write(tmp_path / "p3", values_of(1), "a", ["train"], earlier=run)


def test_the_order_of_genes_in_the_pretraining_file_does_not_matter(tmp_path):
    values, order = values_of(2), np.random.default_rng(1).permutation(12)
    model = SimpleNamespace(state=TokenizerState(feature_ids=GENES), symbols=GENES)
    mixed = samples_of(values[:, order], "ab", [GENES[column] for column in order])
    write_known_samples(tmp_path, mixed, model, np.array(["train", "test"]), earlier=None)
    assert parts_in_pretraining(tmp_path, samples_of(values, "yz")).tolist() == ["train", "test"]


def test_ids_that_collide_in_several_files_are_known_as_they_stand_in_each(tmp_path):
    values = values_of(6)
    both = two_files(values[:3], values[3:], "abc")
    write_samples(tmp_path / "p", both, ["val", "test", "test", "test", "train", "test"])
    table = pd.read_parquet(tmp_path / "p" / KNOWN_SAMPLES)
    assert table["sample_id"].tolist() == ["d1:a", "d1:b", "d1:c", "d2:a", "d2:b", "d2:c"]
    assert table["id_in_file"].tolist() == [*"abcabc"]
    alone = samples_of(np.log1p(values[:3]), "abc")
    assert parts_in_pretraining(tmp_path / "p", alone).tolist() == ["val", "train", "test"]
    again = two_files(np.log1p(values[:3]), np.log1p(values[3:]), "abc")
    assert parts_in_pretraining(tmp_path / "p", again).tolist() == ["val", "test", "test", "test", "train", "test"]


def test_ids_that_collide_now_are_known_as_they_stood_in_the_file(tmp_path):
    write(tmp_path / "p", values_of(3), "abc", ["val", "train", "test"])
    both = two_files(np.log1p(values_of(3)), np.log1p(values_of(3, seed=9)), "abc")
    assert parts_in_pretraining(tmp_path / "p", both).tolist() == ["val", "train", "test"] * 2


def test_an_id_that_happens_to_have_a_colon_is_left_alone(tmp_path):
    samples = samples_of(values_of(2), ["d1:a", "b"])
    samples.table["file"] = ["d1", "d2"]
    write_samples(tmp_path / "p", samples, ["train", "test"])
    assert pd.read_parquet(tmp_path / "p" / KNOWN_SAMPLES)["id_in_file"].tolist() == ["d1:a", "b"]


def genotypes_of(dense, counted, other, first=None):
    variants = pd.DataFrame(
        {"chromosome": "1", "position_bp": 1, "counted_allele": counted, "other_allele": other}, index=list(GENES)
    )
    calls, strand = (None if part is None else sparse_dosages(np.array(part, dtype=np.int8)) for part in (dense, first))
    return Samples(calls, pd.DataFrame(index=list("abc")), variants, "dosage", "typed", first_strand=strand)


DOSAGES = np.array([[1, 2] * 6, [1, 2] * 6, [1, MISSING] * 6], dtype=np.int8)
STRANDS = np.array([[1, 1] * 6, [0, 1] * 6, [1, MISSING] * 6], dtype=np.int8)
VOCABULARY = TokenizerState(GENES, facts={"counted_allele": ["A"] * 12, "other_allele": ["G"] * 12})


def test_people_are_known_by_the_alleles_of_the_vocabulary_and_by_their_strands():
    columns = np.arange(12)
    plain, can_be_known = hashes_of(genotypes_of(DOSAGES, "A", "G"), columns, VOCABULARY)
    assert plain[0] == plain[1] != plain[2]
    assert can_be_known.tolist() == [True, True, False]  # the third has six calls
    flipped = np.where(DOSAGES == MISSING, MISSING, 2 - DOSAGES)
    for counted, other in (("G", "A"), ("C", "T")):
        np.testing.assert_array_equal(hashes_of(genotypes_of(flipped, counted, other), columns, VOCABULARY)[0], plain)
    phased, _ = hashes_of(genotypes_of(DOSAGES, "A", "G", STRANDS), columns, VOCABULARY)
    assert len(set(phased)) == 3
    turned = np.where(STRANDS == MISSING, MISSING, 1 - STRANDS)
    np.testing.assert_array_equal(hashes_of(genotypes_of(flipped, "G", "A", turned), columns, VOCABULARY)[0], phased)
