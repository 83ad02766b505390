import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evaluation.activations import activations
from evaluation.labels import GivenLabel, record_labels
from evaluation.ledger import Ledger
from models.artifact import ArtifactError, read_artifact
from models.identifier import Knowledge
from models.reference import resolve
from models.registry import RegisteredModel, RegistryError
from nlp.records import LabelledMessage, Message
from training.promotion import newest_feedback
from training.registry import Registry
from training.trainer import train
from zhixu import build

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*:FutureWarning"),
]

KNOWLEDGE = Knowledge.from_artifact(read_artifact(resolve("default")))
DOMAINS = KNOWLEDGE.taxonomy.need_ids[:3]
NOUNS = ("路灯 红绿灯 停车 路面", "食堂 老师 补课 学位", "医院 挂号 疫苗 看病")


def records(*places: str) -> list[LabelledMessage]:
    return [
        LabelledMessage(Message(f"{place}的{noun}{what}", f"{place}{noun}{what}", "hotline"), domain)
        for domain, nouns in zip(DOMAINS, NOUNS, strict=True)
        for noun in nouns.split()
        for place in places
        for what in ("坏了没人管", "能不能多一些", "等了很久")
    ]


def write_model(folder: Path, learned: list[LabelledMessage], errors: int = 0) -> Path:
    from models.artifact import write_artifact

    files, facts = train(learned, KNOWLEDGE)
    write_artifact(folder, files, facts | {"validation": {"checked": True, "errors": errors}})
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    good = records("城东", "河西", "村口")
    wrong = [
        replace(one, domain=DOMAINS[(DOMAINS.index(one.domain) + n % 2) % 3]) for n, one in enumerate(good)
    ]
    return {
        "good": write_model(folder / "good", good),
        "better": write_model(folder / "better", [*good, *records("山上")]),
        "wrong": write_model(folder / "wrong", wrong),
        "doubtful": write_model(folder / "doubtful", [*good, *records("桥头")], errors=1),
    }


@pytest.fixture
def test_set(tmp_path: Path) -> Path:
    rows = [
        {"id": one.message.id, "text": one.message.text, "domain": one.domain, "source": "hotline"}
        for one in records("北街", "南门", "湖边", "坡下", "井口", "庙前")
    ]
    path = tmp_path / "test.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(Ledger(f"sqlite:///{tmp_path}/ledger.sqlite"), f"sqlite:///{tmp_path}/mlflow.sqlite")


def cli(tmp_path: Path, *words: object) -> tuple[int, str]:
    where = [
        "--ledger",
        f"sqlite:///{tmp_path}/ledger.sqlite",
        "--tracking",
        f"sqlite:///{tmp_path}/mlflow.sqlite",
    ]
    result = CliRunner().invoke(build(), ["registry", *map(str, words), *where])
    return result.exit_code, result.output


def test_a_registered_model_is_whole_and_keeps_its_number(
    registry: Registry, models: dict[str, Path]
) -> None:
    first = registry.register(models["good"], {"test_domain_macro_f1": 0.9})
    again = registry.register(models["good"], {})
    assert first.number == again.number
    assert first.aliases == ("challenger",)
    assert read_artifact(registry.locate(first)).version == read_artifact(models["good"]).version
    with pytest.raises(ArtifactError):
        registry.register(models["good"].parent, {})


def test_promoting_and_rolling_back_is_logged_and_twice_back_goes_two_back(
    registry: Registry, models: dict[str, Path], tmp_path: Path
) -> None:
    versions = [registry.register(models[name], {}) for name in ("good", "better", "wrong")]
    for version in versions:
        registry.promote(version, "li", "why")
    assert [registry.roll_back("li", "back").number for _ in range(2)] == ["2", "1"]
    with pytest.raises(RegistryError, match="no earlier champion"):
        registry.roll_back("li", "back")
    log = activations(Ledger(f"sqlite:///{tmp_path}/ledger.sqlite"), registry.subject)
    artifacts = [version.artifact for version in versions]
    assert [one.version for one in log] == [*artifacts, artifacts[1], artifacts[0]]
    assert [one.previous for one in log] == [None, *artifacts, artifacts[1]]


def test_a_champion_nobody_noted_is_noted_by_the_next_command(
    registry: Registry, models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = registry.register(models["good"], {})
    with monkeypatch.context() as patch:
        patch.setattr("training.registry.record_activation", lambda *_args, **_more: None)
        registry.promote(version, "li", "why")
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.sqlite")
    assert activations(ledger) == []
    Registry(ledger, f"sqlite:///{tmp_path}/mlflow.sqlite")
    assert [one.version for one in activations(ledger)] == [version.artifact]


def test_a_worse_challenger_is_refused_and_force_leaves_name_and_reason(
    tmp_path: Path, models: dict[str, Path], test_set: Path
) -> None:
    for name in ("good", "wrong"):
        assert cli(tmp_path, "register", models[name], "--test", test_set)[0] == 0
        code, told = cli(tmp_path, "promote", "--test", test_set)
        assert code == (0 if name == "good" else 1), told
    assert "下降" in told
    assert cli(tmp_path, "promote", "--test", test_set, "--force")[0] != 0
    code, _ = cli(tmp_path, "promote", "--test", test_set, "--force", "--reason", "演练", "--by", "wang")
    assert code == 0
    last = activations(Ledger(f"sqlite:///{tmp_path}/ledger.sqlite"))[-1]
    assert (last.actor, last.reason, last.forced) == ("wang", "演练", True)


def test_a_model_of_a_batch_with_errors_and_another_test_set_are_refused(
    tmp_path: Path, models: dict[str, Path], test_set: Path
) -> None:
    cli(tmp_path, "register", models["good"], "--test", test_set)
    cli(tmp_path, "promote", "--test", test_set)
    cli(tmp_path, "register", models["doubtful"], "--test", test_set)
    assert "validation errors" in cli(tmp_path, "promote", "--test", test_set)[1]
    cli(tmp_path, "register", models["better"], "--test", test_set)
    other = tmp_path / "other.jsonl"
    other.write_text(test_set.read_text("utf-8").split("\n", 1)[1], "utf-8")
    assert "frozen test set" in cli(tmp_path, "promote", "--test", other)[1]


def test_an_alias_is_a_model_reference(
    tmp_path: Path, registry: Registry, models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZHIXU_MLFLOW", f"sqlite:///{tmp_path}/mlflow.sqlite")
    version = registry.register(models["good"], {})
    registry.promote(version, "li", "why")
    for reference in ("champion", "zhixu@champion", "zhixu/1", "models:/zhixu@champion"):
        assert read_artifact(resolve(reference)).version == version.artifact
    with pytest.raises(FileNotFoundError, match="zhixu registry list"):
        resolve("nobody")


def test_a_reference_names_an_alias_or_a_number() -> None:
    assert RegisteredModel.parse("champion") == RegisteredModel("zhixu", alias="champion")
    assert RegisteredModel.parse("mine@challenger") == RegisteredModel("mine", alias="challenger")
    assert RegisteredModel.parse("models:/mine/3") == RegisteredModel("mine", version="3")
    with pytest.raises(RegistryError):
        RegisteredModel.parse("a/b/c")


def test_feedback_becomes_records_newest_label_first_unknown_labels_passed_over(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.sqlite")
    for domain in (DOMAINS[0], DOMAINS[1], "gone"):
        record_labels(ledger, [GivenLabel(f"m-{domain}", domain, "li", "feedback", text="路灯坏了")])
    record_labels(ledger, [GivenLabel("imported", DOMAINS[0], "li", "import", text="路灯坏了")])
    assert [one.domain for one in newest_feedback(ledger, KNOWLEDGE.taxonomy)] == [DOMAINS[0], DOMAINS[1]]


def test_a_kill_at_any_moment_leaves_registry_and_log_in_agreement() -> None:
    script = Path(__file__).resolve().parents[2] / "benchmarks" / "kill_training.py"
    done = subprocess.run(
        [sys.executable, "-P", str(script), "--moments", "50"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.strip().splitlines()[-1])
    assert told["broken"] == []
    assert told["killed_on_the_way"] >= 25
