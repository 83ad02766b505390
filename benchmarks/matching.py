"""How often the right resource comes first, on the test split of the project's own matched requests, beside peers.

python -P benchmarks/matching.py [--unseen MODEL]

The matcher reads text, district and stated facts; domain and tier it finds itself. Peers get the same rules (district,
status, capacity, eligibility) and rank by BM25, TF-IDF or the encoder alone. With `--unseen`, a model that has not learned
from the requests (`make model` leaves one in build/model-without-requests), each district's test requests are also
answered by a ranker that saw neither its requests nor the resources only it has; the encoder was tuned on pairs written for
the same imagined city, so only the ranker and the heads are blind there. `against the true tier` counts first
resources that the rules would forbid had the request's true tier been known.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.feature_extraction.text import TfidfVectorizer

from evaluation.metrics import Estimate, wilson
from matching.catalogue import Catalogue
from matching.matcher import Matcher
from matching.ranking import UNTRAINED
from matching.rules import RuleBook
from matching.segment import Segment, meanings
from matching.words import WordQuery, mean_length
from models.identifier import Identifier
from nlp.paths import dataset_path
from nlp.records import Message, PreparedMessage
from nlp.tables import read_rows
from training.ranker import MatchedRequest, as_requests, learn_ranker


def share(flags: list[bool]) -> Estimate:
    return wilson(sum(flags), len(flags))


def without_district(
    model: Path, catalogue: Catalogue, rows: list[dict[str, Any]], learning: list[dict[str, Any]]
) -> list[str | None]:
    """First resources for `rows`, each by a ranker that saw nothing of its district."""
    identifier = Identifier.load(model)
    firsts: list[str | None] = [None] * len(rows)
    for district in sorted({row["district"] for row in rows}):
        known = tuple(one for one in catalogue.resources if set(one.districts) != {district})
        matched = [MatchedRequest.from_row(row) for row in learning if row["district"] != district]
        ranker = learn_ranker(Matcher(identifier, Catalogue(known), UNTRAINED), identifier, matched)
        own = [n for n, row in enumerate(rows) if row["district"] == district]
        asked = as_requests(identifier, [MatchedRequest.from_row(rows[n]) for n in own])
        for n, one in zip(own, Matcher(identifier, catalogue, ranker).match(asked), strict=True):
            firsts[n] = one.matches[0].resource_id if one.matches else None
    return firsts


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--unseen", type=Path)
    told_model = arguments.parse_args().unseen
    identifier = Identifier.load()
    catalogue, _ = Catalogue.load(identifier.taxonomy)
    resources = {resource.id: resource for resource in catalogue.resources}
    ids = list(resources)
    every = [row for _, row in read_rows(dataset_path("requests.jsonl")) if isinstance(row, dict)]
    rows: list[dict[str, Any]] = [row for row in every if row["split"] == "test"]
    messages = [Message(row["text"], row["id"], district=row["district"]) for row in rows]
    found = identifier.identify_needs(messages)
    matchings = Matcher(identifier, catalogue).match_primary(found, [row["facts"] for row in rows])
    ours = [matching.matches[0].resource_id if matching.matches else None for matching in matchings]

    book = RuleBook.of(catalogue.resources)
    allowed = np.asarray([book.allowed(row["district"], None, row["facts"]) for row in rows])
    texts = [resource.text for resource in catalogue.resources]
    words = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True).fit(texts)
    lexical = (words.transform([row["text"] for row in rows]) @ words.transform(texts).T).toarray()
    batch = identifier.features([PreparedMessage("", row["text"], None, None, (), ()) for row in rows])
    shelf = Segment.build(identifier, catalogue.resources)
    dense = meanings(identifier, batch) @ shelf.vectors.vectors.T
    query = WordQuery.of(batch.occurrences, len(rows), [shelf.words])
    bm25 = shelf.words.scores(query, mean_length([shelf.words])).toarray()
    firsts: dict[str, list[str | None]] = {
        "zhixu": ours,
        "BM25 alone": [ids[n] for n in np.where(allowed, bm25, -9).argmax(axis=1)],
        "TF-IDF cosine": [ids[n] for n in np.where(allowed, lexical, -9).argmax(axis=1)],
        "encoder alone": [ids[n] for n in np.where(allowed, dense, -9).argmax(axis=1)],
    }
    if told_model:
        learning = [row for row in every if row["split"] != "test"]
        firsts["zhixu, district left out"] = without_district(told_model, catalogue, rows, learning)
    table = Table(title=f"matched requests, test split, n={len(rows)}")
    for heading in (
        "",
        "first in best",
        "first in best or acceptable",
        "breaks a rule",
        "against the true tier",
        "no_fit F1",
    ):
        table.add_column(heading)
    fitting = [n for n, row in enumerate(rows) if row["best"]]
    for name, first in firsts.items():
        best = share([first[n] in rows[n]["best"] for n in fitting])
        fine = share([first[n] in (*rows[n]["best"], *rows[n]["acceptable"]) for n in fitting])
        given = [(resources[one], row) for one, row in zip(first, rows, strict=True) if one]
        broken, late = [], []
        for resource, row in given:
            one = RuleBook.of([resource])
            broken.append(not one.allowed(row["district"], None, row["facts"])[0])
            late.append(not one.allowed(row["district"], row["tier"], row["facts"])[0])
        nothing = [one is None for one in first]
        truly = [not row["best"] for row in rows]
        both = sum(a and b for a, b in zip(nothing, truly, strict=True))
        f1 = 2 * both / max(sum(nothing) + sum(truly), 1)
        table.add_row(name, str(best), str(fine), str(share(broken)), str(share(late)), f"{f1:.3f}")
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
