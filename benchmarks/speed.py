"""How fast and how heavy: reading messages beside a scikit-learn pipeline, starting, and memory.

python -P benchmarks/speed.py [--texts FILE]

Runs on one core (set OMP_NUM_THREADS=1). The peer is character and word TF-IDF with LinearSVC for the domain alone,
its words cut by jieba, and again by rjieba, trained and asked in the same process on the same texts, in turn with
Zhixu's whole identify (cleaning, masking, domain, tier, urgency, evidence). Compare ratios, not seconds.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import jieba

from models.identifier import Identifier
from nlp.paths import dataset_path
from nlp.reading import MessageReader
from nlp.records import Message
from nlp.segmenter import Segmenter
from nlp.tables import read_rows
from nlp.taxonomy import Taxonomy

REPEATS = 5
PORT = 8123


def messages(path: Path) -> list[Message]:
    rows = MessageReader(Taxonomy.load()).read(read_rows(path))
    return [row for _, row in rows if isinstance(row, Message)]


def in_turn(answers: dict[str, Callable[[], object]], n_texts: int) -> dict[str, list[float]]:
    """Messages per second of each, run one after the other in every round."""
    rates: dict[str, list[float]] = {name: [] for name in answers}
    for _ in range(REPEATS):
        for name, answer in answers.items():
            start = time.perf_counter()
            answer()
            rates[name].append(n_texts / (time.perf_counter() - start))
    return rates


def peer(cut: Callable[[str], list[str]], texts: list[str]) -> Callable[[], object]:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.svm import LinearSVC

    rows = [row for _, row in read_rows(dataset_path("messages.jsonl")) if isinstance(row, dict)]
    union = make_union(
        TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True),
        TfidfVectorizer(tokenizer=cut, token_pattern=None, sublinear_tf=True),
    )
    pipeline = make_pipeline(union, LinearSVC())
    pipeline.fit([row["text"] for row in rows], [row["domain"] for row in rows])
    return lambda: pipeline.predict(texts)


def start_seconds() -> tuple[float, float]:
    """Seconds until the service is ready, and its peak memory in MB after a thousand requests."""
    command = [str(Path(sys.executable).with_name("zhixu")), "serve", "--port", str(PORT)]
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as service:
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{PORT}/readyz", timeout=1).read()
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.01)
        ready = time.perf_counter() - begun
        body = '{"text":"小区停水两天了，老人没法做饭"}'.encode()
        for _ in range(1000):
            request = urllib.request.Request(
                f"http://127.0.0.1:{PORT}/v1/classify", body, {"Content-Type": "application/json"}
            )
            urllib.request.urlopen(request, timeout=5).read()
        status = Path(f"/proc/{service.pid}/status").read_text()
        peak = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024
        service.terminate()
    return ready, peak


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--texts", type=Path, default=dataset_path("messages.jsonl"))
    given = messages(parser.parse_args().texts)
    identifier = Identifier.load()
    identifier.identify(given)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of identifying {len(given):,} messages: {peak:,.0f} MB")
    texts = [message.full_text for message in given]
    rates = in_turn(
        {
            "zhixu identify": lambda: identifier.identify(given),
            "TF-IDF + LinearSVC, jieba": peer(lambda text: jieba.lcut(text), texts),
            "TF-IDF + LinearSVC, rjieba": peer(Segmenter().cut, texts),
        },
        len(given),
    )
    ours = rates["zhixu identify"]
    for name, found in rates.items():
        ratios = [a / b for a, b in zip(ours, found, strict=True)]
        print(
            f"{name}: {statistics.median(found):,.0f} messages/s ({min(found):,.0f}-{max(found):,.0f}); "
            f"zhixu is {statistics.median(ratios):.2f} times as fast ({min(ratios):.2f}-{max(ratios):.2f})"
        )
    starts = [start_seconds() for _ in range(3)]
    print(
        f"service ready after {statistics.median(s for s, _ in starts):.2f} s; peak memory {max(m for _, m in starts):,.0f} MB"
    )


if __name__ == "__main__":
    main()
