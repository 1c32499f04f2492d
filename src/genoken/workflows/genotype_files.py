"""Writing genotypes: PLINK 1 files, VCF, AnnData."""

from __future__ import annotations

import gzip
import importlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pandas as pd

from genoken.core.calls import Calls
from genoken.core.errors import DataError, MissingExtraError
from genoken.core.files import atomic_path
from genoken.core.genotypes import CENTIMORGAN, CHROMOSOME, COUNTED, MISSING, OTHER, POSITION, dense_dosages
from genoken.core.samples import Samples

ENDINGS = (".bed", ".vcf", ".vcf.gz", ".h5ad")
"""File name endings that can be written."""
_BED_MISSING = -127
_VCF_COLUMNS = ("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT")
_SEXES = {"male": 1, "female": 2}


def files_to_write(path: Path) -> list[Path]:
    """Return the files that :func:`write_genotypes` writes for this name; for PLINK, three.

    Raises
    ------
    DataError
        When the ending of the name is not one of those.
    """
    path = Path(path)
    ending = ending_of(path)
    return [path.with_suffix(suffix) for suffix in (".bed", ".bim", ".fam")] if ending == ".bed" else [path]


def ending_of(path: Path) -> str:
    """Return the ending of a name that says what kind of file is written."""
    for ending in sorted(ENDINGS, key=len, reverse=True):
        if Path(path).name.lower().endswith(ending):
            return ending
    raise DataError(
        "genotypes are not written to files of this ending", where=str(path), remedy=f"choose one of {', '.join(ENDINGS)}"
    )


def write_genotypes(path: Path, samples: Samples, trait: pd.Series | None = None) -> None:
    """Write genotypes, in the format that the name's ending says; each file is whole or absent.

    Parameters
    ----------
    path
        A name that ends in ``.bed`` (the ``.bim`` and ``.fam`` are written beside it; the counted allele is A1; the phase is lost),
        ``.vcf`` or
        ``.vcf.gz`` (the counted allele is ALT) or ``.h5ad`` (all columns are kept).
    samples
        Dosages.
    trait
        By sample: numbers, or ``case`` and ``control``; PLINK's phenotype, or a column ``trait`` of ``obs``. VCF has no place for
        it.

    Raises
    ------
    DataError
        When the ending is unknown.
    MissingExtraError
        Without bed-reader, for ``.bed``.
    """
    writers: dict[str, Callable[[Path, Samples, pd.Series | None], None]] = {
        ".bed": _write_plink,
        ".vcf": _write_vcf,
        ".vcf.gz": _write_vcf,
        ".h5ad": _write_h5ad,
    }
    writers[ending_of(path)](Path(path), samples, trait)


def _write_plink(path: Path, samples: Samples, trait: pd.Series | None) -> None:
    try:
        bed_reader = importlib.import_module("bed_reader")
    except ImportError as error:
        raise MissingExtraError("bed-reader", "genotype") from error
    dense = dense_dosages(samples.values)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.stem}-", dir=path.parent) as folder:
        temporary = Path(folder) / path.name
        bed_reader.to_bed(
            temporary, np.where(dense == MISSING, _BED_MISSING, dense), properties=_plink_columns(samples, trait), count_A1=True
        )
        for target in files_to_write(path):
            temporary.with_suffix(target.suffix).replace(target)


def _plink_columns(samples: Samples, trait: pd.Series | None) -> dict[str, Any]:
    table, features = samples.table, samples.features
    names = table.index.astype(str).to_numpy()
    positions = features[CENTIMORGAN].to_numpy() if CENTIMORGAN in features else np.zeros(len(features))
    return {
        "fid": _text(table, "family", names),
        "iid": names,
        "father": _text(table, "father", np.full(len(names), "0")),
        "mother": _text(table, "mother", np.full(len(names), "0")),
        "sex": [_SEXES.get(word, 0) for word in _text(table, "sex", names)],
        "pheno": ["-9"] * len(names) if trait is None else [_phenotype(value) for value in trait],
        "chromosome": features[CHROMOSOME].to_numpy(),
        "sid": features.index.to_numpy(),
        "cm_position": positions,
        "bp_position": features[POSITION].to_numpy(),
        "allele_1": features[COUNTED].to_numpy(),
        "allele_2": features[OTHER].to_numpy(),
    }


def _text(table: pd.DataFrame, column: str, otherwise: np.ndarray) -> np.ndarray:
    """Return a column as text, with something else where there is none, or where it is empty."""
    if column not in table:
        return otherwise
    given = table[column].fillna("").astype(str).to_numpy()
    return np.where(given == "", otherwise, given)


def _phenotype(value: object) -> str:
    """Return PLINK's word for a trait: 1 for controls, 2 for cases, else the number."""
    return {"control": "1", "case": "2"}.get(str(value)) or f"{float(str(value)):.6g}"


def _write_vcf(path: Path, samples: Samples, _trait: pd.Series | None) -> None:
    features = samples.features
    words, codes = _calls(samples)
    columns = [features[CHROMOSOME], features[POSITION], features.index, features[OTHER], features[COUNTED]]
    header = [*_VCF_COLUMNS, *samples.table.index]
    with atomic_path(path) as temporary, _opened(temporary) as file:
        file.write("##fileformat=VCFv4.2\n")
        file.writelines(f"##contig=<ID={name}>\n" for name in dict.fromkeys(features[CHROMOSOME]))
        file.write('##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n')
        file.write("\t".join(header) + "\n")
        for place, row in enumerate(zip(*columns, strict=True)):
            file.write("\t".join([*map(str, row), ".", "PASS", ".", "GT", *words[codes[:, place]]]) + "\n")


def _opened(path: Path) -> TextIO:
    """Open a file of text for writing, compressed where its name says so."""
    return gzip.open(path, "wt", encoding="utf-8") if path.suffix == ".gz" else path.open("w", encoding="utf-8")


def _calls(samples: Samples) -> tuple[np.ndarray, np.ndarray]:
    """Return words such as ``0|1``, and for each call the index of its word."""
    dense = dense_dosages(samples.values)
    if samples.first_strand is None:
        return np.array(["0/0", "0/1", "1/1", "./."]), np.where(dense == MISSING, 3, dense)
    first = dense_dosages(samples.first_strand)
    codes = np.where(first == MISSING, 5, 2 * first + (dense - first))
    return np.array(["0|0", "0|1", "1|0", "1|1", ".|.", "0/1"]), np.where(dense == MISSING, 4, codes)


def _write_h5ad(path: Path, samples: Samples, trait: pd.Series | None) -> None:
    from anndata import AnnData

    table = samples.table.copy() if trait is None else samples.table.assign(trait=trait)
    table.index.name = None
    adata = AnnData(Calls.of(samples.values).read(), obs=table, var=samples.features)
    if samples.first_strand is not None:
        adata.layers["first_strand"] = Calls.of(samples.first_strand).read()
    with atomic_path(path) as temporary:
        adata.write_h5ad(temporary)
