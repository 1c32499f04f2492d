"""What is said is there: docstrings, the folder tree, the files that pages name, the spelling, no machine's own paths."""

from __future__ import annotations

import ast
import re

import pytest

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
