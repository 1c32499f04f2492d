"""Tokenizing speed on one thread: our rank and binned tokens against Geneformer's and scGPT's own procedures, on the same cells.

Synthetic counts, 1,500 expressed genes of 20,000 in each cell. Theirs, as their repositories have it: Geneformer divides blocks of
512 cells by totals and medians and sorts the non-zero genes cell by cell; the blocks are dense when they come from loom files, and
stay sparse when they come from h5ad files that hold a sparse matrix. scGPT bins each cell between quantiles of its non-zero values,
equal values spread at random. Ours is measured from the same counts to packed tokens ("whole"), and without the normalizing, which
is done once per run ("tokens"), in batches of 128. Geneformer's totals are given, ours are not. Figures are of processor time, the
best of several repeats, because the machine may be shared.

    python benchmarks/tokenizing.py [--quick]
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numba
import numpy as np
import pandas as pd
import scipy.sparse as sp

from _results import options, table, write
from genoken.core.contracts import Tokenizer, TokenizerState
from genoken.core.random import generator
from genoken.core.samples import Samples
from genoken.tokenizers.binned import BinnedTokenizer
from genoken.tokenizers.rank import RankTokenizer

EXPRESSED = 1500
MAX_TOKENS = 2048
BLOCK = 512
BATCH = 128
NUM_BINS = 51
FEWEST_REPEATS = 9


@dataclass(frozen=True)
class Problem:
    """Counts of cells with their totals, what rank tokens learned from them, and each gene's median."""

    samples: Samples
    rank_state: TokenizerState
    medians: np.ndarray
    totals: np.ndarray

    @property
    def counts(self) -> sp.csr_matrix:
        """Cells by genes."""
        return self.samples.values


def cells(num_cells: int, num_genes: int) -> Problem:
    """Return cells of ``EXPRESSED`` genes each, some genes far more often and far higher than others."""
    rng = generator(0, "tokenizing")
    abundance = np.exp(rng.normal(0, 1.5, num_genes))
    indices = [
        np.sort(np.argpartition(-rng.gumbel(size=num_genes) - np.log(abundance), EXPRESSED)[:EXPRESSED]) for _ in range(num_cells)
    ]
    columns = np.concatenate(indices).astype(np.int32)
    data = 1 + rng.poisson(rng.gamma(0.5, 2 * np.minimum(abundance, 20))[columns])
    indptr = np.arange(0, len(columns) + 1, EXPRESSED, dtype=np.int32)
    counts = sp.csr_matrix((data.astype(np.float32), columns, indptr), shape=(num_cells, num_genes))
    names = [f"G{gene}" for gene in range(num_genes)]
    samples = Samples(counts, pd.DataFrame(index=range(num_cells)), pd.DataFrame(index=names), "counts", "synthetic")
    state = RankTokenizer().fit(samples)
    medians = pd.Series(state.per_feature["median"], index=list(state.feature_ids)).reindex(names).fillna(1.0).to_numpy()
    return Problem(samples, state, medians, np.asarray(counts.sum(axis=1, dtype=np.float64)).ravel())


def blocks(num_cells: int, size: int) -> Iterator[np.ndarray]:
    return (np.arange(start, min(start + size, num_cells)) for start in range(0, num_cells, size))


def geneformer_dense(problem: Problem) -> list[list[int]]:
    """Geneformer on loom files: dense blocks of genes by cells, then each column's non-zero genes."""
    gene_tokens, tokenized = np.arange(problem.counts.shape[1]) + 2, []
    for rows in blocks(problem.counts.shape[0], BLOCK):
        block = problem.counts[rows].T.toarray(order="C")
        normalized = block / problem.totals[rows] * 10_000 / problem.medians[:, None]
        for cell in range(normalized.shape[1]):
            vector = normalized[:, cell]
            expressed = np.nonzero(vector)[0]
            tokenized.append(gene_tokens[expressed][np.argsort(-vector[expressed])])
    return [tokens[:MAX_TOKENS].tolist() for tokens in tokenized]


def geneformer_sparse(problem: Problem) -> list[list[int]]:
    """Geneformer on h5ad files that hold a sparse matrix: normalized as a block, then row by row."""
    gene_tokens, tokenized = np.arange(problem.counts.shape[1]) + 2, []
    for rows in blocks(problem.counts.shape[0], BLOCK):
        block = problem.counts[rows] / problem.totals[rows, None] * 10_000 / problem.medians
        normalized = sp.csr_matrix(block)
        tokenized += [gene_tokens[normalized[row].indices][np.argsort(-normalized[row].data)] for row in range(normalized.shape[0])]
    return [tokens[:MAX_TOKENS].tolist() for tokens in tokenized]


def scgpt_bins(problem: Problem) -> list[np.ndarray]:
    """Bin as scGPT does: quantiles of a dense row's non-zero values, two digitize calls, equal values spread at random."""
    rng, binned = generator(0, "ties"), []
    for rows in blocks(problem.counts.shape[0], BLOCK):
        for row in problem.counts[rows].toarray():
            places = row.nonzero()[0]
            values = row[places]
            edges = np.quantile(values, np.linspace(0, 1, NUM_BINS - 1))
            left, right = np.digitize(values, edges), np.digitize(values, edges, right=True)
            digits = np.ceil(rng.random(len(values)) * (right - left) + left).astype(np.int64)
            out = np.zeros_like(row, dtype=np.int64)
            out[places] = digits
            binned.append(np.insert(out[places], 0, 0))
    return binned


def encode_all(tokenizer: Tokenizer, state: TokenizerState, prepared: sp.csr_matrix) -> None:
    for rows in blocks(prepared.shape[0], BATCH):
        tokenizer.encode(prepared, rows, state)


def cells_per_second(run: Callable[[], object], num_cells: int, repeats: int) -> float:
    """Return cells per second of processor time in the best of several repeats, after one that compiles."""
    run()
    best = float("inf")
    for _ in range(repeats):
        began = time.process_time()
        run()
        best = min(best, time.process_time() - began)
    return num_cells / best


def main() -> None:
    """Measure all procedures and print cells per second."""
    chosen = options(__doc__ or "")
    numba.set_num_threads(1)
    problem = cells(200 if chosen.quick else 2048, 3000 if chosen.quick else 20_000)
    repeats = max(chosen.repeats, FEWEST_REPEATS)
    ours: dict[str, tuple[Tokenizer, str]] = {
        "rank": (RankTokenizer(max_tokens=MAX_TOKENS), "Geneformer, dense rows"),
        "fixed edge": (BinnedTokenizer(max_tokens=MAX_TOKENS), "scGPT, quantile bins"),
        "ten edges": (BinnedTokenizer(edges=tuple(np.linspace(0.1, 5, 10).tolist())), "scGPT, quantile bins"),
        "quantile bins": (BinnedTokenizer(bins="quantile", num_bins=NUM_BINS), "scGPT, quantile bins"),
    }
    theirs: dict[str, Callable[[Problem], object]] = {
        "Geneformer, dense rows": geneformer_dense,
        "Geneformer, sparse rows": geneformer_sparse,
        "scGPT, quantile bins": scgpt_bins,
    }
    num_cells = problem.samples.num_samples
    figures = {name: cells_per_second(partial(run, problem), num_cells, repeats) for name, run in theirs.items()}
    ratios = {}
    for name, (tokenizer, rival) in ours.items():
        state = problem.rank_state if name == "rank" else tokenizer.fit(problem.samples)
        columns = problem.samples.features.index.get_indexer(list(state.feature_ids))
        prepare = partial(tokenizer.prepare, problem.samples, columns, state)
        encode = partial(encode_all, tokenizer, state)
        figures[f"{name}, tokens"] = cells_per_second(partial(encode, prepare()), num_cells, repeats)
        figures[f"{name}, whole"] = cells_per_second(lambda p=prepare, e=encode: e(p()), num_cells, repeats)
        if name in ("rank", "quantile bins"):
            ratios |= {f"{name}, {part}": figures[f"{name}, {part}"] / figures[rival] for part in ("tokens", "whole")}
    ratios["rank, whole, against sparse rows"] = figures["rank, whole"] / figures["Geneformer, sparse rows"]
    print(table(["procedure", "cells per second"], [[name, f"{value:,.0f}"] for name, value in figures.items()]))
    print()
    print(table(["ours over theirs", "ratio"], [[name, f"{value:.1f}"] for name, value in ratios.items()]))
    write("tokenizing", ratios, figures, chosen=chosen)


if __name__ == "__main__":
    main()
