"""Examine a file before anything is trained on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from genoken.core.genotypes import HUMAN_AUTOSOMES
from genoken.data.check import check_samples
from genoken.data.phenotypes import join_phenotypes, read_phenotypes
from genoken.readers._anndata import inspect_anndata
from genoken.workflows.files import inspect_file

if TYPE_CHECKING:
    from anndata import AnnData


def check(
    data: str | Path | AnnData,
    *,
    label: str = "",
    group: str = "",
    source: str = "auto",
    phenotypes: str | Path = "",
    autosomes: int = HUMAN_AUTOSOMES,
) -> dict[str, Any]:
    """Examine a file or an AnnData object: values, ids, label, groups, confounding, repeated samples, memory.

    Nothing is printed or written. What training would refuse is returned as a finding of level ``error``, so that one call shows
    all problems at once.

    Parameters
    ----------
    data
        Path of a file or folder (h5ad, zarr, GCTX, GCT, 10x, PLINK, VCF), or an AnnData object.
    label
        Column of ``obs`` to predict; empty to see which there are.
    group
        Column of ``obs`` that must not straddle a split, such as a donor; empty: one with a usual name is taken.
    source
        ``auto``, ``X``, ``raw`` or ``layers/NAME``: where the values are.
    phenotypes
        Table of phenotypes and covariates to join by sample id; empty for none.
    autosomes
        Chromosomes of the species that are none of sex; PLINK numbers X, Y, XY and MT after them.

    Returns
    -------
    dict
        The content of ``check.json``; see ``docs/run-folder.md``.

    Raises
    ------
    DataError
        When the file cannot be read at all.

    Examples
    --------
    >>> import genoken, scanpy
    >>> findings = genoken.check(scanpy.datasets.pbmc68k_reduced(), label="bulk_labels")
    >>> findings["identifiers"]["type"]
    'symbol'
    """
    is_file = isinstance(data, (str, Path))
    inspection = inspect_file(Path(data), source, autosomes=autosomes) if is_file else inspect_anndata(data, source, "AnnData")
    samples = inspection.samples
    if phenotypes:
        samples = join_phenotypes(samples, read_phenotypes(Path(phenotypes)), str(phenotypes))
    return check_samples(
        samples,
        [matrix.summary() for matrix in inspection.matrices],
        label=label,
        group=group,
        file=str(data) if is_file else "",
        source=source,
        phenotypes=str(phenotypes),
        problems=inspection.problems,
    )
