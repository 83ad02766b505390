import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from models.artifact import read_artifact
from models.identifier import Identifier, Knowledge
from models.reference import resolve
from nlp.records import LabelledMessage, Message
from nlp.taxonomy import Taxonomy
from training.checkpoints import Checkpoints
from training.retraining import read_config
from training.trainer import TrainingConfig, TrainingError, train
from zhixu import build

LABELS = {"路": "路灯 红绿灯 停车 路面", "校": "食堂 老师 补课 学位", "医": "医院 挂号 疫苗 看病"}


def rows(*places: str) -> list[dict[str, str]]:
    return [
        {"id": f"{place}{noun}{what}", "text": f"{place}的{noun}{what}", "label": label}
        for label, nouns in LABELS.items()
        for noun in nouns.split()
        for place in places
        for what in ("坏了没人管", "能不能多一些", "等了很久")
    ]


def write(path: Path, content: list[dict[str, str]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in content), "utf-8")
    return path


def run(*words: object) -> str:
    result = CliRunner().invoke(build(), [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.output


def fails(*words: object) -> str:
    result = CliRunner().invoke(build(), [str(word) for word in words])
    assert result.exit_code != 0, result.output
    return result.output + str(result.exception)


def test_a_batch_trained_onto_a_model_is_the_same_as_all_data_at_once(tmp_path: Path) -> None:
    old, new = (
        write(tmp_path / "old.jsonl", rows("城东", "河西")),
        write(tmp_path / "new.jsonl", rows("村口")),
    )
    infer = ("--taxonomy", "infer", "--no-validate")
    run("train", "--data", old, *infer, "--out", tmp_path / "first")
    run("train", "--data", new, "--onto", tmp_path / "first", "--no-validate", "--out", tmp_path / "onto")
    run("train", "--data", old, "--data", new, *infer, "--out", tmp_path / "whole")
    onto, whole = read_artifact(tmp_path / "onto"), read_artifact(tmp_path / "whole")
    assert onto.version == whole.version
    assert onto.facts["onto"] == read_artifact(tmp_path / "first").version
    assert [Path(one["name"]).name for one in onto.facts["data"]] == ["old.jsonl", "new.jsonl"]


def test_data_that_changed_since_is_not_trained_onto(tmp_path: Path) -> None:
    old = write(tmp_path / "old.jsonl", rows("城东", "河西"))
    run("train", "--data", old, "--taxonomy", "infer", "--no-validate", "--out", tmp_path / "first")
    write(old, rows("城东", "河西")[1:])
    told = fails("train", "--data", old, "--onto", tmp_path / "first", "--out", tmp_path / "second")
    assert "old.jsonl is not what model" in told


def test_a_batchs_weight_counts(tmp_path: Path) -> None:
    data = write(tmp_path / "a.jsonl", rows("城东", "河西")), write(tmp_path / "b.jsonl", rows("村口"))
    words = ("train", "--data", data[0], "--data", data[1], "--taxonomy", "infer", "--no-validate")
    run(*words, "--out", tmp_path / "plain")
    run(*words, "--weigh", "b*=3", "--out", tmp_path / "weighed")
    plain, weighed = read_artifact(tmp_path / "plain"), read_artifact(tmp_path / "weighed")
    assert plain.version != weighed.version
    assert [one["weight"] for one in weighed.facts["data"]] == [1.0, 3.0]


def test_errors_in_a_batch_stop_and_nothing_is_written(tmp_path: Path) -> None:
    whole = rows("城东", "河西", "村口")
    batch, test = write(tmp_path / "batch.jsonl", whole), write(tmp_path / "test.jsonl", whole[:9])
    words = ("train", "--data", batch, "--taxonomy", "infer", "--test", test, "--out", tmp_path / "model")
    fails(*words)
    assert not (tmp_path / "model").exists()
    report = tmp_path / "model.report"
    assert "leakage" in (report / "validation-1.html").read_text("utf-8")
    run(*words, "--despite-errors")
    assert read_artifact(tmp_path / "model").facts["validation"]["errors"] == 1
    assert {"report.html", "figures.json", "seen.txt", "validation.json"} <= {
        path.name for path in report.iterdir()
    }
    assert "城东" not in (report / "validation.json").read_text("utf-8")


def test_a_crosswalk_tells_which_known_domains_an_own_label_means(tmp_path: Path) -> None:
    batch = write(tmp_path / "batch.jsonl", rows("城东", "河西"))
    crosswalk = tmp_path / "crosswalk.yaml"
    known = Taxonomy.load().need_ids
    crosswalk.write_text(f"路: [{known[0]}]\n校: [{known[1]}, {known[2]}]\n", "utf-8")
    words = ("train", "--data", batch, "--taxonomy", "infer", "--no-validate", "--out", tmp_path / "model")
    run(*words, "--crosswalk", crosswalk)
    assert Identifier.load(tmp_path / "model").taxonomy.crosswalk == {
        known[0]: ("路",), known[1]: ("校",), known[2]: ("校",),
    }  # fmt: skip
    crosswalk.write_text("不在批次里: [x]\n", "utf-8")
    assert "does not stand in the batch" in fails(*words, "--crosswalk", crosswalk)


def test_settings_come_from_a_file_and_unknown_ones_are_named(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("seed: 11\npenalty: 0.25\ntopics: {gamma: 2.0}\n", "utf-8")
    config = read_config(path)
    assert (config.seed, config.penalty, config.topics.gamma) == (11, 0.25, 2.0)
    assert config.n_folds == TrainingConfig().n_folds
    for content, problem in (("sed: 1\n", "'sed'"), ("seed: many\n", "seed"), ("- a\n", "YAML")):
        path.write_text(content, "utf-8")
        with pytest.raises(TrainingError, match=problem):
            read_config(path)


class CutError(Exception):
    pass


def test_a_cut_run_goes_on_where_it_stopped_and_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    knowledge = Knowledge.from_artifact(read_artifact(resolve("default")))
    domains = knowledge.taxonomy.need_ids
    names = dict(zip(LABELS, domains, strict=False))
    records = [
        LabelledMessage(
            Message(row["text"], row["id"]), names[row["label"]], tier=knowledge.taxonomy.tier_ids[n % 2]
        )
        for n, row in enumerate(rows("城东", "河西", "村口"))
    ]
    whole, _ = train(records, knowledge)
    steps: list[str] = []

    def cut(step: str, done: int, of: int) -> None:
        steps.append(step)
        if step == "domain":
            raise CutError

    with pytest.raises(CutError):
        train(records, knowledge, progress=cut, state=tmp_path / "state")
    again: list[str] = []
    resumed, _ = train(
        records, knowledge, progress=lambda step, _done, _of: again.append(step), state=tmp_path / "state"
    )
    assert resumed == whole
    assert "topic" in steps
    assert set(again) <= {"domain", "done"}


def test_checkpoints_of_other_inputs_are_not_used(tmp_path: Path) -> None:
    first = Checkpoints(tmp_path / "state", "a" * 64)
    assert first.kept("x", lambda: {"v": np.ones(2)})["v"].tolist() == [1, 1]
    assert first.kept("x", lambda: {"v": np.zeros(2)})["v"].tolist() == [1, 1]
    second = Checkpoints(tmp_path / "state", "b" * 64)
    assert second.kept("x", lambda: {"v": np.zeros(2)})["v"].tolist() == [0, 0]
    second.clear()
    assert not (tmp_path / "state").exists()
