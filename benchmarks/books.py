"""The books over a large ledger: seconds of each report on SQLite, beside a bare scan of the predictions.

python -P benchmarks/books.py [--rows 1000000] [--ledger FILE] [--pages]

Builds a synthetic ledger (predictions over a year, needs, matches, outcomes, feedback, weekly audits) unless FILE holds
one already, then times what `zhixu report` computes, twice: with the weekly counts still to be made, and with them made.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from evaluation.accuracy import Books
from evaluation.audits import draw_audit
from evaluation.counts import fresh_counts
from evaluation.ledger import Ledger
from evaluation.need_map import need_map
from evaluation.periods import Period
from evaluation.report_files import write_report
from evaluation.report_tables import accuracy_report
from evaluation.response_times import response_times
from evaluation.targets import TARGETS
from nlp.taxonomy import Taxonomy

START = datetime(2025, 11, 3, tzinfo=UTC)
WEEKS = 52
N_DISTRICTS = 16
LABELLED, PROPOSED, TOLD, AUDITED = 0.1, 0.8, 0.25, 0.005


def _stamp(seconds: np.ndarray) -> list[str]:
    return [(START + timedelta(seconds=float(s))).strftime("%Y-%m-%d %H:%M:%S.%f") for s in seconds]


def build(path: Path, n_rows: int, seed: int = 5) -> None:
    """Write a synthetic ledger of `n_rows` predictions."""
    Ledger(f"sqlite:///{path}").close()
    rng, taxonomy = np.random.default_rng(seed), Taxonomy.load()
    domains, tiers, urgencies = taxonomy.domain_ids, taxonomy.tier_ids, taxonomy.urgency_ids
    sources, districts = taxonomy.source_ids, [f"第{n}区" for n in range(1, N_DISTRICTS + 1)]
    ids = [f"{n:032x}" for n in range(n_rows)]
    when = np.sort(rng.random(n_rows)) * WEEKS * 7 * 86400
    told_at, due_at = when + rng.exponential(2e5, n_rows), when + rng.choice([86400, 432000, 1296000], n_rows)
    domain = rng.choice(len(domains), n_rows, p=rng.dirichlet(np.full(len(domains), 3.0)))
    sure = rng.beta(8, 1.2, n_rows)
    truth = np.where(rng.random(n_rows) < sure, domain, (domain + 1) % len(domains))
    tier, urgency = rng.integers(len(tiers), size=n_rows), rng.choice(3, n_rows, p=[0.02, 0.08, 0.9])
    source, district = rng.integers(len(sources), size=n_rows), rng.integers(N_DISTRICTS, size=n_rows)
    text = "小区停水两天了，老人没法做饭，打电话没人接，请尽快处理。"
    moments, told, due = _stamp(when), _stamp(told_at), _stamp(due_at)
    proposed, heard = rng.random(n_rows) < PROPOSED, rng.random(n_rows) < TOLD
    labelled = rng.random(n_rows) < np.where(truth == domain, LABELLED / 2, LABELLED * 3)
    fate = rng.choice(["accepted", "declined", "met", "unmet"], n_rows, p=[0.2, 0.15, 0.5, 0.15])
    with sqlite3.connect(path) as base:
        base.execute("PRAGMA synchronous=OFF")
        base.executemany(
            "INSERT INTO predictions (id, message_id, received_at, answered_at, due_at, source, district, text, domain, "
            "confidence, tier, urgency, review, model, taxonomy, catalogue) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                (
                    ids[n], f"m{n}", moments[n], moments[n], due[n], sources[source[n]], districts[district[n]],
                    text, domains[domain[n]], float(sure[n]), tiers[tier[n]], urgencies[urgency[n]],
                    int(sure[n] < 0.6), "model-a" if n < n_rows // 2 else "model-b", taxonomy.version, "catalogue",
                )
                for n in range(n_rows)
            ),
        )  # fmt: skip
        base.executemany(
            "INSERT INTO needs VALUES (?,0,?,?,?,?,'[]')",
            ((ids[n], domains[domain[n]], tiers[tier[n]], float(sure[n]), text) for n in range(n_rows)),
        )
        base.executemany(
            "INSERT INTO matches VALUES (?,?,1,?,'资源',0.8,'[]','[]')",
            ((f"m{ids[n][1:]}", ids[n], f"R{n % 300}") for n in np.flatnonzero(proposed).tolist()),
        )
        base.executemany(
            "INSERT INTO outcomes VALUES (?,?,?,?,'desk')",
            (
                (f"o{ids[n][1:]}", f"m{ids[n][1:]}", told[n], str(fate[n]))
                for n in np.flatnonzero(proposed & heard).tolist()
            ),
        )
        base.executemany(
            "INSERT INTO labels (id, prediction_id, message_id, labelled_at, annotator, origin, text, domain, "
            "secondary, tier, urgency) VALUES (?,?,?,?,'desk','feedback',?,?,?,?,?)",
            (
                (f"l{ids[n][1:]}", ids[n], f"m{n}", told[n], text, domains[truth[n]], json.dumps([]),
                 tiers[tier[n]], urgencies[urgency[n]])
                for n in np.flatnonzero(labelled).tolist()
            ),
        )  # fmt: skip
    base.close()
    ledger = Ledger(f"sqlite:///{path}")
    answers = dict(zip(ids, truth.tolist(), strict=True))
    rows = []
    for week in range(WEEKS):
        period = Period(START + timedelta(weeks=week), START + timedelta(weeks=week + 1))
        drawn = draw_audit(ledger, period, half_width=0.06, actor="benchmark", seed=week)
        rows += [(f"a{case[1:]}", case, told[int(case, 16)], domains[answers[case]],
                  tiers[tier[int(case, 16)]], urgencies[urgency[int(case, 16)]], text) for case in drawn.prediction_ids]  # fmt: skip
    ledger.close()
    with sqlite3.connect(path) as base:
        base.executemany(
            "INSERT INTO labels (id, prediction_id, labelled_at, domain, tier, urgency, text, message_id, annotator, "
            "origin, secondary) VALUES (?,?,?,?,?,?,?,'m','settled','audit','[]')",
            rows,
        )
    base.close()


def timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--ledger", type=Path, default=Path("build/books.sqlite"))
    given = parser.parse_args()
    given.ledger.parent.mkdir(parents=True, exist_ok=True)
    if not given.ledger.exists():
        print(f"built {given.rows:,} predictions in {timed(lambda: build(given.ledger, given.rows)):.0f} s")
    ledger, period = Ledger(f"sqlite:///{given.ledger}"), Period()
    names = ("predictions", "needs", "matches", "outcomes", "labels", "audit_cases")

    def scan() -> None:
        with sqlite3.connect(given.ledger) as base:
            base.execute("SELECT sum(length(text)), sum(confidence), max(domain) FROM predictions").fetchall()
        base.close()

    with ledger.engine.connect() as connection:
        for name in names:
            count = connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one()
            print(f"{name}: {count:,} rows")
    bare = min(timed(scan) for _ in range(3))
    print(f"bare scan of the predictions: {bare:.2f} s")
    as_of = START + timedelta(weeks=WEEKS)
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM counted_weeks")
    jobs: tuple[tuple[str, Callable[[], object]], ...] = (
        ("weekly counts made anew", lambda: fresh_counts(ledger, period)),
        ("weekly counts read", lambda: fresh_counts(ledger, period)),
        ("accuracy, every measure and dimension", lambda: Books.open(ledger, period).figures()),
        ("response times", lambda: response_times(ledger, period, as_of)),
        ("need map", lambda: need_map(fresh_counts(ledger, period))),
    )
    spent = {}
    for name, work in jobs:
        spent[name] = timed(work)
        print(f"{name}: {spent[name]:.2f} s, {spent[name] / bare:.1f} times the bare scan")
    folder = given.ledger.parent / "books-report"

    def report() -> None:
        whole = accuracy_report(ledger, period, Taxonomy.load(), as_of, TARGETS)
        for form in ("html", "xlsx"):
            write_report(whole, folder / "accuracy", form)

    took = [timed(report) for _ in range(3)]
    print(
        f"accuracy report as zhixu report writes it, HTML and XLSX: {min(took):.2f}-{max(took):.2f} s, "
        f"{min(took) / bare:.1f} times the bare scan ({'met' if max(took) < 10 else 'MISSED'}: under 10 s)"
    )
    ledger.close()


if __name__ == "__main__":
    main()
