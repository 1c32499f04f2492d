"""The tables of ``genoken check``, its JSON and its exit code."""

from __future__ import annotations

import json

import pytest

RESULT = {
    "file": "cells.h5ad",
    "samples": 1200,
    "features": 3,
    "matrices": [
        {"name": "X", "kind": "scaled", "evidence": "negative values", "density": 1.0, "used": False},
        {"name": "raw", "kind": "log", "evidence": "[b]log1p[/b]", "density": 0.25, "used": True},
    ],
    "identifiers": {"type": "ensembl", "species": "human", "versions": True, "duplicates": 2},
    "label": {"name": "type", "counts": {"B": 900, "T": 300}},
    "group": {"name": "donor", "count": 2},
    "confounding": {"rows": ["B", "T"], "columns": ["d1", "d2"], "counts": [[400, 500], [300, 0]]},
    "memory_mb": 12.4,
    "suggestion": "genoken train cells.h5ad --label type",
    "findings": [
        {"level": "ok", "title": "No empty samples", "detail": "", "remedy": ""},
        {"level": "warning", "title": "Confounded", "detail": "V 0.5", "remedy": "collect more"},
    ],
}


def test_human_output(call, recorded):
    calls = recorded("check", RESULT)
    answer = call("check", "cells.h5ad", "--label", "type", "--group", "donor", "--source", "raw")
    assert answer.code == 0
    (arguments,) = calls
    assert (arguments["label"], arguments["group"], arguments["source"]) == ("type", "donor", "raw")
    assert [line.rstrip() for line in answer.out.splitlines()] == [
        "cells.h5ad: 1,200 samples, 3 genes",
        "about 12 MB of memory for the values alone, Ensembl ids with versions, human, 2 of them repeated",
        "",
        "Matrices",
        "  X    not used  scaled      100% not zero; negative values",
        "  raw  used      log          25% not zero; [b]log1p[/b]",
        "",
        "Label 'type'",
        "class   samples   share",
        "B           900   75.0%",
        "T           300   25.0%",
        "",
        "Samples of each class of 'type' by 'donor'",
        "class    d1    d2",
        "B       400   500",
        "T       300     0",
        "",
        "Findings",
        "  ok       No empty samples",
        "  WARNING  Confounded; V 0.5",
        "           → collect more",
        "",
        "Next",
        "  genoken train cells.h5ad --label type",
    ]


@pytest.mark.parametrize("as_json", [False, True])
def test_an_error_among_the_findings_exits_with_2(call, recorded, as_json):
    error = {"level": "error", "title": "One class", "detail": "B", "remedy": "more"}
    recorded("check", RESULT | {"findings": [error]})
    answer = call("check", "cells.h5ad", *(["--json"] if as_json else []))
    assert answer.code == 2
    assert answer.error == ""
    assert ("ERROR    One class; B" in answer.out) is not as_json


def test_json_is_the_whole_result(call, recorded):
    recorded("check", RESULT)
    assert json.loads(call("check", "cells.h5ad", "--json").out) == RESULT


def test_little_is_known(call, recorded):
    bare = {"label": None, "group": None, "confounding": None, "matrices": [], "suggestion": "", "findings": []}
    recorded(
        "check", RESULT | bare | {"identifiers": {"type": "unknown", "species": "unknown", "versions": False, "duplicates": 0}}
    )
    answer = call("check", "cells.h5ad")
    assert answer.code == 0
    assert "gene ids of unknown type\n" in answer.out
    assert "Label" not in answer.out
    assert "Next" not in answer.out


def test_a_wide_table_shows_the_first_groups(call, recorded):
    columns = [f"d{index}" for index in range(20)]
    recorded("check", RESULT | {"confounding": {"rows": ["B"], "columns": columns, "counts": [list(range(20))]}})
    out = call("check", "cells.h5ad").out
    assert "by 'donor', the 12 largest" in out
    assert "d11" in out
    assert "d12" not in out


def test_on_a_real_file(call, planted, tmp_path):
    path = tmp_path / "cells.h5ad"
    planted.write_h5ad(path)
    answer = call("check", path, "--label", "cell_type", "--group", "donor_id")
    assert (answer.code, answer.error) == (0, "")
    assert "X  used      counts" in answer.out
    assert "'donor_id': 6 groups" in answer.out
    wrong = call("check", path, "--label", "cell_tpye")
    assert wrong.code == 2
    assert "did you mean 'cell_type'?" in wrong.out
    missing = call("check", tmp_path / "none.h5ad")
    assert missing.code == 2
    assert missing.error.count("\n") == 1


def test_genotypes_with_phenotypes_of_a_table(call, tmp_path):
    (tmp_path / "cohort.bed").write_bytes(b"\x6c\x1b\x01" + bytes([0b00_10_11_00, 0b00_00_10_11]))
    (tmp_path / "cohort.bim").write_text("1 rs1 0 10 A G\n1 rs2 0 20 A T\n")
    (tmp_path / "cohort.fam").write_text("0 a 0 0 1 -9\n0 b 0 0 2 -9\n0 c 0 0 1 -9\n")
    (tmp_path / "traits.csv").write_text("id,height\na,170.5\nb,181\nc,165\n")
    words = ("check", tmp_path / "cohort", "--phenotypes", tmp_path / "traits.csv")
    answer = call(*words)
    assert answer.code == 0
    assert "variant ids" in answer.out
    assert "3 of 3 samples have phenotypes in traits.csv" in answer.out
    assert f"--phenotypes {tmp_path / 'traits.csv'} --preset genotype" in answer.out
    (tmp_path / "traits.csv").write_text("id,height\nx,170.5\n")
    answer = call(*words)
    assert (answer.code, answer.out) == (2, "")
    assert "none of the 3 samples is among its 1 sample ids" in answer.error
