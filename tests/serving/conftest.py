from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from evaluation.ledger import Ledger
from matching.catalogue import Catalogue
from matching.matcher import Matcher
from models.identifier import Identifier
from serving.app import create_app
from serving.settings import Settings

TEXT = "我家老人八十多了一个人住，停水两天了没人管"
BODY = {"source": "hotline", "district": "南桥区", "text": TEXT}

MakeApp = Callable[..., FastAPI]


@pytest.fixture(scope="session")
def identifier() -> Identifier:
    return Identifier.load()


@pytest.fixture(scope="session")
def catalogue(identifier: Identifier) -> Catalogue:
    found, problems = Catalogue.load(identifier.taxonomy)
    assert not problems
    return found


@pytest.fixture
def make_app(identifier: Identifier, catalogue: Catalogue, tmp_path: Path) -> Iterator[MakeApp]:
    ledgers = []

    def make(url: str | None = None, **settings: object) -> FastAPI:
        ledger = Ledger(url or f"sqlite:///{tmp_path / 'ledger.sqlite'}")
        ledgers.append(ledger)
        places = {"secret": tmp_path / "secret.key", "jobs": tmp_path / "jobs"}
        return create_app(Settings(**(places | settings)), identifier, Matcher(identifier, catalogue), ledger)

    yield make
    for ledger in ledgers:
        ledger.close()


@pytest.fixture
def client(make_app: MakeApp) -> Iterator[TestClient]:
    with TestClient(make_app()) as client:
        yield client
