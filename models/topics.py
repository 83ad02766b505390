"""The topic head: which of some hundred topics a text tells of, and what that says of its domain.

Linear over dense features, and a Gaussian kernel over the nearness of a text's vector to landmark texts
(kernel ridge regression, Saunders et al. 1998; with fewer landmarks than training texts, the Nyström method
of Williams and Seeger 2001). A domain has as much evidence as its likeliest topics give it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.heads import probabilities

Floats = NDArray[np.float32]

SEPARATOR = "/"


@dataclass(frozen=True, slots=True)
class TopicHead:
    """Topics as `domain/topic` labels, with their weights.

    `owners` (n_topics) numbers each topic's domain among the domain head's labels; `dense_weights` is
    (dense_width, n_topics), `landmarks` (n_landmarks, width), `landmark_weights` (n_landmarks, n_topics), `bias`
    (n_topics); `gamma` is the kernel's, `weight` how much the evidence counts beside the domain head's scores.
    """

    labels: tuple[str, ...]
    owners: NDArray[np.int64]
    dense_weights: Floats
    landmarks: Floats
    landmark_weights: Floats
    bias: Floats
    gamma: float
    weight: float

    def scores(self, dense: Floats) -> Floats:
        """Topic scores (n_texts, n_topics) from dense features (n_texts, dense_width)."""
        near = nearness(dense[:, : self.landmarks.shape[1]], self.landmarks, self.gamma)
        scores: Floats = dense @ self.dense_weights + near @ self.landmark_weights + self.bias
        return scores

    def evidence(self, scores: Floats, n_domains: int) -> Floats:
        """Log-probability (n_texts, n_domains) of each domain by its topics, times the head's weight."""
        return np.float32(self.weight) * evidence(scores, self.owners, n_domains)


def nearness(vectors: Floats, landmarks: Floats, gamma: float) -> Floats:
    """Gaussian kernel exp(-gamma × squared distance) (n_vectors, n_landmarks)."""
    near: Floats = vectors @ landmarks.T
    near *= -2
    near += np.einsum("vw,vw->v", vectors, vectors)[:, None]
    near += np.einsum("lw,lw->l", landmarks, landmarks)
    np.maximum(near, 0, out=near)
    near *= np.float32(-gamma)
    return np.exp(near, out=near)


def evidence(scores: Floats, owners: NDArray[np.int64], n_domains: int) -> Floats:
    """Log of the summed probabilities of each domain's topics (n_texts, n_domains), from topic scores."""
    sums = probabilities(scores, exclusive=True) @ np.eye(n_domains, dtype=np.float32)[owners]
    logs: Floats = np.log(np.maximum(sums, np.float32(1e-6)))
    return logs


def owners_of(labels: Sequence[str], domains: Sequence[str]) -> NDArray[np.int64]:
    """The number of each topic's domain among `domains`."""
    return np.asarray([domains.index(label.split(SEPARATOR, 1)[0]) for label in labels], np.int64)
