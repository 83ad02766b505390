"""The backlog on Ray Data and the application on Ray Serve, with two real workers on this machine."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="the extra ray is not installed")
pytestmark = pytest.mark.slow

BACKLOG = """
import sys, ray
import serving.backlog as backlog
from pathlib import Path
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=100_000_000)
backlog.PARTITION = 50
folder = Path(sys.argv[1])
whole = backlog.write_rows
def cut(*_): raise OSError("disk full")
backlog.write_rows = cut
try:
    backlog.classify_backlog(folder / "in.jsonl", folder / "out.jsonl")
except OSError:
    pass
parts = sorted((folder / ".out.jsonl.partitions").glob("*.answers"))
assert len(parts) == 4, parts
kept = parts[0].stat().st_mtime_ns
parts[1].unlink()
backlog.write_rows = lambda *a: (print("kept", parts[0].stat().st_mtime_ns == kept), whole(*a))[1]
print(backlog.classify_backlog(folder / "in.jsonl", folder / "out.jsonl"))
"""

SERVICE = """
import json, os, sys, urllib.request
os.environ["ZHIXU_LEDGER"] = f"sqlite:///{sys.argv[1]}/ledger.sqlite"
import ray
from ray import serve
from serving.ray_service import build
ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False, object_store_memory=100_000_000)
serve.start(http_options={"host": "127.0.0.1", "port": 8149})
serve.run(build({}).options(num_replicas=2, ray_actor_options={"num_cpus": 1}) if hasattr(build({}), "options") else build({}))
body = json.dumps({"text": "小区停水两天了"}).encode()
for _ in range(10):
    request = urllib.request.Request("http://127.0.0.1:8149/v1/classify", body, {"Content-Type": "application/json"})
    print(json.load(urllib.request.urlopen(request, timeout=30))["domain"])
serve.shutdown()
"""


def run(code: str, folder: Path) -> str:
    environment = {"PATH": "/usr/bin:/bin", "RAY_USAGE_STATS_ENABLED": "0", "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
                   "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0", "PYTHONPATH": str(Path(__file__).parents[2]), "HOME": str(folder)}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_a_backlog_is_answered_by_partitions_and_goes_on_where_it_was_cut(tmp_path: Path) -> None:
    rows = [{"id": str(n), "text": f"第{n}条，小区停水了"} for n in range(200)] + [{"id": "bad", "text": ""}]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (tmp_path / "in.jsonl").write_text(lines, "utf-8")
    told = run(BACKLOG, tmp_path)
    assert "kept True" in told
    assert "(200, 1)" in told
    answers = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    assert [answer["id"] for answer in answers] == [str(n) for n in range(200)]
    assert not (tmp_path / ".out.jsonl.partitions").exists()


def test_the_application_answers_on_ray_serve(tmp_path: Path) -> None:
    assert run(SERVICE, tmp_path).count("housing") == 10
