"""Which device and number format a run computes in."""

from __future__ import annotations

from unittest import mock

import pytest
import torch

from genoken.core.errors import ConfigError
from genoken.training.precision import choose_device, choose_precision, matmul_flops_per_second

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def on_gpu(major, minor):
    return mock.patch("torch.cuda.get_device_capability", return_value=(major, minor))


@pytest.mark.parametrize(
    ("requested", "name", "lightning", "reason"),
    [
        ("auto", "fp32", "32-true", "the device is cpu"),
        ("fp32", "fp32", "32-true", "asked for by name"),
        ("bf16", "bf16", "bf16-mixed", "asked for by name"),
    ],
)
def test_formats_on_the_cpu(requested, name, lightning, reason):
    chosen = choose_precision(requested, CPU)
    assert (chosen.name, chosen.lightning, chosen.reason) == (name, lightning, reason)


def test_fp16_is_refused_on_the_cpu():
    with pytest.raises(ConfigError, match=r"fp16 needs a GPU.*fp32 or bf16"):
        choose_precision("fp16", CPU)


@pytest.mark.parametrize(
    ("capability", "requested", "dtype", "reason"),
    [
        ((8, 0), "auto", torch.bfloat16, "compute capability 8.0"),
        ((9, 0), "auto", torch.bfloat16, "compute capability 9.0"),
        ((7, 5), "auto", torch.float16, "compute capability 7.5"),
        ((7, 5), "fp32", torch.float32, "asked for by name"),
        ((9, 0), "fp16", torch.float16, "asked for by name"),
        ((8, 6), "bf16", torch.bfloat16, "asked for by name"),
    ],
)
def test_formats_on_gpus(capability, requested, dtype, reason):
    with on_gpu(*capability):
        chosen = choose_precision(requested, CUDA)
    assert (chosen.dtype, chosen.reason) == (dtype, reason)


def test_bf16_is_refused_where_it_would_be_emulated():
    with on_gpu(7, 5), pytest.raises(ConfigError, match=r"bf16 needs compute capability 8\.0, and this GPU has 7\.5"):
        choose_precision("bf16", CUDA)


def test_the_device():
    with mock.patch("torch.cuda.is_available", return_value=False):
        assert choose_device() == CPU
        assert choose_device("cpu") == CPU
        with pytest.raises(ConfigError, match="no CUDA device can be used here"):
            choose_device("cuda")
    with mock.patch("torch.cuda.is_available", return_value=True):
        assert choose_device() == CUDA
        assert choose_device("cpu") == CPU
        assert choose_device("cuda") == CUDA


def test_a_processor_multiplies_at_least_a_hundred_million_numbers_per_second():
    assert 1e8 < matmul_flops_per_second(torch.device("cpu"), torch.float32) < 1e15
