"""How often the right resource comes first, on the test split of the project's own matched requests, beside peers.

python -P benchmarks/matching.py

The matcher reads text, district and stated facts; domain and tier it finds itself. Peers get the same rules (district,
status, capacity, eligibility) and rank by TF-IDF or by the encoder alone. `against the true tier` counts first
resources that the rules would forbid had the request's true tier been known.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.feature_extraction.text import TfidfVectorizer

from evaluation.metrics import Estimate, wilson
from matching.catalogue import Catalogue
from matching.matcher import Matcher
from matching.rules import RuleBook
from models.identifier import Identifier
from nlp.paths import dataset_path
from nlp.records import Message, PreparedMessage
from nlp.tables import read_rows


def told(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def share(flags: list[bool]) -> Estimate:
    return wilson(sum(flags), len(flags))


def main() -> None:
    identifier = Identifier.load()
    catalogue, _ = Catalogue.load(identifier.taxonomy)
    resources = {resource.id: resource for resource in catalogue.resources}
    ids = list(resources)
    rows: list[dict[str, Any]] = [
        row
        for _, row in read_rows(dataset_path("requests.jsonl"))
        if isinstance(row, dict) and row["split"] == "test"
    ]
    messages = [Message(row["text"], row["id"], district=row["district"]) for row in rows]
    found = identifier.identify_needs(messages)
    matchings = Matcher(identifier, catalogue).match_primary(found, [row["facts"] for row in rows])
    ours = [matching.matches[0].resource_id if matching.matches else None for matching in matchings]

    book = RuleBook.of(catalogue.resources)
    allowed = np.asarray([book.allowed(row["district"], None, row["facts"]) for row in rows])
    texts = [resource.text for resource in catalogue.resources]
    words = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True).fit(texts)
    lexical = (words.transform([row["text"] for row in rows]) @ words.transform(texts).T).toarray()
    width = identifier.vector_width

    def vectors(of: list[str]) -> np.ndarray:
        return identifier.features([PreparedMessage("", t, None, None, (), ()) for t in of]).dense[:, :width]

    dense = vectors([row["text"] for row in rows]) @ vectors(texts).T
    firsts: dict[str, list[str | None]] = {
        "zhixu": ours,
        "TF-IDF cosine": [ids[n] for n in np.where(allowed, lexical, -9).argmax(axis=1)],
        "encoder alone": [ids[n] for n in np.where(allowed, dense, -9).argmax(axis=1)],
    }
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
        table.add_row(name, told(best), told(fine), told(share(broken)), told(share(late)), f"{f1:.3f}")
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
