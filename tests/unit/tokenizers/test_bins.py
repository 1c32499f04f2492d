"""Kernels that put values into bins: NumPy's own digitize and quantiles, and the same with and without compilation."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from genoken.tokenizers import _bins

NO_LIMIT = 10**6
DENSE = np.array([[0, 2.5, 0, 1.5], [0, 0, 0, 0], [1, 3, 3, 2]], dtype=np.float32)


def interpreted(kernel):
    """Return a kernel as plain Python; it is that already when NUMBA_DISABLE_JIT is set."""
    return getattr(kernel, "py_func", kernel)


def pack(dense, edges, *, rows=None, room=NO_LIMIT, quantile=False, plain=False):
    """Return offsets, features and bins without CLS (0 and 0 there), and the count that did not fit."""
    get = interpreted if plain else (lambda kernel: kernel)
    csr = sp.csr_matrix(np.asarray(dense, dtype=np.float32))
    rows = np.arange(len(dense)) if rows is None else np.asarray(rows)
    edges = np.asarray(edges, dtype=np.float64)
    first = np.array([-np.inf]) if quantile else edges[:, 0].copy()
    offsets, truncated = get(_bins.count_binned)(csr.indptr, csr.indices, csr.data, rows, first, room)
    kernel = get(_bins.pack_quantile_bins if quantile else _bins.pack_fixed_bins)
    features, bins = kernel(csr.indptr, csr.indices, csr.data, rows, offsets, edges, 0, 0)
    features[offsets[:-1]] = bins[offsets[:-1]] = 0
    return offsets.tolist(), features.tolist(), bins.tolist(), truncated


@pytest.mark.parametrize("plain", [False, True])
def test_shared_edges_are_typed_by_hand(plain):
    offsets, features, bins, truncated = pack(DENSE, [[1.5, 3.0]], plain=plain)
    assert offsets == [0, 3, 4, 8]
    assert features == [0, 1, 3, 0, 0, 1, 2, 3]
    assert bins == [0, 1, 1, 0, 0, 2, 2, 1]
    assert truncated == 0


@pytest.mark.parametrize("plain", [False, True])
def test_own_edges_are_typed_by_hand(plain):
    edges = [[1, np.inf], [2.5, 3], [4, 5], [0.5, 1.75]]
    offsets, features, bins, truncated = pack(DENSE, edges, rows=[2, 0], plain=plain)
    assert offsets == [0, 4, 7]
    assert features == [0, 0, 1, 3, 0, 1, 3]
    assert bins == [0, 1, 2, 2, 0, 1, 1]
    assert truncated == 0


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize(
    ("room", "features", "bins", "truncated"),
    [(3, [0, 0, 1, 2], [0, 1, 2, 2], 1), (2, [0, 1, 2], [0, 2, 2], 2), (1, [0, 1], [0, 2], 3), (0, [0], [0], 4)],
)
def test_the_highest_bins_stay_then_the_lower_index(room, features, bins, truncated, plain):
    found = pack(DENSE, [[0.5, 3.0]], rows=[2], room=room, plain=plain)
    assert found == ([0, room + 1], features, bins, truncated)


@pytest.mark.parametrize("plain", [False, True])
def test_quantiles_are_typed_by_hand(plain):
    # Quartiles of 1, 2, 3, 4, 5 are the values themselves; those of 1, 1, 1, 9 are 1, 1, 1, 3 and 9, and 1 has the lowest bin.
    offsets, features, bins, _ = pack(
        [[5, 1, 4, 2, 3], [1, 0, 9, 1, 1], [0, 0, 7, 0, 0]], np.linspace(0, 1, 5), quantile=True, plain=plain
    )
    assert offsets == [0, 6, 11, 13]
    assert features == [0, 0, 1, 2, 3, 4, 0, 0, 2, 3, 4, 0, 2]
    assert bins == [0, 5, 1, 4, 2, 3, 0, 1, 5, 1, 1, 0, 1]


VALUES = hnp.arrays(
    np.float32, st.tuples(st.integers(1, 4), st.integers(1, 30)), elements=st.sampled_from([0, 0.25, 0.5, 1, 1.3, 2, 3.7, 10])
)
EDGES = st.lists(st.sampled_from([0.1, 0.25, 0.3, 0.5, 1.0, 2.0, 2.5, 10.0, 11.0]), min_size=1, unique=True).map(sorted)


@given(VALUES, EDGES)
def test_fixed_bins_are_numpys_digitize(dense, edges):
    bins = np.digitize(dense, edges)
    expected = [(row, feature, bins[row, feature]) for row, feature in np.argwhere(bins > 0)]
    for used in ([edges], [edges] * dense.shape[1]):
        offsets, features, found, _ = pack(dense, used)
        rows = np.repeat(np.arange(len(dense)), np.diff(offsets))
        keep = np.ones(len(rows), dtype=bool)
        keep[offsets[:-1]] = False
        assert list(zip(rows[keep], np.array(features)[keep], np.array(found)[keep], strict=True)) == expected


def lowest_scgpt_bins(values, num_bins):
    """Return the lowest bin that scGPT could draw for each value: it draws among right + 1 .. left."""
    edges = np.quantile(values, np.linspace(0, 1, num_bins - 1))
    left, right = np.digitize(values, edges), np.digitize(values, edges, right=True)
    return np.minimum(left, right + 1)


@given(hnp.arrays(np.float32, st.integers(1, 120), elements=st.floats(0.125, 64, width=32)), st.sampled_from([3, 6, 51]))
def test_quantile_bins_are_scgpts_lowest(values, num_bins):
    _, _, bins, _ = pack(values[None], np.linspace(0, 1, num_bins - 1), quantile=True)
    assert bins[1:] == lowest_scgpt_bins(values, num_bins).tolist()
    assert min(bins[1:]) >= 1
    assert max(bins[1:]) <= num_bins - 1


@given(VALUES, EDGES, st.integers(0, 6), st.booleans())
def test_compiled_and_plain_kernels_agree(dense, edges, room, quantile):
    edges = np.linspace(0, 1, 7) if quantile else [edges]
    assert pack(dense, edges, room=room, quantile=quantile) == pack(dense, edges, room=room, quantile=quantile, plain=True)


@given(VALUES, EDGES, st.integers(0, 6))
def test_what_is_cut_off_is_in_no_higher_bin_than_what_stays(dense, edges, room):
    offsets, features, bins, truncated = pack(dense, [edges], room=room)
    every = np.digitize(dense, edges)
    assert truncated == np.maximum((every > 0).sum(axis=1) - room, 0).sum()
    for row in range(len(dense)):
        best = sorted((-bin_, feature) for feature, bin_ in enumerate(every[row]) if bin_)[:room]
        own = slice(offsets[row] + 1, offsets[row + 1])
        assert features[own] == sorted(feature for _, feature in best)
        assert bins[own] == every[row, features[own]].tolist()
