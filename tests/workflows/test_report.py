"""The report of a run, written again."""

from __future__ import annotations

import shutil

import pytest

from genoken.core.errors import RunError
from genoken.workflows.report import report


def test_a_report_written_again_is_the_same(run, tmp_path):
    page = (run.folder / "report.html").read_bytes()
    shutil.copytree(run.folder, tmp_path / "run")
    (tmp_path / "run" / "report.html").unlink()
    assert report(tmp_path / "run") == tmp_path / "run" / "report.html"
    assert (tmp_path / "run" / "report.html").read_bytes() == page


def test_the_page_says_what_the_run_found(run, folds):
    for made in (run, folds):
        page = (made.folder / "report.html").read_text(encoding="utf-8")
        assert made.metrics["label"] in page
        assert made.verdict.split(":")[0] in page
        assert (
            made.metrics["split"]["note"][1:].split(";")[0].replace("'", "&#39;") in page
        )  # a sentence: its first letter is large
        assert "GENE00" in page
    assert str(run.report()) == str(run.folder / "report.html")


@pytest.mark.parametrize("make", [lambda folder: None, lambda folder: folder.mkdir()])
def test_without_metrics_there_is_nothing_to_report(make, tmp_path):
    make(tmp_path / "run")
    with pytest.raises(RunError, match=r"nothing to report: no metrics\.json — name the folder of a finished run"):
        report(tmp_path / "run")
