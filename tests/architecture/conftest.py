"""The source as the architecture tests see it: every module of the package, parsed once."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "genoken"

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One module: its file, its dotted name, its text and its syntax tree."""

    path: Path
    name: str
    text: str
    tree: ast.Module

    @property
    def place(self) -> str:
        """The file, relative to the repository."""
        return str(self.path.relative_to(ROOT))

    def public_definitions(self) -> Iterator[tuple[str, ast.ClassDef | Function]]:
        """Yield the name and the node of each class, function and method whose name, and whose class's name, is public."""
        for node in self.tree.body:
            if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and not node.name.startswith("_"):
                yield node.name, node
                if isinstance(node, ast.ClassDef):
                    methods = (item for item in node.body if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)))
                    yield from ((f"{node.name}.{method.name}", method) for method in methods if not method.name.startswith("_"))

    def functions(self) -> Iterator[Function]:
        """Yield every function and method, private and nested ones too."""
        yield from (node for node in ast.walk(self.tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))


def _dotted_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.fixture(scope="session")
def sources() -> list[Source]:
    """Every module of the package."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        found.append(Source(path, _dotted_name(path), text, ast.parse(text)))
    assert len(found) > 10
    return found


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def package() -> Path:
    """The folder of the package."""
    return PACKAGE


@pytest.fixture(scope="session")
def texts(root: Path) -> dict[str, str]:
    """Every text file that belongs to the project, by its path relative to the repository."""
    folders = ("src", "tests", "docs", "benchmarks", "examples", ".ci")
    endings = {".py", ".md", ".toml", ".yaml", ".yml", ".txt", ".cff", ".html", ".css", ".js", ".json", ".csv", ".tsv", ".j2", ""}
    paths = [path for folder in folders for path in (root / folder).rglob("*")] + list(root.iterdir())
    skipped = ("__pycache__", ".egg-info", ".coverage")
    return {
        str(path.relative_to(root)): path.read_text(encoding="utf-8", errors="replace")
        for path in sorted(paths)
        if path.is_file()
        and path.name != ".git"  # a file in a second working tree of a repository
        and path.suffix in endings
        and not any(word in str(path) for word in skipped)
    }
