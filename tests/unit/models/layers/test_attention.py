"""Self-attention over packed tokens: parity with torch's own, backends that agree, backends that are refused."""

from __future__ import annotations

from unittest import mock

import pytest
import torch
from torch import nn

from genoken.core.errors import ConfigError
from genoken.models.layers.attention import SelfAttention, choose_backend
from genoken.models.layers.packing import Packing

WIDTH, HEADS, LENGTHS = 24, 4, (5, 1, 3, 3, 7)
CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def packing() -> Packing:
    return Packing.from_lengths(LENGTHS, CPU)


@pytest.fixture
def states() -> torch.Tensor:
    return torch.randn(sum(LENGTHS), WIDTH, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def pair() -> tuple[SelfAttention, nn.MultiheadAttention]:
    """Ours and torch's, with the same random weights and biases."""
    generator = torch.Generator().manual_seed(2)
    ours, theirs = SelfAttention(WIDTH, HEADS), nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.5)
        theirs.in_proj_weight.copy_(ours.query_key_value.weight)
        theirs.in_proj_bias.copy_(ours.query_key_value.bias)
        theirs.out_proj.weight.copy_(ours.output.weight)
        theirs.out_proj.bias.copy_(ours.output.bias)
    return ours.eval(), theirs.eval()


@pytest.mark.parametrize("backend", ["sdpa", "eager"])
def test_every_sample_gets_what_torchs_attention_gives_it(backend, pair, states, packing):
    ours, theirs = pair
    ours.backend = backend
    found = ours(states, packing)
    expected = torch.cat([theirs(part[None], part[None], part[None])[0][0] for part in states.split(LENGTHS)])
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert found.std() > 0.1


@pytest.mark.parametrize("backend", ["sdpa", "eager"])
def test_the_first_tokens_alone_get_what_they_get_among_all(backend, pair, states, packing):
    ours, _ = pair
    ours.backend = backend
    everything = ours(states, packing)
    torch.testing.assert_close(ours(states, packing, first_token_only=True), everything[packing.first_tokens], rtol=1e-5, atol=1e-5)


def test_the_backends_agree_in_outputs_and_gradients(pair, states, packing):
    ours, _ = pair
    results = {}
    for backend in ("sdpa", "eager"):
        ours.backend = backend
        ours.zero_grad()
        leaf = states.clone().requires_grad_()
        output = ours(leaf, packing)
        (output * torch.linspace(-1, 1, output.numel()).view_as(output)).sum().backward()
        results[backend] = [output.detach(), leaf.grad, *(parameter.grad.clone() for parameter in ours.parameters())]
    for one, other in zip(results["sdpa"], results["eager"], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_the_reader_sees_torchs_attention_weights(pair, states, packing):
    ours, theirs = pair
    seen = {}
    plain = ours(states, packing)
    ours.weights_reader = lambda sample, weights: seen.__setitem__(sample, weights.clone())
    torch.testing.assert_close(ours(states, packing), plain, rtol=1e-5, atol=1e-5)
    assert list(seen) == [0, 1, 2, 3, 4]
    for sample, part in enumerate(states.split(LENGTHS)):
        expected = theirs(part[None], part[None], part[None], average_attn_weights=False)[1][0]
        assert seen[sample].shape == (HEADS, len(part), len(part))
        torch.testing.assert_close(seen[sample], expected, rtol=1e-5, atol=1e-6)


def test_the_reader_sees_the_first_tokens_rows_alone(pair, states, packing):
    ours, _ = pair
    whole, first = {}, {}
    ours.weights_reader = lambda sample, weights: whole.__setitem__(sample, weights.clone())
    ours(states, packing)
    ours.weights_reader = lambda sample, weights: first.__setitem__(sample, weights.clone())
    ours(states, packing, first_token_only=True)
    for sample in range(len(LENGTHS)):
        torch.testing.assert_close(first[sample], whole[sample][:, :1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("backend", ["sdpa", "eager"])
def test_attention_dropout_acts_in_training_alone(backend, states, packing):
    layer = SelfAttention(WIDTH, HEADS, dropout=0.5)
    layer.backend = backend
    layer.eval()
    torch.testing.assert_close(layer(states, packing), layer(states, packing), rtol=0, atol=0)
    layer.train()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        outputs = torch.stack([layer(states, packing) for _ in range(100)])
    assert (outputs[0] - outputs[1]).abs().max() > 1e-3
    layer.eval()
    standard_error = outputs.std(dim=0) / 10
    assert ((outputs.mean(dim=0) - layer(states, packing)).abs() < 5 * standard_error + 1e-6).all()  # the expectation is kept


def test_heads_must_divide_the_width():
    with pytest.raises(ConfigError, match=r"'model.width' \(24\) is not a multiple of 'model.encoder.heads' \(5\)"):
        SelfAttention(24, 5)


def on_gpu(major, minor):
    return mock.patch("torch.cuda.get_device_capability", return_value=(major, minor))


def test_the_automatic_choice_and_its_reason():
    assert choose_backend("auto", CPU, torch.float32).backend == "sdpa"
    assert "the device is cpu, not CUDA" in choose_backend("auto", CPU, torch.float32).reason
    with on_gpu(9, 0):
        choice = choose_backend("auto", CUDA, torch.bfloat16)
        assert (choice.backend, choice.reason) == ("varlen", "CUDA device of compute capability 9.0 in bf16")
        assert choose_backend("auto", CUDA, torch.float16).backend == "varlen"
        choice = choose_backend("auto", CUDA, torch.float32)
        assert (choice.backend, choice.reason) == ("sdpa", "varlen was not taken because the precision is fp32, not bf16 or fp16")
        choice = choose_backend("auto", CUDA, torch.bfloat16, dropout=0.1)
        assert choice.backend == "sdpa"
        assert "attention dropout" in choice.reason
    with on_gpu(7, 5):
        choice = choose_backend("auto", CUDA, torch.float16)
        assert choice.backend == "sdpa"
        assert "compute capability is 7.5, below 8.0" in choice.reason


@pytest.mark.parametrize("backend", ["sdpa", "eager"])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_backends_for_any_device_are_taken_by_name(backend, dropout):
    choice = choose_backend(backend, CPU, torch.float32, dropout)
    assert (choice.backend, choice.reason) == (backend, "asked for by name")


@pytest.mark.parametrize(("backend", "why"), [("varlen", "the device is cpu, not CUDA"), ("flex", "no backward pass on cpu")])
def test_backends_that_cannot_work_on_the_cpu_are_refused_by_name(backend, why):
    with pytest.raises(ConfigError, match=rf"'{backend}' cannot be used: .*{why}.*--attention auto"):
        choose_backend(backend, CPU, torch.float32)


@pytest.mark.parametrize("backend", ["varlen", "flex"])
def test_attention_dropout_is_refused_where_a_backend_has_none(backend):
    with on_gpu(8, 0):
        assert choose_backend(backend, CUDA, torch.bfloat16).backend == backend
        with pytest.raises(ConfigError, match=rf"'{backend}' has no attention dropout, but model.encoder.attention_dropout is 0.2"):
            choose_backend(backend, CUDA, torch.bfloat16, dropout=0.2)


def test_varlen_by_name_is_refused_on_old_gpus_and_in_32_bits():
    with on_gpu(7, 0), pytest.raises(ConfigError, match=r"7\.0, below 8\.0"):
        choose_backend("varlen", CUDA, torch.float16)
    with on_gpu(8, 6), pytest.raises(ConfigError, match="precision is fp32"):
        choose_backend("varlen", CUDA, torch.float32)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="varlen and flex need a CUDA device")
@pytest.mark.parametrize("backend", ["varlen", "flex"])
@pytest.mark.parametrize("first_token_only", [False, True])
def test_the_gpu_backends_agree_with_the_reference(backend, first_token_only):
    lengths = (33, 1, 70, 70, 128)
    layer = SelfAttention(64, 4).to(CUDA, torch.bfloat16).eval()
    packing = Packing.from_lengths(lengths, CUDA)
    results = {}
    for name in ("eager", backend):
        layer.backend = name
        leaf = torch.randn(sum(lengths), 64, generator=torch.Generator().manual_seed(0)).to(CUDA, torch.bfloat16).requires_grad_()
        output = layer(leaf, packing, first_token_only=first_token_only)
        output.float().square().sum().backward()
        results[name] = (output.detach(), leaf.grad)
    for one, other in zip(results[backend], results["eager"], strict=True):
        torch.testing.assert_close(one, other, rtol=3e-2, atol=3e-2)
