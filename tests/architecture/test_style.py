"""Rules of the code that no linter knows."""

from __future__ import annotations

import ast

MOST_LINES_OF_A_FILE = 500
MOST_LINES_OF_A_FUNCTION = 80
CODE_RUNNERS = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "torch.load", "torch.save", "yaml.unsafe_load", "yaml.full_load"}


def test_no_public_signature_takes_any_keyword(sources):
    wrong = [
        f"{source.place}:{node.lineno}: {name}"
        for source in sources
        for name, node in source.public_definitions()
        if not isinstance(node, ast.ClassDef) and node.args.kwarg is not None
    ]
    wrong += [
        f"{source.place}:{node.lineno}: {node.name}"
        for source in sources
        for node in source.functions()
        if node.name in ("__init__", "__call__", "__new__") and node.args.kwarg is not None
    ]
    assert not wrong, "\n".join(wrong)


def test_files_are_short(sources):
    long = {source.place: source.text.count("\n") for source in sources if source.text.count("\n") > MOST_LINES_OF_A_FILE}
    assert not long


def num_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines of a function from its name to its end, its documentation left out."""
    lines = (function.end_lineno or 0) - function.lineno + 1
    first = function.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        lines -= (first.end_lineno or 0) - first.lineno + 1
    return lines


def test_functions_are_short(sources):
    long = [
        f"{source.place}:{function.lineno}: {function.name} has {num_lines(function)} lines"
        for source in sources
        for function in source.functions()
        if num_lines(function) > MOST_LINES_OF_A_FUNCTION
    ]
    assert not long, "\n".join(long)


def test_lines_are_counted_without_the_documentation():
    function = ast.parse('def f():\n    """A.\n\n    B.\n    """\n    x = 1\n    return x\n').body[0]
    assert isinstance(function, ast.FunctionDef)
    assert num_lines(function) == 3


def code_runners(tree: ast.Module) -> list[tuple[int, str]]:
    """Return (line, what) of everything that could run code that stands in a file."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [str(node.module)]
            found += [(node.lineno, module) for module in modules if module.split(".")[0] in CODE_RUNNERS]
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            unpickles = any(item.arg == "allow_pickle" and ast.unparse(item.value) != "False" for item in node.keywords)
            if name in FORBIDDEN_CALLS or name.endswith(("read_pickle", "to_pickle")) or unpickles:
                found.append((node.lineno, name))
    return found


def test_nothing_that_is_read_can_run_code(sources):
    wrong = [f"{source.place}:{line}: {what}" for source in sources for line, what in code_runners(source.tree)]
    assert not wrong, "\n".join(wrong)


def test_code_runners_would_be_found():
    text = "import pickle\nfrom joblib import load\ntorch.load(x)\neval('1')\nnp.load(x, allow_pickle=True)\nmodel.eval()\n"
    assert [line for line, _ in code_runners(ast.parse(text))] == [1, 2, 3, 4, 5]


def test_yaml_is_read_in_one_place(sources):
    wrong = [
        f"{source.place}:{node.lineno}"
        for source in sources
        if source.name != "genoken.core._yaml"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("yaml.") and "load" in ast.unparse(node.func)
    ]
    assert not wrong, "use genoken.core.config.read_yaml:\n" + "\n".join(wrong)
