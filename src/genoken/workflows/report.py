"""Write a run's report."""

from __future__ import annotations

from pathlib import Path

from genoken.core.errors import RunError
from genoken.reporting.report import write_report
from genoken.workflows.pretrained_run import PretrainedRun
from genoken.workflows.run import Run


def report(run: Run | PretrainedRun | str | Path) -> Path:
    """Write ``report.html`` from the files of a run folder and return its path.

    Raises
    ------
    RunError
        When the folder has no ``metrics.json``.
    """
    folder = run.folder if isinstance(run, (Run, PretrainedRun)) else Path(run)
    if not (folder / "metrics.json").is_file():
        raise RunError("there is nothing to report: no metrics.json", where=str(folder), remedy="name the folder of a finished run")
    return write_report(folder)
