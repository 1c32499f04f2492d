"""Who may import whom."""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterator

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

from genoken.core.components import FAMILIES


def test_import_direction(root, capsys, monkeypatch):
    monkeypatch.chdir(root)
    monkeypatch.setenv("NO_COLOR", "1")
    status = lint_imports(config_filename=str(root / "pyproject.toml"), no_cache=True, no_logo=True)
    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out


@pytest.mark.parametrize(
    ("importer", "statement", "contract"),
    [
        ("core", "from wrongway import vocabulary", "dependency direction"),
        ("models", "from wrongway import tokenizers", "dependency direction"),
        ("reporting", "import torch", "reporting imports no torch"),
        ("data", "import lightning", "only training imports Lightning"),
        ("training", "import lightning", ""),
    ],
)
def test_a_wrong_import_would_be_found(root, package, tmp_path, monkeypatch, capsys, importer, statement, contract):
    for name in [path.parent.name for path in package.glob("*/__init__.py")]:
        (tmp_path / "wrongway" / name).mkdir(parents=True)
        (tmp_path / "wrongway" / name / "__init__.py").write_text(statement if name == importer else "")
    (tmp_path / "wrongway" / "__init__.py").write_text("")
    rules = (root / "pyproject.toml").read_text(encoding="utf-8").partition("[tool.importlinter]")
    (tmp_path / "pyproject.toml").write_text("".join(rules[1:]).replace("genoken", "wrongway"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    status = lint_imports(config_filename=str(tmp_path / "pyproject.toml"), no_cache=True, no_logo=True)
    output = capsys.readouterr().out
    assert (status == EXIT_STATUS_SUCCESS) == (not contract), output
    assert f"{contract} BROKEN" in output or not contract


def imported_when_loaded(tree: ast.Module) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield (module, names) of every import that runs when the module is loaded: not in functions, not for type checkers."""
    pending: list[ast.stmt] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            yield from ((alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module or "", tuple(alias.name for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            pending.extend(node.orelse)
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            pending.extend(child for child in ast.iter_child_nodes(node) if isinstance(child, (ast.stmt, ast.ExceptHandler)))


def internal_imports(source, known: set[str]) -> set[str]:
    targets = set()
    for module, names in imported_when_loaded(source.tree):
        inner = {f"{module}.{name}" for name in names if f"{module}.{name}" in known}
        targets |= inner or ({module} & known)
    return targets


def test_no_import_cycles(sources):
    known = {source.name for source in sources}
    graph = {source.name: internal_imports(source, known) for source in sources}
    assert any(graph.values())
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail("import cycle: " + " -> ".join(error.args[1]))


def test_a_cycle_would_be_found():
    graph = {}
    for name, text in {"genoken.a": "from genoken import b", "genoken.b": "if True:\n    import genoken.a"}.items():
        source = type("S", (), {"tree": ast.parse(text)})
        graph[name] = internal_imports(source, {"genoken.a", "genoken.b"})
    with pytest.raises(graphlib.CycleError):
        graphlib.TopologicalSorter(graph).prepare()


def test_members_of_a_family_do_not_import_each_other(sources):
    members = {
        source.name: source.name.rpartition(".")[0]
        for source in sources
        if source.name.rpartition(".")[0] in FAMILIES.values() and not source.name.rpartition(".")[2].startswith("_")
    }
    members = {name: family for name, family in members.items() if name not in FAMILIES.values()}
    wrong = [
        f"{source.name} imports {module}"
        for source in sources
        if source.name in members
        for node in ast.walk(source.tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for module in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else modules_of(node))
        if module != source.name and members.get(module) == members[source.name]
    ]
    assert not wrong, "\n".join(wrong)


def modules_of(node: ast.ImportFrom) -> list[str]:
    return [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]


def test_only_the_place_for_randomness_draws_from_numpy(sources):
    allowed = {"np.random.Generator", "np.random.BitGenerator", "np.random.SeedSequence"}
    wrong = [
        f"{source.place}:{node.lineno}: {ast.unparse(node)}"
        for source in sources
        if source.name != "genoken.core.random"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node).startswith("np.random.") and ast.unparse(node) not in allowed
    ]
    assert not wrong, "use genoken.core.random.generator instead:\n" + "\n".join(wrong)
