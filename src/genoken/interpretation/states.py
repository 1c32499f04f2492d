"""What a gene's token becomes in its context, averaged over samples."""

from __future__ import annotations

import numpy as np
import torch

from genoken.interpretation.subject import Subject, feature_tokens


def contextual_gene_states(subject: Subject, rows: np.ndarray) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Return the mean final state of each gene's token over the samples that hold it.

    Samples stream through the network; only the sums stay in memory.

    Parameters
    ----------
    subject
        The network and its samples.
    rows
        Samples to average over.

    Returns
    -------
    tuple
        Feature ids of the whole vocabulary; states, float32 of shape (features, width), NaN for genes that no sample holds; and the
        number of samples that hold each gene, int64 of shape (features,).

    Raises
    ------
    ConfigError
        When the encoder has no token states.
    """
    rows = np.asarray(rows, dtype=np.int64)
    num_features = subject.layout.num_features
    sums: torch.Tensor | None = None
    counts = np.zeros(num_features, dtype=np.int64)
    for positions in subject.passes(rows):
        batch = subject.batch(rows[positions])
        tokens, _, features = feature_tokens(batch, subject.layout)
        states = subject.token_states(batch)[torch.from_numpy(tokens).to(subject.device)]
        if sums is None:
            sums = torch.zeros(num_features, states.shape[1], dtype=torch.float64)
        sums.index_add_(0, torch.from_numpy(features), states.double().cpu())
        counts += np.bincount(features, minlength=num_features)
    means = np.full((num_features, 0 if sums is None else sums.shape[1]), np.nan, dtype=np.float32)
    if sums is not None:
        held = counts > 0
        means[held] = (sums.numpy()[held] / counts[held, None]).astype(np.float32)
    return subject.dataset.state.feature_ids, means, counts
