"""Numba kernels over calls packed four to a byte, the first in the lowest bits; they hold no lock."""

from __future__ import annotations

import numba
import numpy as np

from genoken.core.calls import PER_BYTE

ABSENT = 3
"""Code of a missing call; the other codes are copies."""
_TILE = 64


@numba.njit(nogil=True, cache=True)
def _code(value: int) -> int:
    return (value | value >> 7) & ABSENT  # a negative number becomes -1, all bits of which are set


@numba.njit(nogil=True, cache=True)
def pack(dense: np.ndarray) -> np.ndarray:
    """Return int8 (rows, calls), below 0 where missing, as uint8 (rows, bytes); what is left of a row's last byte is 0."""
    num_rows, num_calls = dense.shape
    num_whole = num_calls // PER_BYTE
    packed = np.zeros((num_rows, (num_calls + PER_BYTE - 1) // PER_BYTE), dtype=np.uint8)
    for row in range(num_rows):
        values = dense[row]
        for place in range(num_whole):
            first = PER_BYTE * place
            low = _code(values[first]) | _code(values[first + 1]) << 2
            packed[row, place] = low | _code(values[first + 2]) << 4 | _code(values[first + 3]) << 6
        for rest in range(PER_BYTE * num_whole, num_calls):
            packed[row, num_whole] |= _code(values[rest]) << 2 * (rest % PER_BYTE)
    return packed


@numba.njit(nogil=True, cache=True)
def unpack(packed: np.ndarray, num_calls: int) -> np.ndarray:
    """Return packed calls as int8 (rows, calls), -1 where missing."""
    dense = np.empty((packed.shape[0], num_calls), dtype=np.int8)
    for row in range(packed.shape[0]):
        for place in range(packed.shape[1]):
            byte = packed[row, place]
            for inner in range(min(PER_BYTE, num_calls - PER_BYTE * place)):
                code = (byte >> 2 * inner) & ABSENT
                dense[row, PER_BYTE * place + inner] = -1 if code == ABSENT else code
    return dense


@numba.njit(nogil=True, cache=True)
def _turn_four(lines: np.ndarray, words: np.ndarray) -> None:
    """Write each column of four bytes as one number, the first byte lowest, with bytes and the four calls in each exchanged."""
    for place in range(lines.shape[1]):
        low = np.int64(lines[0, place]) | np.int64(lines[1, place]) << 8
        word = low | np.int64(lines[2, place]) << 16 | np.int64(lines[3, place]) << 24
        moved = (word ^ (word >> 6)) & 0x00CC00CC
        word ^= moved ^ (moved << 6)
        moved = (word ^ (word >> 12)) & 0x0000F0F0
        words[place] = word ^ moved ^ (moved << 12)


@numba.njit(nogil=True, cache=True)
def transpose(block: np.ndarray, turned: np.ndarray, first: int) -> None:
    """Write packed calls (variants, bytes of samples) into columns of bytes of the same calls (samples, bytes of variants).

    Four variants of four samples are four bytes, in which two exchanges of bits make columns of rows. 256 samples at 256 variants
    are turned at a time, and whole pieces of rows written: single bytes of far rows would take several times as long.

    Parameters
    ----------
    block
        uint8 (variants, bytes of samples).
    turned
        uint8 (samples, bytes of variants), written from byte ``first`` on.
    first
        The byte in which the first variant comes first.
    """
    num_groups, num_samples = (block.shape[0] + PER_BYTE - 1) // PER_BYTE, turned.shape[0]
    lines = np.zeros((PER_BYTE, _TILE), dtype=np.uint8)
    words, column = np.empty((_TILE, _TILE), dtype=np.uint32), np.empty(_TILE, dtype=np.uint32)
    for start in range(0, num_groups, _TILE):
        stop = min(start + _TILE, num_groups)
        for tile in range(0, block.shape[1], _TILE):
            width = min(_TILE, block.shape[1] - tile)
            for group in range(start, stop):
                for inner in range(PER_BYTE):
                    variant = PER_BYTE * group + inner
                    if variant < block.shape[0]:
                        lines[inner, :width] = block[variant, tile : tile + width]
                    else:
                        lines[inner] = 0
                _turn_four(lines, words[group - start])
            for place in range(width):
                column[:] = words[:, place]
                for sample in range(PER_BYTE * (tile + place), min(PER_BYTE * (tile + place + 1), num_samples)):
                    piece, shift = turned[sample, first + start : first + stop], 8 * (sample % PER_BYTE)
                    for group in range(stop - start):
                        piece[group] = (column[group] >> shift) & 0xFF


@numba.njit(nogil=True, cache=True)
def gather(packed: np.ndarray, columns: np.ndarray, is_flipped: np.ndarray, most: int) -> np.ndarray:
    """Return packed calls of other columns.

    Parameters
    ----------
    packed
        uint8 (rows, bytes).
    columns
        int64; one that is below 0 is missing in all rows.
    is_flipped
        bool, of the same shape: whether the copies become ``most`` minus them.
    most
        Highest number of copies.
    """
    found = np.zeros((packed.shape[0], (len(columns) + PER_BYTE - 1) // PER_BYTE), dtype=np.uint8)
    for row in range(packed.shape[0]):
        for place in range(found.shape[1]):
            byte = 0
            for inner in range(min(PER_BYTE, len(columns) - PER_BYTE * place)):
                column = columns[PER_BYTE * place + inner]
                code = ABSENT
                if column >= 0:
                    code = (packed[row, column // PER_BYTE] >> 2 * (column % PER_BYTE)) & ABSENT
                    if is_flipped[PER_BYTE * place + inner] and code != ABSENT:
                        code = most - code
                byte |= code << 2 * inner
            found[row, place] = byte
    return found


@numba.njit(nogil=True, cache=True)
def count(packed: np.ndarray, num_calls: int) -> tuple[np.ndarray, np.ndarray]:
    """Return how many rows have each code, int64 (codes, calls), and how many calls of each row are missing, int64 (rows,)."""
    by_column = np.zeros((ABSENT + 1, PER_BYTE * packed.shape[1]), dtype=np.int64)
    missing = np.zeros(packed.shape[0], dtype=np.int64)
    for row in range(packed.shape[0]):
        for place in range(packed.shape[1]):
            byte = packed[row, place]
            if byte == 0:
                continue
            for inner in range(PER_BYTE):
                code = (byte >> 2 * inner) & ABSENT
                by_column[code, PER_BYTE * place + inner] += code != 0
                missing[row] += code == ABSENT
    by_column[0] = packed.shape[0] - by_column[1:].sum(axis=0)
    return by_column[:, :num_calls].copy(), missing


@numba.njit(nogil=True, cache=True)
def count_bytes(packed: np.ndarray) -> np.ndarray:
    """Return how often each byte occurs, int64 (256,)."""
    found = np.zeros(256, dtype=np.int64)
    for row in range(packed.shape[0]):
        for place in range(packed.shape[1]):
            found[packed[row, place]] += 1
    return found


@numba.njit(nogil=True, cache=True)
def sparse(packed: np.ndarray, strand: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return indptr, indices and data of the calls that are not 0, NaN where missing.

    Parameters
    ----------
    packed
        uint8 (rows, bytes).
    strand
        Copies on the first strand, packed alike, by which a single copy is -1 where it is on the second one, and NaN where
        that is not known; no rows: none is.
    """
    starts = np.zeros(packed.shape[0] + 1, dtype=np.int64)
    for row in range(packed.shape[0]):
        stored = 0
        for place in range(packed.shape[1]):
            byte = packed[row, place]
            filled = (byte | byte >> 1) & 0x55  # one bit for each call that is not 0
            stored += (filled & 1) + (filled >> 2 & 1) + (filled >> 4 & 1) + (filled >> 6)
        starts[row + 1] = starts[row] + stored
    indices, data = np.empty(starts[-1], dtype=np.int32), np.empty(starts[-1], dtype=np.float32)
    for row in range(packed.shape[0]):
        written = starts[row]
        for place in range(packed.shape[1]):
            byte = packed[row, place]
            if byte == 0:
                continue
            for inner in range(PER_BYTE):
                code = (byte >> 2 * inner) & ABSENT
                if code == 0:
                    continue
                indices[written] = PER_BYTE * place + inner
                data[written] = np.nan if code == ABSENT else code
                if code == 1 and len(strand):
                    on_first = (strand[row, place] >> 2 * inner) & ABSENT
                    data[written] = np.nan if on_first == ABSENT else (1 if on_first else -1)
                written += 1
    return starts, indices, data
