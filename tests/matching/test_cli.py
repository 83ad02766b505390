"""Laws of the commands: rows in, rows out, a bad row named and the others answered."""

import json
from pathlib import Path

from typer.testing import CliRunner

from matching.catalogue import Catalogue
from nlp.paths import dataset_path
from nlp.taxonomy import Taxonomy
from zhixu import build

RUN = CliRunner()
CATALOGUE, _ = Catalogue.load(Taxonomy.load())


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def messages(path: Path, *texts: str) -> Path:
    lines = [json.dumps({"id": str(n), "text": text, "district": "南桥区"}) for n, text in enumerate(texts)]
    path.write_text("\n".join([*lines, '{"id": "bad"}']), "utf-8")
    return path


def test_dispatch_names_the_desk(tmp_path: Path) -> None:
    source = messages(
        tmp_path / "in.jsonl", "公司拖欠我三个月工资，还不给交社保", "小学学位怎么申请，要什么材料"
    )
    out = tmp_path / "out.jsonl"
    told = RUN.invoke(build(), ["dispatch", str(source), "-o", str(out)])
    assert told.exit_code == 0
    assert "line 3" in told.stderr
    answers = rows(out)
    assert [answer["departments"][0]["id"] for answer in answers] == ["D04", "D01"]
    assert all(len(answer["departments"]) == 3 for answer in answers)


def test_assign_gives_no_more_than_there_is(tmp_path: Path) -> None:
    source = messages(tmp_path / "in.jsonl", *["停水两天了，家里有八十多岁的老人"] * 3)
    resource = next(one for one in rows(dataset_path("resources.jsonl")) if one["id"] == "R301")
    resource["capacity"] = {"limit": 12, "period": "day", "used": 11}
    resources = tmp_path / "resources.jsonl"
    resources.write_text(json.dumps(resource), "utf-8")
    out = tmp_path / "out.jsonl"
    told = RUN.invoke(build(), ["assign", str(source), "--resources", str(resources), "-o", str(out)])
    assert told.exit_code == 0
    answers = rows(out)
    assert sum(answer["resource_id"] == "R301" for answer in answers) == 1
    assert sum(answer["crowded_out"] for answer in answers) == 2


def test_resources_are_exported_imported_and_checked(tmp_path: Path) -> None:
    source, there, back = (tmp_path / name for name in ("bad.jsonl", "hsds.json", "back.xlsx"))
    source.write_text(dataset_path("resources.jsonl").read_text("utf-8") + '{"id": "X"}\n', "utf-8")
    told = RUN.invoke(build(), ["resources", "export", str(source), "-o", str(there)])
    assert told.exit_code == 0
    assert f"line {len(CATALOGUE.resources) + 1}" in told.stderr
    assert RUN.invoke(build(), ["resources", "import", str(there), "-o", str(back)]).exit_code == 0
    checked = RUN.invoke(build(), ["resources", "check", str(back)])
    assert checked.exit_code == 0
    assert CATALOGUE.version in checked.stdout
    assert RUN.invoke(build(), ["resources", "check", str(source)]).exit_code == 1
    assert (
        RUN.invoke(build(), ["resources", "export", str(source), "-o", str(back), "--strict"]).exit_code == 1
    )
