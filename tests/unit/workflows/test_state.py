"""The state of a run."""

from __future__ import annotations

import errno

import pytest

from genoken.core.errors import RunError
from genoken.core.files import read_json, write_json
from genoken.workflows import state


def begin(folder, *, overwrite=False, files=(), config="a: 1\n", **named):
    state.begin_run(
        folder, config=config, inputs={"data": "x"}, files=list(files), command="genoken train", overwrite=overwrite, **named
    )


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_run_begins_goes_on_and_ends(tmp_path):
    begin(tmp_path / "run", files=[{"path": "", "sha256": "h"}])
    found = state.read_state(tmp_path / "run")
    assert (found["status"], found["command"], found["inputs"]) == ("running", "genoken train", {"data": "x"})
    assert (tmp_path / "run" / "config.yaml").read_text(encoding="utf-8") == "a: 1\n"
    state.finish(tmp_path / "run")
    assert state.read_state(tmp_path / "run") == found | {"status": "finished"}


@pytest.mark.parametrize("was_there", [False, True])
@pytest.mark.parametrize("write", [0, 1])
def test_a_beginning_that_fails_leaves_the_folder_as_it_was(write, was_there, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    if was_there:
        folder.mkdir()

    def full(*arguments, **named):
        raise RunError("full")

    monkeypatch.setattr(state, ("write_json", "write_text")[write], full)
    with pytest.raises(RunError, match="full"):
        begin(folder)
    assert folder.exists() == was_there
    assert not was_there or names(folder) == []


def test_a_run_is_replaced_and_nothing_else(tmp_path):
    begin(tmp_path / "run")
    (tmp_path / "run" / "old").mkdir()
    begin(tmp_path / "run", overwrite=True, config="b: 2\n")
    assert names(tmp_path / "run") == ["config.yaml", "state.json"]
    (tmp_path / "mine").mkdir()
    begin(tmp_path / "mine", overwrite=True)
    assert names(tmp_path / "mine") == ["config.yaml", "state.json"]
    with pytest.raises(RunError, match="a file of this name is in the way"):
        begin(tmp_path / "run" / "config.yaml", overwrite=True)


def content(folder):
    return {str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def trained(tmp_path):
    """A run that has trained, and what is in it."""
    begin(tmp_path / "run")
    (tmp_path / "run" / "checkpoints").mkdir()
    for name in ("checkpoints/step-000000001.safetensors", "fit.json"):
        (tmp_path / "run" / name).write_text(name, encoding="utf-8")
    return tmp_path / "run", content(tmp_path / "run")


@pytest.mark.parametrize("attempts", [1, 2])
def test_a_replaced_run_is_put_back_when_the_new_one_fails_before_it_trains(attempts, trained):
    folder, before = trained
    for number in range(attempts):  # all but the last one are killed
        begin(folder, overwrite=True, config=f"b: {number}\n", keep_replaced=True)
        assert (folder / "config.yaml").read_text(encoding="utf-8") == f"b: {number}\n"
        (folder / "cache").mkdir()
    state.discard_unless_trained(folder)
    assert content(folder) == before
    assert names(folder) == ["checkpoints", "config.yaml", "fit.json", "state.json"]


def test_a_replaced_run_is_put_back_when_the_new_one_cannot_begin(trained, monkeypatch):
    folder, before = trained

    def full(*arguments, **named):
        raise RunError("full")

    monkeypatch.setattr(state, "write_text", full)
    with pytest.raises(RunError, match="full"):
        begin(folder, overwrite=True, keep_replaced=True)
    assert content(folder) == before


def test_a_replaced_run_is_gone_once_it_is_forgotten(trained):
    folder, _ = trained
    begin(folder, overwrite=True, keep_replaced=True)
    state.forget_replaced(folder)
    assert names(folder) == ["config.yaml", "state.json"]
    state.forget_replaced(folder)
    state.discard_unless_trained(folder)
    assert not folder.exists()


def test_a_new_run_that_keeps_what_it_replaces_is_as_any_other_where_nothing_was(tmp_path):
    begin(tmp_path / "run", keep_replaced=True)
    assert names(tmp_path / "run") == ["config.yaml", "state.json"]
    with pytest.raises(RunError, match="exists and is not empty"):
        begin(tmp_path / "run", keep_replaced=True)


@pytest.mark.parametrize("place", ["cells.h5ad", "deep/cells.h5ad"])
def test_data_in_the_folder_are_kept(place, tmp_path):
    begin(tmp_path / "run")
    data = tmp_path / "run" / place
    data.parent.mkdir(exist_ok=True)
    data.write_text("x", encoding="utf-8")
    with pytest.raises(RunError, match="is in the folder that would be emptied"):
        begin(tmp_path / "run", overwrite=True, files=[{"path": str(data), "sha256": "h"}])
    assert data.is_file()


def test_only_runs_that_never_trained_are_discarded(tmp_path):
    for name, left in (("empty", None), ("step", "folds/0/checkpoints/step-000000001.safetensors"), ("fit", "fit.json")):
        begin(tmp_path / name)
        if left:
            (tmp_path / name / left).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / left).write_text("x", encoding="utf-8")
        state.discard_unless_trained(tmp_path / name)
    assert names(tmp_path) == ["fit", "step"]


@pytest.mark.parametrize("change", [{"status": 1}, {"config": None}, {"inputs": []}, {"data": {}}])
def test_a_state_of_another_form_is_refused(change, tmp_path):
    begin(tmp_path)
    write_json(tmp_path / "state.json", read_json(tmp_path / "state.json") | change)
    with pytest.raises(RunError, match=r"state\.json: this is not the state of a run — train again from the start"):
        state.read_state(tmp_path)


def test_data_are_compared_by_their_hashes():
    before = [{"path": "a", "sha256": "1"}, {"path": "b", "sha256": "2"}]
    state.check_data([{"path": "elsewhere/a", "sha256": "1"}, {"path": "b", "sha256": "2"}], before)
    for now in ([{"path": "a", "sha256": "0"}], [*before, {"path": "c", "sha256": "3"}]):
        with pytest.raises(RunError, match="the data changed since the run began"):
            state.check_data(now, before)


def test_only_errors_of_the_disk_are_put_into_words(tmp_path):
    with pytest.raises(RunError, match="No space left"), state.disk_errors(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(FileNotFoundError), state.disk_errors(tmp_path):
        raise FileNotFoundError(errno.ENOENT, "No such file")
