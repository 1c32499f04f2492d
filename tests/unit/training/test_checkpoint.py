"""Checkpoints: what is written is what is read; nothing else is read, and nothing in them can run."""

from __future__ import annotations

import json
import math
import pickletools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import SafetensorError
from safetensors.torch import save_file

from genoken.core.errors import RunError
from genoken.training import checkpoint
from genoken.training.checkpoint import SafeCheckpointIO, checkpoint_path, latest_checkpoint, read_checkpoint, write_checkpoint


@pytest.fixture
def path(tmp_path):
    return tmp_path / "checkpoints" / "step-000000003.safetensors"


def through_a_file(path, content):
    write_checkpoint(path, content)
    return read_checkpoint(path)


def same(one, other) -> bool:
    """Whether two nested values are equal in type, order and bits; NaN equals NaN."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    return one == other


def test_nested_structures_survive(path):
    content = {
        "epoch": 3,
        "words": ["a", "ü", ""],
        "pair": (1, (2.5, None)),
        "flags": [True, False],
        "by_number": {0: {"step": torch.tensor(4.0)}, 7: "seven"},
        "floats": [0.1, 1e-320, -0.0, math.inf, -math.inf, math.nan],
        "empty": {"list": [], "tuple": (), "dict": {}},
        "tensors": [torch.arange(6).view(2, 3), torch.tensor(2.5, dtype=torch.float64), torch.zeros(0, 4)],
        "kinds": (torch.tensor([1.5], dtype=torch.bfloat16), torch.tensor([True]), torch.tensor([3], dtype=torch.uint8)),
        "$dict": {"$tensor": "not a tensor"},
    }
    assert same(through_a_file(path, content), content)


NESTED = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3) | st.integers(-9, 9), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=4), NESTED, max_size=4))
def test_any_nested_structure_survives(tmp_path_factory, content):
    assert same(through_a_file(tmp_path_factory.mktemp("c") / "step-1.safetensors", content), content)


def test_an_optimizers_state_survives_bit_for_bit(path):
    network = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(network.parameters(), fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (step + 1))
    for _ in range(3):
        optimizer.zero_grad()
        network(torch.ones(4, 3)).square().sum().backward()
        optimizer.step()
        schedule.step()
    content = {"optimizer": optimizer.state_dict(), "schedule": schedule.state_dict(), "network": dict(network.state_dict())}
    found = through_a_file(path, content)
    assert same(found, content)
    fresh = torch.optim.AdamW(network.parameters(), fused=True)
    fresh.load_state_dict(found["optimizer"])
    assert same(fresh.state_dict()["state"], content["optimizer"]["state"])


def test_tensors_whose_places_read_alike_stay_apart(path):
    content = {"a/b": torch.tensor(1), "a": {"b": torch.tensor(2)}, 1: torch.tensor(3), "1": torch.tensor(4)}
    assert same(through_a_file(path, content), content)


def test_shared_and_strided_memory_is_written_as_values(path):
    whole = torch.arange(12.0).view(3, 4)
    content = {"whole": whole, "part": whole[1:], "transposed": whole.T, "parameter": torch.nn.Parameter(whole)}
    found = through_a_file(path, content)
    torch.testing.assert_close(found["part"], whole[1:], rtol=0, atol=0)
    torch.testing.assert_close(found["transposed"], whole.T, rtol=0, atol=0)
    torch.testing.assert_close(found["parameter"], whole, rtol=0, atol=0)


def test_numbers_of_numpy_become_plain_ones(path):
    found = through_a_file(path, {"a": np.float32("nan"), "b": np.float64(0.1), "c": np.int64(5), "d": np.bool_(True)})
    assert math.isnan(found["a"])
    assert (found["b"], found["c"], found["d"]) == (0.1, 5, True)


@pytest.mark.parametrize("content", [{(1, 2): 3}, {True: 1}, {"object": object()}])
def test_what_has_no_plain_form_is_refused(path, content):
    with pytest.raises(TypeError):
        write_checkpoint(path, content)
    assert not path.exists()


def test_there_is_no_pickle_in_it(path):
    write_checkpoint(path, {"weights": torch.randn(3), "epoch": 1, "state": {"a": [1.5, None]}})
    written = path.read_bytes()
    header = json.loads(written[8 : 8 + int.from_bytes(written[:8], "little")])
    assert set(header) == {"__metadata__", "0/weights"}
    assert written[:2] != b"PK"  # the archive that torch.save writes
    with pytest.raises(ValueError, match=r"."):
        list(pickletools.genops(written))


@pytest.mark.parametrize("size", [0, 1, 7, 100, -1])
def test_a_truncated_file_is_one_clear_line(path, size):
    write_checkpoint(path, {"weights": torch.randn(30)})
    written = path.read_bytes()
    path.write_bytes(written[:size])
    with pytest.raises(RunError, match=r"step-000000003.safetensors: the checkpoint cannot be read .* — delete it"):
        read_checkpoint(path)


def test_a_missing_file_is_one_clear_line(path):
    with pytest.raises(RunError, match="the checkpoint cannot be read"):
        read_checkpoint(path)


def test_foreign_files_are_refused(tmp_path):
    foreign = tmp_path / "model.safetensors"
    save_file({"w": torch.zeros(2)}, foreign)
    with pytest.raises(RunError, match="not a checkpoint of genoken"):
        read_checkpoint(foreign)
    torch.save({"w": torch.zeros(2)}, tmp_path / "pickled.safetensors")
    with pytest.raises(RunError, match="cannot be read"):
        read_checkpoint(tmp_path / "pickled.safetensors")


@pytest.mark.parametrize(
    "state",
    [
        "not JSON",
        "[1, 2",
        '{"$tensor": "absent"}',
        '{"$dict": 5}',
        '{"$float": "many"}',
        '{"$call": "os.system"}',
        '{"a": 1, "b": 2}',
        "{}",
        "5",
        '{"$list": []}',
        "[" * 100_000,
    ],
)
def test_a_tampered_state_is_refused(tmp_path, state):
    path = tmp_path / "step-1.safetensors"
    save_file({"w": torch.zeros(2)}, path, metadata={"genoken_state": state})
    with pytest.raises(RunError, match="not a checkpoint of genoken"):
        read_checkpoint(path)


def test_a_failed_write_leaves_the_old_file_and_no_debris(path, monkeypatch):
    write_checkpoint(path, {"epoch": 1})
    before = path.read_bytes()

    def full_disk(tensors, temporary, metadata):
        temporary.write_bytes(b"half")
        raise SafetensorError("Error while serializing: I/O error: No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full_disk)
    with pytest.raises(RunError, match=r"cannot write the checkpoint .*No space left.* — free disk space"):
        write_checkpoint(path, {"epoch": 2})
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_the_latest_checkpoint_is_that_of_the_highest_step(tmp_path):
    assert latest_checkpoint(tmp_path) is None
    assert latest_checkpoint(tmp_path / "absent") is None
    for step in (9, 100, 20):
        write_checkpoint(checkpoint_path(tmp_path, step), {"step": step})
    (tmp_path / ".step-000000999-tmp.safetensors").write_bytes(b"half written")
    assert latest_checkpoint(tmp_path) == tmp_path / "step-000000100.safetensors"


def test_lightnings_interface_reads_what_it_writes(path):
    plugin = SafeCheckpointIO()
    plugin.save_checkpoint({"epoch": 4}, str(path))
    assert plugin.load_checkpoint(str(path)) == {"epoch": 4}
    plugin.remove_checkpoint(path)
    plugin.remove_checkpoint(path)
    assert not path.exists()
