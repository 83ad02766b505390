"""Pretraining: word vectors from unlabelled text, and the static encoder made of them.

Skip-gram with negative sampling (Mikolov et al. 2013) by gensim, an epoch at a time so that a cut run goes
on where it stopped. Words are weighted by smooth inverse frequency (Arora, Liang and Ma 2017).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.artifact import pack_json
from models.encoder import StaticEncoder
from nlp.extras import require

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PretrainConfig:
    """How word vectors are learned.

    `width` numbers a vector; `n_words` kept in the encoder, the most frequent first; `sif` is the frequency at
    which a word weighs half; learning rates fall from `first_rate` to `last_rate` over `epochs`.
    """

    width: int = 128
    n_words: int = 30_000
    epochs: int = 4
    window: int = 8
    negative: int = 8
    at_least: int = 5
    first_rate: float = 0.03
    last_rate: float = 0.001
    sif: float = 1e-3
    seed: int = 7


@dataclass(frozen=True, slots=True)
class WordVectors:
    """Words with how often they stood in the corpus (n_words) and their vectors (n_words, width)."""

    words: tuple[str, ...]
    counts: NDArray[np.int64]
    vectors: Floats


def learn_vectors(
    corpus: Path,
    state: Path,
    config: PretrainConfig,
    start: StaticEncoder | None = None,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> WordVectors:
    """Vectors of the words of `corpus` (a passage a line, words between blanks).

    `state` is a folder where each epoch is kept: a run that was cut, with the same corpus and settings, goes on
    after the last whole epoch. `start` gives words their first vectors. `progress(done, of)` counts epochs.
    With more than one worker two runs differ slightly, for threads update the same vectors.
    """
    models = require("gensim.models", "train")
    model: Any = models.Word2Vec(
        vector_size=config.width,
        window=config.window,
        negative=config.negative,
        min_count=config.at_least,
        sg=1,
        seed=config.seed,
        workers=workers,
        sample=1e-4,
    )
    model.build_vocab(corpus_file=str(corpus))
    if start is not None:
        _start_from(model, start)
    mark = {"config": asdict(config), "corpus": corpus.stat().st_size, "words": len(model.wv)}
    done = _resume(model, state, mark)
    rates = np.linspace(config.first_rate, config.last_rate, config.epochs + 1)
    for epoch in range(done, config.epochs):
        model.train(
            corpus_file=str(corpus),
            total_words=model.corpus_total_words,
            epochs=1,
            start_alpha=float(rates[epoch]),
            end_alpha=float(rates[epoch + 1]),
        )
        _keep(model, state, mark, epoch + 1)
        if progress:
            progress(epoch + 1, config.epochs)
    words = tuple(model.wv.index_to_key)
    counts = np.asarray([model.wv.get_vecattr(word, "count") for word in words], np.int64)
    return WordVectors(words, counts, np.asarray(model.wv.vectors, np.float32))


def _start_from(model: Any, encoder: StaticEncoder) -> None:
    numbers = {word: number for number, word in enumerate(encoder.vocabulary)}
    pairs = [(row, numbers[word]) for row, word in enumerate(model.wv.index_to_key) if word in numbers]
    if not pairs:
        return
    rows, known = np.asarray(pairs).T
    vectors = encoder.codes[known].astype(np.float32)
    model.wv.vectors[rows] = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def _resume(model: Any, state: Path, mark: dict[str, Any]) -> int:
    try:
        kept = json.loads((state / "state.json").read_bytes())
        if kept["mark"] != mark:
            return 0
        model.wv.vectors[:] = np.load(state / "vectors.npy", allow_pickle=False)
        model.syn1neg[:] = np.load(state / "contexts.npy", allow_pickle=False)
        return int(kept["epochs"])
    except (OSError, ValueError, KeyError):
        return 0


def _keep(model: Any, state: Path, mark: dict[str, Any], epochs: int) -> None:
    state.mkdir(parents=True, exist_ok=True)
    (state / "state.json").unlink(missing_ok=True)
    np.save(state / "vectors.npy", model.wv.vectors, allow_pickle=False)
    np.save(state / "contexts.npy", model.syn1neg, allow_pickle=False)
    (state / "state.json").write_bytes(pack_json({"mark": mark, "epochs": epochs}))


def to_encoder(
    learned: WordVectors, config: PretrainConfig, always: frozenset[str] = frozenset()
) -> StaticEncoder:
    """The encoder of the `n_words` most frequent words, those in `always` first of all.

    Vectors are centred on their frequency-weighted mean, brought to unit length and weighted.
    """
    order = np.argsort([word not in always for word in learned.words], kind="stable")
    kept = np.sort(order[: config.n_words])
    frequency = learned.counts / learned.counts.sum()
    weights = config.sif / (config.sif + frequency)
    unit = learned.vectors / np.maximum(np.linalg.norm(learned.vectors, axis=1, keepdims=True), 1e-9)
    unit = unit - np.average(unit, axis=0, weights=frequency * weights)
    weighted = unit[kept] * weights[kept, None]
    return quantised([learned.words[number] for number in kept], weighted.astype(np.float32))


def quantised(words: list[str], vectors: Floats) -> StaticEncoder:
    """An encoder of float vectors (n_words, width), each row as int8 with its own scale."""
    scales = (np.abs(vectors).max(axis=1) / 127).astype(np.float16)
    steps = np.maximum(scales.astype(np.float32), 1e-8)[:, None]
    codes = np.clip(np.rint(vectors / steps), -127, 127).astype(np.int8)
    return StaticEncoder(words, codes, scales)
