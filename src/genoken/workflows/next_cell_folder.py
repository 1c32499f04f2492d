"""The folder layout of next-cell data: ``{train,val,test}/{data.h5ad,neighbors.json,medians.json,geneformer.vocab}``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genoken.core.errors import DataError
from genoken.readers._opening import missing_file_error
from genoken.workflows.successor_files import DEFAULT_KEY

PARTS = ("train", "val", "test")
"""Folders of the layout; only the first must be there."""
DATA_FILE, NEIGHBORS_FILE, MEDIANS_FILE, VOCABULARY_FILE = "data.h5ad", "neighbors.json", "medians.json", "geneformer.vocab"


@dataclass(frozen=True)
class NextCellFolder:
    """What a folder of next-cell data holds.

    Parameters
    ----------
    data
        File of cells of each part that is there, ``train`` first.
    key
        What :attr:`genoken.core.config.SuccessorSettings.key` must be: ``neighbors.json``, which is read beside each file, or a key
        of ``obsp`` where no part has such a file.
    vocabulary, medians
        What the options of these names of the tokenizer ``rank`` must be: the files of the train part; empty where there is none.
    """

    data: Mapping[str, Path]
    key: str
    vocabulary: str
    medians: str

    def settings(self, content: Mapping[str, Any], *, has_vocabulary: bool) -> dict[str, Any]:
        """Return what the folder says of a configuration, as nested plain values.

        Parameters
        ----------
        content
            What is said already. A tokenizer of another kind than ``rank`` takes no medians and vocabulary; without any, it is
            ``rank``.
        has_vocabulary
            Whether the vocabulary is that of an earlier run.
        """
        tokenizer = content.get("tokenizer", "rank")
        kind = tokenizer.get("kind", "rank") if isinstance(tokenizer, Mapping) else tokenizer
        found: dict[str, Any] = {"successors": {"key": self.key}}
        if kind == "rank" and not has_vocabulary:
            own = {name: value for name, value in (("vocabulary", self.vocabulary), ("medians", self.medians)) if value}
            found["tokenizer"] = {"kind": kind} | own
        return found


def folder_named(data: Any) -> Path | None:
    """Return the folder of next-cell data that is named, alone; ``None`` where files or an object are."""
    names = list(data) if isinstance(data, (list, tuple)) else [data]
    if len(names) != 1 or not isinstance(names[0], (str, Path)):
        return None
    return Path(names[0]) if is_next_cell_folder(Path(names[0])) else None


def is_next_cell_folder(path: Path) -> bool:
    """Return whether a folder has the layout: a train part with its file of cells."""
    return (path / PARTS[0] / DATA_FILE).is_file()


def read_next_cell_folder(path: Path) -> NextCellFolder:
    """Say which files a folder of next-cell data holds; none of them is opened.

    Parameters
    ----------
    path
        The folder that holds ``train``.

    Raises
    ------
    DataError
        When there is no train part, a part has no file of cells, or some parts have a ``neighbors.json`` and others none.
    """
    if not path.exists():
        raise missing_file_error(path)
    if not (path / PARTS[0]).is_dir():
        raise DataError(
            f"there is no folder '{PARTS[0]}' in it", where=str(path), remedy="it needs train, and may have val and test"
        )
    data = {part: path / part / DATA_FILE for part in PARTS if (path / part).is_dir()}
    for file in data.values():
        if not file.is_file():
            raise missing_file_error(file)
    with_neighbors = [part for part, file in data.items() if file.with_name(NEIGHBORS_FILE).is_file()]
    if with_neighbors and len(with_neighbors) < len(data):
        lacking = next(part for part in data if part not in with_neighbors)
        raise DataError(
            f"there is no {NEIGHBORS_FILE} in '{lacking}', and there is one in '{with_neighbors[0]}'",
            where=str(path),
            remedy=f"write one for each part, or none and obsp['{DEFAULT_KEY}'] into each {DATA_FILE}",
        )
    vocabulary, medians = (
        str(file.resolve()) if file.is_file() else ""
        for file in (path / PARTS[0] / name for name in (VOCABULARY_FILE, MEDIANS_FILE))
    )
    return NextCellFolder(data, NEIGHBORS_FILE if with_neighbors else DEFAULT_KEY, vocabulary, medians)
