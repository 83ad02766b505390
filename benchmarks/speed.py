"""How fast and how heavy: reading messages beside a scikit-learn pipeline, starting, and memory.

python -P benchmarks/speed.py [--texts FILE]

Runs on one core (set OMP_NUM_THREADS=1); the peer is character and word TF-IDF with LinearSVC for domain, tier
and urgency, trained and asked in the same process on the same texts. Compare ratios, not seconds.
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

from models.identifier import Identifier
from nlp.paths import dataset_path
from nlp.reading import MessageReader
from nlp.records import Message
from nlp.tables import read_rows
from nlp.taxonomy import Taxonomy

REPEATS = 5
PORT = 8123


def messages(path: Path) -> list[Message]:
    rows = MessageReader(Taxonomy.load()).read(read_rows(path))
    return [row for _, row in rows if isinstance(row, Message)]


def per_second(answer: Callable[[], object], n_texts: int) -> list[float]:
    rates = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        answer()
        rates.append(n_texts / (time.perf_counter() - start))
    return rates


def peer(texts: list[str]) -> Callable[[], object]:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.svm import LinearSVC

    from nlp.segmenter import Segmenter

    rows = [row for _, row in read_rows(dataset_path("messages.jsonl")) if isinstance(row, dict)]
    pipelines = []
    for field in ("domain", "tier", "urgency"):
        union = make_union(
            TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True),
            TfidfVectorizer(tokenizer=Segmenter().cut, token_pattern=None, sublinear_tf=True),
        )
        pipeline = make_pipeline(union, LinearSVC())
        pipelines.append(pipeline.fit([row["text"] for row in rows], [str(row.get(field)) for row in rows]))
    return lambda: [pipeline.predict(texts) for pipeline in pipelines]


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
    identifier.identify(given[:50])
    ours = per_second(lambda: identifier.identify(given), len(given))
    print(
        f"zhixu identify: {statistics.median(ours):,.0f} messages/s ({min(ours):,.0f}-{max(ours):,.0f}), n={len(given):,}"
    )
    print(
        f"peak memory of this process so far: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB"
    )
    theirs = per_second(peer([message.full_text for message in given]), len(given))
    print(
        f"TF-IDF + LinearSVC: {statistics.median(theirs):,.0f} messages/s; ratio {statistics.median(ours) / statistics.median(theirs):.2f}"
    )
    starts = [start_seconds() for _ in range(3)]
    print(
        f"service ready after {statistics.median(s for s, _ in starts):.2f} s; peak memory {max(m for _, m in starts):,.0f} MB"
    )


if __name__ == "__main__":
    main()
