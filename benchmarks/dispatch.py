"""How often a real message is sent to the desk that answered it, on messages whose reply names the department.

python -P benchmarks/dispatch.py --replies REPLIES.jsonl

Zero-shot: the shipped generic departments by their duties, none of the messages ever seen. Trained: half of the messages
(drawn once, by id) teach a model whose labels are the departments (`zhixu train --taxonomy infer` does the same), beside
TF-IDF with a linear classifier on the same half. Replies name departments by kind; `KINDS` says which generic desk each
kind is. Desks of neighbouring duties are kept apart, so a message about parking sent to 城管 instead of 交警 counts as wrong.
"""

from __future__ import annotations

import argparse
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from evaluation.metrics import wilson
from matching.dispatch import Dispatcher
from models.artifact import read_artifact, write_artifact
from models.identifier import Identifier, Knowledge, load_encoder
from models.reference import resolve
from nlp.paths import dataset_path
from nlp.records import LabelledMessage, Message
from nlp.tables import read_rows
from nlp.taxonomy import infer_taxonomy
from training.trainer import train

KINDS = {
    "教育": "D01", "卫健": "D02", "人社": "D04", "民政": "D05", "住建": "D08", "规划自然资源": "D09", "城管": "D10",
    "交通": "D11", "交警": "D12", "公安": "D13", "生态环境": "D14", "市场监管": "D15", "发改物价": "D16", "水电气": "D17",
    "农业林业": "D19", "文旅体育": "D20", "司法法院": "D21", "公积金": "D22", "税务": "D23", "街道社区": "D25",
}  # fmt: skip


def add(table: Table, name: str, ranked: list[list[str]], truth: list[str]) -> None:
    told = []
    for k in (1, 3):
        hits = sum(true in one[:k] for one, true in zip(ranked, truth, strict=True))
        share = wilson(hits, len(truth))
        told.append(str(share))
    table.add_row(name, str(len(truth)), *told)


def ranked_by(scores: np.ndarray, labels: list[str]) -> list[list[str]]:
    return [[labels[n] for n in row] for row in np.argsort(-scores, axis=1)]


def learned(rows: list[dict[str, Any]], messages: list[Message], folder: Path) -> Identifier:
    labels = [KINDS[row["department"]] for row in rows]
    taught = [LabelledMessage(message, label) for message, label in zip(messages, labels, strict=True)]
    encoder = load_encoder(read_artifact(resolve("default")))
    lexicon = dataset_path("lexicon.tsv").read_bytes()
    files, facts = train(taught, Knowledge.assemble(infer_taxonomy(labels), lexicon, encoder))
    write_artifact(folder, files, facts)
    return Identifier.load(folder)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--replies", type=Path, required=True)
    arguments.add_argument("--work", type=Path, default=Path("build/dispatch"))
    told = arguments.parse_args()
    every = [row for _, row in read_rows(told.replies) if isinstance(row, dict) and row.get("department")]
    rows = [row for row in every if row["department"] in KINDS]
    truth = [KINDS[row["department"]] for row in rows]
    messages = [Message(row["text"], row["id"], "gov_portal", row.get("title")) for row in rows]
    identifier = Identifier.load()
    dispatcher = Dispatcher.load(identifier)
    names = [one.id for one in dispatcher.departments.resources]
    found = identifier.identify_needs(messages)
    answers = dispatcher.dispatch(found, k=len(names))
    zero_shot = [[match.resource_id for match in one.matches] for one in answers]
    texts = [one.prepared.text for one in found]
    duties = [one.text for one in dispatcher.departments.resources]
    words = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True).fit(duties)
    table = Table(
        title=f"{len(rows)} messages, {len(names)} desks; {len(every) - len(rows)} replies name an unmapped kind"
    )
    for heading in ("", "n", "top-1", "top-3"):
        table.add_column(heading)
    add(table, "by duties: zhixu", zero_shot, truth)
    by_words = (words.transform(texts) @ words.transform(duties).T).toarray()
    add(table, "by duties: TF-IDF cosine", ranked_by(by_words, names), truth)

    half = [zlib.crc32(str(row["id"]).encode()) % 2 == 0 for row in rows]
    taught = [n for n, one in enumerate(half) if one]
    rest = [n for n, one in enumerate(half) if not one]
    model = learned([rows[n] for n in taught], [messages[n] for n in taught], told.work)
    judged = model.judge(model.features(model.prepare([messages[n] for n in rest])))
    true = [truth[n] for n in rest]
    add(table, "same messages, by duties: zhixu", [zero_shot[n] for n in rest], true)
    labels = list(judged.domain_labels)
    add(table, "half as training: zhixu", ranked_by(judged.domains, labels), true)
    both = np.zeros((len(rest), len(names)))
    columns = {label: number for number, label in enumerate(labels)}
    for row, n in enumerate(rest):
        for match in answers[n].matches:
            column = columns.get(match.resource_id)
            taught_to = float(judged.domains[row, column]) if column is not None else 0.0
            both[row, names.index(match.resource_id)] = np.log(taught_to + 0.01) + np.log(match.score + 0.01)
    add(table, "half as training, and duties: zhixu", ranked_by(both, names), true)
    grams = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True)
    peer = LogisticRegression(C=30, max_iter=1000).fit(
        grams.fit_transform([texts[n] for n in taught]), [truth[n] for n in taught]
    )
    given = peer.predict_proba(grams.transform([texts[n] for n in rest]))
    add(table, "half as training: TF-IDF + logistic", ranked_by(given, list(peer.classes_)), true)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
