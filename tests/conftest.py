"""What all tests share: the data they run on and settings that make them repeatable."""

from __future__ import annotations

import os
import re
from pathlib import Path

import hypothesis
import pytest

import genoken  # noqa: F401 - before torch, which reads genoken's OpenMP setting when it loads

hypothesis.settings.register_profile("repeatable", deadline=None, derandomize=True, max_examples=50)
hypothesis.settings.load_profile("repeatable")

ROOT = Path(__file__).resolve().parent.parent
_NUMBA_IMPORT = re.compile(r"^\s*(import numba|from numba)", re.MULTILINE)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of modules that hold numba kernels, for coverage without JIT; put the slow tests first.

    Then one process has them all, one after the other, and the others have the quick ones: several that start processes
    of their own would crowd each other out, and a long one that comes last would be waited for.
    """
    for item in items:
        if _tests_kernels(item.path):
            item.add_marker("kernels")
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def _tests_kernels(test_file: Path) -> bool:
    """Whether the module that a unit test mirrors, or a private one beside it that it imports, holds numba kernels."""
    try:
        inner = test_file.relative_to(ROOT / "tests" / "unit")
    except ValueError:
        return False
    folder = ROOT / "src" / "genoken" / inner.parent
    stem = test_file.stem.removeprefix("test_")
    candidates = [folder / f"{stem}.py", folder / f"_{stem}.py"]
    sources = [path.read_text(encoding="utf-8") for path in candidates if path.is_file()]
    for source in list(sources):
        package = ".".join(("genoken", *inner.parent.parts))
        imports = re.findall(rf"^\s*from {re.escape(package)}(?:\.| import ).*", source, re.MULTILINE)
        names = {name for line in imports for name in re.findall(r"\b_\w+", line)}
        sources += [path.read_text(encoding="utf-8") for name in names if (path := folder / f"{name}.py").is_file()]
    return any(_NUMBA_IMPORT.search(source) for source in sources)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Let torch use one thread: the tests' tensors are too small to be shared out, all the less on a busy machine."""
    try:
        import torch
    except ImportError:
        return
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real data sets: ``$GENOKEN_DATA``, or ``shared/data`` beside the repository; skips the test where there is none."""
    folder = Path(os.environ.get("GENOKEN_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip("no real data here: set GENOKEN_DATA to a folder that holds expression/single_cell/")
    return folder


@pytest.fixture(scope="session")
def planted():
    """120 synthetic cells of 3 types from 6 donors, 60 features, with known markers; take a ``.copy()`` before changing it."""
    from genoken.synthetic import planted_markers

    return planted_markers(samples=120, features=60, groups=6, seed=7)
