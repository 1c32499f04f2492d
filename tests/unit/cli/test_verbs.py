"""Every other verb: from words to the arguments of its workflow, exactly, and what is printed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from genoken.core.errors import RunError
from genoken.workflows.variant_options import VariantOptions

METRICS = {"verdict": "a sentence", "test": {"model": {"accuracy": np.float64(0.5), "roc_auc": float("nan")}}}


def arguments_of(calls):
    (call,) = calls
    show = call.pop("show", None)
    return call, show


def test_evaluate(call, recorded):
    calls = recorded("evaluate", METRICS)
    assert call("evaluate", "runs/x", "b.h5ad").code == 0
    arguments, show = arguments_of(calls)
    assert arguments == {
        "arguments": (Path("runs/x"), Path("b.h5ad")),
        "label": "",
        "group": "",
        "phenotypes": "",
        "output": None,
        "min_coverage": None,
        "strict": False,
    }
    assert show.quiet is False


def test_evaluate_as_json(call, recorded):
    calls = recorded("evaluate", METRICS)
    words = "runs/x b.bed c.bed --label y --group donor --phenotypes p.csv -o out --strict --json"
    answer = call("evaluate", *words.split())
    arguments, show = arguments_of(calls)
    assert arguments == {
        "arguments": (Path("runs/x"), [Path("b.bed"), Path("c.bed")]),
        "label": "y",
        "group": "donor",
        "phenotypes": "p.csv",
        "output": Path("out"),
        "min_coverage": None,
        "strict": True,
    }
    assert show.quiet is True
    assert json.loads(answer.out) == {"verdict": "a sentence", "test": {"model": {"accuracy": 0.5, "roc_auc": None}}}


@pytest.mark.parametrize("as_json", [False, True])
def test_compare(call, recorded, as_json):
    calls = recorded("compare", {"sentence": "a beats b"})
    answer = call("compare", "runs/a", "runs/b", *(["--json"] if as_json else []))
    arguments, show = arguments_of(calls)
    assert arguments == {"arguments": (Path("runs/a"), Path("runs/b"))}
    assert show.quiet is as_json
    assert answer.out == ('{\n  "sentence": "a beats b"\n}\n' if as_json else "")


def test_predict_defaults(call, recorded):
    calls = recorded("predict")
    assert call("predict", "runs/x", "new.h5ad", "-o", "out.h5ad").code == 0
    arguments, show = arguments_of(calls)
    assert arguments == {
        "arguments": (Path("runs/x"), Path("new.h5ad"), Path("out.h5ad")),
        "batch_size": 0,
        "precision": "auto",
        "compile": False,
        "embed": True,
        "phenotypes": "",
        "min_coverage": None,
    }
    assert show.quiet is False


def test_predict_options(call, recorded):
    calls = recorded("predict")
    words = "predict runs/x new.h5ad --output out.parquet --batch-size 64 --precision bf16 --compile --no-embedding --quiet"
    assert call(*words.split(), "--min-coverage", "0.3", "--phenotypes", "p.csv").code == 0
    arguments, show = arguments_of(calls)
    assert arguments == {
        "arguments": (Path("runs/x"), Path("new.h5ad"), Path("out.parquet")),
        "batch_size": 64,
        "precision": "bf16",
        "compile": True,
        "embed": False,
        "phenotypes": "p.csv",
        "min_coverage": 0.3,
    }
    assert show.quiet is True


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("-o out.csv --precision aut", "genoken: error: --precision: 'aut' is not among its words — did you mean 'auto'?\n"),
        ("", "genoken: error: Missing option '-o' / '--output' — see genoken predict --help\n"),
    ],
)
def test_predict_refuses(call, recorded, words, line):
    calls = recorded("predict")
    answer = call("predict", "runs/x", "new.h5ad", *words.split())
    assert answer.code == 2
    assert answer.error == line
    assert calls == []


@pytest.mark.parametrize(
    ("words", "file", "genes", "contextual", "phenotypes"),
    [
        ("runs/x -o e.parquet", None, False, False, ""),
        ("runs/x new.h5ad -o e.parquet", Path("new.h5ad"), False, False, ""),
        ("runs/x a.bed b.bed --phenotypes p.csv -o e.parquet", [Path("a.bed"), Path("b.bed")], False, False, "p.csv"),
        ("runs/x -o e.parquet --genes", None, True, False, ""),
        ("runs/x new.h5ad --contextual -o e.parquet", Path("new.h5ad"), True, True, ""),
    ],
)
def test_embed(call, recorded, words, file, genes, contextual, phenotypes):
    calls = recorded("embed")
    assert call("embed", *words.split()).code == 0
    arguments, _ = arguments_of(calls)
    assert arguments == {
        "arguments": (Path("runs/x"), file, Path("e.parquet")),
        "genes": genes,
        "contextual": contextual,
        "phenotypes": phenotypes,
        "min_coverage": None,
    }


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("", {"num_predictions": 10, "steps": 1, "min_coverage": None}),
        (
            "--num-predictions 3 --steps 2 --min-coverage 0.3 --quiet",
            {"num_predictions": 3, "steps": 2, "min_coverage": 0.3},
        ),
    ],
)
def test_next(call, recorded, words, named):
    calls = recorded("predict_next", function="predict_next_cell")
    assert call("next", "runs/x", "new.h5ad", "-o", "next.tsv", *words.split()).code == 0
    arguments, show = arguments_of(calls)
    assert arguments == {"arguments": (Path("runs/x"), Path("new.h5ad"), Path("next.tsv"))} | named
    assert show.quiet is ("--quiet" in words)


GENES = pd.DataFrame(
    {
        "class": ["B"] * 12 + ["T"],
        "symbol": [f"GENE{row}" for row in range(13)],
        "importance": np.linspace(1, 0.4, 13),
        "stability": 0.9,
        "correlation": -0.25,
    }
)


def test_explain_defaults(call, recorded):
    calls = recorded("explain", GENES)
    answer = call("explain", "runs/x")
    assert answer.code == 0
    lines = [line.split() for line in answer.out.splitlines()]
    assert lines[:3] == [
        ["B:", "10", "of", "12", "genes"],
        ["gene", "importance", "stability", "correlation"],
        ["GENE0", "1", "0.90", "-0.25"],
    ]
    assert "GENE9" in answer.out
    assert "GENE10" not in answer.out
    assert ["GENE12", "0.4", "0.90", "-0.25"] in lines
    assert "-o genes.tsv" in answer.out
    arguments, show = arguments_of(calls)
    assert arguments == {
        "arguments": (Path("runs/x"), None),
        "method": "integrated_gradients",
        "aggregate": "mean",
        "by": "class",
        "top": 50,
        "phenotypes": "",
        "output": None,
        "min_coverage": None,
    }
    assert show.quiet is False


def test_explain_of_variants_speaks_of_variants(call, recorded):
    rows = GENES.head(12).assign(chrom="4", pos=1_200_300, counted_allele="A", other_allele="C", maf=0.2)
    rows.loc[1, ["stability", "correlation"]] = np.nan
    rows.loc[2, "importance"] = rows.loc[3, "importance"]
    recorded("explain", rows)
    answer = call("explain", "runs/x")
    lines = [line.split() for line in answer.out.splitlines()]
    assert lines[:4] == [
        ["B:", "10", "of", "12", "variants"],
        ["variant", "place", "importance", "stability", "correlation"],
        ["GENE0", "4:1,200,300", "1", "0.90", "-0.25"],
        ["GENE1", "4:1,200,300", "0.95", "-", "-"],
    ]
    assert "2 of these 10 variants share their score with others: 9 different scores in all.\n" in answer.out
    assert "-o variants.tsv" in answer.out
    assert "genoken variants RUN" in answer.out
    assert "rnk" not in answer.out
    assert "gene " not in answer.out.lower()


@pytest.mark.parametrize("method", ["attention", "integrated_gradients", "gradient", "smoothgrad", "allele_flip", "ensemble"])
@pytest.mark.parametrize(("aggregate", "by"), [("mean", "class"), ("max", "group"), ("median", "class")])
def test_explain_options(call, recorded, method, aggregate, by):
    calls = recorded("explain", GENES)
    words = f"explain runs/x new.h5ad --method {method} --aggregate {aggregate} --by {by} --top 7 -o genes.tsv"
    assert call(*words.split()).code == 0
    arguments, _ = arguments_of(calls)
    assert arguments == {
        "arguments": (Path("runs/x"), Path("new.h5ad")),
        "method": method,
        "aggregate": aggregate,
        "by": by,
        "top": 7,
        "phenotypes": "",
        "output": Path("genes.tsv"),
        "min_coverage": None,
    }


@pytest.mark.parametrize(("option", "word", "nearest"), [("--method", "ensembl", "ensemble"), ("--by", "clas", "class")])
def test_explain_names_the_nearest_word(call, recorded, option, word, nearest):
    recorded("explain")
    answer = call("explain", "runs/x", option, word)
    assert (answer.code, answer.error) == (
        2,
        f"genoken: error: {option}: '{word}' is not among its words — did you mean '{nearest}'?\n",
    )


def test_variants(call, recorded):
    calls = recorded("variants", function="explain_variants")
    words = "variants runs/x --method gradient --method attention --seeds 2 --null 3 --strata site --components 4 --covariate age"
    assert call(*words.split(), "-o", "v.tsv").code == 0
    arguments, show = arguments_of(calls)
    options = VariantOptions(methods=("gradient", "attention"), seeds=2, null=3, strata="site", components=4, covariates=("age",))
    assert arguments == {"arguments": (Path("runs/x"),), "options": options, "output": Path("v.tsv")}
    assert show.quiet is False


def test_report_says_where(call, recorded):
    calls = recorded("report", Path("runs/x/report.html"))
    answer = call("report", "runs/x")
    assert (answer.code, answer.out) == (0, "runs/x/report.html\n")
    assert calls == [{"arguments": (Path("runs/x"),)}]


def test_a_foreign_folder_is_one_line(call, recorded):
    recorded("report", RunError("there is no run", where="runs/x"))
    assert call("report", "runs/x").error == "genoken: error: runs/x: there is no run\n"


def test_variants_by_default_and_with_the_truth(call, recorded, tmp_path):
    (tmp_path / "people.truth.tsv").write_text("variant_id\trole\nrs2\tadditive\nrs3\tbackground\n")
    calls = recorded("variants", function="explain_variants")
    assert call("variants", "runs/x", "--truth", str(tmp_path / "people.truth.tsv")).code == 0
    arguments, _ = arguments_of(calls)
    assert arguments == {"arguments": (Path("runs/x"),), "options": VariantOptions(causal=("rs2",)), "output": None}
    assert arguments["options"].covariates is None  # the run's own


@pytest.mark.parametrize(
    ("words", "function", "folder", "quiet"),
    [
        ("", "demo", "runs/demo", False),
        ("-o runs/other --quiet", "demo", "runs/other", True),
        ("--genotypes", "demo_genotypes", "runs/demo-genotypes", False),
        ("--genotypes -o runs/other", "demo_genotypes", "runs/other", False),
    ],
)
def test_demo(call, recorded, words, function, folder, quiet):
    calls = recorded(function, function=function)
    assert call("demo", *words.split()).code == 0
    arguments, show = arguments_of(calls)
    assert arguments == {"arguments": (Path(folder),), "overwrite": True}
    assert show.quiet is quiet


DEVICES = [
    {
        "device": "cpu",
        "name": "a processor",
        "compute_capability": "",
        "memory_gb": 16.0,
        "bf16": False,
        "precision": "fp32",
        "precision_reason": "the device is cpu",
        "attention_backend": "sdpa",
        "reason": "no CUDA",
    },
    {
        "device": "cuda:0",
        "name": "a card",
        "compute_capability": "9.0",
        "memory_gb": 139.8,
        "bf16": True,
        "precision": "bf16",
        "precision_reason": "compute capability 9.0",
        "attention_backend": "varlen",
        "reason": "CUDA device",
    },
]


def test_devices(call, recorded, monkeypatch):
    recorded("devices", DEVICES)
    monkeypatch.setattr("genoken.workflows.devices.versions", lambda: {"torch": "2.13.0", "CUDA": "13.0"})
    answer = call("devices")
    assert answer.code == 0
    assert answer.out.splitlines() == [
        "torch 2.13.0, CUDA 13.0",
        "",
        "cpu: a processor",
        "  memory              16.0 GB",
        "  native bf16         no",
        "  precision auto      fp32 (the device is cpu)",
        "  attention auto      sdpa (no CUDA)",
        "",
        "cuda:0: a card",
        "  compute capability  9.0",
        "  memory              139.8 GB",
        "  native bf16         yes",
        "  precision auto      bf16 (compute capability 9.0)",
        "  attention auto      varlen (CUDA device)",
        "",
        "Training would use the first CUDA device.",
    ]


def test_devices_as_json(call, recorded, monkeypatch):
    recorded("devices", DEVICES)
    monkeypatch.setattr("genoken.workflows.devices.versions", lambda: {"torch": "2.13.0", "CUDA": "none"})
    assert json.loads(call("devices", "--json").out) == {"versions": {"torch": "2.13.0", "CUDA": "none"}, "devices": DEVICES}


def test_successors_defaults(call, recorded):
    calls = recorded("successors")
    assert call("successors", "cells.h5ad", "--by", "knn", "-o", "out.h5ad").code == 0
    arguments, show = arguments_of(calls)
    assert arguments == {
        "arguments": (Path("cells.h5ad"),),
        "by": "knn",
        "column": "",
        "within": "",
        "neighbors": 15,
        "key": "next_cell_ids",
        "representation": "",
        "source": "auto",
        "output": Path("out.h5ad"),
        "overwrite": False,
    }
    assert show.quiet is False


def test_successors_options(call, recorded):
    calls = recorded("successors")
    words = "successors cells.h5ad --by time --column day --within lineage --neighbors 7 --key mine --representation X_pca"
    assert call(*words.split(), "--source", "raw", "--output", "out.h5ad", "--overwrite", "--quiet").code == 0
    arguments, show = arguments_of(calls)
    assert arguments == {
        "arguments": (Path("cells.h5ad"),),
        "by": "time",
        "column": "day",
        "within": "lineage",
        "neighbors": 7,
        "key": "mine",
        "representation": "X_pca",
        "source": "raw",
        "output": Path("out.h5ad"),
        "overwrite": True,
    }
    assert show.quiet is True


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--by tim -o o.h5ad", "genoken: error: --by: 'tim' is not among its words — did you mean 'time'?\n"),
        ("-o o.h5ad", "genoken: error: Missing option '--by' — see genoken successors --help\n"),
        ("--by knn", "genoken: error: Missing option '-o' / '--output' — see genoken successors --help\n"),
    ],
)
def test_successors_refuses(call, recorded, words, line):
    calls = recorded("successors")
    answer = call("successors", "cells.h5ad", *words.split())
    assert (answer.code, answer.error, calls) == (2, line, [])
