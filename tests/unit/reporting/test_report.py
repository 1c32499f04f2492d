from __future__ import annotations

import functools
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from genoken.core.errors import RunError
from genoken.reporting.report import write_report

MEGABYTE = 1_000_000


class Page(HTMLParser):
    """Tags, attributes and visible texts of a page, as a browser would read them."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.data: dict[str, str] = {}
        self.programs: list[str] = []
        self._inside: str | None = None
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        self._inside = (found.get("id") or "program") if tag == "script" else "style" if tag == "style" else None

    def handle_endtag(self, tag: str) -> None:
        self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside == "program":
            self.programs.append(data)
        elif self._inside is None:
            self.texts.append(data)
        elif self._inside != "style":
            self.data[self._inside] = self.data.get(self._inside, "") + data


@functools.cache
def page_of(folder: Path) -> Page:
    return Page(write_report(folder).read_text(encoding="utf-8"))


@pytest.fixture(params=["evil_run", "binary_leaky_run", "regression_run", "next_cell_run", "minimal_run"])
def folder(request: pytest.FixtureRequest) -> Path:
    return request.getfixturevalue(request.param)


def test_same_folder_same_bytes(folder: Path) -> None:
    first = write_report(folder).read_bytes()
    assert write_report(folder) == folder / "report.html"
    assert (folder / "report.html").read_bytes() == first


def test_a_copy_without_the_kept_maps_gives_the_same_bytes(evil_run: Path, tmp_path: Path) -> None:
    first = write_report(evil_run).read_bytes()
    copy = shutil.copytree(evil_run, tmp_path / "elsewhere")
    (copy / "projection.parquet").unlink()
    (copy / "report.html").unlink()
    assert write_report(copy).read_bytes() == first


def test_nothing_is_fetched(folder: Path) -> None:
    page = page_of(folder)
    for tag, attributes in page.tags:
        assert tag not in {"link", "iframe", "object", "embed", "img", "base", "form"}
        assert "src" not in attributes
        if attributes.get("href"):
            assert attributes["href"].startswith("#")
    style = re.findall(r"<style>(.*?)</style>", (folder / "report.html").read_text(encoding="utf-8"), re.DOTALL)
    assert len(style) == 1
    assert "url(" not in style[0]
    assert "@import" not in style[0]


def test_plotly_is_inlined_once_and_the_page_stays_small(folder: Path) -> None:
    source = (write_report(folder)).read_text(encoding="utf-8")
    assert source.count("plotly.js v") == 1
    assert len(source.encode()) < 6 * MEGABYTE


def test_every_plot_has_its_data_and_ids_are_unique(folder: Path) -> None:
    page = page_of(folder)
    identifiers = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    plots = [attributes["id"] for _, attributes in page.tags if attributes.get("class") == "plot"]
    for identifier in plots:
        content = json.loads(page.data[f"{identifier}-data"])
        assert content["data"]
        assert content["layout"]["height"] > 0
        for view in content["views"]:
            assert len(view["visible"]) == len(content["data"])
            assert any(view["visible"])


def test_every_link_of_the_contents_has_its_section(folder: Path) -> None:
    page = page_of(folder)
    links = [(attributes["href"] or "")[1:] for tag, attributes in page.tags if tag == "a"]
    sections = [attributes.get("id") for tag, attributes in page.tags if tag == "section"]
    assert set(links) == set(sections)


def test_hostile_names_stay_text(evil_run: Path) -> None:
    page = page_of(evil_run)
    assert not any("onerror" in attributes for _, attributes in page.tags)
    assert len(page.programs) == 2
    everything = " ".join(page.texts)
    assert "B <script>alert('x')</script> & \"co\"" in everything
    assert "</script><img src=x onerror=alert(1)>" in everything
    assert "NK {{ 7*7 }} %{x} ${y} #0072B2" in everything
    assert "NK 49" not in everything
    confusion = json.loads(page.data["plot-confusion-data"])
    assert confusion["data"][0]["x"][0] == "B &lt;script&gt;alert('x')&lt;/script&gt; &amp; \"co\""
    importance = json.loads(page.data["plot-importance-data"])
    shown = [text for view in importance["views"] for text in view["layout"]["yaxis.ticktext"]]
    assert "&lt;i&gt;GENE&lt;/i&gt;" in shown
    assert not any("<" in text for text in shown)


def test_hostile_names_of_next_cells_stay_text(next_cell_run: Path) -> None:
    page = page_of(next_cell_run)
    assert not {"i", "u", "img"} & {tag for tag, _ in page.tags}
    assert len(page.programs) == 2
    everything = " ".join(page.texts)
    for name in ("pseudo<i>time</i>", "<b>base</b>", "<i>Ins1</i>", "B <script>alert('x')</script> & \"co\" → </script><img src=x"):
        assert name in everything
    arrows = json.loads(page.data["plot-successor-map-data"])
    shown = [text for trace in arrows["data"] for text in trace.get("text") or []]
    assert "&lt;u&gt;c0&lt;/u&gt;" in " ".join(shown)
    assert not any("<" in text.replace("<br>", "") for text in shown)
    genes = json.loads(page.data["plot-changes-data"])
    named = [text for trace in genes["data"] for text in (trace.get("hovertext") or [])]
    assert "&lt;i&gt;Ins1&lt;/i&gt;" in named
    assert not any("<" in text for text in named)


def test_only_our_two_scripts_may_run(evil_run: Path) -> None:
    page = page_of(evil_run)
    policy = next(
        attributes["content"] for tag, attributes in page.tags if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert policy.count("'sha256-") == 2
    assert "unsafe-inline" not in policy.split("style-src")[0]


def test_absent_parts_are_named(minimal_run: Path) -> None:
    page = page_of(minimal_run)
    everything = " ".join(page.texts)
    for title in ("Data doctor", "Split and leak audit", "Learning curves", "Map of the samples", "Genes that the model looks at"):
        assert title in everything
    assert "not computed" in everything


def test_leak_banner_is_on_the_first_screen(binary_leaky_run: Path) -> None:
    source = write_report(binary_leaky_run).read_text(encoding="utf-8")
    assert 0 < source.index("This split leaks") < source.index("<h1>")


@pytest.mark.parametrize(
    "absent", ["predictions.parquet", "embeddings.parquet", "baselines", "split.parquet", "explanations", "manifest.json"]
)
def test_any_file_may_be_absent(evil_run: Path, tmp_path: Path, absent: str) -> None:
    copy = shutil.copytree(evil_run, tmp_path / "copy")
    target = copy / absent
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    assert write_report(copy).stat().st_size > MEGABYTE


def test_null_everywhere_it_may_be(minimal_run: Path) -> None:
    metrics = json.loads((minimal_run / "metrics.json").read_text())
    metrics |= {
        "positive": None,
        "verdict": None,
        "split": None,
        "leakage": None,
        "ablation": None,
        "ablation_difference": None,
        "contrast": None,
        "speed": None,
    }
    metrics["test"] |= {
        "groups": None,
        "difference": None,
        "per_class": None,
        "confusion": None,
        "calibration": None,
        "curves": None,
    }
    (minimal_run / "metrics.json").write_text(json.dumps(metrics))
    for name in ("manifest.json", "check.json"):
        (minimal_run / name).write_text("{}")
    pd.DataFrame({"sample_id": [], "label": [], "predicted": []}).to_parquet(minimal_run / "predictions.parquet")
    assert "Not in this report" in " ".join(page_of(minimal_run).texts)


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"metrics\.json is missing"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_reporting_imports_neither_torch_nor_lightning() -> None:
    program = (
        "import sys, pkgutil, importlib, genoken.reporting as package\n"
        "for part in pkgutil.iter_modules(package.__path__): importlib.import_module(f'genoken.reporting.{part.name}')\n"
        "import umap\n"
        "assert not {'torch', 'lightning'} & set(sys.modules), 'imported'\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
