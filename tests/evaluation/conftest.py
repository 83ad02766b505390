"""A ledger of a few weeks whose truth is known, for the tests of the books."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import insert

from evaluation.ledger import Ledger
from evaluation.tables import Label, Outcome, PredictedNeed, Prediction, ProposedMatch
from nlp.taxonomy import Taxonomy

START = datetime(2026, 9, 6, 16, tzinfo=UTC)  # midnight of Monday the 7th in Beijing
TEXT = "楼下路灯坏了半个月没人修"


@dataclass(frozen=True)
class Town:
    """A synthetic ledger with the true domain of every prediction."""

    ledger: Ledger
    truth: dict[str, str]
    rows: list[dict[str, Any]]


def predictions(n: int, weeks: int, seed: int) -> tuple[list[dict[str, Any]], dict[str, str]]:
    rng, taxonomy = np.random.default_rng(seed), Taxonomy.load()
    rows, truth = [], {}
    for number in range(n):
        key = f"{number:032x}"
        sure = float(rng.beta(8, 1.2))
        domain = str(rng.choice(taxonomy.domain_ids))
        needless = domain == taxonomy.none_id
        other = str(rng.choice([one for one in taxonomy.domain_ids if one != domain]))
        truth[key] = domain if rng.random() < sure else other
        answered = START + timedelta(seconds=float(rng.random()) * weeks * 7 * 86400)
        rows.append(
            {
                "id": key,
                "message_id": f"m{number}",
                "received_at": answered - timedelta(minutes=3),
                "answered_at": answered,
                "due_at": answered + timedelta(days=5),
                "source": str(rng.choice(taxonomy.source_ids)),
                "district": str(rng.choice(["南桥区", "北渡区", "云台县"])),
                "text": TEXT,
                "domain": domain,
                "confidence": sure,
                "tier": None if needless else str(rng.choice(taxonomy.tier_ids)),
                "urgency": str(rng.choice(taxonomy.urgency_ids, p=[0.02, 0.08, 0.9])),
                "review": sure < 0.6,
                "model": "model-a" if answered < START + timedelta(weeks=weeks / 2) else "model-b",
                "taxonomy": taxonomy.version,
                "catalogue": "catalogue-1",
            }
        )
    return rows, truth


@pytest.fixture
def found_town(tmp_path: Path) -> Callable[..., Town]:
    """Builds a town: predictions with needs, proposals and biased feedback, `weeks` from START on."""
    opened: list[Ledger] = []

    def build(n: int = 1500, weeks: int = 3, seed: int = 3, url: str | None = None) -> Town:
        ledger = Ledger(url or f"sqlite:///{tmp_path / f'town{len(opened)}.sqlite'}")
        opened.append(ledger)
        rows, truth = predictions(n, weeks, seed)
        rng, none_id = np.random.default_rng(seed + 1), Taxonomy.load().none_id
        asking = [row for row in rows if row["domain"] != none_id]
        proposed = [row for row in asking if rng.random() < 0.8]
        told = [row for row in proposed if rng.random() < 0.5]
        labelled = [
            row for row in rows if rng.random() < (0.02 if truth[row["id"]] == row["domain"] else 0.4)
        ]
        with ledger.engine.begin() as connection:
            connection.execute(insert(Prediction), rows)
            connection.execute(
                insert(PredictedNeed),
                [
                    {"prediction_id": row["id"], "position": 0, "evidence": [], "text": TEXT}
                    | {name: row[name] for name in ("domain", "tier", "confidence")}
                    for row in asking
                ],
            )
            connection.execute(
                insert(ProposedMatch),
                [
                    {"id": f"m{row['id'][1:]}", "prediction_id": row["id"], "rank": 1, "score": 0.8}
                    | {"resource_id": f"R{n % 7}", "name": f"资源{n % 7}", "reasons": [], "ask": []}
                    for n, row in enumerate(proposed)
                ],
            )
            connection.execute(
                insert(Outcome),
                [
                    {"id": f"o{row['id'][1:]}", "match_id": f"m{row['id'][1:]}", "actor": "desk"}
                    | {"told_at": row["answered_at"] + timedelta(days=float(rng.exponential(3.0)))}
                    | {"kind": str(rng.choice(["accepted", "declined", "met", "unmet"], p=[0.2, 0.15, 0.5, 0.15]))}
                    for row in told
                ],
            )  # fmt: skip
            connection.execute(
                insert(Label),
                [
                    {"id": f"l{row['id'][1:]}", "prediction_id": row["id"], "message_id": row["message_id"]}
                    | {"labelled_at": row["answered_at"] + timedelta(days=1), "annotator": "desk"}
                    | {"origin": "feedback", "text": TEXT, "domain": truth[row["id"]], "secondary": []}
                    | {
                        "tier": row["tier"],
                        "urgency": row["urgency"],
                        "source": row["source"],
                        "district": None,
                    }
                    for row in labelled
                ],
            )
        return Town(ledger, truth, rows)

    yield build
    for ledger in opened:
        ledger.close()
