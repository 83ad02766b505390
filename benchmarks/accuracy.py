"""How well needs are understood, beside peers that learn from the same messages, on real text.

python -P benchmarks/accuracy.py --civic DIR [--json OUT]     every table of one run (make bench-accuracy)
python -P benchmarks/accuracy.py --civic DIR --curve          the embedded recipe on growing parts of its text

DIR holds gold_dev.jsonl, labelled7.jsonl, replies.jsonl and confusion/; none of it is trained on, but for the
folds of labelled7. Peers: character and word TF-IDF with LinearSVC, fastText, majority. Intervals are 95%
bootstrap.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jieba
import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.svm import LinearSVC

from evaluation.behaviour import exchanged, read_look_alikes
from evaluation.metrics import classification_report, expected_calibration_error
from models.artifact import read_artifact, write_artifact
from models.identifier import Identifier, Knowledge, load_encoder
from models.reference import resolve
from nlp.paths import dataset_path
from nlp.preparing import Preparer
from nlp.reading import MessageReader
from nlp.records import LabelledMessage, Message
from nlp.tables import RowError, read_rows
from nlp.taxonomy import Taxonomy, infer_taxonomy
from training.trainer import train

Records = Sequence[LabelledMessage]
Score = tuple[float, float, float]
N_REPLICATES = 1000
TRAINING = ("messages.jsonl", "messages_natural.jsonl", "requests.jsonl")
console = Console(width=150)


def labelled(paths: Sequence[Path], taxonomy: Taxonomy) -> list[LabelledMessage]:
    """Labelled messages, the test splits of the project's own text left out."""
    reader = MessageReader(taxonomy)
    rows = ((line, row) for path in paths for line, row in read_rows(path))
    kept = ((n, row) for n, row in rows if isinstance(row, RowError) or row.get("split") != "test")
    found = [row for _, row in reader.read_labelled(kept)]
    if bad := [row for row in found if isinstance(row, RowError)]:
        raise SystemExit(f"{paths}: {bad[0]}")
    return [row for row in found if isinstance(row, LabelledMessage)]


def texts_of(records: Records, taxonomy: Taxonomy) -> list[str]:
    return [one.text for one in Preparer(taxonomy).prepare([record.message for record in records])]


def jieba_words(text: str) -> list[str]:
    return jieba.lcut(text)


def svc() -> Pipeline:
    union = make_union(
        TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True),
        TfidfVectorizer(tokenizer=jieba_words, token_pattern=None, sublinear_tf=True),
    )
    return make_pipeline(union, LinearSVC())


def fasttext_answers(texts: Sequence[str], labels: Sequence[str], asked: Sequence[str]) -> list[str]:
    import fasttext

    names = sorted(set(labels))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "train.txt"
        lines = (
            f"__label__{names.index(label)} {' '.join(jieba_words(text.replace(chr(10), ' ')))}\n"
            for text, label in zip(texts, labels, strict=True)
        )
        file.write_text("".join(lines), "utf-8")
        model = fasttext.train_supervised(str(file), epoch=25, lr=0.5, wordNgrams=2, thread=1, verbose=0)
        given = model.predict([" ".join(jieba_words(text.replace("\n", " "))) for text in asked])[0]
    return [names[int(one[0].removeprefix("__label__"))] for one in given]


def interval(measure: Callable[[np.ndarray], float], n: int) -> Score:
    rng = np.random.default_rng(7)
    values = [measure(rng.integers(0, n, n)) for _ in range(N_REPLICATES)]
    low, high = np.percentile(values, [2.5, 97.5])
    return measure(np.arange(n)), float(low), float(high)


def recall_at(pressing: np.ndarray, score: np.ndarray, precision: float) -> float:
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(pressing[order])
    good = hits / np.arange(1, len(order) + 1) >= precision
    return float(hits[good].max() / max(pressing.sum(), 1)) if good.any() else 0.0


def told(score: Score) -> str:
    return f"{score[0]:.3f} [{score[1]:.3f}, {score[2]:.3f}]"


def macro_f1(truth: Sequence[str], given: Sequence[str], labels: Sequence[str]) -> Score:
    found = classification_report(truth, given, labels).macro_f1
    return found.value, found.low, found.high


def f1_of(truth: Sequence[str], given: Sequence[str], label: str) -> Score:
    a, b = np.asarray(truth) == label, np.asarray(given) == label

    def f1(rows: np.ndarray) -> float:
        return float(2 * (a & b)[rows].sum() / max((a[rows].sum() + b[rows].sum()), 1))

    return interval(f1, len(a))


def table(title: str, rows: dict[str, dict[str, Score]]) -> None:
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    shown = Table(title=title)
    for heading in ("", *names):
        shown.add_column(heading)
    for model, row in rows.items():
        shown.add_row(model, *(told(row[name]) if name in row else "–" for name in names))
    console.print(shown)


def on_gold(civic: Path) -> dict[str, dict[str, Score]]:
    taxonomy = Taxonomy.load()
    training = labelled([dataset_path(name) for name in TRAINING], taxonomy)
    gold = labelled([civic / "gold_dev.jsonl"], taxonomy)
    truth = {f: [getattr(r, f) for r in gold] for f in ("domain", "tier", "urgency")}
    needing = [n for n, tier in enumerate(truth["tier"]) if tier]
    pressing = np.asarray([u != taxonomy.urgency_ids[-1] for u in truth["urgency"]])
    none = taxonomy.none_id or ""

    def row(answers: dict[str, Sequence[str]], score: np.ndarray | None) -> dict[str, Score]:
        figures = {
            "domain F1": macro_f1(truth["domain"], answers["domain"], taxonomy.domain_ids),
            "tier F1": macro_f1(
                [truth["tier"][n] for n in needing],
                [answers["tier"][n] for n in needing],
                taxonomy.tier_ids,
            ),
            "none F1": f1_of(truth["domain"], answers["domain"], none),
        }
        if score is not None:
            figures["urgent recall at precision 0.6"] = interval(
                lambda rows: recall_at(pressing[rows], score[rows], 0.6), len(gold)
            )
        return figures

    identifier = Identifier.load()
    found = identifier.identify([record.message for record in gold])
    answers = {
        "domain": [one.domain for one in found],
        "tier": [one.tier or taxonomy.tier_ids[0] for one in found],
    }
    rows = {"zhixu": row(answers, np.asarray([one.pressing for one in found]))}
    sure = np.asarray([one.confidence for one in found])
    right = np.asarray([a == t for a, t in zip(answers["domain"], truth["domain"], strict=True)])
    ece = expected_calibration_error(sure.tolist(), right.tolist())
    rows["zhixu"]["domain ECE"] = (ece.value, ece.low, ece.high)

    def surest(chosen: np.ndarray) -> float:
        order = chosen[np.argsort(-sure[chosen], kind="stable")]
        return float(right[order[: round(0.8 * len(order))]].mean())

    rows["zhixu"]["accuracy of the surest 80%"] = interval(surest, len(gold))
    learned, asked = texts_of(training, taxonomy), texts_of(gold, taxonomy)
    peers: dict[str, dict[str, Sequence[str]]] = {"TF-IDF + LinearSVC": {}, "fastText": {}, "majority": {}}
    pressing_score = None
    for field in ("domain", "tier", "urgency"):
        pairs = [
            (text, getattr(r, field)) for text, r in zip(learned, training, strict=True) if getattr(r, field)
        ]
        texts, labels = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        model = svc().fit(texts, labels)
        peers["TF-IDF + LinearSVC"][field] = model.predict(asked).tolist()
        if field == "urgency":
            calm = list(model[-1].classes_).index(taxonomy.urgency_ids[-1])
            pressing_score = -model.decision_function(asked)[:, calm]
        peers["fastText"][field] = fasttext_answers(texts, labels, asked)
        peers["majority"][field] = [max(sorted(set(labels)), key=labels.count)] * len(gold)
    for name, one in peers.items():
        rows[name] = row(one, pressing_score if name.startswith("TF-IDF") else None)
    return rows


def look_alikes(folder: Path) -> dict[str, str]:
    """Characters that sound or look alike."""
    alike: dict[str, str] = {}
    for name in ("similar_sound.txt", "similar_shape.txt"):
        for character, likes in read_look_alikes(folder / name).items():
            alike[character] = alike.get(character, "") + likes
    return alike


def on_labelled7(civic: Path) -> dict[str, dict[str, Score]]:
    rows = [row for _, row in read_rows(civic / "labelled7.jsonl") if isinstance(row, dict)]
    raw = infer_taxonomy(row["label"] for row in rows)
    taxonomy = Taxonomy.from_bytes(raw)
    records = [LabelledMessage(Message(row["text"], str(row["id"])), row["label"]) for row in rows]
    chance = random.Random(7)
    alike = look_alikes(civic / "confusion")
    noisy = [
        LabelledMessage(Message(exchanged(alike, r.message.text, chance, 0.1), r.message.id), r.domain)
        for r in records
    ]
    folds = np.random.default_rng(7).integers(0, 5, len(records))
    knowledge = Knowledge.assemble(
        raw, dataset_path("lexicon.tsv").read_bytes(), load_encoder(read_artifact(resolve("default")))
    )
    answers: dict[str, list[str]] = {name: [""] * len(records) for name in ("zhixu", "svc", "zn", "sn", "ft")}
    for fold in range(5):
        rest, held = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        learned = [records[n] for n in rest]
        with tempfile.TemporaryDirectory() as folder:
            write_artifact(Path(folder) / "model", *train(learned, knowledge))
            identifier = Identifier.load(Path(folder) / "model")
        model = svc().fit(texts_of(learned, taxonomy), [r.domain for r in learned])
        for kind, ours, theirs in ((records, "zhixu", "svc"), (noisy, "zn", "sn")):
            part = [kind[n] for n in held]
            given = [one.domain for one in identifier.identify([r.message for r in part])]
            peer = model.predict(texts_of(part, taxonomy)).tolist()
            for n, a, b in zip(held, given, peer, strict=True):
                answers[ours][n], answers[theirs][n] = a, b
        fast = fasttext_answers(
            texts_of(learned, taxonomy),
            [r.domain for r in learned],
            texts_of([records[n] for n in held], taxonomy),
        )
        for n, given_label in zip(held, fast, strict=True):
            answers["ft"][n] = given_label
    truth = [record.domain for record in records]

    def figures(clean: str, noise: str | None) -> dict[str, Score]:
        row = {"macro-F1": macro_f1(truth, answers[clean], taxonomy.domain_ids)}
        if noise:
            row["after noise on 10% of characters"] = macro_f1(truth, answers[noise], taxonomy.domain_ids)
        return row

    return {
        "zhixu": figures("zhixu", "zn"),
        "TF-IDF + LinearSVC": figures("svc", "sn"),
        "fastText": figures("ft", None),
    }


def on_replies(civic: Path) -> dict[str, dict[str, Score]]:
    rows = [row for _, row in read_rows(civic / "replies.jsonl") if isinstance(row, dict)]
    identifier = Identifier.load()
    asked = identifier.prepare([Message(row["text"], title=row["title"]) for row in rows])
    replied = identifier.prepare([Message(row["reply"]) for row in rows])
    width = identifier.encoder.width
    dense = [identifier.features(texts).dense[:, :width] for texts in (asked, replied)]
    cosines = dense[0] @ dense[1].T
    words = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True)
    replies = words.fit_transform([one.text for one in replied])
    lexical = (words.transform([one.text for one in asked]) @ replies.T).toarray()

    def standard(scores: np.ndarray) -> np.ndarray:
        return (scores - scores.mean(axis=1, keepdims=True)) / scores.std(axis=1, keepdims=True)

    own = np.arange(len(rows))

    def first(scores: np.ndarray) -> dict[str, Score]:
        hit = scores.argmax(axis=1) == own
        return {"R@1": interval(lambda chosen: float(hit[chosen].mean()), len(rows))}

    return {
        "encoder alone": first(cosines),
        "encoder and TF-IDF": first(standard(lexical) + 0.3 * standard(cosines)),
        "TF-IDF alone": first(lexical),
    }


def curve(civic: Path) -> dict[str, dict[str, Score]]:
    taxonomy = Taxonomy.load()
    training = labelled([dataset_path(name) for name in TRAINING], taxonomy)
    gold = labelled([civic / "gold_dev.jsonl"], taxonomy)
    needing = [n for n, record in enumerate(gold) if record.tier]
    knowledge = Knowledge.from_artifact(read_artifact(resolve("default")))
    rows = {}
    for size in (*(n for n in (500, 1000, 2000, 4000) if n < len(training)), len(training)):
        for draw in range(3 if size < len(training) else 1):
            part = random.Random(draw).sample(training, size)
            with tempfile.TemporaryDirectory() as folder:
                write_artifact(Path(folder) / "model", *train(part, knowledge))
                found = Identifier.load(Path(folder) / "model").identify([r.message for r in gold])
            tiers = [found[n].tier or taxonomy.tier_ids[0] for n in needing]
            rows[f"{size:,} messages, draw {draw + 1}"] = {
                "domain F1": macro_f1(
                    [r.domain for r in gold], [one.domain for one in found], taxonomy.domain_ids
                ),
                "tier F1": macro_f1([gold[n].tier or "" for n in needing], tiers, taxonomy.tier_ids),
            }
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--civic", type=Path, required=True)
    parser.add_argument("--curve", action="store_true")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    jieba.setLogLevel("ERROR")
    parts: dict[str, Callable[[Path], Any]] = (
        {"learning curve on gold_dev": curve}
        if arguments.curve
        else {
            "gold_dev: 575 real messages": on_gold,
            "labelled7: five folds": on_labelled7,
            "replies: message to its own reply": on_replies,
        }
    )
    figures = {}
    for title, part in parts.items():
        figures[title] = part(arguments.civic)
        table(title, figures[title])
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
