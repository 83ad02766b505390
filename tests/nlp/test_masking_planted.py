"""Identifiers planted in hand-written messages of every channel: all but few are found, and ordinary words stay.

`planted.jsonl` holds fictitious people only: mobile numbers have prefixes nobody was given, identity numbers a district
that does not exist, both and bank cards with right check digits. A span is found when every letter and digit of it is masked.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from nlp.masking import DOOR, KINDS, NAME, mask
from nlp.preparing import Preparer
from nlp.records import Message
from nlp.taxonomy import Taxonomy

ROWS: list[dict[str, Any]] = [
    json.loads(line) for line in (Path(__file__).parent / "planted.jsonl").read_text("utf-8").splitlines()
]
PLANTED = [row for row in ROWS if row["spans"]]
_READ = str.maketrans("零〇一二三四五六七八九幺０１２３４５６７８９", "0012345678910123456789")


def found() -> tuple[Counter[str], Counter[str]]:
    planted, hit = Counter[str](), Counter[str]()
    for row in PLANTED:
        text = row["text"]
        masked = {place for span in mask(text).spans for place in range(span.start, span.end)}
        for start, end, kind in row["spans"]:
            planted[kind] += 1
            hit[kind] += all(place in masked for place in range(start, end) if text[place].isalnum())
    return planted, hit


def test_five_hundred_identifiers_of_every_kind_are_planted_in_every_channel() -> None:
    planted, _ = found()
    assert planted.total() >= 500
    assert set(planted) == set(KINDS)
    assert {row["source"] for row in PLANTED} == set(Taxonomy.load().source_ids)


def test_numbers_are_found_but_for_one_in_a_hundred() -> None:
    planted, hit = found()
    numbers = set(KINDS) - {NAME, DOOR}
    assert sum(hit[kind] for kind in numbers) >= 0.99 * sum(planted[kind] for kind in numbers)


@pytest.mark.parametrize("kind", [NAME, DOOR])
def test_names_and_addresses_are_found_but_for_one_in_ten(kind: str) -> None:
    planted, hit = found()
    assert hit[kind] >= 0.9 * planted[kind]


@pytest.mark.parametrize("row", [row for row in ROWS if not row["spans"]], ids=lambda row: row["text"][:12])
def test_messages_without_personal_data_stay_as_they_are(row: dict[str, Any]) -> None:
    assert mask(row["text"]).text == row["text"]


def test_masking_masked_text_changes_nothing() -> None:
    for row in ROWS:
        masked = mask(row["text"]).text
        assert mask(masked).text == masked


def test_no_planted_number_outlives_preparing() -> None:
    preparer = Preparer(Taxonomy.load())
    messages = [Message(row["text"], source=row["source"]) for row in PLANTED]
    left = 0
    for row, prepared in zip(PLANTED, preparer.prepare(messages), strict=True):
        digits = "".join(c for c in prepared.text.translate(_READ) if c.isdigit())
        for start, end, kind in row["spans"]:
            value = "".join(c for c in row["text"][start:end].translate(_READ) if c.isdigit())
            left += kind not in (NAME, DOOR) and len(value) >= 5 and value in digits
    assert left <= 0.01 * found()[0].total()
