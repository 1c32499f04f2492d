"""Write ``report.html``: one page that holds everything a run says, without any file beside it and without a network."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import jinja2

from genoken.core.files import write_text
from genoken.reporting import sections_data, sections_model, sections_pretraining, sections_results, sections_variants, theme
from genoken.reporting.blocks import Missing, Section, safe_json
from genoken.reporting.load import RunFolder, load_run_folder
from genoken.reporting.wording import plain

_TEMPLATES = Path(__file__).resolve().parent / "templates"


def write_report(folder: Path) -> Path:
    """Write ``report.html`` into a run folder.

    Only what is in the folder goes into the page, so that the same folder gives the same bytes. The maps of the samples are
    computed once and kept as ``projection.parquet``.

    Parameters
    ----------
    folder
        A run folder; everything but ``metrics.json`` may be absent.

    Returns
    -------
    Path
        Path of the page.

    Raises
    ------
    RunError
        When the folder holds no ``metrics.json``, a file cannot be read, or the page cannot be written.
    """
    path = Path(folder) / "report.html"
    write_text(path, render(load_run_folder(Path(folder))))
    return path


def sections_of(run: RunFolder) -> tuple[list[Section], list[Missing]]:
    """Return the sections of the page in order, and those that the run folder has no data for."""
    parts = [
        sections_data.doctor(run),
        sections_data.split(run),
        *(sections_pretraining.pretraining_sections(run) if run.is_pretraining else _supervised_sections(run)),
        sections_model.model(run),
        sections_model.speed(run),
        sections_model.reproduce(run),
    ]
    return [part for part in parts if isinstance(part, Section)], [part for part in parts if isinstance(part, Missing)]


def _supervised_sections(run: RunFolder) -> list[Section | Missing]:
    results = sections_results
    return [
        results.scores(run),
        results.values(run) if run.is_regression else results.classes(run),
        sections_model.training(run),
        sections_model.embedding(run),
        sections_model.genes(run),
        *([sections_variants.variants(run)] if run.variants is not None else []),
    ]


def render(run: RunFolder) -> str:
    """Return the page of a run as HTML."""
    from plotly.offline import get_plotlyjs

    sections, missing = sections_of(run)
    manifest = run.manifest or {}
    colors = safe_json({"dark": theme.dark_partners()})
    return render_page(
        "report.html.j2",
        {
            "title": f"{plain(run.metrics.get('label') or run.metrics.get('task') or 'run')}: genoken report",
            "headline": sections_pretraining.headline(run) if run.is_pretraining else sections_results.headline(run),
            "sections": sections,
            "missing": missing,
            "created": plain(manifest.get("created") or ""),
            "version": plain(manifest.get("genoken") or ""),
            "colors": colors,
        },
        (get_plotlyjs(), (_TEMPLATES / "page.js").read_text(encoding="utf-8")),
    )


def render_page(template: str, content: dict[str, object], scripts: tuple[str, ...]) -> str:
    """Return a page from a template, with style sheet and scripts inlined.

    A content security policy lets only these very scripts run (by their hashes) and forbids every request, so that no text in the
    data can become a program and the page works offline by construction.

    Parameters
    ----------
    template
        File in ``templates/``.
    content
        Variables of the template.
    scripts
        JavaScript sources, in order.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    hashes = [f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in scripts]
    policy = (
        f"default-src 'none'; script-src {' '.join(hashes)}; style-src 'unsafe-inline'; img-src data: blob:; base-uri "
        "'none'; form-action 'none'"
    )
    style = (_TEMPLATES / "style.css").read_text(encoding="utf-8")
    palette = {name: theme.css_variables(name) for name in ("light", "dark")}
    return environment.get_template(template).render(**content, palette=palette, style=style, policy=policy, scripts=scripts)
