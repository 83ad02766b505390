"""Retrieval in a large stock: recall and speed under a filter, and what adding or removing one resource costs.

OMP_NUM_THREADS=1 python -P benchmarks/matching_index.py [--resources 1000000]

No catalogue of that size is public, so the vectors are the shipped resources' own, mixed in pairs and perturbed by noise
(`--noise`, its length against a unit vector's); queries are the texts of the project's own matched requests. Recall is
against an exact scan. Filters are drawn by chance, which is harder than a district whose resources resemble each other.
Flat search is FAISS's IndexFlatIP under the same filter, in the two ways FAISS offers for any filter (a bitmap made
beforehand, a set of ids) and without one, as a search that filters afterwards would begin.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import faiss
import numpy as np
from rich.console import Console
from rich.table import Table
from scipy import sparse

from matching.catalogue import Catalogue
from matching.matcher import Matcher
from matching.records import Resource
from matching.rules import RuleBook
from matching.segment import Segment, Traits
from matching.stock import Part, Stock
from matching.vectors import VectorIndex
from matching.words import WordIndex
from models.identifier import Identifier
from nlp.paths import dataset_path
from nlp.records import Message, PreparedMessage
from nlp.tables import read_rows

K = 10
DISTRICTS = 100


def perturbed(base: np.ndarray, count: int, noise: float) -> np.ndarray:
    draw = np.random.default_rng(0)
    made = np.empty((count, base.shape[1]), np.float32)
    for start in range(0, count, 100_000):
        size = min(100_000, count - start)
        share = 0.5 * draw.random((size, 1), dtype=np.float32)
        one, other = (base[draw.integers(0, len(base), size)] for _ in range(2))
        jitter = draw.standard_normal((size, base.shape[1]), dtype=np.float32) / base.shape[1] ** 0.5
        made[start : start + size] = (1 - share) * one + share * other + np.float32(noise) * jitter
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return made


def milliseconds(search: Callable[[np.ndarray], object], queries: np.ndarray) -> float:
    """Milliseconds a query, of the quickest of three rounds: other work on the machine only ever adds."""
    rounds = []
    for _ in range(3):
        started = time.perf_counter()
        for query in queries:
            search(query)
        rounds.append(time.perf_counter() - started)
    return 1000 * min(rounds) / len(queries)


def measure_search(index: VectorIndex, queries: np.ndarray, console: Console) -> None:
    vectors, n_vectors = index.vectors, len(index.vectors)
    flat = faiss.IndexFlatIP(vectors.shape[1])
    flat.add(vectors)
    table = Table(title=f"{n_vectors:,} vectors of {vectors.shape[1]}, {len(queries)} queries, one thread")
    headings = (
        "filter keeps",
        "recall@10",
        "ms a query",
        "× flat, bitmap",
        "× flat, id set",
        "× flat, no filter",
    )
    for heading in headings:
        table.add_column(heading)
    unfiltered = milliseconds(lambda query: flat.search(query[None], K), queries[:40])
    for share in (0.001, 0.01, 0.1, 1.0):
        mask = np.random.default_rng(1).random(n_vectors) < share
        allowed = np.flatnonzero(mask)
        hits = []
        for query in queries:
            scores = vectors[allowed] @ query
            exact = allowed[np.argpartition(-scores, K)[:K]]
            hits.append(len(np.intersect1d(exact, index.search(query, mask, K, allowed))) / K)
        ours = milliseconds(lambda q, m=mask, a=allowed: index.search(q, m, K, a), queries)
        bitmap = faiss.SearchParameters(
            sel=faiss.IDSelectorBitmap(bits := np.packbits(mask, bitorder="little"))
        )
        batch = faiss.SearchParameters(sel=faiss.IDSelectorBatch(allowed))
        by_bitmap, by_set = (
            milliseconds(lambda query, p=p: flat.search(query[None], K, params=p), queries[:40])
            for p in (bitmap, batch)
        )
        told = (by_bitmap / ours, by_set / ours, unfiltered / ours)
        table.add_row(
            f"{share:.1%}", f"{np.mean(hits):.4f}", f"{ours:.3f}", *(f"{times:.1f}" for times in told)
        )
        del bits
    console.print(table)


def large_stock(small: Segment, index: VectorIndex) -> Stock:
    """A stock of as many resources as the index has vectors, in a hundred districts; only the small one has words."""
    draw = np.random.default_rng(2)
    origins = draw.integers(0, len(small), len(index.vectors))
    districts = draw.integers(0, DISTRICTS, len(origins))
    resources = tuple(
        replace(small.resources[origin], id=f"S{n}", districts=(f"区{district}",))
        for n, (origin, district) in enumerate(zip(origins.tolist(), districts.tolist(), strict=True))
    )
    empty = WordIndex(
        np.zeros(0, np.int64),
        sparse.csr_matrix((0, len(resources)), dtype=np.float32),
        np.zeros(len(resources), np.float32),
    )
    traits = Traits(*(getattr(small.traits, name)[origins] for name in Traits.__slots__))
    places = {resource.id: place for place, resource in enumerate(resources)}
    segment = Segment(resources, places, RuleBook.of(resources), index, empty, traits)
    return Stock((Part.whole(segment),), 0)


def measure_changes(matcher: Matcher, made: Sequence[Resource], console: Console) -> None:
    added, removed, seen = [], [], []
    find = Message("停水两天了，家里有八十多岁的老人", district="区7")
    found = matcher._identifier.identify_needs([find])
    for number, resource in enumerate(made):
        started = time.perf_counter()
        matcher.put([replace(resource, id=f"N{number}")])
        added.append(time.perf_counter() - started)
        started = time.perf_counter()
        matcher.remove([f"S{number * 7}"])
        removed.append(time.perf_counter() - started)
    for _ in range(50):
        started = time.perf_counter()
        matcher.match_primary(found)
        seen.append(time.perf_counter() - started)
    table = Table(title=f"one resource among {len(matcher.resources):,}, milliseconds")
    for heading in ("", "median", "p99", "worst"):
        table.add_column(heading)
    for name, times in (("add", added), ("remove", removed), ("match one request, one district", seen)):
        told = (np.median(times), np.quantile(times, 0.99), np.max(times))
        table.add_row(name, *(f"{1000 * one:.2f}" for one in told))
    console.print(table)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--resources", type=int, default=1_000_000)
    arguments.add_argument("--noise", type=float, default=0.5)
    told = arguments.parse_args()
    faiss.omp_set_num_threads(1)
    console = Console(width=140)
    identifier = Identifier.load()
    catalogue, _ = Catalogue.load(identifier.taxonomy)
    small = Segment.build(identifier, catalogue.resources)
    texts = [row["text"] for _, row in read_rows(dataset_path("requests.jsonl")) if isinstance(row, dict)]
    prepared = [PreparedMessage("", text, None, None, (), ()) for text in texts[:300]]
    queries = np.ascontiguousarray(identifier.features(prepared).dense[:, : identifier.vector_width])
    started = time.perf_counter()
    index = VectorIndex(perturbed(small.vectors.vectors, told.resources, told.noise))
    console.print(f"built in {time.perf_counter() - started:.1f} s")
    measure_search(index, queries, console)
    matcher = Matcher(identifier, Catalogue(()))
    matcher._stock = large_stock(small, index)
    made = [catalogue.resources[n % len(catalogue.resources)] for n in range(600)]
    measure_changes(matcher, made, console)


if __name__ == "__main__":
    main()
