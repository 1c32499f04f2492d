"""What is said is there: docstrings, the folder tree, the files that pages name, the spelling, no machine's own paths."""

from __future__ import annotations

import ast
import importlib
import re
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from genoken.core.components import kinds, public_dataclasses
from genoken.core.config import PretrainConfig, RunConfig, build, override, parse_assignment, to_dict
from genoken.core.contracts import BaselineProblem
from genoken.core.errors import ConfigError

TREE_PAGE = "docs/data-path.md"
BRITISH = re.compile(
    r"\w*(?:tokenis|normalis|optimis|standardis|regularis|initialis|visualis|summaris|generalis|randomis|serialis|organis|parallelis"
    r"|vectoris|categoris|minimis|maximis|memoris|recognis|utilis|customis|stabilis|penalis|factoris|equalis|characteris|specialis"
    r"|discretis|binaris|finalis|quantis|localis)(?:e|ed|es|er|ers|ing|ation|ations)\b"
    r"|\banalys(?:e|ed|er|ers|ing)\b"
    r"|\b\w*(?:colour|behaviour|favour|neighbour|flavour|honour|labour|rumour|tumour)\w*"
    r"|\b(?:centre|centred|centres|fibre|grey|licence|licences|labelled|labelling|modelled|modelling|unlabelled|catalogue|programme|whilst)\b",
    re.IGNORECASE,
)
MACHINE = re.compile(
    r"(?<![\w.)])/(?:home|Users|work|root|farm|tmp|opt/pypi)/\w|pypi\.org|pythonhosted\.org|download\.pytorch|index-url|find-links|anaconda\.org/\w+/"
)


def test_everything_public_is_documented(sources):
    wrong = [f"{source.place}: the module" for source in sources if not ast.get_docstring(source.tree)]
    wrong += [
        f"{source.place}:{node.lineno}: {name}"
        for source in sources
        for name, node in source.public_definitions()
        if not ast.get_docstring(node)
    ]
    assert not wrong, f"{len(wrong)} undocumented:\n" + "\n".join(wrong)


def test_the_folder_tree_of_the_docs_is_true(texts, package):
    block = re.search(r"```text\nsrc/genoken/\n(.*?)```", texts[TREE_PAGE], re.DOTALL)
    assert block, f"{TREE_PAGE} has a block that starts with src/genoken/"
    listed, parents = [], []
    for line in block.group(1).splitlines():
        entry = re.match(r"^((?:  )+)(\w+)/(?:\s|$)", line)
        if entry:
            depth = len(entry.group(1)) // 2
            parents = [*parents[: depth - 1], entry.group(2)]
            listed.append("/".join(parents))
    there = [str(path.parent.relative_to(package)) for path in package.rglob("__init__.py") if path.parent != package]
    assert sorted(listed) == sorted(there)


def test_files_that_pages_name_exist(texts, root, package):
    missing = [
        f"{page}: {name}"
        for page, text in texts.items()
        if page.endswith(".md")
        for name in re.findall(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|yaml|md|toml|ipynb|sh))`", text)
        if not any((folder / name).exists() for folder in (root, package, root / "docs"))
    ]
    assert not missing, "\n".join(missing)


def test_spelling_is_american(texts):
    wrong = [
        f"{place}: {match.group(0)}"
        for place, text in texts.items()
        if place.startswith(("src/", "docs/", "examples/", "benchmarks/")) or place in ("README.md", "CONTRIBUTING.md", "Makefile")
        for match in BRITISH.finditer(text)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "word", ["Tokeniser", "normalised", "colours", "neighbour", "analyse", "labelled", "optimiser", "renormalise"]
)
def test_british_words_would_be_found(word):
    assert BRITISH.search(f"the {word} of")


@pytest.mark.parametrize(
    "word", ["organism", "analyses", "precise", "Tokenizer", "optimistic", "labeled", "gray", "raised", "analysis"]
)
def test_american_words_pass(word):
    assert not BRITISH.search(f"the {word} of")


def test_no_machine_paths_or_package_hosts(texts):
    wrong = [
        f"{place}: {match.group(0)}"
        for place, text in texts.items()
        if place != "tests/architecture/test_documentation.py"
        for match in MACHINE.finditer(text)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("text", ["open('/home/me/x')", "cd /tmp/run", "pip --index-url x", '"/Users/you/a"'])
def test_machine_paths_would_be_found(text):
    assert MACHINE.search(text)


def test_version_is_said_once(texts, sources):
    import genoken

    assert f"version: {genoken.__version__}\n" in texts["CITATION.cff"]


PAGES_WITH_OPTIONS = ("README.md", "docs/source-systems.md", "docs/data-path.md")
SECTIONS = "data|split|tokenizer|model|objective|training|evaluation"
FILE_ENDINGS = ("json", "safetensors", "parquet", "yaml", "py")


@pytest.fixture(scope="module")
def schemas() -> list[tuple[type, dict[str, Any]]]:
    """What a page's option may belong to: training or pretraining, with each kind of tokenizer."""
    tokenizers = [{"kind": kind} for kind in kinds("tokenizers")]
    training = [{"evaluation": {"baselines": []}, "tokenizer": tokenizer} for tokenizer in tokenizers]
    pretraining = [{"tokenizer": tokenizer} for tokenizer in tokenizers]
    return [(RunConfig, to_dict(build(RunConfig, content))) for content in training] + [
        (PretrainConfig, to_dict(build(PretrainConfig, content))) for content in pretraining
    ]


def _has(place: Any, name: str) -> bool:
    for part in name.split("."):
        place = place.get(part, KeyError) if isinstance(place, dict) else KeyError
    return place is not KeyError


def test_options_that_pages_name_exist(texts, schemas):
    missing = []
    for page in PAGES_WITH_OPTIONS:
        names = re.findall(rf"`((?:{SECTIONS})(?:\.[a-z_]+)+)`", texts[page])
        options = [name for name in names if not name.endswith(FILE_ENDINGS)]
        missing += [f"{page}: {name}" for name in options if not any(_has(defaults, name) for _, defaults in schemas)]
    assert not missing, "\n".join(missing)


def _refusal(schema: type, content: dict[str, Any]) -> str:
    try:
        build(schema, content)
    except ConfigError as error:
        return str(error)
    return ""


def test_assignments_that_pages_name_are_accepted(texts, schemas):
    refused, count = [], 0
    for page in PAGES_WITH_OPTIONS:
        for text in re.findall(rf"(?:`|--set '?)((?:{SECTIONS})(?:\.[a-z_]+)+=(?:\[[^\]]*\]|[^\s`]+))", texts[page]):
            count += 1
            given = dict([parse_assignment(text)])
            refusals = [_refusal(schema, override(defaults, given)) for schema, defaults in schemas]
            if all(refusals):
                refused.append(f"{page}: {refusals[0]}")
    assert count > 20
    assert not refused, "\n".join(refused)


def test_the_example_of_a_part_is_one_and_works(texts, tmp_path, monkeypatch):
    example = re.search(r"```python\n(.*?)```", texts["docs/adding-a-part.md"], re.DOTALL)
    assert example
    (tmp_path / "nearest_centroid_example.py").write_text(example.group(1), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    (cls,) = public_dataclasses(importlib.import_module("nearest_centroid_example"))
    train = sp.csr_matrix(np.array([[4.0, 0.0], [2.0, 0.0], [0.0, 3.0]]))
    test = sp.csr_matrix(np.array([[3.0, 0.0], [0.0, 9.0]]))
    problem = BaselineProblem(
        train=train, val=test, train_labels=np.array([0, 0, 1]), val_labels=np.array([0, 1]), num_classes=2, seed=0
    )
    probabilities = cls().predict(cls().fit(problem), test)
    assert np.allclose(probabilities[0], np.array([1.0, np.exp(-np.sqrt(18.0))]) / (1.0 + np.exp(-np.sqrt(18.0))))
    assert probabilities[1].argmax() == 1
