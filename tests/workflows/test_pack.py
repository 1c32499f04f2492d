"""Packing genotypes: what is read from a store is what is in the file, whatever the blocks; a store is whole or absent."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genoken.cli.main import main
from genoken.core.errors import DataError, RunError
from genoken.readers import _calls_store, plink
from genoken.synthetic_genotypes import simulate_genotypes
from genoken.synthetic_traits import TraitModel
from genoken.workflows.files import read_file
from genoken.workflows.genotype_files import write_genotypes
from genoken.workflows.pack import pack
from genoken.workflows.show import Show
from genoken.workflows.simulate import PeopleModel, simulate

QUIET = Show(quiet=True)
BYTES_OF_CODES = np.array([3, 2, 0, 1], dtype=np.uint8)  # of 0, 1 and 2 copies of A1, and of no call (which is -1, the last)


def write_plink(folder: Path, dense: np.ndarray) -> Path:
    """Write int8 (samples, variants) as PLINK files, without another library."""
    num_samples, num_variants = dense.shape
    codes = np.zeros((num_variants, -(-num_samples // 4) * 4), dtype=np.uint8)
    codes[:, :num_samples] = BYTES_OF_CODES[dense.T]
    path = folder / "cohort.bed"
    path.write_bytes(b"\x6c\x1b\x01" + (codes.reshape(num_variants, -1, 4) << [0, 2, 4, 6]).sum(axis=2).astype(np.uint8).tobytes())
    path.with_suffix(".bim").write_text("".join(f"1\trs{row}\t0\t{row + 1}\tA\tG\n" for row in range(num_variants)))
    path.with_suffix(".fam").write_text("".join(f"F{row} s{row} 0 0 {row % 3} {row / 2}\n" for row in range(num_samples)))
    return path


def same(found, expected) -> None:
    np.testing.assert_array_equal(found.values.packed, expected.values.packed)
    assert found.values.shape == expected.values.shape
    pd.testing.assert_frame_equal(found.features, expected.features)
    pd.testing.assert_frame_equal(found.table, expected.table)
    assert (found.first_strand is None) == (expected.first_strand is None)
    if found.first_strand is not None:
        np.testing.assert_array_equal(found.first_strand.packed, expected.first_strand.packed)
    assert (found.value_kind, found.notes) == (expected.value_kind, expected.notes)


@settings(max_examples=20)
@given(
    num_samples=st.integers(1, 9),
    num_variants=st.integers(1, 23),
    read_at_once=st.integers(1, 40),
    turned_at_once=st.integers(1, 40),
)
def test_packing_in_blocks_of_any_size_is_reading_whole(num_samples, num_variants, read_at_once, turned_at_once):
    dense = np.random.default_rng(num_variants).integers(-1, 3, (num_samples, num_variants)).astype(np.int8)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path = write_plink(Path(folder), dense)
        patch.setattr(plink, "_BYTES_AT_ONCE", read_at_once)
        patch.setattr(_calls_store, "_BYTES_AT_ONCE", turned_at_once)
        found = read_file(pack(path, Path(folder) / "cohort.calls", show=QUIET))
        np.testing.assert_array_equal(found.values.dense(), dense)
        same(found, read_file(path))


@pytest.fixture
def phased(tmp_path):
    """Phased genotypes as a VCF."""
    pytest.importorskip("cyvcf2")
    write_genotypes(tmp_path / "cohort.vcf", simulate_genotypes(30, 70, seed=1))
    return tmp_path / "cohort.vcf"


def test_strands_are_packed_too(phased, tmp_path, monkeypatch):
    monkeypatch.setattr("genoken.readers.vcf._RECORDS_AT_ONCE", 9)
    monkeypatch.setattr(_calls_store, "_BYTES_AT_ONCE", 100)
    found, expected = read_file(pack(phased, tmp_path / "cohort.calls", show=QUIET)), read_file(phased)
    assert expected.first_strand is not None
    same(found, expected)
    same(found.take(np.array([7, 3])), expected.take(np.array([7, 3])))


def test_a_phase_that_ends_in_the_middle_is_not_packed(phased, tmp_path, monkeypatch):
    monkeypatch.setattr("genoken.readers.vcf._RECORDS_AT_ONCE", 9)
    head, last = phased.read_text().rsplit("\n", 2)[:2]
    phased.write_text(f"{head}\n{last.replace('|', '/').replace('0/0', '0/1')}\n")
    found = read_file(pack(phased, tmp_path / "cohort.calls", show=QUIET))
    assert found.first_strand is None
    assert not (tmp_path / "cohort.calls" / _calls_store.STRAND).exists()
    same(found, read_file(phased))


def test_pgen(tmp_path):
    pgenlib = pytest.importorskip("pgenlib")
    dense = np.random.default_rng(0).integers(-1, 3, (11, 9)).astype(np.int8)
    path = tmp_path / "cohort.pgen"
    writer = pgenlib.PgenWriter(str(path).encode(), 11, variant_ct=9, nonref_flags=False)
    writer.append_biallelic_batch(np.ascontiguousarray(np.where(dense < 0, -9, dense).T.astype(np.int8)))
    writer.close()
    path.with_suffix(".pvar").write_text(
        "#CHROM\tPOS\tID\tREF\tALT\n" + "".join(f"1\t{row + 1}\trs{row}\tG\tA\n" for row in range(9))
    )
    path.with_suffix(".psam").write_text("#IID\tSEX\n" + "".join(f"s{row}\t1\n" for row in range(11)))
    found = read_file(pack(tmp_path / "cohort", tmp_path / "cohort.calls", show=QUIET))
    np.testing.assert_array_equal(found.values.dense(), dense)
    same(found, read_file(path))


@pytest.fixture
def store(tmp_path):
    """A store of 3 samples at 5 variants."""
    dense = np.array([[0, 1, 2, -1, 0], [2, 2, 1, 0, 0], [0, 0, -1, 1, 2]], dtype=np.int8)
    return pack(write_plink(tmp_path, dense), tmp_path / "cohort.calls", show=QUIET)


def test_what_is_on_disk_is_what_is_said_and_nothing_else(store):
    assert sorted(file.name for file in store.iterdir()) == ["calls.bin", "calls.json", "samples.parquet", "variants.parquet"]
    assert (store / "calls.bin").read_bytes() == bytes([0b11_10_01_00, 0b00, 0b00_01_10_10, 0b00, 0b01_11_00_00, 0b10])
    header = json.loads((store / "calls.json").read_text())
    assert header == {
        "format": "genoken calls", "version": 1, "samples": 3, "variants": 5, "phased": False, "build": "", "notes": []
    }  # fmt: skip
    assert sorted(file.name for file in store.parent.iterdir()) == ["cohort.bed", "cohort.bim", "cohort.calls", "cohort.fam"]


def test_packing_that_fails_leaves_nothing_and_what_was_there(store, monkeypatch):
    files = sorted(store.parent.iterdir())

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_calls_store, "_turn", fail)
    with pytest.raises(RunError, match=r"cannot write the store \(No space left on device\) — free disk space"):
        pack(store.with_suffix(".bed"), store, overwrite=True, show=QUIET)
    assert sorted(store.parent.iterdir()) == files
    assert read_file(store).num_samples == 3


def test_what_is_in_the_way_is_replaced_only_where_it_is_a_store(store, tmp_path):
    path = store.with_suffix(".bed")
    with pytest.raises(RunError, match=r"the store exists — .* --overwrite"):
        pack(path, store, show=QUIET)
    write_plink(tmp_path, np.zeros((2, 3), dtype=np.int8))
    assert read_file(pack(path, store, overwrite=True, show=QUIET)).values.shape == (2, 3)
    (tmp_path / "other.calls").mkdir()
    with pytest.raises(RunError, match="something else has this name"):
        pack(path, tmp_path / "other.calls", overwrite=True, show=QUIET)
    with pytest.raises(RunError, match=r"the name of a store ends in .calls — write to cohort.calls"):
        pack(path, tmp_path / "cohort.bin", show=QUIET)
    with pytest.raises(DataError, match=r"genotypes are packed from PLINK and VCF files"):
        pack(store, tmp_path / "again.calls", show=QUIET)


def test_the_command_line_says_what_was_packed_and_a_run_takes_the_store(tmp_path, capsys):
    pytest.importorskip("bed_reader")
    trait = TraitModel("additive", 2, heritability=0.9, prevalence=0.4)
    simulate(tmp_path / "cohort.bed", PeopleModel(samples=60, variants=40), trait, seed=0, show=QUIET)
    assert main(["pack", str(tmp_path / "cohort"), "-o", str(tmp_path / "cohort.calls")]) == 0
    assert "60 samples at 40 variants, 0.0 MB; the phase is not known" in capsys.readouterr().out
    assert main(["check", str(tmp_path / "cohort.calls")]) == 0
    said = capsys.readouterr().out
    assert main(["check", str(tmp_path / "cohort.bed")]) == 0
    assert said == capsys.readouterr().out.replace("cohort.bed", "cohort.calls")
    assert main(["pack", str(tmp_path / "cohort"), "-o", str(tmp_path / "cohort.calls")]) == 2
