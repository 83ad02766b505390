"""How well needs are understood, beside peers that learn from the same messages.

python -P benchmarks/understanding.py --gold GOLD.jsonl [--curve] [--json OUT]

Every model learns from `datasets/messages.jsonl` alone (all splits) and answers the same labelled messages.
`--curve` trains Zhixu's heads on growing random parts, three draws each.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from evaluation.metrics import classification_report
from models.artifact import read_artifact, write_artifact
from models.identifier import Identifier, Knowledge, load_encoder
from models.reference import resolve
from nlp.paths import dataset_path
from nlp.preparing import Preparer
from nlp.reading import MessageReader
from nlp.records import LabelledMessage
from nlp.segmenter import Segmenter
from nlp.tables import RowError, read_rows
from nlp.taxonomy import Taxonomy
from training.trainer import train

FIELDS = ("domain", "tier", "urgency")
Answers = dict[str, list[str]]


def labelled(path: Path, taxonomy: Taxonomy) -> list[LabelledMessage]:
    found = [row for _, row in MessageReader(taxonomy).read_labelled(read_rows(path))]
    if bad := [row for row in found if isinstance(row, RowError)]:
        raise SystemExit(f"{path}: {bad[0]}")
    return [row for row in found if isinstance(row, LabelledMessage)]


def zhixu(training: Sequence[LabelledMessage], gold: Sequence[LabelledMessage]) -> Answers:
    knowledge = Knowledge.assemble(
        dataset_path("taxonomy.yaml").read_bytes(),
        dataset_path("lexicon.tsv").read_bytes(),
        load_encoder(read_artifact(resolve("default"))),
    )
    with tempfile.TemporaryDirectory() as folder:
        write_artifact(Path(folder) / "model", *train(training, knowledge))
        found = Identifier.load(Path(folder) / "model").identify([record.message for record in gold])
    return {
        "domain": [one.domain for one in found],
        "tier": [one.tier or "" for one in found],
        "urgency": [one.urgency or "" for one in found],
    }


def peer(vectorizer: Callable[[], TfidfVectorizer]) -> Callable[..., Answers]:
    """Logistic regression over TF-IDF, one model a field, on texts prepared as Zhixu prepares them."""

    def answer(training: Sequence[LabelledMessage], gold: Sequence[LabelledMessage]) -> Answers:
        prepare = Preparer(Taxonomy.load()).prepare
        texts = [one.text for one in prepare([record.message for record in training])]
        asked = [one.text for one in prepare([record.message for record in gold])]
        answers: Answers = {}
        for field in FIELDS:
            labels = [getattr(record, field) or "" for record in training]
            model = make_pipeline(vectorizer(), LogisticRegression(C=10, max_iter=500))
            answers[field] = model.fit(texts, labels).predict(asked).tolist()
        return answers

    return answer


def majority(training: Sequence[LabelledMessage], gold: Sequence[LabelledMessage]) -> Answers:
    answers: Answers = {}
    for field in FIELDS:
        labels = [getattr(record, field) or "" for record in training]
        answers[field] = [max(sorted(set(labels)), key=labels.count)] * len(gold)
    return answers


SEGMENTER = Segmenter()
MODELS: dict[str, Callable[..., Answers]] = {
    "zhixu": zhixu,
    "TF-IDF characters 1-3 + LR": peer(
        lambda: TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True)
    ),
    "TF-IDF words 1-2 + LR": peer(
        lambda: TfidfVectorizer(
            tokenizer=SEGMENTER.cut, token_pattern=None, ngram_range=(1, 2), sublinear_tf=True
        )
    ),
    "majority": majority,
}


def figures(
    gold: Sequence[LabelledMessage], answers: Answers, taxonomy: Taxonomy
) -> dict[str, dict[str, float]]:
    """Domain over all messages; tier and urgency where the truth has one."""
    told = {}
    for field, labels in zip(
        FIELDS, (taxonomy.domain_ids, taxonomy.tier_ids, taxonomy.urgency_ids), strict=True
    ):
        kept = [n for n, record in enumerate(gold) if getattr(record, field)]
        truth = [getattr(gold[n], field) for n in kept]
        report = classification_report(truth, [answers[field][n] for n in kept], labels)
        told[field] = {
            "accuracy": report.accuracy.value,
            "macro_f1": report.macro_f1.value,
            "low": report.macro_f1.low,
            "high": report.macro_f1.high,
        }
    return told


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gold", type=Path, required=True)
    parser.add_argument("--curve", action="store_true")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    taxonomy = Taxonomy.load()
    training = labelled(dataset_path("messages.jsonl"), taxonomy)
    gold = labelled(arguments.gold, taxonomy)
    runs: dict[str, tuple[int, Callable[..., Answers], Sequence[LabelledMessage]]] = {}
    if arguments.curve:
        for size in (*(n for n in (500, 1000, 2000, 4000) if n < len(training)), len(training)):
            for draw in range(3 if size < len(training) else 1):
                part = random.Random(draw).sample(training, size)
                runs[f"zhixu {size:,} draw {draw + 1}"] = (size, zhixu, part)
    else:
        runs = {name: (len(training), model, training) for name, model in MODELS.items()}
    table = Table(title=f"{arguments.gold.name} n={len(gold)}")
    for heading in (
        "model",
        "trained on",
        *(f"{field} {what}" for field in FIELDS for what in ("acc", "F1 [95%]")),
    ):
        table.add_column(heading)
    told = {}
    for name, (size, model, part) in runs.items():
        told[name] = figures(gold, model(part, gold), taxonomy)
        cells = [
            cell
            for one in told[name].values()
            for cell in (
                f"{one['accuracy']:.3f}",
                f"{one['macro_f1']:.3f} [{one['low']:.3f}, {one['high']:.3f}]",
            )
        ]
        table.add_row(name, f"{size:,}", *cells)
    Console(width=150).print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
