"""A look at files and runs before anything heavy is imported: what cannot be used is refused at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from genoken.core.contracts import TokenizerState
from genoken.core.errors import ConfigError, RunError
from genoken.core.feature_words import noun_of_state
from genoken.core.files import read_json
from genoken.workflows.files import expand_files, files_of, inspect_file
from genoken.workflows.next_cell_folder import folder_named

MOST_BYTES = 32 * 2**20
"""Size of a file up to which it is read whole; a larger one would be read twice, and only has to be there."""


def refuse_unusable(patterns: Sequence[str | Path], *, source: str | None = "auto", strict: bool = False) -> None:
    """Refuse files that are missing, and small ones that cannot be used, for the reason that training would give.

    Parameters
    ----------
    patterns
        Files, or patterns, as they were typed; none is fine.
    source
        Where the values are; ``None`` where that is not known yet, so that a file only has to be readable.
    strict
        See :func:`genoken.workflows.files.inspect_file`.

    Raises
    ------
    DataError
        For the first one that cannot be used.
    """
    if not patterns or folder_named(patterns) is not None:  # folders of next cells hold what is no single file of values
        return
    for path in expand_files(patterns):
        if _size(files_of(path)) <= MOST_BYTES:
            found = inspect_file(path, source or "auto", strict=strict)
            if source is not None:
                found.usable()


def refuse_runs_without_variants(folder: Path) -> None:
    """Refuse a folder that is none, or whose run is finished and on other features than variants.

    Raises
    ------
    RunError
        When there is no such folder.
    ConfigError
        When the features are no variants.
    """
    if not folder.is_dir():
        raise RunError("there is no such folder", where=str(folder), remedy="name a folder that genoken wrote")
    path = folder / "tokenizer.json"
    learned = read_json(path) if path.is_file() else None
    if isinstance(learned, dict) and noun_of_state(TokenizerState((), facts=learned.get("facts") or {})) != "variant":
        raise ConfigError("the run is not on genotypes", where=str(folder), remedy="use genoken explain")


def _size(paths: Iterable[Path]) -> int:
    """Return the bytes of files and of all files in folders."""
    parts = [part for path in paths for part in (path.rglob("*") if path.is_dir() else (path,))]
    return sum(part.stat().st_size for part in parts if part.is_file())
