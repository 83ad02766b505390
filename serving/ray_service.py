"""The same HTTP application on Ray Serve: `serve deploy deploy/ray-serve.yaml`.

Each replica holds its own model; all write one PostgreSQL ledger (`ZHIXU_LEDGER`). Put keys and TLS at the proxy before it.
"""

from __future__ import annotations

from typing import Any

from nlp.extras import require


def build_api() -> Any:
    """The FastAPI application of one replica, by the `ZHIXU_…` environment."""
    from evaluation.ledger import Ledger
    from matching.catalogue import Catalogue
    from matching.matcher import Matcher
    from models.identifier import Identifier
    from serving.app import create_app
    from serving.settings import Settings

    settings = Settings()
    identifier = Identifier.load(settings.model)
    catalogue, _ = Catalogue.load(identifier.taxonomy, settings.resources)
    return create_app(settings, identifier, Matcher(identifier, catalogue), Ledger(settings.ledger))


def build(_arguments: dict[str, str]) -> Any:
    """The Ray Serve application; replicas and their scaling stand in the `serve` config file.

    Raises MissingExtraError without the extra `ray`.
    """
    serve = require("ray.serve", "ray")

    class Zhixu:
        """One replica."""

    return serve.deployment(name="Zhixu")(serve.ingress(build_api)(Zhixu)).bind()
