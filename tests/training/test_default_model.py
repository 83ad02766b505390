import json

import pytest

from models.artifact import read_artifact, write_artifact
from models.identifier import Identifier, Knowledge
from models.reference import resolve
from nlp.paths import dataset_path
from nlp.reading import MessageReader
from nlp.records import LabelledMessage
from nlp.tables import read_rows
from training.trainer import fingerprint, train

ARTIFACT = read_artifact(resolve("default"))


def shipped_messages() -> list[LabelledMessage]:
    reader = MessageReader(Knowledge.from_artifact(ARTIFACT).taxonomy)
    names = ("messages.jsonl", "messages_natural.jsonl", "requests.jsonl")
    told = [pair for name in names for pair in read_rows(dataset_path(name))]
    learned = [(line, row) for line, row in told if isinstance(row, dict) and row["split"] != "test"]
    rows = [row for _, row in reader.read_labelled(learned)]
    return [row for row in rows if isinstance(row, LabelledMessage)]


def test_the_embedded_model_was_trained_on_the_shipped_data() -> None:
    assert ARTIFACT.facts["data_sha256"] == fingerprint(shipped_messages())
    assert ARTIFACT.files["taxonomy.yaml"] == dataset_path("taxonomy.yaml").read_bytes()
    assert ARTIFACT.files["lexicon.tsv"] == dataset_path("lexicon.tsv").read_bytes()


@pytest.mark.slow
def test_training_again_gives_the_same_answers(tmp_path) -> None:
    records = shipped_messages()
    write_artifact(tmp_path / "again", *train(records, Knowledge.from_artifact(ARTIFACT)))
    messages = [record.message for record in records[::5]]
    ours, again = (Identifier.load(ref).identify(messages) for ref in ("default", tmp_path / "again"))
    same = [
        (a.domain, a.tier, a.urgency) == (b.domain, b.tier, b.urgency)
        for a, b in zip(ours, again, strict=True)
    ]
    assert sum(same) / len(same) > 0.995


def test_the_card_names_the_data_and_the_held_out_figures() -> None:
    card = ARTIFACT.text("card.md")
    assert ARTIFACT.facts["data_sha256"][:16] in card
    assert f"{ARTIFACT.facts['held_out']['domain']['accuracy']['value']:.3f}" in card
    assert json.dumps(ARTIFACT.facts)
