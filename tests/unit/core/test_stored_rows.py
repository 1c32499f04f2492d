"""Rows on disk are the rows of the matrix that was written, whichever are asked for and however they were written."""

from __future__ import annotations

import pickle
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from genoken.core import stored_rows
from genoken.core.stored_rows import bytes_on_disk, store_rows


def assert_same_matrix(found, expected):
    assert found.shape == expected.shape
    for part in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(found, part), getattr(expected, part))
    assert (found.data.dtype, found.indices.dtype) == (np.float32, np.int32)


def random_matrix(seed, num_rows, num_columns, density=0.3):
    return sp.random_array((num_rows, num_columns), density=density, format="csr", dtype=np.float32, rng=seed)


@given(
    st.integers(0, 2**20), st.lists(st.integers(0, 5), max_size=5), st.integers(1, 9), st.data(), st.sampled_from([1, 3, 10, 10**6])
)
def test_any_rows_of_any_parts_are_those_of_the_whole(seed, sizes, num_columns, data, block):
    parts = [sp.csr_matrix(random_matrix(seed + place, size, num_columns)) for place, size in enumerate(sizes)]
    whole = sp.csr_matrix(sp.vstack([sp.csr_matrix((0, num_columns), dtype=np.float32), *parts]))
    rows = np.array(data.draw(st.lists(st.integers(0, max(sum(sizes) - 1, 0)), max_size=12 if sum(sizes) else 0)), dtype=np.int64)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(stored_rows, "BLOCK_ENTRIES", block)
        stored = store_rows(iter(parts), Path(folder) / "rows", num_columns)
        assert stored.shape == whole.shape
        np.testing.assert_array_equal(stored.indptr, whole.indptr)
        assert_same_matrix(stored.read(), whole)
        assert_same_matrix(stored[rows].read(), whole[rows])
        assert_same_matrix(stored[rows][::-1].read(), whole[rows[::-1]])
        kept = np.arange(sum(sizes)) % 2 == 0
        assert_same_matrix(stored[kept].read(), whole[kept])
        blocks = [rows.read() for rows in stored.blocks()]
        assert all(found.nnz <= block or found.shape[0] == 1 for found in blocks)
        if blocks:
            assert_same_matrix(sp.csr_matrix(sp.vstack(blocks)), whole)


@pytest.mark.parametrize(("num_columns", "width"), [(65_536, 2), (65_537, 4)])
def test_the_last_column_is_kept_and_the_files_are_as_large_as_said(num_columns, width, tmp_path):
    columns = [num_columns - 1, 0, num_columns - 1]
    matrix = sp.csr_matrix(([1.5, 2.5, 3.5], columns, [0, 1, 3]), shape=(2, num_columns), dtype=np.float32)
    stored = store_rows([matrix], tmp_path / "rows", num_columns)
    assert_same_matrix(stored.read(), matrix)
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "rows").iterdir()}
    assert sizes == {"indices": 3 * width, "data": 12}
    assert bytes_on_disk(3, num_columns) == 3 * width + 12


def test_nothing_but_chosen_rows_is_read(tmp_path):
    matrix = sp.csr_matrix(random_matrix(3, 50, 20))
    stored = store_rows([matrix], tmp_path / "rows", 20)
    rows = np.array([7, 8, 9, 30])
    for name, width in (("data", 4), ("indices", 2)):
        content = bytearray((tmp_path / "rows" / name).read_bytes())
        for row in np.setdiff1d(np.arange(50), rows):
            content[matrix.indptr[row] * width : matrix.indptr[row + 1] * width] = b""
            content[matrix.indptr[row] * width : matrix.indptr[row] * width] = b"\xff" * (int(stored.lengths[row]) * width)
        (tmp_path / "rows" / name).write_bytes(content)
    assert_same_matrix(stored[rows].read(), matrix[rows])
    assert np.isnan(stored[np.array([6])].read().data).all()


def test_a_file_that_is_cut_off_is_no_end_of_rows(tmp_path):
    stored = store_rows([sp.csr_matrix(random_matrix(3, 50, 20))], tmp_path / "rows", 20)
    content = (tmp_path / "rows" / "data").read_bytes()
    (tmp_path / "rows" / "data").write_bytes(content[:-1])
    with pytest.raises(OSError, match="the file is cut off"):
        stored.read()
    assert stored[:10].read().nnz == stored.lengths[:10].sum()


def test_rows_are_sent_to_another_process_without_their_values(tmp_path):
    matrix = sp.csr_matrix(random_matrix(1, 200, 500, density=0.9))
    stored = store_rows([matrix], tmp_path / "rows", 500)
    sent = pickle.dumps(stored)
    assert len(sent) < matrix.data.nbytes / 10
    assert_same_matrix(pickle.loads(sent).read(), matrix)


def test_threads_read_side_by_side(tmp_path):
    matrix = sp.csr_matrix(random_matrix(2, 300, 40))
    stored = store_rows([matrix], tmp_path / "rows", 40)
    draws = [np.random.default_rng(seed).integers(0, 300, 20) for seed in range(64)]
    with ThreadPoolExecutor(4) as pool:
        for rows, found in zip(draws, pool.map(lambda rows: stored[rows].read(), draws), strict=True):
            assert_same_matrix(found, matrix[rows])


def test_parts_of_another_width_and_a_folder_that_is_there_are_refused(tmp_path):
    with pytest.raises(ValueError, match="3 columns in place of 4"):
        store_rows([sp.csr_matrix((2, 3), dtype=np.float32)], tmp_path / "rows", 4)
    with pytest.raises(FileExistsError):
        store_rows([], tmp_path / "rows", 4)
