"""Dispatch: which government desks a message belongs to; desks are resources whose descriptions are their duties."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from matching.catalogue import Catalogue
from matching.matcher import Matcher
from matching.ranking import Ranker
from matching.records import Matching
from models.identifier import Identifier
from models.records import Identification
from nlp.paths import dataset_path


class Dispatcher:
    """Proposes desks of one catalogue for messages, whatever their score: a message always goes somewhere."""

    def __init__(self, identifier: Identifier, departments: Catalogue) -> None:
        if not departments.resources:
            raise ValueError("the catalogue of departments is empty; give one desk at least")
        self.departments = departments
        self._matcher = Matcher(identifier, departments, replace(Ranker.load(), fits_from=0.0))

    @classmethod
    def load(cls, identifier: Identifier, path: Path | None = None) -> Dispatcher:
        """A dispatcher over a file of departments, the shipped generic one by default.

        Raises ValueError naming the first bad row: a desk that is missing would get nothing, unnoticed.
        """
        path = path or dataset_path("departments.jsonl")
        departments, problems = Catalogue.load(identifier.taxonomy, path)
        if problems:
            raise ValueError(f"{path}: {problems[0]}")
        return cls(identifier, departments)

    @property
    def version(self) -> str:
        """The versions of departments and model."""
        return self._matcher.version

    def dispatch(self, messages: Sequence[Identification], k: int = 3) -> list[Matching]:
        """The `k` likeliest desks for each message with a need, best first; none for one without."""
        placeless = [replace(one, prepared=replace(one.prepared, district=None)) for one in messages]
        return self._matcher.match_primary(placeless, k=k)
