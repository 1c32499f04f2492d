"""Sections on the model: training, the learned embedding, genes, architecture, speed, and how to reproduce the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from genoken.reporting import plots_data, plots_embedding, plots_genes, plots_training, tables
from genoken.reporting.blocks import Block, Code, Finding, Fold, Heading, Missing, Paragraph, Section
from genoken.reporting.load import RunFolder, section
from genoken.reporting.projection import MIN_SAMPLES_FOR_UMAP, columns_of, project
from genoken.reporting.wording import is_number, number, percent, plain, shorten

_MAX_CLASS_TABLES = 60


def training(run: RunFolder) -> Section | Missing:
    """Return the learning curves."""
    title = "Learning curves"
    memory = (run.manifest or {}).get("peak_memory_mb_by_epoch")
    curves = plots_training.learning_curves(run.history, run.primary_metric) if run.history is not None else None
    device = plain(section(run.manifest, "hardware").get("device") or "")
    rate = plots_training.rate_and_memory(run.history, memory, device)
    blocks = tuple(block for block in (curves, rate) if block is not None)
    if not blocks:
        return Missing(title, "history.csv is not in the run folder.")
    folds = run.history["fold"].nunique() if run.history is not None else 1
    intro = (
        f"Thin lines are the {folds} trainings (one per fold), thick lines their mean."
        if folds > 1
        else "One line per quantity, one value per epoch."
    )
    return Section("training", title, intro, blocks)


def embedding(run: RunFolder, columns: Sequence[str] | None = None) -> Section | Missing:
    """Return the maps of the test samples; they are computed once and kept in the run folder.

    Parameters
    ----------
    run
        The run.
    columns
        Columns of ``embeddings.parquet`` to color by, in place of label and group.
    """
    title = "Map of the samples"
    if run.embeddings is None:
        return Missing(title, "embeddings.parquet is not in the run folder.")
    projection = project(run.folder, run.embeddings)
    if projection is None:
        return Missing(title, "embeddings.parquet holds fewer than 3 samples with finite values.")
    panel = plots_embedding.sample_maps(projection, run.embeddings, run.classes, is_regression=run.is_regression, columns=columns)
    shown, total = len(projection.rows), len(run.embeddings)
    draw = f" A fixed draw of {number(shown)} of {number(total)} samples is shown." if shown < total else ""
    few = (
        f" With fewer than {MIN_SAMPLES_FOR_UMAP} samples, the first two principal components are shown instead of a UMAP."
        if projection.method == "PCA"
        else ""
    )
    seen = (
        "Samples of the whole cross-validation as the final model sees them, which was trained on them: this map is no test. "
        if section(run.metrics, "split").get("folds", 1) > 1
        else "Test samples only. "
    )
    both = "Both maps show the same samples in the same colors." if len(projection.coordinates) > 1 else ""
    return Section("map", title, f"{seen}{both}{draw}{few}".strip(), (panel,))


def genes(run: RunFolder) -> Section | Missing:
    """Return the top genes of each class with their controls."""
    noun = run.feature_noun
    title = f"{noun.capitalize()}s that the model looks at"
    controls = run.controls or {}
    if (run.genes is None or run.genes.empty) and not controls:
        return Missing(title, "explanations/ is not in the run folder; run genoken explain on it.")
    blocks: list[Block] = []
    if run.genes is not None and not run.genes.empty:
        own = list(dict.fromkeys(run.genes["class"]))
        order = [name for name in run.classes if name in own] + [name for name in own if name not in run.classes]
        blocks.append(plots_genes.importance(run.genes, order, noun))
        listed = [
            (Heading(shorten(name, 60)), tables.genes(plots_genes.top_genes(run.genes, name, 20), noun))
            for name in order[:_MAX_CLASS_TABLES]
        ]
        blocks.append(Fold(f"The top 20 {noun}s as tables", tuple(block for pair in listed for block in pair)))
    blocks += [Heading("Controls"), *control_findings(controls, noun)] if controls else []
    curve = section(controls, "deletion")
    if curve.get("fractions"):
        blocks.append(plots_genes.deletion(curve, noun))
    attention = section(controls, "attention")
    if attention.get("genes"):
        blocks.append(plots_genes.attention(attention["genes"], attention["matrix"], noun))
    blocks += _neighbors(run)
    method = controls.get("method") or (run.genes["method"].iloc[0] if run.genes is not None and "method" in run.genes else None)
    how = f"Method: {plain(method).replace('_', ' ')}. " if method else ""
    return Section("genes", title, f"{how}Importance says what the model uses, not what causes the phenotype.", tuple(blocks))


def control_findings(controls: dict[str, Any], noun: str = "gene") -> list[Finding]:
    """Return the controls of an explanation as findings: completeness, randomized weights, folds, deletion, notes.

    Thresholds: a completeness error above 1 % and a correlation above 0.5 with the importances of a model with randomized weights
    are warnings; so are an agreement between folds below 0.3, and a deletion curve that does not fall faster than that of random
    genes on average.
    """
    result = []
    error = controls.get("completeness_error")
    if is_number(error):
        level = "ok" if abs(error) < 0.01 else "warning"
        result.append(
            Finding(
                level,
                f"Completeness error {percent(abs(error), 2)}",
                "Importances should add up to the change of the prediction; below 1 % they do.",
            )
        )
    correlation = controls.get("randomized_weights_correlation")
    if is_number(correlation):
        level = "ok" if abs(correlation) < 0.5 else "warning"
        detail = (
            "Correlation with the importances of the same model with random weights; near zero means that the ranking "
            "comes from what was learned."
        )
        result.append(Finding(level, f"Randomized weights: correlation {number(correlation, 2)}", detail))
    agreement = controls.get("fold_agreement")
    if is_number(agreement):
        detail = (
            "Correlation of the importances that two folds' models give to their own test samples, mean over pairs of folds; low: "
            "the ranking depends on which samples were trained on."
        )
        result.append(Finding("ok" if agreement >= 0.3 else "warning", f"Agreement between folds {number(agreement, 2)}", detail))
    curve = section(controls, "deletion")
    if curve.get("importance") and curve.get("random"):
        gap = sum(random - ranked for ranked, random in zip(curve["importance"], curve["random"], strict=True)) / len(
            curve["importance"]
        )
        detail = (
            f"With the top {noun}s removed the score is lower by {number(gap)} on average than with as many random {noun}s removed."
        )
        if gap <= 0:
            detail = f"Removing the top {noun}s does not hurt more than removing random ones: do not interpret this ranking."
        result.append(Finding("ok" if gap > 0 else "warning", f"Deletion of the top {noun}s against random {noun}s", detail))
    return result + [Finding("info", plain(note)) for note in controls.get("notes") or []]


def _neighbors(run: RunFolder) -> list[Block]:
    if run.genes is None or run.genes.empty or run.gene_embeddings is None:
        return []
    names = list(dict.fromkeys(run.genes["class"]))
    per_class = max(1, 12 // max(len(names), 1))
    wanted = [str(gene) for name in names[:12] for gene in plots_genes.top_genes(run.genes, name, per_class)["feature_id"]]
    vectors = columns_of(run.gene_embeddings, "width")
    table = tables.neighbors(run.gene_embeddings, vectors, list(dict.fromkeys(wanted)), noun=run.feature_noun)
    return [table] if table is not None else []


def model(run: RunFolder) -> Section | Missing:
    """Return the architecture, its size, and the attention backend and precision that were really used, with the reasons."""
    title = "The model"
    facts = section(run.manifest, "model")
    if not facts:
        return Missing(title, "manifest.json holds no description of the model.")
    blocks: list[Block] = []
    rows = {}
    for key, name, what in (("attention", "Attention backend", "backend"), ("precision", "Precision", "used")):
        used = section(facts, key)
        if used:
            reason = plain(used.get("reason") or "")
            rows[name] = plain(used.get(what, "unknown")) + (f": {reason}" if reason else "")
    if is_number(facts.get("parameters")):
        rows["Parameters"] = number(facts["parameters"])
    if rows:
        blocks.append(tables.pairs(rows, ("Property", "Used in this run")))
    parts = {name: value for name, value in section(facts, "parameters_by_part").items() if is_number(value)}
    if parts:
        caption = "Number of trained weights in each part of the model."
        blocks.append(plots_data.horizontal_bars("parameters", "Parameters by part", caption, parts, "parameters"))
    summary = str(facts.get("summary") or "")
    is_long = "\n" in summary or len(summary) > 240
    if is_long:
        blocks.append(Code(summary, summary="Architecture in full"))
    return Section("model", title, "" if is_long else plain(summary), tuple(blocks))


_SPEED = (
    ("train_samples_per_second", "Training, samples per second"),
    ("train_tokens_per_second", "Training, tokens per second"),
    ("predict_samples_per_second", "Prediction, samples per second"),
    ("fill", "Batch fill (real tokens over slots)"),
    ("loader_wait", "Time spent waiting for data"),
    ("mfu", "Model FLOP utilization"),
    ("seconds", "Training of all epochs, seconds"),
    ("peak_memory_mb", "Peak memory, MB"),
)


def speed(run: RunFolder) -> Section | Missing:
    """Return throughput, fill, memory and hardware."""
    title = "Speed and hardware"
    measured = section(run.metrics, "speed") or section(run.manifest, "speed")
    hardware = section(run.manifest, "hardware")
    if not measured and not hardware:
        return Missing(title, "neither metrics.json nor manifest.json holds speed or hardware.")
    blocks: list[Block] = []
    shares = {"fill", "loader_wait", "mfu"}
    rows = {
        name: percent(measured[key]) if key in shares else number(measured[key], 1)
        for key, name in _SPEED
        if is_number(measured.get(key))
    }
    if rows:
        blocks.append(tables.pairs(rows, ("Quantity", "Measured")))
    names = {"memory_gb": "Memory, GB", "gpu": "GPU", "cpu": "CPU"}
    shown = {names.get(key, plain(key).capitalize()): value for key, value in hardware.items() if value is not None}
    if shown:
        blocks.append(tables.pairs(shown, ("Hardware", "Used")))
    return Section("speed", title, "Measured during this run, on this machine.", tuple(blocks))


def reproduce(run: RunFolder) -> Section | Missing:
    """Return command, seed, configuration, versions and hashes."""
    title = "How to reproduce"
    manifest = run.manifest or {}
    if not manifest and run.config is None:
        return Missing(title, "neither manifest.json nor config.yaml is in the run folder.")
    blocks: list[Block] = []
    if manifest.get("command"):
        blocks.append(Code(str(manifest["command"])))
    facts = {
        "Seed": manifest.get("seed"),
        "genoken": manifest.get("genoken"),
        "Python": manifest.get("python"),
        "Created": manifest.get("created"),
    }
    known = {name: str(value) for name, value in facts.items() if value is not None}
    if known:
        blocks.append(tables.pairs(known, ("What", "Value")))
    noun = run.feature_noun_of_file
    for entry in manifest.get("data") or []:
        name = shorten(entry.get("path", "data"), 80)
        size = f"{number(entry.get('samples'))} samples × {number(entry.get('features'))} {noun}s"
        blocks.append(Paragraph(f"Data: {name}, {size}, SHA-256 {plain(entry.get('sha256') or 'unknown')}"))
    if run.config is not None:
        blocks.append(Code(run.config, summary="Configuration (config.yaml)"))
    if section(manifest, "libraries"):
        blocks.append(tables.pairs(section(manifest, "libraries"), ("Library", "Version"), summary="Library versions"))
    if section(manifest, "files"):
        blocks.append(tables.pairs(section(manifest, "files"), ("File", "SHA-256"), summary="Hashes of the files in this folder"))
    return Section("reproduce", title, "The same command with the same data and seed repeats this run.", tuple(blocks))
