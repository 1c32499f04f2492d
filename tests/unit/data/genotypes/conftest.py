"""The two cohorts that share people and variants."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

COHORTS = {
    "hapmap": "HM3_thinned_autosomal_overlap",
    "thousand": "1kg.ref.phase1_release_v3.20101123_thinned_autosomal_overlap",
}


class Cohort(NamedTuple):
    """One cohort: int8 (samples, variants), sample ids, feature table."""

    dense: np.ndarray
    people: list[str]
    features: pd.DataFrame


def read_cohort(folder: Path, name: str, build: str) -> Cohort:
    """Read a PLINK file set by its definition: two bits a call, four calls a byte, one variant after the other."""
    people = [line.split()[1] for line in (folder / f"{name}.fam").read_text().splitlines()]
    columns = ["chromosome", "id", "position_cm", "position_bp", "counted_allele", "other_allele"]
    text = {"chromosome": str, "id": str}
    features = pd.read_csv(folder / f"{name}.bim", sep=r"\s+", names=columns, dtype=text).set_index("id").assign(build=build)
    stored = np.fromfile(folder / f"{name}.bed", dtype=np.uint8)[3:].reshape(len(features), -1)
    codes = np.stack([stored >> shift & 3 for shift in (0, 2, 4, 6)], axis=2).reshape(len(features), -1)[:, : len(people)]
    return Cohort(np.array([2, -1, 1, 0], dtype=np.int8)[codes].T.copy(), people, features)


@pytest.fixture(scope="session")
def cohorts(real_data) -> tuple[Cohort, Cohort]:
    """HapMap 3 and 1000 Genomes at the same 14,079 variants; 564 people are in both."""
    folder = real_data / "genotypes" / "hapmap3_1kg"
    if not folder.is_dir():
        pytest.skip("no real genotypes here: set GENOKEN_DATA to a folder that holds genotypes/hapmap3_1kg/")
    return read_cohort(folder, COHORTS["hapmap"], "hg18"), read_cohort(folder, COHORTS["thousand"], "hg19")
