"""Settings of a pretraining run beside those that all runs have: its data, and which cells come next."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from genoken.core.components import settings

Fraction = Annotated[float, Field(ge=0, le=1)]
NonNegative = Annotated[float, Field(ge=0)]


@settings
class PretrainDataSettings:
    """Which values and columns, and what is held out."""

    source: str = "auto"
    """``auto``, ``X``, ``raw`` or ``layers/NAME``: where the values are."""
    group: str = ""
    """Column of ``obs`` whose values are held out whole, such as a donor or a compound; empty: single samples are."""
    test: Fraction = 0.2
    """Share of the samples that are held out to be reported on; 0 where other files are named for that."""
    val: Fraction = 0.05
    """Share of the remaining samples that choose the best weights."""
    floor_by: str = ""
    """Column of ``obs``, such as the cell line, each value of which has a trivial rule of its own to be held against."""
    phenotypes: tuple[str, ...] = ()
    """Columns of ``obs`` that become tokens in front of the features."""
    phenotype_map: str = ""
    """JSON file ``{column: [values]}`` that fixes the phenotypes' values; empty: those of the train samples."""
    min_coverage: Fraction = 0.5
    """Smallest share of the first file's features that every other file must hold."""
    shared: Literal["first", "common", "union"] = "first"
    """Which features of several files are kept: those of the first file, those of all files, or all."""
    limit_samples: int = 0
    """Use at most this many samples, drawn by the seed; 0 for all."""
    store: Literal["auto", "memory", "disk"] = "auto"
    """Where the values of files are kept during the run; ``auto``: on disk where they take more than ``memory_gb`` in memory."""
    memory_gb: NonNegative = 4.0
    """Size up to which values, 8 bytes for each that is not 0, are kept in memory, where a run then takes several times as much."""
    fit_samples: Annotated[int, Field(ge=0)] = 200_000
    """Most train samples that the vocabulary, its statistics and start values are learned from, drawn by the seed; 0 for all."""
    report_tokens: Annotated[int, Field(ge=0)] = 50_000_000
    """Most tokens of the train samples that floors are fitted on, and of the test samples that are scored; 0 for all."""
    strict: bool = False
    """Refuse samples with missing values instead of leaving them out with a count."""


@settings
class SuccessorSettings:
    """Which cell comes next, and which of its tokens are seen."""

    key: str = ""
    """Key of ``obsp`` that holds the successors, or a path to a ``neighbors.json`` or an SCDL folder; empty: there are none."""
    draw: Literal["random", "weighted", "first", "all"] = "random"
    """Of several successors one is drawn in each epoch, evenly or by weight, or the first one stays, or all make pairs."""
    without: Literal["skip", "identity", "refuse"] = "skip"
    """Cells without a successor are left out and counted, are their own successor, or are an error."""
    attention: Literal["strict", "self", "full"] = "strict"
    """``strict``: next tokens see the current cell; ``self``: and themselves; ``full``: all of the next cell, which leaks it."""
    time: str = ""
    """Column of ``obs`` with time or pseudotime; edges that lead backward in it are counted and warned about."""
    types: str = ""
    """Column of ``obs`` with cell types, for trivial rules, controls and tables; empty: ``cell_type``, where there is one."""
    controls: tuple[Literal["reversed", "shuffled"], ...] = ("reversed", "shuffled")
    """Successors on which the same network is trained again, to see whether it learns time: turned around, and shuffled within
    types (without these, within each part). Each takes as long as the training itself."""
