"""How well masking finds personal data, and how much else it takes.

python -P benchmarks/masking.py [--civic FOLDER] [--sample FILE]

Recall by kind on `tests/nlp/planted.jsonl`, batch by batch: batch 1 was written before masking was mended, 2 and 3 after,
unseen. On a folder of real text, where the truth is not known, the share of masked tokens by kind; `--sample` writes a
hundred masked places for a person to judge (real text: keep the file to yourself).
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter
from pathlib import Path

from evaluation.metrics import wilson
from nlp.masking import DOOR, KINDS, NAME, mask
from nlp.reading import MessageReader
from nlp.records import Message
from nlp.segmenter import Segmenter
from nlp.tables import read_rows
from nlp.taxonomy import Taxonomy

PLANTED = Path(__file__).resolve().parent.parent / "tests" / "nlp" / "planted.jsonl"


def recall(batch: str | None) -> None:
    planted, hit = Counter[str](), Counter[str]()
    for line in PLANTED.read_text("utf-8").splitlines():
        row = json.loads(line)
        if batch not in (None, row["batch"]):
            continue
        masked = {place for span in mask(row["text"]).spans for place in range(span.start, span.end)}
        for start, end, kind in row["spans"]:
            planted[kind] += 1
            hit[kind] += all(place in masked for place in range(start, end) if row["text"][place].isalnum())
    groups = {"numbers": [kind for kind in KINDS if kind not in (NAME, DOOR)]} | {
        kind: [kind] for kind in KINDS
    }
    print(f"planted, {f'batch {batch}' if batch else 'all batches'}")
    for name, kinds in groups.items():
        n, k = sum(planted[kind] for kind in kinds), sum(hit[kind] for kind in kinds)
        if n:
            share = wilson(k, n)
            print(f"  {name}: {k}/{n} = {share}")


def masked_share(civic: Path, sample: Path | None) -> None:
    reader, segmenter = MessageReader(Taxonomy.load()), Segmenter()
    n_tokens, taken, places = 0, Counter[str](), []
    for path in sorted(civic.glob("*.jsonl")):
        for _, row in reader.read(read_rows(path)):
            if not isinstance(row, Message):
                continue
            text = row.full_text
            n_tokens += len(segmenter.cut(text))
            for span in mask(text).spans:
                taken[span.kind] += len(segmenter.cut(text[span.start : span.end]))
                around = text[max(0, span.start - 15) : span.start], text[span.end : span.end + 10]
                places.append(f"{span.kind}\t{around[0]}[[{text[span.start : span.end]}]]{around[1]}")
    print(f"{civic}: {taken.total():,} of {n_tokens:,} tokens masked, {taken.total() / n_tokens:.3%}")
    for kind, count in taken.most_common():
        print(f"  {kind}: {count:,} tokens, {count / n_tokens:.4%}")
    if sample:
        drawn = random.Random(7).sample(places, min(100, len(places)))
        sample.write_text("\n".join(place.replace("\n", " ") for place in drawn) + "\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--civic", type=Path)
    parser.add_argument("--sample", type=Path)
    given = parser.parse_args()
    for batch in ("1", "2", "3", None):
        recall(batch)
    if given.civic:
        masked_share(given.civic, given.sample)


if __name__ == "__main__":
    main()
