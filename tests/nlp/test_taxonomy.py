from datetime import UTC, datetime, timedelta

import pytest
import yaml

from nlp.paths import dataset_path
from nlp.taxonomy import Taxonomy, TaxonomyError

TAXONOMY = Taxonomy.load()


def test_the_shipped_taxonomy_is_whole() -> None:
    assert len(TAXONOMY.need_ids) == 8
    assert TAXONOMY.none_id == "none"
    assert len(TAXONOMY.tier_ids) == len(TAXONOMY.urgency_ids) == 3
    assert len(TAXONOMY.source_ids) == 12
    assert {(r.tier, r.urgency) for r in TAXONOMY.file.responses} == {
        (tier, urgency) for tier in TAXONOMY.tier_ids for urgency in TAXONOMY.urgency_ids
    }
    for entries in (
        TAXONOMY.file.domains,
        TAXONOMY.file.tiers,
        TAXONOMY.file.urgencies,
        TAXONOMY.file.sources,
    ):
        for entry in entries:
            assert all((entry.zh, entry.en, entry.definition_zh, entry.definition_en, entry.examples))


@pytest.mark.parametrize(
    ("tier", "urgency", "text", "deadline"),
    [
        ("basic", "emergency", "楼要塌了", timedelta(hours=2)),
        ("basic", "urgent", "停水了", timedelta(hours=24)),
        ("development", "routine", "希望加一条公交", timedelta(days=7)),
        ("vision", "routine", "想参与规划", timedelta(days=15)),
        ("development", "routine", "请问怎么办理", timedelta(days=2)),
    ],
)
def test_deadlines_follow_common_practice(tier: str, urgency: str, text: str, deadline: timedelta) -> None:
    answer = TAXONOMY.respond(tier, urgency, text)
    assert answer is not None
    assert answer[1].deadline == deadline


def test_working_days_leave_out_the_weekend() -> None:
    answer = TAXONOMY.respond("development", "routine", "请问怎么办理")
    assert answer is not None
    friday = datetime(2026, 11, 20, 16, tzinfo=UTC)
    assert answer[1].due(friday) == datetime(2026, 11, 24, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\xff", "not YAML"),
        (b"a: [", "not YAML"),
        (b"version: '1'", "domains"),
        (b"version: '1'\ndomains: [{id: a}, {id: a}]", "stands twice"),
        (
            b"version: '1'\ndomains: [{id: a}, {id: b}]\nresponses: [{tier: x, urgency: y, handling: z}]",
            "tier 'x'",
        ),
        (b"version: '1'\ndomains: [{id: a}, {id: b}]\ncolour: red", "colour"),
    ],
)
def test_a_bad_taxonomy_names_the_place(content: bytes, told: str) -> None:
    with pytest.raises(TaxonomyError, match=told):
        Taxonomy.from_bytes(content, "mine.yaml")


def test_a_deployment_may_bring_its_own() -> None:
    own = yaml.safe_dump(
        {"version": "7", "domains": [{"id": "城乡建设"}, {"id": "交通运输"}]}, allow_unicode=True
    )
    taxonomy = Taxonomy.from_bytes(own.encode())
    assert taxonomy.none_id is None
    assert taxonomy.domain_ids == ("城乡建设", "交通运输")
    assert taxonomy.respond(None, "routine", "") is None


def test_the_taxonomy_file_is_the_loaded_one() -> None:
    assert Taxonomy.load(dataset_path("taxonomy.yaml")).sha256 == TAXONOMY.sha256
