"""The taxonomy: domains, tiers, urgencies, sources and response strategies, read from a YAML file."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from nlp.paths import dataset_path


class TaxonomyError(ValueError):
    """A taxonomy file that cannot be used, with the place and the remedy."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$|^[^\s/,|]+$", max_length=64)
    zh: str = ""
    en: str = ""


class _Defined(_Entry):
    definition_zh: str = ""
    definition_en: str = ""
    examples: tuple[str, ...] = ()


class Topic(_Entry):
    """A recurring subject inside a domain."""


class Domain(_Defined):
    """A field of civic life whose desk must act for a need to be met.

    `same_as` are ids of another taxonomy's domains that mean the same, so that resources labelled by it are found.
    """

    excludes_zh: str = ""
    same_as: tuple[str, ...] = ()
    topics: tuple[Topic, ...] = ()


class Tier(_Defined):
    """How deep a need goes: survival, capability or values."""


class Urgency(_Defined):
    """How soon a need must be answered; the file lists the most pressing first."""


class Source(_Defined):
    """A channel residents speak through, with the cleaning steps its texts need.

    `no_need_share` is the share of its messages expected to ask for nothing, or None where that is as in the
    training data.
    """

    cleaning: tuple[str, ...] = ()
    no_need_share: float | None = Field(default=None, gt=0, lt=1)


class Handling(_Entry):
    """A class of case with the time allowed to answer it."""

    deadline: timedelta
    calendar: Literal["natural", "working"] = "natural"

    def due(self, received_at: datetime) -> datetime:
        """When a case received at `received_at` must be answered.

        A working calendar counts Monday to Friday; public holidays are not known to it.
        """
        if self.calendar == "natural":
            return received_at + self.deadline
        due, days = received_at, self.deadline.days
        while days > 0:
            due += timedelta(days=1)
            days -= due.weekday() < 5
        return due + timedelta(seconds=self.deadline.seconds)


class Response(BaseModel):
    """What is done for a need of this tier and urgency."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tier: str
    urgency: str
    handling: str
    strategy_zh: str = ""
    strategy_en: str = ""


class Advice(BaseModel):
    """When a message only asks for information, and how soon that is answered."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    handling: str
    tiers: tuple[str, ...]
    urgencies: tuple[str, ...]
    pattern: str


class _TaxonomyFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    guide: str = ""
    domains: tuple[Domain, ...] = Field(min_length=2)
    no_need: Domain | None = None
    tiers: tuple[Tier, ...] = ()
    urgencies: tuple[Urgency, ...] = ()
    handling: tuple[Handling, ...] = ()
    responses: tuple[Response, ...] = ()
    advice: Advice | None = None
    default_cleaning: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()

    @model_validator(mode="after")
    def _references_hold(self) -> _TaxonomyFile:
        groups = {"domains": (*self.domains, *((self.no_need,) if self.no_need else ()))}
        groups |= {"tiers": self.tiers, "urgencies": self.urgencies, "sources": self.sources}
        groups["handling"] = self.handling
        for name, entries in groups.items():
            ids = [entry.id for entry in entries]
            if repeated := sorted({i for i in ids if ids.count(i) > 1}):
                raise ValueError(f"{name}: id {repeated[0]!r} stands twice; ids are unique")
        known = {name: {entry.id for entry in entries} for name, entries in groups.items()}
        for response in self.responses:
            for field, group in (("tier", "tiers"), ("urgency", "urgencies"), ("handling", "handling")):
                if (value := getattr(response, field)) not in known[group]:
                    raise ValueError(f"responses: {field} {value!r} is not listed under {group}")
        pairs = [(response.tier, response.urgency) for response in self.responses]
        if len(pairs) != len(set(pairs)):
            raise ValueError("responses: a tier and urgency stand twice; keep one")
        if self.advice:
            if self.advice.handling not in known["handling"]:
                raise ValueError(f"advice: handling {self.advice.handling!r} is not listed under handling")
            try:
                re.compile(self.advice.pattern)
            except re.error as error:
                raise ValueError(f"advice: pattern is no regular expression ({error})") from None
        return self


def infer_taxonomy(labels: Iterable[str], version: str = "inferred", crosswalk: bytes | None = None) -> bytes:
    """A taxonomy file whose domains are the labels of a batch, in order of their names.

    `crosswalk` is YAML that maps a label to the domains of another taxonomy which mean the same. Raises TaxonomyError
    when there are fewer than two labels, one cannot be an id, or the crosswalk names a label the batch does not.
    """
    known = sorted(set(labels))
    same = _crosswalk(crosswalk, known) if crosswalk else {}
    domains = [
        {"id": label, "zh": label, **({"same_as": same[label]} if label in same else {})} for label in known
    ]
    raw = yaml.safe_dump(
        {"version": version, "domains": domains}, allow_unicode=True, sort_keys=False
    ).encode()
    Taxonomy.from_bytes(raw, "inferred taxonomy")
    return raw


def _crosswalk(raw: bytes, known: Sequence[str]) -> dict[str, list[str]]:
    try:
        told = yaml.safe_load(raw)
        same = {str(label): [str(one) for one in domains] for label, domains in told.items()}
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError, TypeError):
        raise TaxonomyError("crosswalk: not YAML of `label: [domain, …]`; correct the file") from None
    if missing := sorted(set(same) - set(known)):
        raise TaxonomyError(
            f"crosswalk: label {missing[0]!r} does not stand in the batch; correct or remove it"
        )
    return same


@dataclass(frozen=True)
class Taxonomy:
    """The labels a deployment uses, in file order.

    `none_id` is the label of a message without a need, or None where the taxonomy has no such label.
    """

    file: _TaxonomyFile
    sha256: str

    @classmethod
    def load(cls, path: Path | str | None = None) -> Taxonomy:
        """Read a taxonomy file, the shipped one by default.

        Raises TaxonomyError naming the file, the field and the remedy.
        """
        path = Path(path) if path is not None else dataset_path("taxonomy.yaml")
        try:
            raw = path.read_bytes()
        except OSError as error:
            raise TaxonomyError(
                f"taxonomy {path}: {error.strerror or error}; give a readable YAML file"
            ) from None
        return cls.from_bytes(raw, str(path))

    @classmethod
    def from_bytes(cls, raw: bytes, name: str = "taxonomy") -> Taxonomy:
        """Parse the bytes of a taxonomy file; `name` is used in errors."""
        try:
            content: Any = yaml.safe_load(raw)
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            place = getattr(error, "problem_mark", None)
            line = f" line {place.line + 1}" if place else ""
            raise TaxonomyError(f"{name}{line}: not YAML in UTF-8; correct the file") from None
        try:
            file = _TaxonomyFile.model_validate(content)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "file"
            raise TaxonomyError(f"{name}: {field}: {first['msg']}; correct the file") from None
        return cls(file, hashlib.sha256(raw).hexdigest())

    @property
    def version(self) -> str:
        """The version the file states."""
        return self.file.version

    @property
    def none_id(self) -> str | None:
        """The label of a message without a need."""
        return self.file.no_need.id if self.file.no_need else None

    @cached_property
    def need_ids(self) -> tuple[str, ...]:
        """Domain ids that a need can have, without the no-need label."""
        return tuple(domain.id for domain in self.file.domains)

    @cached_property
    def domain_ids(self) -> tuple[str, ...]:
        """Every label of the domain field: the needs' domains, then the no-need label."""
        return self.need_ids + ((self.none_id,) if self.none_id else ())

    @cached_property
    def crosswalk(self) -> dict[str, tuple[str, ...]]:
        """Own domain ids by the id of another taxonomy's domain that means the same."""
        pairs = [(other, domain.id) for domain in self.file.domains for other in domain.same_as]
        return {other: tuple(own for told, own in pairs if told == other) for other, _ in pairs}

    @cached_property
    def tier_ids(self) -> tuple[str, ...]:
        """Tier ids in file order."""
        return tuple(tier.id for tier in self.file.tiers)

    @cached_property
    def urgency_ids(self) -> tuple[str, ...]:
        """Urgency ids, the most pressing first."""
        return tuple(urgency.id for urgency in self.file.urgencies)

    @cached_property
    def source_ids(self) -> tuple[str, ...]:
        """Source ids in file order."""
        return tuple(source.id for source in self.file.sources)

    @cached_property
    def no_need_shares(self) -> dict[str, float]:
        """Expected share of messages without a need by source id, where the file states one."""
        return {s.id: s.no_need_share for s in self.file.sources if s.no_need_share is not None}

    @cached_property
    def topic_ids(self) -> dict[str, tuple[str, ...]]:
        """Topic ids by domain id, the no-need label included."""
        domains = (*self.file.domains, *((self.file.no_need,) if self.file.no_need else ()))
        return {domain.id: tuple(topic.id for topic in domain.topics) for domain in domains}

    @cached_property
    def cleaning(self) -> dict[str | None, tuple[str, ...]]:
        """Names of the cleaning steps by source id; None stands for an unknown source."""
        steps: dict[str | None, tuple[str, ...]] = {
            source.id: source.cleaning for source in self.file.sources
        }
        steps[None] = self.file.default_cleaning
        return steps

    def name(self, label: str, language: Literal["zh", "en"] = "zh") -> str:
        """The readable name of a domain, tier, urgency or source id; the id itself where it has none."""
        entry = self._entries.get(label)
        return getattr(entry, language) or label if entry else label

    @cached_property
    def field_ids(self) -> dict[str, tuple[str, ...]]:
        """The labels each field of a labelled message may hold."""
        return {
            "domain": self.domain_ids,
            "secondary": self.need_ids,
            "tier": self.tier_ids,
            "urgency": self.urgency_ids,
        }

    def find(self, field: str, told: str) -> str | None:
        """The id of a label of `field` (domain, secondary, tier, urgency) told by its id or readable name, or None."""
        return self._told[field].get(told.strip().casefold())

    def nearest(self, field: str, told: str) -> str | None:
        """The id of the label of `field` that is written most like `told`, or None where none is like it."""
        known = self._told[field]
        close = get_close_matches(told.strip().casefold(), known, n=1, cutoff=0.5)
        return known[close[0]] if close else None

    @cached_property
    def _told(self) -> dict[str, dict[str, str]]:
        return {
            field: {
                written.casefold(): label
                for label in reversed(labels)
                for written in (self.name(label, "en"), self.name(label), label)
            }
            for field, labels in self.field_ids.items()
        }

    @cached_property
    def _entries(self) -> dict[str, _Entry]:
        file = self.file
        groups: tuple[tuple[_Entry, ...], ...] = (file.domains, file.tiers, file.urgencies, file.sources)
        entries = {entry.id: entry for group in groups for entry in group}
        return entries | ({file.no_need.id: file.no_need} if file.no_need else {})

    @cached_property
    def _handling(self) -> dict[str, Handling]:
        return {handling.id: handling for handling in self.file.handling}

    @cached_property
    def _responses(self) -> dict[tuple[str, str], Response]:
        return {(response.tier, response.urgency): response for response in self.file.responses}

    @cached_property
    def _asks_advice(self) -> re.Pattern[str] | None:
        return re.compile(self.file.advice.pattern) if self.file.advice else None

    def respond(self, tier: str | None, urgency: str, text: str) -> tuple[Response, Handling] | None:
        """The strategy and time allowed for a need of `tier` and `urgency` told in `text`.

        None where the taxonomy sets no response for the pair.
        """
        response = self._responses.get((tier, urgency)) if tier else None
        if response is None:
            return None
        advice, pattern = self.file.advice, self._asks_advice
        if (
            advice
            and pattern
            and tier in advice.tiers
            and urgency in advice.urgencies
            and pattern.search(text)
        ):
            return response, self._handling[advice.handling]
        return response, self._handling[response.handling]
