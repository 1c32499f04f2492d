"""Whether embeddings keep what is known of the cells, for example their types."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from genoken.core.random import generator, seed_for

_MOST_CELLS = 5000
_STARTS = 10
ALIKE = 0.01
"""Difference of a silhouette or of an adjusted Rand index up to which two embeddings are called alike."""


def compare_embeddings(embeddings: Mapping[str, np.ndarray], types: np.ndarray, seed: int) -> dict[str, dict[str, float | None]]:
    """Return how well each embedding separates types and how well its clusters agree with them.

    ``silhouette`` is the mean silhouette of the types by Euclidean distance (-1 to 1), ``ari`` the adjusted Rand index of types and
    k-means clusters, as many as there are types (1: the same, 0: chance). Of more than 5,000 cells a draw is taken, the same for
    all embeddings. Coordinates are used as they are, so compare embeddings of similar width and scaling, and read both numbers:
    the silhouette sinks with every noisy dimension.

    Parameters
    ----------
    embeddings
        Name to coordinates (cells, width), the same cells in all of them.
    types
        Type of each cell; cells whose type is empty or ``nan`` are left out.
    seed
        Seed of the run.

    Returns
    -------
    dict
        Name to ``silhouette`` and ``ari``; both ``None`` with fewer than two types, or with no type of two cells.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score, silhouette_score

    types = np.asarray(types).astype(str)
    rows = np.flatnonzero(~np.isin(types, ("", "nan", "None", "<NA>")))
    rows = np.sort(generator(seed, "embeddings", "cells").permutation(rows)[:_MOST_CELLS])
    codes = np.unique(types[rows], return_inverse=True)[1]
    num_types = len(np.unique(codes))
    result: dict[str, dict[str, float | None]] = {}
    for name, coordinates in embeddings.items():
        if not 2 <= num_types < len(rows):
            result[name] = {"silhouette": None, "ari": None}
            continue
        chosen = np.asarray(coordinates, dtype=np.float64)[rows]
        state = seed_for(seed, "embeddings", "clusters") & 0xFFFFFFFF
        clusters = KMeans(num_types, n_init=_STARTS, random_state=state).fit_predict(chosen)
        result[name] = {"silhouette": float(silhouette_score(chosen, codes)), "ari": float(adjusted_rand_score(codes, clusters))}
    return result


def embedding_sentence(compared: Mapping[str, Mapping[str, float | None]], own: str, base: str) -> str:
    """Return one sentence on whether an embedding keeps types as well as another; nothing where one of them was not scored.

    Differences below ``ALIKE`` count as none.

    Parameters
    ----------
    compared
        What :func:`compare_embeddings` returned.
    own, base
        Names of the embedding that is meant and of the one that it is held against.
    """
    one, other = compared.get(own, {}), compared.get(base, {})
    numbers = [one.get("silhouette"), other.get("silhouette"), one.get("ari"), other.get("ari")]
    found = [number for number in numbers if number is not None]
    if len(found) < len(numbers):
        return ""
    silhouette, base_silhouette, ari, base_ari = found
    gains = [silhouette - base_silhouette, ari - base_ari]
    if all(abs(gain) < ALIKE for gain in gains):
        verdict = "about as well as"
    elif min(gains) > -ALIKE:
        verdict = "better than"
    else:
        verdict = "not as well as" if max(gains) < ALIKE else "better by one of two measures and worse by the other than"
    return (
        f"The embedding '{own}' keeps cell types {verdict} '{base}': silhouette {silhouette:.3f} against {base_silhouette:.3f}, "
        f"adjusted Rand index {ari:.3f} against {base_ari:.3f}."
    )
