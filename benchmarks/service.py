"""The service against a constant: requests a second, latency, readiness and memory, by wrk.

python -P benchmarks/service.py [--seconds 5] [--rounds 3] [--plain] [--soak MINUTES [--swap]]

One worker, 16 connections, one 84-character message. The peer is an endpoint of the same application, behind the
same layers, that validates the same request and answer and returns a constant. Both are asked in turn in every
round; compare ratios, not requests. `--plain` uses asyncio and h11 though uvloop and httptools are installed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import APIRouter

from benchmarks.kill import free_port, start
from evaluation.ledger import Ledger
from matching.catalogue import Catalogue
from matching.matcher import Matcher
from models.identifier import Identifier
from nlp.records import Message
from serving.access import Classifier
from serving.answers import identification_row
from serving.app import create_app
from serving.questions import IdempotencyKey
from serving.routes.classify import Matched
from serving.service import Serving
from serving.settings import Settings
from serving.shapes import ClassifyAnswer, MessageBody

TEXT = (
    "我是南桥区幸福小区的居民，我家老人八十多了一个人住，最近停水已经两天了没有人管，打物业电话没人接，"
    "老人没法做饭也没法洗澡，希望有关部门尽快派人来处理一下，谢谢你们的帮助"
)
BODY = json.dumps({"source": "hotline", "district": "南桥区", "text": TEXT}, ensure_ascii=False)
CONNECTIONS = 16


def serve(port: int, ledger: str, folder: Path, plain: bool) -> None:
    """The application with the constant beside it; runs until it is stopped."""
    identifier = Identifier.load()
    matcher = Matcher(identifier, Catalogue.load(identifier.taxonomy)[0])
    [found] = identifier.identify([Message(TEXT, "", "hotline", None, "南桥区")])
    response = {
        "handling": "utilities",
        "strategy": "当日派单抢修",
        "deadline_seconds": 86400,
        "calendar": "natural",
    }
    constant = identification_row(found) | {"prediction_id": "0" * 32, "response": response}
    [matching] = matcher.match_primary([found])
    matches = [
        {"match_id": "0" * 32, "resource_id": m.resource_id, "name": m.name, "score": m.score,
         "reasons": list(m.reasons), "ask": list(m.ask)}
        for m in matching.matches
    ]  # fmt: skip
    with_matches = constant | {"no_fit": False, "matches": matches}
    router = APIRouter()

    @router.post("/constant", response_model=ClassifyAnswer, response_model_exclude_unset=True)
    async def answer(
        body: MessageBody,  # noqa: ARG001
        service: Serving,  # noqa: ARG001
        caller: Classifier,  # noqa: ARG001
        key: IdempotencyKey = None,  # noqa: ARG001
        match: Matched = True,
    ) -> Any:
        return with_matches if match else constant

    settings = Settings(secret=folder / "secret", jobs=folder / "jobs", ledger=ledger)
    book = None if ledger == "none" else Ledger(ledger)
    app = create_app(settings, identifier, matcher, book, [router])
    how: dict[str, Any] = {"loop": "asyncio", "http": "h11"} if plain else {}
    uvicorn.run(app, port=port, log_config=None, access_log=False, **how)


def wrk(address: str, seconds: int, script: Path) -> tuple[float, float, float]:
    """Requests a second, median and 99th percentile in milliseconds. Raises where an answer was no 200."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", "-s", str(script), address]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in told or "Socket errors" in told:
        raise RuntimeError(told)
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", told)[1])  # type: ignore[index]
    found = re.findall(r"(50|99)%\s+([\d.]+)(us|ms|s)", told)
    scale = {"us": 0.001, "ms": 1.0, "s": 1000.0}
    times = {percent: float(value) * scale[unit] for percent, value, unit in found}
    return rate, times["50"], times["99"]


def compare(name: str, ledger: str, query: str, folder: Path, given: argparse.Namespace) -> None:
    port, script = free_port(), folder / "post.lua"
    script.write_text(
        f"wrk.method='POST'\nwrk.headers['Content-Type']='application/json'\nwrk.body=[[{BODY}]]\n", "utf-8"
    )
    command = [
        sys.executable,
        "-P",
        __file__,
        "--serve",
        str(port),
        "--ledger",
        ledger,
        "--folder",
        str(folder),
    ]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.getcwd()}
    with subprocess.Popen([*command, *(["--plain"] * given.plain)], env=environment) as service:
        try:
            wait_ready(port)
            base = f"http://127.0.0.1:{port}"
            wrk(f"{base}/v1/classify{query}", 3, script)
            rounds = [
                (wrk(f"{base}/constant{query}", given.seconds, script),
                 wrk(f"{base}/v1/classify{query}", given.seconds, script))
                for _ in range(given.rounds)
            ]  # fmt: skip
        finally:
            service.terminate()
    ratios = [ours[0] / peer[0] for peer, ours in rounds]
    tails = [ours[2] / peer[2] for peer, ours in rounds]
    own = [ours[2] / ours[1] for _, ours in rounds]
    print(
        f"{name}: {statistics.median(o[0] for _, o in rounds):,.0f} requests/s, constant "
        f"{statistics.median(p[0] for p, _ in rounds):,.0f}; ratio {statistics.median(ratios):.2f} "
        f"({min(ratios):.2f}-{max(ratios):.2f}); p50 {statistics.median(o[1] for _, o in rounds):.1f} ms, "
        f"p99 {statistics.median(o[2] for _, o in rounds):.1f} ms = {statistics.median(tails):.1f} times the constant's, "
        f"{statistics.median(own):.1f} times its own median"
    )


def wait_ready(port: int) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2).read()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("not ready after 30 s")


def memory(pid: int, field: str = "VmRSS") -> float:
    """Megabytes of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(field))) / 1024


def start_and_weigh(folder: Path) -> None:
    """Seconds until ready and megabytes after a thousand requests, of `zhixu serve` as shipped."""
    seconds = []
    for number in range(3):
        port, begun = free_port(), time.perf_counter()
        service = start(f"sqlite:///{folder}/start{number}.sqlite", folder, port)
        seconds.append(time.perf_counter() - begun)
        for _ in range(1000 if number == 2 else 0):
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/v1/classify", BODY.encode(), {"Content-Type": "application/json"}
            )
            urllib.request.urlopen(request, timeout=10).read()
        weight, peak = memory(service.pid), memory(service.pid, "VmHWM")
        service.terminate()
        service.wait(30)
    print(f"ready after {statistics.median(seconds):.2f} s; memory {weight:,.0f} MB, peak {peak:,.0f} MB")


def soak(minutes: float, folder: Path, *, swap: bool) -> None:
    """Full load for some minutes: memory after warm-up and at the end, and that nothing failed."""
    port, script = free_port(), folder / "post.lua"
    script.write_text(
        f"wrk.method='POST'\nwrk.headers['Content-Type']='application/json'\nwrk.body=[[{BODY}]]\n", "utf-8"
    )
    service = start(f"sqlite:///{folder}/soak.sqlite", folder, port)
    base, done = f"http://127.0.0.1:{port}", threading.Event()
    swaps = [0]

    def exchange() -> None:
        while not done.wait(10):
            body = json.dumps({"model": "default"}).encode()
            headers = {"Content-Type": "application/json"}
            request = urllib.request.Request(f"{base}/v1/models/activate", body, headers)
            urllib.request.urlopen(request, timeout=60).read()
            swaps[0] += 1

    exchanging = threading.Thread(target=exchange, daemon=True)
    try:
        if swap:
            exchanging.start()
        until, weights, rates = time.monotonic() + minutes * 60, [], []
        while time.monotonic() < until:
            rates.append(wrk(f"{base}/v1/classify", 15, script)[0])
            weights.append(memory(service.pid))
    finally:
        done.set()
        service.terminate()
        service.wait(60)
    warm = weights[max(1, len(weights) // 5)]
    print(
        f"soak of {minutes:g} minutes{f' with {swaps[0]} swaps' if swap else ''}: no error, "
        f"{statistics.median(rates):,.0f} requests/s; memory {warm:,.0f} MB after warm-up, {weights[-1]:,.0f} MB at the "
        f"end ({weights[-1] / warm - 1:+.1%})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--soak", type=float, metavar="MINUTES")
    parser.add_argument("--swap", action="store_true", help="activate a model every 10 s of the soak")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--ledger", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve, given.ledger, given.folder, given.plain)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if given.soak:
            soak(given.soak, folder, swap=given.swap)
            return
        start_and_weigh(folder)
        compare("without match and ledger", "none", "?match=false", folder, given)
        compare("with match and durable ledger", f"sqlite:///{folder}/bench.sqlite", "", folder, given)


if __name__ == "__main__":
    main()
