"""Clusters and distances of vectors, for strategies that compare records with one another."""

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.neighbors import NearestNeighbors

LARGE = 10_000
"""Vectors above which clusters are found on batches of them."""


def clusters(
    vectors: np.ndarray, n: int, *, weights: np.ndarray | None = None, seed: int
) -> np.ndarray:
    """Return the k-means cluster of each vector: [N] of 0 to n - 1."""
    return _fitted(vectors, n, weights, seed).labels_


def centers(vectors: np.ndarray, n: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the cluster of each vector, and how far it is from its center."""
    found = _fitted(vectors, n, None, seed)
    away = vectors - found.cluster_centers_[found.labels_]
    return found.labels_, np.sqrt(np.einsum("nd,nd->n", away, away))


def _fitted(
    vectors: np.ndarray, n: int, weights: np.ndarray | None, seed: int
) -> KMeans | MiniBatchKMeans:
    n = min(n, len(np.unique(vectors, axis=0)))
    if len(vectors) > LARGE:
        kind = MiniBatchKMeans(n, random_state=seed, n_init=1, batch_size=4096)
    else:
        kind = KMeans(n, random_state=seed, n_init=1)
    return kind.fit(vectors, sample_weight=weights)


def first_of_each(groups: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return the first member of each group in an order, as that order has them."""
    _, first = np.unique(groups[order], return_index=True)
    return order[np.sort(first)]


def unit(vectors: np.ndarray) -> np.ndarray:
    """Return vectors of length 1; those of length 0 stay."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def neighbors(
    vectors: np.ndarray, k: int, *, among: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the distance and the place of the k nearest vectors of each, nearest first.

    Args:
        vectors: [n, D].
        k: how many; fewer where there are not as many.
        among: where they are looked for; by default the vectors themselves, each without itself.
    """
    found = NearestNeighbors(algorithm="brute")
    found.fit(vectors if among is None else among)
    if among is None:
        return found.kneighbors(n_neighbors=min(k, len(vectors) - 1))
    return found.kneighbors(vectors, n_neighbors=min(k, len(among)))


def squares(vectors: np.ndarray, to: np.ndarray) -> np.ndarray:
    """Return the squared distance of each vector to one: [N, D], [D] → [N]."""
    away = vectors - to
    return np.einsum("nd,nd->n", away, away)


def within(vectors: np.ndarray, radius: float) -> csr_matrix:
    """Return which vectors are within reach of each, itself among them: [N, N]."""
    found = NearestNeighbors(radius=radius, algorithm="brute").fit(vectors)
    return found.radius_neighbors_graph(vectors).tocsr().astype(bool)
