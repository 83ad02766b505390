import os
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, select, text
from sqlalchemy.exc import OperationalError

from evaluation.ledger import Base, Ledger, Prediction
from models.records import Identification, Need
from nlp.records import PreparedMessage

POSTGRES = os.environ.get("ZHIXU_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432/test")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'deep' / 'ledger.sqlite'}"
        return
    pytest.importorskip("psycopg", reason="needs psycopg to reach a PostgreSQL server")
    engine = create_engine(POSTGRES, connect_args={"connect_timeout": 3})
    schema = f"t{uuid.uuid4().hex}"
    try:
        with engine.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA {schema}"))
    except OperationalError:
        pytest.skip("needs a PostgreSQL server; name one in ZHIXU_TEST_POSTGRES")
    yield f"{POSTGRES}?options=-csearch_path%3D{schema}"
    with engine.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    engine.dispose()


def identification(message_id: str, words: str = "停水两天了") -> Identification:
    prepared = PreparedMessage(message_id, words, "hotline", None, (), ())
    need = Need("housing", "basic", 0.9, words, ())
    return Identification(
        prepared=prepared,
        domain="housing",
        confidence=0.9,
        tier="basic",
        urgency="urgent",
        review=False,
        needs=(need,),
        evidence=(),
        model="m",
        taxonomy="t",
    )


def test_what_was_recorded_is_there_after_reopening(url: str) -> None:
    first = Ledger(url)
    ids = first.record([identification("a"), identification("b", "断电\0了")])
    first.close()
    again = Ledger(url)
    with again.engine.connect() as connection:
        rows = {row.id: row for row in connection.execute(select(Prediction))}
    again.close()
    assert set(rows) == set(ids)
    assert {row.message_id for row in rows.values()} == {"a", "b"}
    assert all("\0" not in row.text for row in rows.values())


def test_migrations_give_the_tables_the_code_expects(url: str) -> None:
    ledger = Ledger(url)
    with ledger.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    ledger.close()


def test_several_processes_may_open_a_new_ledger_at_once(url: str) -> None:
    if url.startswith("sqlite"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True)
    with ThreadPoolExecutor(4) as pool:
        ledgers = list(pool.map(lambda _: Ledger(url), range(4)))
    for number, ledger in enumerate(ledgers):
        ledger.record([identification(str(number))])
    assert ledgers[0].count() == 4
    for ledger in ledgers:
        ledger.close()
