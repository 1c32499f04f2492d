"""Files: whole or absent, whatever happens while they are written."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genoken.core import files
from genoken.core.errors import GenokenError, RunError
from genoken.core.files import (
    atomic_path,
    check_output_folder,
    prepare_output_folder,
    read_json,
    sha256_of_file,
    sha256_of_folder,
    to_json,
    write_json,
    write_text,
)


@pytest.fixture
def old(tmp_path) -> Path:
    path = tmp_path / "metrics.json"
    path.write_text("old")
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_writes_the_file_and_nothing_else(tmp_path):
    write_text(tmp_path / "deep" / "er" / "a.txt", "Überschrift ≥ 1\n")
    assert (tmp_path / "deep" / "er" / "a.txt").read_text(encoding="utf-8") == "Überschrift ≥ 1\n"
    assert names(tmp_path / "deep" / "er") == ["a.txt"]


def test_the_temporary_file_lies_beside_the_file_and_keeps_its_suffix(old):
    with atomic_path(old) as temporary:
        assert temporary.parent == old.parent
        assert temporary.suffix == ".json"
        assert temporary.name.startswith(".")
        temporary.write_text("new")
        assert old.read_text() == "old"
    assert old.read_text() == "new"
    assert names(old.parent) == ["metrics.json"]


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(1)], ids=lambda error: type(error).__name__)
def test_a_failing_writer_leaves_the_old_file_whole(old, error):
    def fail():
        with atomic_path(old) as temporary:
            temporary.write_text("half of the n")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert old.read_text() == "old"
    assert names(old.parent) == ["metrics.json"]


def no_space(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("place", ["fsync", "mkstemp", "replace", "write"])
def test_a_full_disk_is_one_clear_line_and_leaves_the_old_file_whole(old, monkeypatch, place):
    if place == "fsync":
        monkeypatch.setattr(os, "fsync", no_space)
    elif place == "mkstemp":
        monkeypatch.setattr(files.tempfile, "mkstemp", no_space)
    elif place == "replace":
        monkeypatch.setattr(Path, "replace", no_space)
    else:
        monkeypatch.setattr(Path, "write_text", no_space)
    with pytest.raises(RunError) as caught:
        write_text(old, "new")
    monkeypatch.undo()
    assert str(caught.value) == (
        f"{old}: cannot write the file (No space left on device) — free disk space or choose another folder"
    )
    assert old.read_text() == "old"
    assert names(old.parent) == ["metrics.json"]


def test_data_is_synced_before_it_gets_its_name(old, monkeypatch):
    events = []
    sync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda descriptor: (events.append("sync"), sync(descriptor))[1])
    monkeypatch.setattr(Path, "replace", lambda path, target: (events.append("rename"), replace(path, target))[1])
    write_text(old, "new")
    assert events == ["sync", "rename", "sync"]


def test_a_folder_in_the_way_is_an_error_and_stays(tmp_path):
    (tmp_path / "a.json").mkdir()
    with pytest.raises(RunError, match="cannot write the file"):
        write_text(tmp_path / "a.json", "x")
    assert (tmp_path / "a.json").is_dir()
    assert names(tmp_path) == ["a.json"]


def test_a_file_where_a_folder_is_needed_is_an_error(old):
    with pytest.raises(RunError, match="cannot write the file"):
        write_text(old / "inner.txt", "x")
    assert old.read_text() == "old"


def test_files_are_readable_as_the_umask_says(tmp_path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_files_that_a_writer_made_anew_are_readable_as_the_umask_says(tmp_path):
    before = os.umask(0o027)
    try:
        with atomic_path(tmp_path / "a") as temporary:
            temporary.unlink()
            temporary.touch(mode=0o600)
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_json_has_only_its_own_types():
    content = {
        "none": None,
        "bool": np.bool_(True),
        "integer": np.int32(3),
        "real": np.float32(0.5),
        "nan": float("nan"),
        "infinite": np.array([1.0, -np.inf]),
        "nested": {1: (np.arange(2), [Path("a/b")])},
        "scalar": np.array(2.5),
    }
    assert to_json(content) == {
        "none": None,
        "bool": True,
        "integer": 3,
        "real": 0.5,
        "nan": None,
        "infinite": [1.0, None],
        "nested": {"1": [[0, 1], ["a/b"]]},
        "scalar": 2.5,
    }
    assert type(to_json(np.bool_(True))) is bool
    assert type(to_json(np.int64(3))) is int


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", 1 + 2j])
def test_what_has_no_json_form_is_refused(value):
    with pytest.raises(TypeError, match="has no JSON form"):
        to_json({"a": [value]})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(content=st.dictionaries(st.text(), json_values, max_size=5))
def test_json_survives_a_round_trip(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "round_trip.json"
    write_json(path, content)
    assert read_json(path) == content


def test_json_that_cannot_be_written_leaves_nothing(tmp_path):
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"a": object()})
    assert names(tmp_path) == []


def test_reading_json_that_is_not_there_or_not_json(tmp_path):
    with pytest.raises(RunError, match=r"a\.json: the file does not exist — is this a folder that genoken wrote\?"):
        read_json(tmp_path / "a.json")
    (tmp_path / "a.json").write_text('{"a": ')
    with pytest.raises(RunError, match="is not valid JSON"):
        read_json(tmp_path / "a.json")
    (tmp_path / "a.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RunError, match="is not valid JSON"):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize("size", [0, 3, (1 << 20) + 17])
def test_sha256(tmp_path, size):
    content = bytes(index % 251 for index in range(size))
    (tmp_path / "a").write_bytes(content)
    assert sha256_of_file(tmp_path / "a") == hashlib.sha256(content).hexdigest()


def test_output_folder_is_created(tmp_path):
    assert prepare_output_folder(tmp_path / "runs" / "x", overwrite=False).is_dir()
    assert prepare_output_folder(tmp_path / "runs" / "x", overwrite=False).is_dir()


def test_output_folder_that_holds_something_is_refused_and_kept(tmp_path):
    (tmp_path / "config.yaml").write_text("a: 1")
    with pytest.raises(RunError, match="exists and is not empty — choose another one, or add --overwrite"):
        prepare_output_folder(tmp_path, overwrite=False)
    assert names(tmp_path) == ["config.yaml"]


@pytest.mark.parametrize("ours", ["config.yaml", "manifest.json"])
def test_overwrite_empties_only_what_genoken_wrote(tmp_path, ours):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("keep")
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    (run / "checkpoints" / "a").write_text("x")
    (run / "link").symlink_to(outside)
    with pytest.raises(RunError, match="files that genoken did not write"):
        prepare_output_folder(run, overwrite=True)
    assert names(run) == ["checkpoints", "link"]
    (run / ours).write_text("x")
    assert prepare_output_folder(run, overwrite=True) == run
    assert names(run) == []
    assert (outside / "precious").read_text() == "keep"


def test_a_file_in_the_place_of_the_output_folder(old):
    with pytest.raises(RunError, match="a file of this name is in the way"):
        prepare_output_folder(old, overwrite=True)
    with pytest.raises(GenokenError, match="cannot create the folder"):
        prepare_output_folder(old / "inner", overwrite=False)
    assert old.read_text() == "old"


def test_the_hash_of_a_folder_is_that_of_its_names_and_contents(tmp_path):
    def folder(name, **files):
        for file, content in files.items():
            path = tmp_path / name / file.replace("_", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return sha256_of_folder(tmp_path / name)

    found = folder("one", b="2", a="1", deep_c="3")
    content = "".join(
        f"{name}\0{hashlib.sha256(text).hexdigest()}\n" for name, text in (("a", b"1"), ("b", b"2"), ("deep/c", b"3"))
    )
    assert found == hashlib.sha256(content.encode()).hexdigest()
    assert folder("same", a="1", deep_c="3", b="2") == found
    others = [folder("changed", a="1", b="2", deep_c="4"), folder("moved", a="1", b="2", c="3"), folder("fewer", a="1", b="2")]
    assert len({found, *others}) == 4


def test_a_folder_is_checked_without_being_changed(tmp_path):
    assert not check_output_folder(tmp_path / "new", overwrite=False)
    assert not (tmp_path / "new").exists()
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(RunError, match="exists and is not empty"):
        check_output_folder(tmp_path, overwrite=False)
    with pytest.raises(RunError, match="genoken did not write"):
        check_output_folder(tmp_path, overwrite=True)
    (tmp_path / "config.yaml").write_text("", encoding="utf-8")
    assert check_output_folder(tmp_path, overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml", "notes.txt"]
