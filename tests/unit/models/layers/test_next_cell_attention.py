"""Attention of samples followed by their successors: the padded computation with a dense mask is the truth."""

from __future__ import annotations

import pytest
import torch
import torch.nn.attention.varlen
from torch import nn
from torch.nn import functional
from torch.nn.attention.flex_attention import flex_attention

from genoken.core.layout import AttentionPattern
from genoken.models.layers import attention
from genoken.models.layers.attention import SelfAttention
from genoken.models.layers.next_cell_attention import attend_alike, attend_parts, may_see
from genoken.models.layers.packing import CONTEXT, NEXT, SEPARATOR, Packing
from genoken.models.layers.stack import TransformerStack

WIDTH, HEADS, LAYERS, FEED_FORWARD = 24, 4, 2, 20
CPU = torch.device("cpu")
PATTERNS: list[AttentionPattern] = ["full", "next_cell_strict", "next_cell_self"]
APART = PATTERNS[1:]
# Two samples that are alike, one without a successor, one whose successor is empty, one with nothing but CLS, and others.
CONTEXT_LENGTHS, LENGTHS = (4, 4, 3, 5, 1, 3), (7, 7, 3, 6, 5, 9)

T, F = True, False
# CLS a b | SEP x y: rows are queries, columns are keys.
STRICT = [[T, T, T, F, F, F]] * 3 + [[T, T, T, T, F, F]] * 3
OWN = [*STRICT[:4], [T, T, T, T, T, F], [T, T, T, T, F, T]]
SEEN_BY_HAND = {"next_cell_strict": STRICT, "next_cell_self": OWN}


def packing_of(pattern: AttentionPattern, lengths=LENGTHS, context=CONTEXT_LENGTHS) -> Packing:
    return Packing(lengths, Packing.from_lengths(lengths, CPU).offsets, context, pattern)


def dense_mask(pattern: AttentionPattern, length: int, context: int, longest: int) -> torch.Tensor:
    """Return the mask (queries, keys) of a padded sample, built entry by entry; padding sees itself, lest rows are empty."""
    mask = torch.eye(longest, dtype=torch.bool)
    for query in range(length):
        for key in range(length):
            if pattern == "full":
                mask[query, key] = True
            elif query < context:
                mask[query, key] = key < context
            else:
                mask[query, key] = key <= context or (pattern == "next_cell_self" and query == key)
    return mask


def dense_masks(pattern: AttentionPattern) -> torch.Tensor:
    """Return the masks (samples, queries, keys) of all samples, padded to the longest."""
    masks = [dense_mask(pattern, *sample, max(LENGTHS)) for sample in zip(LENGTHS, CONTEXT_LENGTHS, strict=True)]
    return torch.stack(masks)


def padded_stack(stack: TransformerStack, padded: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Return the states (samples, longest, width) after all blocks, with a dense mask for each sample."""
    for block in stack.blocks:
        projected = block.attention.query_key_value(block.attention_norm(padded))
        query, key, value = projected.view(*padded.shape[:2], 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        scores = (query @ key.transpose(2, 3) / (WIDTH // HEADS) ** 0.5).masked_fill(~masks.unsqueeze(1), float("-inf"))
        mixed = (scores.softmax(dim=3) @ value).transpose(1, 2).flatten(2)
        padded = padded + block.attention.output(mixed)
        padded = padded + block.feed_forward(block.feed_forward_norm(padded))
    return padded


def randomized(module: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.4)
    return module


@pytest.fixture
def stack() -> TransformerStack:
    return randomized(TransformerStack(WIDTH, LAYERS, HEADS, FEED_FORWARD, dropout=0.0, attention_dropout=0.0))


def drawn(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def with_backend(stack: TransformerStack, backend: str) -> TransformerStack:
    for block in stack.blocks:
        block.attention.backend = backend
    return stack


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("backend", ["sdpa", "eager"])
def test_outputs_and_gradients_are_those_of_padding_with_a_dense_mask(stack, pattern, backend):
    packed = drawn(sum(LENGTHS), WIDTH)
    padded = nn.utils.rnn.pad_sequence(packed.split(LENGTHS), batch_first=True).requires_grad_()
    packed.requires_grad_()
    real = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS).unsqueeze(1)
    found = with_backend(stack, backend)(packed, packing_of(pattern))
    expected = padded_stack(stack, padded, dense_masks(pattern))[real]
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)

    upstream, weights = drawn(*found.shape, seed=2), list(stack.parameters())
    gradients = torch.autograd.grad(found, [packed, *weights], upstream)
    wanted = torch.autograd.grad(expected, [padded, *weights], upstream)
    torch.testing.assert_close(gradients[0], wanted[0][real], rtol=1e-4, atol=1e-5)
    for one, other in zip(gradients[1:], wanted[1:], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_the_patterns_differ(stack):
    states, packing = drawn(sum(LENGTHS), WIDTH), packing_of("full")
    full, strict, own = (stack(states, packing_of(pattern)) for pattern in PATTERNS)
    num_behind = torch.tensor(LENGTHS) - torch.tensor(CONTEXT_LENGTHS)
    has_successor = num_behind[packing.sample_of_token] > 0
    assert torch.equal(~torch.isclose(full, strict, atol=1e-4).all(dim=1), has_successor)
    assert torch.equal(~torch.isclose(strict, own, atol=1e-4).all(dim=1), packing.part_of_token == NEXT)


@pytest.mark.parametrize("pattern", APART)
def test_who_sees_whom_is_what_the_table_says(pattern):
    part = torch.tensor([CONTEXT] * 3 + [SEPARATOR] + [NEXT] * 2)
    assert may_see(pattern, part.unsqueeze(1), part, torch.eye(6, dtype=torch.bool)).tolist() == SEEN_BY_HAND[pattern]
    assert dense_mask(pattern, 6, 3, 6).tolist() == SEEN_BY_HAND[pattern]


@pytest.mark.parametrize("pattern", APART)
def test_the_reader_sees_weights_of_0_where_a_token_is_not_seen(pattern):
    layer, seen = randomized(SelfAttention(WIDTH, HEADS)), {}
    layer.weights_reader = seen.__setitem__
    layer(drawn(sum(LENGTHS), WIDTH), packing_of(pattern))
    assert list(seen) == list(range(len(LENGTHS)))
    for sample, (length, context) in enumerate(zip(LENGTHS, CONTEXT_LENGTHS, strict=True)):
        mask = dense_mask(pattern, length, context, length)
        assert torch.equal(seen[sample] > 0, mask.expand(HEADS, -1, -1))
        torch.testing.assert_close(seen[sample].sum(dim=2), torch.ones(HEADS, length))


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("backend", ["sdpa", "eager"])
def test_the_first_tokens_alone_get_what_they_get_among_all(stack, pattern, backend):
    packing, states = packing_of(pattern), drawn(sum(LENGTHS), WIDTH)
    everything = with_backend(stack, backend)(states, packing)
    torch.testing.assert_close(stack(states, packing, first_token_only=True), everything[packing.first_tokens])


def one_by_one(query, key, value, query_offsets, key_offsets, most_queries, most_keys, scale):
    """Stand in for the kernel of the GPU: the same arguments, one sample after the other."""
    num_queries, num_keys = (offsets.diff().tolist() for offsets in (query_offsets, key_offsets))
    assert (max(num_queries), max(num_keys)) == (most_queries, most_keys)
    assert min(num_queries) > 0
    assert query.is_contiguous()
    parts = zip(query.split(num_queries), key.split(num_keys), value.split(num_keys), strict=True)
    mixed = [
        functional.scaled_dot_product_attention(*(tensor.transpose(0, 1) for tensor in part), scale=scale).transpose(0, 1)
        for part in parts
    ]
    return torch.cat(mixed)


@pytest.mark.parametrize("pattern", APART)
@pytest.mark.parametrize(("lengths", "context"), [(LENGTHS, CONTEXT_LENGTHS), ((2, 3), (2, 3)), ((3, 4), (2, 3))])
def test_the_parts_of_all_samples_together_give_the_same(monkeypatch, pattern, lengths, context):
    monkeypatch.setattr(torch.nn.attention.varlen, "varlen_attn", one_by_one)
    packing = packing_of(pattern, lengths, context)
    inputs = [drawn(sum(lengths), HEADS, 8, seed=seed).requires_grad_() for seed in range(3)]
    upstream, results = drawn(sum(lengths), HEADS, 8, seed=4), []
    for function, more in ((attend_parts, ()), (attention.attend_eager, (False,))):
        output = function(*inputs, packing, *more)
        results.append([output, *torch.autograd.grad(output, inputs, upstream)])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("first_token_only", [False, True])
@pytest.mark.filterwarnings("ignore:flex_attention called without")
def test_the_block_mask_gives_the_same(monkeypatch, pattern, first_token_only):
    monkeypatch.setattr(attention, "_compiled_flex", lambda: flex_attention)
    layer, states = randomized(SelfAttention(WIDTH, HEADS)), drawn(sum(LENGTHS), WIDTH)
    results = {}
    for backend in ("flex", "eager"):
        layer.backend = backend
        with torch.no_grad():
            results[backend] = layer(states, packing_of(pattern), first_token_only=first_token_only)
    torch.testing.assert_close(results["flex"], results["eager"], rtol=1e-5, atol=1e-5)


def test_own_scores_are_as_fine_in_bf16_as_the_others():
    # Both keys have the score 300.75 before scaling; in bf16 that would be 300 or 302, and the weights far from even.
    query = torch.tensor([300.0, 0.75]).view(1, 1, 1, 2).expand(1, 3, 1, 2)
    key, value = torch.ones(1, 3, 1, 2), torch.tensor([1.0, 2.0, 4.0]).view(1, 3, 1, 1).expand(1, 3, 1, 2)
    key = key * torch.tensor([1.0, 0.0, 1.0]).view(1, 3, 1, 1)  # CLS and the next token; the separator has the score 0
    mixed = attend_alike(query.bfloat16(), key.bfloat16(), value.bfloat16(), mutual=1, own=True, dropout=0.0)
    torch.testing.assert_close(mixed[0, 2, 0].float(), torch.tensor([2.5, 2.5]), rtol=0, atol=0.02)


@pytest.mark.parametrize("pattern", APART)
@pytest.mark.parametrize("backend", ["sdpa", "eager"])
def test_attention_dropout_keeps_the_expectation(pattern, backend):
    layer, states, packing = SelfAttention(WIDTH, HEADS, dropout=0.5), drawn(sum(LENGTHS), WIDTH), packing_of(pattern)
    layer.backend = backend
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(0)
        outputs = torch.stack([layer.train()(states, packing) for _ in range(100)])
    assert ((outputs[0] - outputs[1]).abs().amax(dim=1) > 1e-3).all()
    standard_error = outputs.std(dim=0) / 10
    assert ((outputs.mean(dim=0) - layer.eval()(states, packing)).abs() < 5 * standard_error + 1e-6).all()


@pytest.mark.parametrize("pattern", PATTERNS)
def test_next_to_no_attention_dropout_gives_what_none_gives(pattern):
    inputs, packing = [drawn(sum(LENGTHS), HEADS, 6, seed=seed) for seed in range(3)], packing_of(pattern)
    little, none = (attention.attend_sdpa(*inputs, packing, False, dropout) for dropout in (1e-12, 0.0))
    torch.testing.assert_close(little, none)


def test_gradients_with_attention_dropout_are_those_of_what_is_computed():
    layer, states = SelfAttention(8, 2, dropout=0.4).double(), drawn(9, 8).double()
    packing = packing_of("next_cell_self", (6, 3), (2, 1))

    def output(states: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(3)
        return layer(states, packing)

    with torch.random.fork_rng():
        assert torch.autograd.gradcheck(output, states.requires_grad_())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="varlen and flex need a CUDA device")
@pytest.mark.parametrize("pattern", APART)
@pytest.mark.parametrize("backend", ["varlen", "flex", "sdpa"])
def test_the_gpu_backends_agree_with_the_reference(backend, pattern):
    cuda, lengths, context = torch.device("cuda"), (90, 33, 200, 65), (40, 33, 129, 64)
    layer = SelfAttention(64, 4).to(cuda, torch.bfloat16)
    packing = Packing(lengths, Packing.from_lengths(lengths, cuda).offsets, context, pattern)
    results = {}
    for name in ("eager", backend):
        layer.backend = name
        leaf = drawn(sum(lengths), 64).to(cuda, torch.bfloat16).requires_grad_()
        output = layer(leaf, packing)
        output.float().square().sum().backward()
        results[name] = (output.detach(), leaf.grad)
    for one, other in zip(results[backend], results["eager"], strict=True):
        torch.testing.assert_close(one, other, rtol=3e-2, atol=3e-2)
