"""Where a run is: begun, going on or finished, and from which files and settings it was begun."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from genoken.core.config import read_yaml
from genoken.core.errors import ConfigError, GenokenError, RunError
from genoken.core.files import check_output_folder, prepare_output_folder, read_json, write_json, write_text

STATE = "state.json"
"""Where a run is: ``running`` or ``finished``, and from which files it reads."""
CONFIG = "config.yaml"
REPLACED = "replaced"
"""Folder within that of a new run with the one that it replaces, as long as the new one may still be refused."""
_DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO})


def begin_run(
    folder: Path,
    *,
    config: str,
    inputs: Mapping[str, str],
    files: Sequence[Mapping[str, Any]],
    command: str,
    overwrite: bool,
    start_from: Mapping[str, str] | None = None,
    keep_replaced: bool = False,
) -> None:
    """Make the folder of a new run and write ``state.json`` and ``config.yaml`` into it; leave nothing when that fails.

    Parameters
    ----------
    folder
        The run folder.
    config
        Text of ``config.yaml``.
    inputs
        ``data``, or ``train``, ``val`` and ``test``, to the path of the file; empty for an object in memory.
    files
        Path and hash of each file.
    command
        What was typed.
    overwrite
        Replace the run that is there.
    start_from
        Folder and hash of the pretrained network that the run starts from; ``None`` for none.
    keep_replaced
        Whether the run that is replaced is kept until :func:`forget_replaced`; :func:`discard_unless_trained` puts it back.

    Raises
    ------
    RunError
        When the folder may not be replaced or cannot be written.
    """
    check_new_run(folder, [entry["path"] for entry in files], overwrite=overwrite)
    was_there = folder.is_dir()
    if keep_replaced and check_output_folder(folder, overwrite=overwrite):
        _set_aside(folder)
    else:
        prepare_output_folder(folder, overwrite=overwrite)
    state = {"status": "running", "command": command, "inputs": dict(inputs), "config": _hash(config), "data": list(files)}
    if start_from is not None:
        state["start_from"] = dict(start_from)
    try:
        write_json(folder / STATE, state)
        write_text(folder / CONFIG, config)
    except GenokenError:
        _empty(folder, remove=not was_there)
        raise


def check_new_run(folder: Path, paths: Sequence[str], *, overwrite: bool) -> None:
    """Refuse a folder that a new run may not be written into; change nothing.

    Parameters
    ----------
    folder
        The run folder.
    paths
        The files that are to be trained on; empty for an object in memory.
    overwrite
        Whether the run that is there may be replaced.

    Raises
    ------
    RunError
        When it holds something that may not be replaced.
    """
    if overwrite:
        _refuse_foreign(folder, [Path(path) for path in paths if path])
    check_output_folder(folder, overwrite=overwrite)


def _refuse_foreign(folder: Path, files: Sequence[Path]) -> None:
    """Refuse to empty a folder that no run of genoken is in, or that holds the data which is to be trained on."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not _is_run(folder):
        raise RunError(
            "the folder holds files that genoken did not write, so it is not overwritten",
            where=str(folder),
            remedy="choose another output folder",
        )
    inside = [path for path in files if path.resolve().is_relative_to(folder.resolve())]
    if inside:
        raise RunError(
            f"the data, {inside[0].name}, is in the folder that would be emptied",
            where=str(folder),
            remedy="move it elsewhere first",
        )


def _is_run(folder: Path) -> bool:
    for name, key in ((STATE, "status"), ("manifest.json", "genoken")):
        try:
            content = read_json(folder / name)
        except (RunError, OSError):
            continue
        if isinstance(content, dict) and key in content:
            return True
    return False


def discard_unless_trained(folder: Path) -> None:
    """Remove what a run wrote that failed before its first checkpoint: there is nothing in it to go on with.

    Where the run that it was to replace is kept, that is put back.
    """
    if not _has_trained(folder):
        _empty(folder, remove=True)


def forget_replaced(folder: Path) -> None:
    """Remove the run that a new one replaces, where it is still kept."""
    if (folder / REPLACED).is_dir():
        shutil.rmtree(folder / REPLACED)


def _set_aside(folder: Path) -> None:
    """Move what is in a folder into one within."""
    replaced = folder / REPLACED
    if replaced.is_dir():  # of a run that was killed before it trained: what it was to replace is what counts
        _remove_children(folder, but=replaced)
        return
    children = list(folder.iterdir())
    replaced.mkdir()
    for child in children:
        child.rename(replaced / child.name)


def _has_trained(folder: Path) -> bool:
    written = (path for pattern in ("step-*.safetensors", "fit.json") for path in folder.rglob(pattern))
    return any(path.relative_to(folder).parts[0] != REPLACED for path in written)


def _empty(folder: Path, *, remove: bool) -> None:
    """Remove what is in a folder, and put back what was set aside there; else, with ``remove``, the folder too."""
    replaced = folder / REPLACED
    _remove_children(folder, but=replaced)
    if replaced.is_dir():
        for child in list(replaced.iterdir()):
            child.rename(folder / child.name)
        replaced.rmdir()
    elif remove:
        folder.rmdir()


def _remove_children(folder: Path, *, but: Path) -> None:
    for child in folder.iterdir():
        if child == but:
            continue
        if child.is_dir():
            shutil.rmtree(child)
        else:
            child.unlink()


def is_pretraining(folder: Path) -> bool:
    """Return whether a folder is that of a pretraining run, finished or not: its settings name several objectives."""
    if not (folder / CONFIG).is_file():
        return False
    try:
        return "objectives" in read_yaml(folder / CONFIG)
    except ConfigError:
        return False  # whoever reads the settings for what they say finds out what is wrong with them


def resume_command(folder: Path) -> str:
    """Return what to type to go on with a run."""
    return f"genoken {'pretrain' if is_pretraining(folder) else 'train'} --resume {folder}"


def read_state(folder: Path, *, pretraining: bool = False) -> dict[str, Any]:
    """Return what ``state.json`` says, after checking that it is one and that ``config.yaml`` is as it was when the run began.

    Parameters
    ----------
    folder
        The run folder.
    pretraining
        Whether it shall be a pretraining run.

    Raises
    ------
    RunError
        When there is no run, it is one of another kind, or its settings were changed.
    """
    if not (folder / STATE).is_file():
        raise RunError("there is no run to resume here", where=str(folder), remedy="name the output folder of an interrupted run")
    state = read_json(folder / STATE)
    known = {"status": str, "command": str, "inputs": dict, "config": str, "data": list}
    if not isinstance(state, dict) or any(not isinstance(state.get(name), kind) for name, kind in known.items()):
        raise RunError("this is not the state of a run", where=str(folder / STATE), remedy="train again from the start")
    if not (folder / CONFIG).is_file():
        raise RunError(
            "the run stopped before it had written its settings", where=str(folder), remedy="train again with --overwrite"
        )
    if is_pretraining(folder) != pretraining:
        kind = "training" if pretraining else "pretraining"
        raise RunError(f"this is a {kind} run", where=str(folder), remedy=f"go on with it by {resume_command(folder)}")
    if _hash((folder / CONFIG).read_text(encoding="utf-8", errors="replace")) != state["config"]:
        raise RunError(
            "the settings changed since the run began", where=str(folder / CONFIG), remedy="restore them, or train again with them"
        )
    return state


def check_data(files: Sequence[Mapping[str, Any]], before: Sequence[Mapping[str, Any]]) -> None:
    """Refuse to go on with other data than the run was begun with.

    Parameters
    ----------
    files
        Path and hash of each file now.
    before
        The same when the run began.

    Raises
    ------
    RunError
        Naming the first file that is another.
    """
    hashes = [entry.get("sha256") for entry in before]
    for index, now in enumerate(files):
        if now["sha256"] != (hashes[index] if index < len(hashes) else None):
            raise RunError(
                "the data changed since the run began", where=now["path"] or "AnnData", remedy="train again from the start"
            )


def finish(folder: Path) -> None:
    """Note that a run is finished."""
    write_json(folder / STATE, read_json(folder / STATE) | {"status": "finished"})


@contextlib.contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn the operating system's error for a full or broken disk, from whichever library, into one that a user can act on.

    Raises
    ------
    RunError
        Naming the folder.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK_ERRORS:
            raise
        then = f"go on with: {resume_command(folder)}" if _has_trained(folder) else "train again"
        raise RunError(
            f"cannot write into the folder ({error.strerror})", where=str(folder), remedy=f"free disk space, then {then}"
        ) from error


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
