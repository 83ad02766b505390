import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from models.identifier import Identifier
from zhixu import build

RUNNER = CliRunner()
SECRET = "青石巷口的路灯坏了半年没人修理"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    rows = [
        json.dumps({"id": "1", "text": SECRET}, ensure_ascii=False).encode(),
        b'{"id":"2","text":""}',
        b"\xff\xfe\x00binary",
        json.dumps({"id": "3", "text": SECRET, "source": "fax"}).encode(),
        json.dumps({"id": "1", "text": SECRET}).encode(),
        json.dumps({"id": "4", "text": "长" * 400_000}).encode(),
        b'{"id":"5","text":NaN}',
        b'{"id":"6","text":"\\ud800\xe5\x81\x9c\xe6\xb0\xb4\xe4\xba\x86"}',
        b'{"id":"7","words":"x"}',
    ]
    path.write_bytes(b"\n".join(rows) + b"\n")
    return path


def run(*arguments: str | Path) -> tuple[int, str]:
    result = RUNNER.invoke(build(), [str(argument) for argument in arguments])
    return result.exit_code, result.output


def test_bad_rows_are_named_good_ones_answered_and_no_text_is_told(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    out = tmp_path / "out.jsonl"
    code, told = run("classify", data, "-o", out, "--ledger", "none")
    assert code == 0
    answers = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert [answer["id"] for answer in answers] == ["1", "6"]
    problems = [
        json.loads(line) for line in (tmp_path / "out.jsonl.errors.jsonl").read_text("utf-8").splitlines()
    ]
    assert [problem["line"] for problem in problems] == [2, 3, 4, 5, 6, 7, 9]
    for words in (told, json.dumps(problems, ensure_ascii=False), caplog.text):
        assert "青石巷" not in words
        assert "长长" not in words


def test_strict_stops_at_the_first_bad_row(data: Path, tmp_path: Path) -> None:
    code, told = run("classify", data, "-o", tmp_path / "out.jsonl", "--ledger", "none", "--strict")
    assert code == 1
    assert "line 2" in told
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".parquet"])
def test_other_kinds_of_file_come_out_and_go_in(data: Path, tmp_path: Path, suffix: str) -> None:
    first = tmp_path / f"out{suffix}"
    assert run("classify", data, "-o", first, "--ledger", "none")[0] == 0
    table = tmp_path / f"again{suffix}"
    from nlp.tables import read_rows, write_rows

    rows = [row for _, row in read_rows(first)]
    assert len(rows) == 2
    write_rows(table, [{"id": row["id"], "text": SECRET} for row in rows], ("id", "text"))
    assert run("classify", table, "-o", tmp_path / "third.jsonl", "--ledger", "none")[0] == 0
    assert len((tmp_path / "third.jsonl").read_text("utf-8").splitlines()) == 2


def test_a_cut_run_goes_on_and_answers_each_row_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.cli._BATCH", 3)
    data, out, ledger = tmp_path / "in.jsonl", tmp_path / "out.jsonl", f"sqlite:///{tmp_path / 'l.sqlite'}"
    data.write_text("".join(f'{{"id":"{n}","text":"第{n}条，停水了"}}\n' for n in range(8)), "utf-8")
    from evaluation.ledger import Ledger

    record, calls = Ledger.record, []

    def fail_at_second(self: Ledger, *arguments: object) -> object:
        calls.append(1)
        if len(calls) == 2:
            raise OSError("disk full")
        return record(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Ledger, "record", fail_at_second)
    assert isinstance(
        RUNNER.invoke(build(), ["classify", str(data), "-o", str(out), "--ledger", ledger]).exception, OSError
    )
    assert not out.exists()
    assert run("classify", data, "-o", out, "--ledger", ledger)[0] == 0
    assert [json.loads(line)["id"] for line in out.read_text("utf-8").splitlines()] == [
        str(n) for n in range(8)
    ]
    book = Ledger(ledger)
    assert book.count() == 8
    book.close()


def test_runs_cut_before_their_first_answer_leave_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text(json.dumps({"id": "1", "text": SECRET}) + "\n", "utf-8")

    def cut(_self: Identifier, _messages: object) -> None:
        raise KeyboardInterrupt

    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(Identifier, "identify", cut)
            assert run("classify", source, "-o", out, "--ledger", "none")[0] != 0
    assert run("classify", source, "-o", out, "--ledger", "none")[0] == 0
    answers = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert [answer["id"] for answer in answers] == ["1"]


def test_matching_a_file_gives_the_contract(tmp_path: Path) -> None:
    from nlp.paths import dataset_path

    data, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    data.write_text('{"id":"a","text":"停水两天了，家里老人没水喝","district":"南桥区"}\n', "utf-8")
    assert (
        run("match", data, "--resources", dataset_path("resources.jsonl"), "-o", out, "--ledger", "none")[0]
        == 0
    )
    answer = json.loads(out.read_text("utf-8"))
    assert set(answer) == {"id", "no_fit", "matches"}
    assert answer["no_fit"] == (not answer["matches"])


def test_a_failure_is_one_line_and_exit_code_one(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "import zhixu; zhixu.main()",
        "classify",
        "gone.jsonl",
        "-o",
        "out.jsonl",
    ]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False)
    assert result.returncode == 1
    assert len(result.stderr.strip().splitlines()) == 1
    assert "gone.jsonl" in result.stderr


def test_wrong_usage_is_exit_code_two() -> None:
    assert run("classify")[0] == 2


def test_the_service_needs_no_torch() -> None:
    code = (
        "import sys\n"
        "from serving.app import create_app\nfrom serving.settings import Settings\n"
        "from models.identifier import Identifier\nfrom matching.catalogue import Catalogue\n"
        "from matching.matcher import Matcher\nfrom evaluation.ledger import Ledger\nfrom nlp.records import Message\n"
        "i = Identifier.load(); i.identify([Message('停水了')])\n"
        "create_app(Settings(), i, Matcher(i, Catalogue.load(i.taxonomy)[0]), Ledger('sqlite://'))\n"
        "print(sorted({'torch', 'sklearn', 'gensim', 'transformers', 'pandas'} & set(sys.modules)))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert result.stdout.strip() == "[]"
