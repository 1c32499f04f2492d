"""The neighbors in an SCDL folder: bare arrays, arrays with a header, and folders that are refused."""

from __future__ import annotations

import numpy as np
import pytest

from genoken.core.errors import DataError
from genoken.readers._scdl import SCDL_FILES, read_scdl_graph

DENSE = np.array([[0, 0.5, 2], [0, 0, 0], [1, 0, 0]])


def write(folder, *, header=False, **changes):
    arrays = {"neighbor_indptr": [0, 2, 2, 3], "neighbor_indices": [1, 2, 0], "neighbor_values": [0.5, 2, 1]} | changes
    for name, dtype in SCDL_FILES.items():
        array = np.array(arrays[name.removesuffix(".npy")], dtype=dtype)
        np.save(folder / name, array) if header else array.tofile(folder / name)


@pytest.mark.parametrize("header", [False, True])
def test_arrays_are_read_with_and_without_a_header(tmp_path, header):
    write(tmp_path, header=header)
    np.testing.assert_array_equal(read_scdl_graph(tmp_path).toarray(), DENSE)


def test_folders_that_are_refused(tmp_path):
    write(tmp_path, neighbor_indices=[1, 2])
    with pytest.raises(DataError, match="contradict each other: 4 row pointers, 2 indices, 3 values"):
        read_scdl_graph(tmp_path)
    write(tmp_path, neighbor_indptr=[0, 2, 2, 5])
    with pytest.raises(DataError, match="contradict each other"):
        read_scdl_graph(tmp_path)
    (tmp_path / "neighbor_values.npy").write_bytes(b"12345")
    with pytest.raises(DataError, match="the array is cut off, or holds no float32"):
        read_scdl_graph(tmp_path)
    (tmp_path / "neighbor_values.npy").write_bytes(b"\x93NUMPY is not that")
    with pytest.raises(DataError, match="the array cannot be read"):
        read_scdl_graph(tmp_path)
    (tmp_path / "neighbor_values.npy").unlink()
    with pytest.raises(DataError, match=r"there is no neighbor_values\.npy, so this SCDL folder has no neighbors"):
        read_scdl_graph(tmp_path)


def test_a_folder_that_bionemo_scdl_wrote(tmp_path):
    """The bytes of neighbors that bionemo-scdl 0.1.3 wrote of a graph of six cells (load_neighbors=True)."""
    written = {
        "neighbor_indptr.npy": "0000000000000000" "0200000000000000" "0300000000000000" "0300000000000000" "0300000000000000"
        "0400000000000000" "0400000000000000",
        "neighbor_indices.npy": "01000000" "02000000" "03000000" "05000000",
        "neighbor_values.npy": "0000003f" "0000803e" "0000803f" "0000003e",
    }  # fmt: skip
    for name, content in written.items():
        (tmp_path / name).write_bytes(bytes.fromhex(content))
    expected = np.zeros((6, 6))
    expected[0, 1], expected[0, 2], expected[1, 3], expected[4, 5] = 0.5, 0.25, 1, 0.125
    np.testing.assert_array_equal(read_scdl_graph(tmp_path).toarray(), expected)
