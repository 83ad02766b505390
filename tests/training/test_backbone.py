"""A small BERT built here, with real config, vocabulary and weights, takes the path a hub model takes."""

from pathlib import Path

import numpy as np
import pytest

from models.artifact import read_artifact, write_artifact
from models.backbone import FILES, Backbone
from models.identifier import Identifier, Knowledge, load_encoder
from models.reference import resolve
from nlp.paths import dataset_path
from nlp.records import LabelledMessage, Message
from training.backbone import BackboneConfig, BackboneError, export, load_backbone, prepare_backbone
from training.trainer import train

transformers = pytest.importorskip("transformers")
torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # torch's exporter warns of its own internals
]

NOUNS = {
    "housing": "电梯 停水 物业 楼道",
    "transport": "公交 地铁 停车 路口",
    "healthcare": "医院 挂号 疫苗 看病",
}
RECORDS = [
    LabelledMessage(
        Message(f"{place}的{noun}{what}", f"{label}{place}{noun}{what}"),
        label,
        tier="basic" if what == "坏了没人管" else "development",
        urgency="urgent" if what == "坏了没人管" else "routine",
    )
    for label, nouns in NOUNS.items()
    for noun in nouns.split()
    for place in ("城东", "河西", "村口")
    for what in ("坏了没人管", "能不能多一些")
]
TEXTS = ["城东的电梯坏了没人管", "", "公交", "河西的医院挂号能不能多一些，一号难求，排了很久的队也没有挂上"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bert")
    characters = sorted(
        {c for record in RECORDS for c in record.message.text} | set("，一难求排了很久队也没挂上号")
    )
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters]
    (path / "vocab.txt").write_text("\n".join(vocabulary) + "\n", "utf-8")
    tokenizer = transformers.BertTokenizerFast(vocab={word: n for n, word in enumerate(vocabulary)})
    tokenizer.save_pretrained(path)
    torch.manual_seed(1)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    transformers.BertModel(config).save_pretrained(path)
    return path


def test_a_backbone_is_tuned_exported_and_answers_without_torch(folder: Path, tmp_path: Path) -> None:
    default = read_artifact(resolve("default"))
    taxonomy = Knowledge.from_artifact(default).taxonomy
    steps: list[tuple[int, int]] = []
    files = prepare_backbone(
        str(folder),
        RECORDS,
        taxonomy,
        BackboneConfig(epochs=2, rate=1e-3),
        tmp_path / "state",
        lambda done, of: steps.append((done, of)),
    )
    assert set(files) == set(FILES)
    assert steps
    assert steps[-1][0] <= steps[-1][1]
    knowledge = Knowledge.assemble(
        dataset_path("taxonomy.yaml").read_bytes(),
        dataset_path("lexicon.tsv").read_bytes(),
        load_encoder(default),
        files,
    )
    write_artifact(tmp_path / "model", *train(RECORDS, knowledge))
    identifier = Identifier.load(tmp_path / "model")
    assert identifier.vector_width == 32
    found = identifier.identify([record.message for record in RECORDS])
    right = [one.domain == record.domain for one, record in zip(found, RECORDS, strict=True)]
    assert sum(right) / len(right) > 0.9
    for answer, told in zip(found, identifier.explain([r.message for r in RECORDS]), strict=True):
        assert told[0].label == answer.domain
        assert told[0].score == pytest.approx(told[0].base + sum(word.weight for word in told[0].words))


def test_the_exported_graph_is_the_model(folder: Path) -> None:
    tokenizer, encoder = load_backbone(str(folder))
    encoder.eval()
    given = Backbone(export(tokenizer, encoder, BackboneConfig(int8=False))).encode(TEXTS)
    encoded = tokenizer(TEXTS, padding=True, return_tensors="pt")
    with torch.no_grad():
        hidden = encoder(
            input_ids=encoded["input_ids"], attention_mask=encoded["attention_mask"]
        ).last_hidden_state
    kept = encoded["attention_mask"].unsqueeze(-1)
    expected = torch.nn.functional.normalize((hidden * kept).sum(1) / kept.sum(1), dim=1).numpy()
    assert given[[0, 2, 3]] == pytest.approx(expected[[0, 2, 3]], abs=1e-5)
    assert not given[1].any()


def test_int8_stays_near_and_alone_is_as_in_a_batch(folder: Path) -> None:
    tokenizer, encoder = load_backbone(str(folder))
    exact = Backbone(export(tokenizer, encoder, BackboneConfig(int8=False)))
    small = Backbone(export(tokenizer, encoder, BackboneConfig(int8=True)))
    cosines = (exact.encode(TEXTS) * small.encode(TEXTS)).sum(axis=1)
    assert cosines[[0, 2, 3]].min() > 0.95
    alone = np.vstack([exact.encode([text]) for text in TEXTS])
    assert exact.encode(TEXTS) == pytest.approx(alone, abs=1e-5)


def test_a_cut_fine_tuning_goes_on(folder: Path, tmp_path: Path) -> None:
    taxonomy = Knowledge.from_artifact(read_artifact(resolve("default"))).taxonomy
    config = BackboneConfig(epochs=3, rate=1e-3, int8=False, validation_share=0)
    first_run: list[int] = []

    def cut(done: int, of: int) -> None:
        first_run.append(done)
        if done > of // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare_backbone(str(folder), RECORDS, taxonomy, config, tmp_path / "state", cut)
    second_run: list[int] = []
    prepare_backbone(
        str(folder), RECORDS, taxonomy, config, tmp_path / "state", lambda done, _of: second_run.append(done)
    )
    assert 1 < second_run[0] <= first_run[-1]


@pytest.mark.parametrize("reference", ["no/such/model", "."])
def test_a_backbone_that_is_not_there_is_named(
    reference: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BackboneError, match="HF_ENDPOINT"):
        load_backbone(reference)
