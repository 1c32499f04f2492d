"""Run folders that were changed, are incomplete or foreign: refused by name, never executed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from genoken.core.errors import GenokenError, RunError
from genoken.core.files import read_json, sha256_of_file, write_json
from genoken.workflows.predict import predict
from genoken.workflows.run import load_run


@pytest.fixture
def copy(lean, tmp_path):
    shutil.copytree(lean.folder, tmp_path / "copy")
    return tmp_path / "copy"


def sign(folder):
    """Write the hashes that the changed files have now: what someone would do who wants to deceive."""
    manifest = read_json(folder / "manifest.json")
    manifest["files"] = {name: sha256_of_file(folder / name) for name in manifest["files"]}
    write_json(folder / "manifest.json", manifest)


def assert_refused(folder, match):
    with pytest.raises(GenokenError, match=match) as caught:
        load_run(folder)
    assert "\n" not in str(caught.value)
    assert caught.value.where.startswith(str(folder))


@pytest.mark.parametrize("name", ["config.yaml", "model.safetensors", "tokenizer.json", "target.json", "vocabulary.parquet"])
def test_a_changed_file_is_noticed(name, copy):
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    assert_refused(copy, rf"{name}: the file is not the one that the run wrote .*manifest\.json.* — restore it, or train again")


@pytest.mark.parametrize(
    "name", ["config.yaml", "model.safetensors", "tokenizer.json", "target.json", "vocabulary.parquet", "manifest.json"]
)
def test_a_missing_file_is_noticed(name, copy):
    (copy / name).unlink()
    assert_refused(copy, f"not a finished run: it has no {name}")


class Exploit:
    """Would leave a trace if it were unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("write", ["torch", "pickle"])
def test_a_pickle_in_place_of_the_weights_is_never_opened(write, copy, tmp_path):
    import pickle

    content = {"weights": Exploit(tmp_path / "opened")}
    if write == "torch":
        torch.save(content, copy / "model.safetensors")
    else:
        (copy / "model.safetensors").write_bytes(pickle.dumps(content))
    assert_refused(copy, "the file is not the one that the run wrote")
    sign(copy)
    assert_refused(copy, r"model\.safetensors: the weights do not fit the configuration")
    assert not (tmp_path / "opened").exists()


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("width: 8", "width: 16", r"model\.safetensors: the weights do not fit the configuration"),
        ("width: 8", "widht: 8", r"config\.yaml: unknown option 'model\.widht'"),
        ("width: 8", "width: !!python/object/apply:os.getcwd []", r"config\.yaml: this is not valid YAML"),
        ("width: 8", "width: -8", r"config\.yaml: 'model\.width'"),
        ("hvgs: 0", "hvgs: 7", "tokenizer.json and config.yaml disagree"),
    ],
)
def test_settings_are_validated_even_when_signed(old, new, match, copy):
    path = copy / "config.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    sign(copy)
    assert_refused(copy, match)


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("tokenizer.json", "[]", r"tokenizer\.json: the file does not hold a JSON object"),
        ("tokenizer.json", '{"kind": "os"}', "'os' is not one of the tokenizers"),
        ("target.json", "{}", r"target\.json: the file does not describe a target"),
        ("target.json", "[1]", r"target\.json: the file does not hold a JSON object"),
        ("target.json", "nothing", r"target\.json: the file is not valid JSON"),
        ("vocabulary.parquet", "nothing", r"vocabulary\.parquet: the file is not valid Parquet"),
    ],
)
def test_other_files_are_validated_even_when_signed(name, text, match, copy):
    (copy / name).write_text(text, encoding="utf-8")
    sign(copy)
    with pytest.raises(GenokenError, match=match) as caught:
        load_run(copy)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["[]", "{}", '{"files": []}', '{"files": {}}'])
def test_a_manifest_without_hashes_is_refused(text, copy):
    (copy / "manifest.json").write_text(text, encoding="utf-8")
    assert_refused(copy, "JSON object|not the one that the run wrote")


def test_foreign_folders_are_refused(tmp_path, cells):
    assert_refused(tmp_path / "absent", "there is no such folder — name a folder that genoken wrote")
    (tmp_path / "photos").mkdir()
    assert_refused(tmp_path / "photos", "not a finished run: it has no manifest.json — is this a folder that genoken wrote?")
    with pytest.raises(RunError, match="not a finished run"):
        predict(tmp_path / "photos", cells)
