"""Runs of a second or two, each made once: 90 cells of 3 types from 9 donors, 40 genes, a transformer of width 8."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
import torch

from genoken.core.files import write_text
from genoken.core.genotypes import MISSING, sparse_dosages
from genoken.core.samples import Samples
from genoken.synthetic import planted_markers
from genoken.workflows.inputs import Study
from genoken.workflows.pretrain import pretrain
from genoken.workflows.pretrained_run import PretrainedRun
from genoken.workflows.run import Run
from genoken.workflows.train import train

TINY: dict[str, Any] = {
    "tokenizer.hvgs": 0,
    "model.width": 8,
    "model.encoder.layers": 1,
    "model.encoder.heads": 2,
    "model.encoder.feed_forward": 8,
    "training.epochs": 2,
    "training.batch_size": 16,
    "training.learning_rate": 0.02,
    "training.average_decay": 0.0,
    "training.logger": "none",
    "evaluation.bootstrap": 50,
    "split.kind": "group",
}
"""Settings of a tiny transformer on one grouped split."""
LEAN = TINY | {"evaluation.baselines": ["majority"]}
"""The same where baselines are not the subject."""
TINY_PRETRAINING: dict[str, Any] = {
    "tokenizer.kind": "binned",
    "tokenizer.edges": [0.1, 2.0],
    "model.width": 8,
    "model.encoder.layers": 1,
    "model.encoder.heads": 2,
    "model.encoder.feed_forward": 8,
    "training.epochs": 2,
    "training.batch_size": 16,
    "training.learning_rate": 0.02,
    "training.average_decay": 0.0,
    "training.logger": "none",
}
"""Settings of a tiny masked model over three bins."""


@contextlib.contextmanager
def quick(*, report: bool) -> Iterator[None]:
    """One thread, fewer splits tried, principal components for UMAP; without ``report``, nothing is explained or drawn."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("genoken.reporting.projection.MIN_SAMPLES_FOR_UMAP", 10**9)
        patch.setattr("genoken.data.splits._partition._MOST_STARTS", 4)
        if not report:
            patch.setattr("genoken.workflows.train.write_explanations", lambda *arguments, **named: None)
            patch.setattr("genoken.workflows.report.write_report", stub_report)
            patch.setattr("genoken.workflows.pretraining_results.write_report", stub_report)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def stub_report(folder: Path) -> Path:
    """Write a page that says nothing."""
    write_text(Path(folder) / "report.html", "<p>a stub</p>")
    return Path(folder) / "report.html"


def fit_tiny(
    data: Any,
    output: Path | None,
    changes: Mapping[str, Any] | None = None,
    *,
    full: bool = False,
    label: str = "cell_type",
    **named: Any,
) -> Run:
    """Train a tiny run; ``full``: with all baselines, explanations and the report."""
    with quick(report=full):
        settings = (TINY if full else LEAN) | dict(changes or {})
        return train(data, label=label, settings=settings, output=output, **named)


def pretrain_tiny(
    data: Any, output: Path, changes: Mapping[str, Any] | None = None, *, full: bool = False, **named: Any
) -> PretrainedRun:
    """Pretrain a tiny run; ``full``: with the report. Another ``tokenizer`` takes the place of the bins."""
    changes = dict(changes or {})
    kept = {path: value for path, value in TINY_PRETRAINING.items() if "tokenizer" not in changes or "tokenizer" not in path}
    with quick(report=full):
        return pretrain(data, settings=kept | changes, output=output, **named)


def go_on(folder: Path, **named: Any) -> Run:
    """Resume a run that was begun without explanations and report."""
    with quick(report=False):
        return train(resume=folder, **named)


@pytest.fixture(autouse=True)
def _quick_tests(request: pytest.FixtureRequest) -> Iterator[None]:
    """Keep what a test itself calls quick; what a browser opens is made as users would."""
    if request.node.path.name == "test_report_browser.py":
        yield
        return
    with quick(report=True):
        yield


@pytest.fixture(scope="session")
def tiny() -> Callable[..., Run]:
    """:func:`fit_tiny`."""
    return fit_tiny


@pytest.fixture(scope="session")
def pretraining() -> Callable[..., PretrainedRun]:
    """:func:`pretrain_tiny`."""
    return pretrain_tiny


@pytest.fixture(scope="session")
def pretrained(cells_file: Path, tmp_path_factory: pytest.TempPathFactory) -> PretrainedRun:
    """Bins and two phenotypes, of which whole donors are held out, with the report."""
    settings = {"training.epochs": 8, "data.group": "donor_id"}
    folder = tmp_path_factory.mktemp("runs") / "pretrained"
    return pretrain_tiny(cells_file, folder, settings, full=True, phenotypes=["interaction", "cell_type"])


@pytest.fixture(scope="session")
def resume() -> Callable[..., Run]:
    """:func:`go_on`."""
    return go_on


@pytest.fixture(scope="session")
def quickly() -> Callable[..., contextlib.AbstractContextManager[None]]:
    """:func:`quick`."""
    return quick


@pytest.fixture(scope="session")
def cells() -> anndata.AnnData:
    """The cells; take a ``.copy()`` before changing them."""
    return planted_markers(samples=90, features=40, groups=9, seed=3)


@pytest.fixture(scope="session")
def cells_file(cells: anndata.AnnData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cells as a file."""
    path = tmp_path_factory.mktemp("cells") / "cells.h5ad"
    cells.write_h5ad(path)
    return path


@pytest.fixture(scope="session")
def run(cells_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One split by donor, with everything."""
    return fit_tiny(cells_file, tmp_path_factory.mktemp("runs") / "whole", full=True)


@pytest.fixture(scope="session")
def folds(cells_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Three folds of donors, with everything."""
    settings = {"split.kind": "folds", "split.folds": 3}
    return fit_tiny(cells_file, tmp_path_factory.mktemp("runs") / "folds", settings, full=True)


@pytest.fixture(scope="session")
def lean(cells_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One split by donor, with the majority as its only baseline and a stub for a report: to be copied, changed and broken."""
    return fit_tiny(cells_file, tmp_path_factory.mktemp("runs") / "lean")


@pytest.fixture(scope="session")
def regression(cells_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same cells with a number to predict."""
    return fit_tiny(cells_file, tmp_path_factory.mktemp("runs") / "score", full=True, label="score")


@pytest.fixture(scope="session")
def binary(cells_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One type against the others, called from a probability of 0.2 on."""
    settings = {"evaluation.threshold": 0.2}
    return fit_tiny(cells_file, tmp_path_factory.mktemp("runs") / "binary", settings, positive="type_1")


@pytest.fixture(scope="session")
def people() -> Study:
    """240 people of 30 variants whose label is told by the variant 9; neighbors are in linkage, some calls are missing."""
    rng = np.random.default_rng(4)
    strands = rng.random((2, 240, 30)) < 0.4
    strands[:, :, 1::3] = strands[:, :, 0::3] ^ (rng.random((2, 240, 30 // 3)) < 0.05)
    first, dense = strands[0].astype(np.int8), strands.sum(axis=0).astype(np.int8)
    labels = (dense[:, 9] + rng.normal(0, 0.2, 240) > 0.6).astype(np.int64)
    is_missing = rng.random(dense.shape) < 0.02
    values, first_strand = (sparse_dosages(np.where(is_missing, MISSING, found)) for found in (dense, first))
    features = pd.DataFrame(
        {"chromosome": "3", "position_bp": np.arange(30) * 100, "counted_allele": "T", "other_allele": "C", "build": ""},
        index=[f"rs{index}" for index in range(30)],
    )
    table = pd.DataFrame({"trait": np.array(["no", "yes"])[labels]}, index=[f"p{index}" for index in range(240)])
    samples = Samples(values, table, features, "dosage", "planted", first_strand=first_strand)
    return Study(samples, "classification", "trait", labels, ("no", "yes"), "", "", None, ())


class Said:
    """Stands for :class:`genoken.workflows.show.Show` and keeps what was said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str = "") -> None:
        """Keep a line."""
        self.lines.append(text)

    strong = line

    def warning(self, text: str) -> None:
        """Keep a warning."""
        self.lines.append(f"warning: {text}")

    def table(self, title: str, columns: Any, rows: Any) -> None:
        """Keep a table's title."""
        self.lines.append(title)

    @contextlib.contextmanager
    def bar(self, description: str, total: float) -> Iterator[Any]:
        """Show nothing."""
        yield self

    def to(self, completed: float, note: str = "") -> None:
        """Show nothing."""


@pytest.fixture
def said() -> Said:
    """What a workflow says."""
    return Said()
