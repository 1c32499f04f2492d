"""Stores typed byte by byte; what is refused with which line."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from genoken.core.errors import DataError
from genoken.readers.calls import CallsReader
from genoken.workflows.files import read_file

NAN = np.nan
HEADER = {"format": "genoken calls", "version": 1, "samples": 3, "variants": 5, "phased": False, "build": "GRCh37", "notes": ["n"]}
CALLS = bytes([0b11_10_01_00, 0b00, 0b00_01_10_10, 0b00, 0b01_11_00_00, 0b10])
STRAND = bytes([0b11_01_00_00, 0b00, 0b00_01_01_01, 0b00, 0b00_11_00_00, 0b01])


@pytest.fixture
def store(tmp_path):
    """A store of 3 samples at 5 variants."""
    folder = tmp_path / "cohort.calls"
    folder.mkdir()
    (folder / "calls.bin").write_bytes(CALLS)
    (folder / "calls.json").write_text(json.dumps(HEADER))
    variants = pd.DataFrame(
        {"chromosome": "1", "position_bp": range(1, 6), "counted_allele": "A", "other_allele": "G", "build": "GRCh37"},
        index=[f"rs{place}" for place in range(5)],
    )
    variants.to_parquet(folder / "variants.parquet")
    table = {"sex": ["male", None, "female"], "phenotype": [1.5, NAN, 2.0], "father": np.array([NAN] * 3, dtype=object)}
    pd.DataFrame(table, index=["x", "y", "z"]).to_parquet(folder / "samples.parquet")
    return folder


def test_calls_and_tables_typed_by_hand(store):
    found = CallsReader().read(store)
    np.testing.assert_array_equal(found.values.toarray(), [[0, 1, 2, NAN, 0], [2, 2, 1, 0, 0], [0, 0, NAN, 1, 2]])
    assert (found.value_kind, found.origin, found.notes) == ("dosage", "cohort.calls:calls", ("n",))
    assert found.first_strand is None
    assert list(found.features.index) == ["rs0", "rs1", "rs2", "rs3", "rs4"]
    assert found.features["build"].unique().tolist() == ["GRCh37"]
    expected = pd.DataFrame(
        {"sex": ["male", NAN, "female"], "phenotype": [1.5, NAN, 2.0], "father": np.array([NAN] * 3, dtype=object)},
        index=["x", "y", "z"],
    )
    pd.testing.assert_frame_equal(found.table, expected, check_dtype=False, check_index_type=False)


def test_strands(store):
    (store / "first_strand.bin").write_bytes(STRAND)
    (store / "calls.json").write_text(json.dumps(HEADER | {"phased": True}))
    found = CallsReader().read(store)
    np.testing.assert_array_equal(found.first_strand.toarray(), [[0, 0, 1, NAN, 0], [1, 1, 1, 0, 0], [0, 0, NAN, 0, 1]])
    (store / "first_strand.bin").unlink()
    with pytest.raises(DataError, match=r"first_strand.bin: the store is incomplete"):
        CallsReader().read(store)


def test_calls_are_mapped_and_never_written_back(store):
    before = (store / "calls.bin").read_bytes()
    found = read_file(store)
    assert isinstance(found.values.packed.base, np.memmap)
    found.values.packed[:] = 0
    assert (store / "calls.bin").read_bytes() == before
    assert read_file(store).values.nnz == 9


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("calls.bin", b"12345", r"calls.bin: the file of 5 bytes is cut off: 3 samples at 5 variants take 6 bytes"),
        ("calls.bin", b"1234567", r"calls.bin: the file of 7 bytes is too long"),
        ("calls.bin", None, r"calls.bin: the store is incomplete"),
        ("calls.json", None, r"cohort.calls: this is no store of packed calls: there is no calls.json"),
        (
            "calls.json",
            b'{"format": "genoken calls", "version": 2}',
            r"cohort.calls: the store is of version 2, and this",
        ),
        (
            "calls.json",
            b'{"format": "genoken calls", "version": 1}',
            r"calls.json: the file is damaged: it does not tell 'samples'",
        ),
        ("calls.json", b"[]", r"calls.json: this is not the header of a store"),
        ("calls.json", b"{", r"calls.json: the file is damaged"),
        ("samples.parquet", b"PAR1", r"samples.parquet: the file is damaged"),
        ("variants.parquet", None, r"variants.parquet: the store is incomplete"),
    ],
)
def test_a_store_that_is_not_whole_is_refused_in_one_line(store, file, content, message):
    (store / file).unlink()
    if content is not None:
        (store / file).write_bytes(content)
    with pytest.raises(DataError, match=message) as refused:
        read_file(store)
    assert "\n" not in str(refused.value)
    assert refused.value.remedy


def test_a_table_of_other_length_is_refused(store):
    pd.read_parquet(store / "samples.parquet").iloc[:2].to_parquet(store / "samples.parquet")
    with pytest.raises(DataError, match=r"samples.parquet: the table has 2 rows in place of 3"):
        read_file(store)


def test_a_store_is_found_by_its_content(store):
    moved = store.rename(store.with_name("genotypes"))
    assert read_file(moved).value_kind == "dosage"
    assert CallsReader().load(moved).adata.shape == (3, 5)
