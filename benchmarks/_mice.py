"""The heterogeneous-stock mice of the R package BGLR as files that a user has: PLINK's three and a table of phenotypes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse.csgraph import connected_components

SAME_FAMILY = 0.05
"""Pedigree relationship above which two mice are of one family; families are what is connected by it."""
TRAITS = {"Obesity.BMI": "bmi", "Obesity.BodyLength": "body_length", "Biochem.HDL": "hdl", "Coat": "coat_color"}
"""How columns of the file begin, and what they are called here."""


def write_mice(source: Path, folder: Path) -> tuple[Path, Path]:
    """Write ``mice.bed`` with its companions and ``mice.tsv`` from BGLR's ``mice.RData``, which the package ``rdata`` reads.

    Positions are those of the file in millions, of which it is not known whether they are base pairs; they only say what is near.

    Returns
    -------
    tuple
        The genotypes and the table: ``IID``, ``family``, ``sex``, and the traits of :data:`TRAITS`.
    """
    import rdata
    from bed_reader import to_bed

    content = rdata.conversion.convert(rdata.parser.parse_file(str(source)))
    calls, variants, table = content["mice.X"], content["mice.map"], content["mice.pheno"]
    names = variants["snp_id"].astype(str)
    counted = names.str.rsplit("_", n=1).str[1].to_numpy()
    alleles = variants["alleles"].astype(str).str.split(";")
    people = [str(name) for name in calls.coords["dim_0"].to_numpy()]
    bed = folder / "mice.bed"
    to_bed(
        bed,
        np.asarray(calls, dtype=np.int8),
        properties={
            "iid": people,
            "fid": people,
            "sid": names.to_numpy(),
            "chromosome": variants["chr"].astype(str).to_numpy(),
            "bp_position": (1e6 * variants["mbp"].to_numpy(dtype=float)).round().astype(int) + 1,
            "allele_1": counted,
            "allele_2": [next(one for one in pair if one != own) for pair, own in zip(alleles, counted, strict=True)],
        },
    )
    phenotypes = folder / "mice.tsv"
    _phenotypes(people, table, np.asarray(content["mice.A"])).to_csv(phenotypes, sep="\t", index=False, na_rep="NA")
    return bed, phenotypes


def _phenotypes(people: list[str], table: pd.DataFrame, relationship: np.ndarray) -> pd.DataFrame:
    rows: Any = table.set_index(table["SUBJECT.NAME"].astype(str)).loc[people]
    _, families = connected_components(relationship > SAME_FAMILY, directed=False)
    found = pd.DataFrame({"IID": people, "family": [f"F{family:03d}" for family in families], "sex": rows["GENDER"].to_numpy()})
    for name, ours in TRAITS.items():
        found[ours] = rows[next(column for column in rows if column.startswith(name))].to_numpy()
    return found
