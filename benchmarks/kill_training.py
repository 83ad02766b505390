"""Kill training, registering, promoting and rolling back at random moments, and look whether all still agrees.

Each moment: a process trains one of two small models, registers, promotes and rolls back, and is killed with
SIGKILL somewhere on its way; then another process checks the laws below. A first run unharmed tells how long the
way is, so that moments spread over all of it.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

SOURCE = {
    "streets": "{where}路灯坏了{n}天没人修 路面坑洼",
    "schools": "{where}学校食堂饭菜凉 家长{n}次反映",
    "clinics": "{where}社区医院{n}点就没有医生",
}

LOADED_ONCE = (
    "evaluation.cli", "serving.cli", "training.cli", "training.labels_cli", "training.registry_cli", "training.train_cli",
    "mlflow.tracking", "mlflow.store.tracking.sqlalchemy_store", "mlflow.store.model_registry.sqlalchemy_store",
)  # fmt: skip

PLACES = ("河边", "老街", "新村", "山上")


def main(
    moments: Annotated[int, typer.Option(help="how many times to kill")] = 50,
    seed: Annotated[int, typer.Option(help="of the moments")] = 7,
) -> None:
    """Print what was found as one JSON line; exit 1 when a law was broken."""
    os.environ |= {
        "MLFLOW_LOGGING_LEVEL": "ERROR",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "OMP_NUM_THREADS": "1",
    }
    for module in ("mlflow", "zhixu", *LOADED_ONCE):  # once for all the processes forked below
        importlib.import_module(module)
    dice = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        _write_batches(place)
        _forked(lambda: work(place, 0))
        started = time.monotonic()
        _forked(lambda: work(place, 1))
        length = time.monotonic() - started
        broken: list[str] = []
        killed = 0
        for number in range(2, moments + 2):
            killed += _forked(lambda number=number: work(place, number), dice.uniform(0.0, length))
            status = _forked(lambda: check(place))
            if status:
                broken.append(f"moment {number - 1}")
        print(
            json.dumps(
                {"moments": moments, "killed_on_the_way": killed, "seconds_whole": length, "broken": broken}
            )
        )
        sys.exit(bool(broken))


def work(place: Path, number: int) -> None:
    """Train, register, promote, and roll back every other time."""
    from zhixu import build

    app = build()
    options = ["--ledger", f"sqlite:///{place}/ledger.sqlite"]
    tracking = ["--tracking", f"sqlite:///{place}/mlflow.sqlite"]
    test = ["--test", str(place / "test.jsonl")]
    out = place / f"model-{number % 3}"
    batch = place / f"batch-{number % 3}.jsonl"

    def run(*words: str) -> None:
        app([*words], standalone_mode=False)

    run("train", "--data", str(batch), "--taxonomy", "infer", "--out", str(out), "--no-validate", *options)
    run("registry", "register", str(out), *test, *options, *tracking)
    run("registry", "promote", *test, "--force", "--reason", "drill", "--by", "drill", *options, *tracking)
    if number % 2 and number > 1:
        run("registry", "rollback", "--by", "drill", *options, *tracking)


def check(place: Path) -> None:
    """The laws: every version is whole, the champion answers and is the log's last word, no model is half written."""
    from evaluation.activations import activations
    from evaluation.ledger import Ledger
    from models.artifact import read_artifact
    from models.identifier import Identifier
    from nlp.records import Message
    from training.registry import Registry

    ledger = Ledger(f"sqlite:///{place}/ledger.sqlite")
    registry = Registry(ledger, f"sqlite:///{place}/mlflow.sqlite")
    for version in registry.versions():
        assert read_artifact(registry.locate(version)).version == version.artifact
    champion = registry.champion()
    assert champion is not None, "the first, unharmed run promoted one"
    assert Identifier.load(registry.locate(champion)).identify([Message("路灯坏了")])
    assert activations(ledger, registry.subject)[-1].version == champion.artifact
    for out in place.glob("model-[0-9]"):
        read_artifact(out)


def _write_batches(place: Path) -> None:
    for number, name in enumerate(("batch-0", "batch-1", "batch-2", "test")):
        rows = [
            {
                "text": text.format(n=10 * number + n, where=PLACES[number]) + "，" + "请处理" * (n % 4),
                "label": label,
            }
            for label, text in SOURCE.items()
            for n in range(12)
        ]
        content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (place / f"{name}.jsonl").write_text(content, "utf-8")


def _forked(step: Callable[[], None], kill_after: float | None = None) -> int:
    """Run a step in a process of its own; 1 when it was killed on its way or failed, 0 when it ended well."""
    child = os.fork()
    if child == 0:
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        if kill_after is not None:
            os.dup2(silent, 2)
        status = 1
        try:
            step()
            status = 0
        finally:
            os._exit(status)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return int(status != 0)


if __name__ == "__main__":
    typer.run(main)
