"""Retraining measured: five batches and their curve, a batch with flipped labels, and time as batches grow.

`--labelled` is a table of text and label with classes of its own; a fifth is held out, near duplicates of it are
left out of the batches. Times are of this machine; beside each stands a LinearSVC pipeline in the same run.
"""

from __future__ import annotations

import json
import random
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline, make_union
from sklearn.svm import LinearSVC

from evaluation.comparison import compare, judge
from evaluation.metrics import classification_report
from evaluation.similarity import similar_pairs
from models.artifact import read_artifact, write_artifact
from models.identifier import Identifier, Knowledge, load_encoder
from models.reference import resolve
from nlp.paths import dataset_path
from nlp.preparing import Preparer
from nlp.records import LabelledMessage, Message
from nlp.taxonomy import Taxonomy, infer_taxonomy
from training.batches import read_batch
from training.label_errors import doubtful_labels
from training.trainer import train
from training.validation import Limits

console = Console()
N_BATCHES, NEAR = 5, 0.78


def main(
    labelled: Annotated[Path, typer.Option(help="labelled table with classes of its own")] = Path(
        "../shared/civic/labelled7.jsonl"
    ),
    sizes: Annotated[
        str, typer.Option(help="batch sizes to time, comma between")
    ] = "10000,20000,50000,200000",
    seeds: Annotated[int, typer.Option(help="random splits for the flipped batch")] = 3,
    json_file: Annotated[Path | None, typer.Option("--json")] = None,
) -> None:
    figures: dict[str, Any] = {}
    if labelled.exists():
        figures["batches"] = five_batches(labelled)
        figures["flipped"] = [flipped_batch(labelled, seed) for seed in range(seeds)]
        _show("Five batches", figures["batches"])
        _show("A batch with 20% flipped labels", figures["flipped"])
    if sizes:
        figures["time"] = [timed(int(size)) for size in sizes.split(",")]
        _show("Time of one retraining", figures["time"])
    if json_file:
        json_file.write_text(json.dumps(figures, ensure_ascii=False, indent=1) + "\n", "utf-8")


def _split(path: Path, seed: int) -> tuple[bytes, list[list[LabelledMessage]], list[LabelledMessage]]:
    """An inferred taxonomy, five batches, and the held-out fifth."""
    batch = read_batch(str(path))
    rows = [row for _, row in batch.rows if isinstance(row, dict)]
    raw = infer_taxonomy(str(row["label"]) for row in rows)
    records = [one for _, one in batch.read(Taxonomy.from_bytes(raw)) if isinstance(one, LabelledMessage)]
    random.Random(seed).shuffle(records)
    cut = len(records) // 5
    test, rest = records[:cut], records[cut:]
    texts = [record.message.full_text for record in (*rest, *test)]
    leaked = {a for a, b, _ in similar_pairs(texts, NEAR) if a < len(rest) <= b}
    kept = [record for number, record in enumerate(rest) if number not in leaked]
    parts = np.array_split(np.arange(len(kept)), N_BATCHES)
    return raw, [[kept[row] for row in part.tolist()] for part in parts], test


def _knowledge(raw: bytes) -> Knowledge:
    encoder = load_encoder(read_artifact(resolve(None)))
    return Knowledge.assemble(raw, dataset_path("lexicon.tsv").read_bytes(), encoder)


def _trained(records: list[LabelledMessage], knowledge: Knowledge, folder: Path) -> Identifier:
    write_artifact(folder, *train(records, knowledge))
    return Identifier.load(folder)


def five_batches(path: Path) -> list[dict[str, Any]]:
    """Macro-F1 on the held-out fifth after each batch, beside LinearSVC on the same records."""
    raw, batches, test = _split(path, 5)
    knowledge, truth = _knowledge(raw), [record.domain for record in test]
    rows, learned = [], []
    with tempfile.TemporaryDirectory() as folder:
        for number, batch in enumerate(track(batches, "batches"), 1):
            learned.extend(batch)
            model = _trained(learned, knowledge, Path(folder) / str(number))
            given = [one.domain for one in model.identify([record.message for record in test])]
            peer = _svc().fit([r.message.full_text for r in learned], [r.domain for r in learned])
            theirs = peer.predict([record.message.full_text for record in test]).tolist()
            rows.append({"after": number, "records": len(learned)} | _beside(truth, given, theirs))
    return rows


def _beside(truth: list[str], given: list[str], theirs: list[str]) -> dict[str, str]:
    own, peer = (classification_report(truth, told, ()).macro_f1 for told in (given, theirs))
    return {
        "Zhixu macro-F1": str(own),
        "LinearSVC": str(peer),
    }


def _svc() -> Any:
    grams = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), min_df=2, sublinear_tf=True)
    words = TfidfVectorizer(tokenizer=_words, token_pattern=None, min_df=2, sublinear_tf=True)
    return make_pipeline(make_union(grams, words), LinearSVC())


def _words(text: str) -> list[str]:
    import jieba

    return list(jieba.cut(text))


def flipped_batch(path: Path, seed: int, share: float = 0.2) -> dict[str, Any]:
    """The third batch with flipped labels: what of it is found, and what becomes of its challenger."""
    raw, batches, test = _split(path, 20 + seed)
    knowledge, dice = _knowledge(raw), random.Random(seed)
    labels = knowledge.taxonomy.domain_ids
    batch = list(batches[2])
    flipped = set(dice.sample(range(len(batch)), round(share * len(batch))))
    for number in flipped:
        others = [label for label in labels if label != batch[number].domain]
        batch[number] = replace(batch[number], domain=dice.choice(others))
    earlier = batches[0] + batches[1]
    with tempfile.TemporaryDirectory() as folder:
        champion = _trained(earlier, knowledge, Path(folder) / "champion")
        challenger = _trained(earlier + batch, knowledge, Path(folder) / "challenger")
        answers = [model.identify([record.message for record in test]) for model in (champion, challenger)]
        told = {
            name: _found(part, earlier, knowledge, champion)
            for name, part in (("bad", batch), ("good", batches[2]))
        }
    hits = len(told["bad"] & flipped)
    verdict = judge(compare(test, *answers), 0.02)
    stopped = len(told["bad"]) / len(batch) > Limits().doubtful
    return {
        "seed": seed,
        "flipped": len(flipped),
        "told": len(told["bad"]),
        "precision": round(hits / max(len(told["bad"]), 1), 3),
        "recall": round(hits / len(flipped), 3),
        "stopped by validation": stopped,
        "same batch unharmed, share told": round(len(told["good"]) / len(batch), 3),
        "unharmed stopped": len(told["good"]) / len(batch) > Limits().doubtful,
        "verdict on figures alone": "promote" if verdict.promote else "refuse",
    }


def _found(
    batch: list[LabelledMessage], earlier: list[LabelledMessage], knowledge: Knowledge, champion: Identifier
) -> set[int]:
    records = batch + earlier
    prepared = Preparer(knowledge.taxonomy).prepare([record.message for record in records])
    doubtful = doubtful_labels(records, prepared, knowledge, champion)
    return {one.number for one in doubtful if one.number < len(batch)}


def timed(size: int) -> dict[str, Any]:
    """Seconds to validate, learn and write `size` messages: the project's own, cut and joined anew where they are too few."""
    knowledge = _knowledge(dataset_path("taxonomy.yaml").read_bytes())
    records = _enough(size, knowledge.taxonomy)
    started = time.perf_counter()
    prepared = Preparer(knowledge.taxonomy).prepare([record.message for record in records])
    doubtful_labels(records, prepared, knowledge)
    validated = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        write_artifact(Path(folder) / "model", *train(records, knowledge))
    learned = time.perf_counter()
    return {
        "messages": size,
        "label errors s": round(validated - started, 1),
        "training s": round(learned - validated, 1),
        "ms a message": round(1000 * (learned - started) / size, 2),
    }


def _enough(size: int, taxonomy: Taxonomy) -> list[LabelledMessage]:
    names = ("messages.jsonl", "messages_natural.jsonl", "requests.jsonl")
    read = [one for name in names for _, one in read_batch(name).read(taxonomy)]
    own = [one for one in read if isinstance(one, LabelledMessage)]
    dice = random.Random(size)
    records = own[:size]
    while len(records) < size:
        first = dice.choice(own)
        text = first.message.text
        start = dice.randrange(max(len(text) // 4, 1))
        cut = text[start : len(text) - dice.randrange(max(len(text) // 4, 1))]
        message = Message(
            cut, f"{first.message.id}-{len(records)}", first.message.source, None, first.message.district
        )
        records.append(replace(first, message=message))
    return records


def _show(title: str, rows: list[dict[str, Any]]) -> None:
    table = Table(*rows[0], title=title)
    for row in rows:
        table.add_row(*map(str, row.values()))
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
