"""Checks of the project's own text: quotas, labels, duplicates, leaks and splits, as `datasets/quotas.yaml` asks."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from evaluation.metrics import cohen_kappa
from evaluation.similarity import families, sharing_runs, similar_pairs
from matching.catalogue import Catalogue
from matching.records import EVERYWHERE, KINDS, Resource
from matching.rules import RuleBook
from nlp.lexicon import load_lexicon
from nlp.masking import mask
from nlp.reading import MessageReader
from nlp.tables import RowError, read_rows
from nlp.taxonomy import Taxonomy

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing checked: what, whether it holds, and the figure or the first places where it does not."""

    check: str
    holds: bool
    told: str


def at_least(check: str, value: int, wanted: int) -> Finding:
    """A count against its quota."""
    return Finding(check, value >= wanted, f"{value:,} / {wanted:,}")


def none_of(check: str, places: Sequence[str]) -> Finding:
    """Places where something is wrong, hopefully none."""
    return Finding(check, not places, f"{len(places)}: {'; '.join(places[:5])}" if places else "0")


def share(check: str, counted: int, of: int, bounds: Sequence[float]) -> Finding:
    """A share against its bounds."""
    value = counted / max(of, 1)
    return Finding(check, bounds[0] <= value <= bounds[1], f"{value:.3f} in {bounds[0]}–{bounds[1]}")


@dataclass(frozen=True)
class OwnText:
    """The files of one dataset directory, read once."""

    directory: Path

    @cached_property
    def taxonomy(self) -> Taxonomy:
        """The taxonomy the text is labelled by."""
        return Taxonomy.load(self.directory / "taxonomy.yaml")

    @cached_property
    def quotas(self) -> Mapping[str, Any]:
        """What the text must hold."""
        quotas: Mapping[str, Any] = yaml.safe_load((self.directory / "quotas.yaml").read_text("utf-8"))
        return quotas

    def rows(self, name: str) -> list[Row]:
        """Rows of a JSONL file. Raises ValueError at the first that is broken."""
        rows: list[Row] = []
        for _, row in read_rows(self.directory / name):
            if isinstance(row, RowError):
                raise ValueError(f"{name}: {row}")
            rows.append(row)
        return rows

    @cached_property
    def messages(self) -> list[Row]:
        """The labelled messages."""
        return self.rows("messages.jsonl")

    @cached_property
    def natural(self) -> list[Row]:
        """The labelled messages of an ordinary day."""
        return self.rows("messages_natural.jsonl")

    @cached_property
    def all_messages(self) -> list[Row]:
        """Every labelled message."""
        return [*self.messages, *self.natural]

    @cached_property
    def requests(self) -> list[Row]:
        """The matched requests."""
        return self.rows("requests.jsonl")

    @cached_property
    def pairs(self) -> list[Row]:
        """The training pairs."""
        return self.rows("pairs.jsonl")

    def table(self, name: str) -> list[list[str]]:
        """Lines of a TSV file below its header, as cells."""
        return [line.split("\t") for line in (self.directory / name).read_text("utf-8").splitlines()[1:]]


def check(directory: Path, against: Sequence[Path] = ()) -> Iterator[Finding]:
    """Every finding about the text in `directory`; `against` are files or folders it must share no run with."""
    own = OwnText(directory)
    for part in (
        _labels,
        _message_quotas,
        _duplicates_and_splits,
        _agreement,
        _lexicon,
        _tables,
        _resources,
        _requests,
        _pairs,
    ):
        yield from part(own)
    if against:
        yield from _leaks(own, against)


def _labels(own: OwnText) -> Iterator[Finding]:
    taxonomy = own.taxonomy
    reader = MessageReader(taxonomy)
    read = list(reader.read_labelled(enumerate(own.all_messages, 1)))
    yield none_of(
        "messages: rows that cannot be read", [str(row) for _, row in read if isinstance(row, RowError)]
    )
    topics = taxonomy.topic_ids

    def wrong(row: Row) -> bool:
        needless = row["domain"] == taxonomy.none_id
        return (
            row.get("topic") not in topics.get(row["domain"], ())
            or row["domain"] in row["secondary"]
            or needless != (row.get("tier") is None)
            or (needless and (bool(row["secondary"]) or row["urgency"] != taxonomy.urgency_ids[-1]))
            or row.get("urgency") not in taxonomy.urgency_ids
        )

    yield none_of(
        "messages: labels at odds with the guide", [row["id"] for row in own.all_messages if wrong(row)]
    )
    length = own.quotas["messages"]["length"]
    outside = [row["id"] for row in own.all_messages if not length[0] <= len(row["text"]) <= length[1]]
    yield none_of(f"messages: outside {length[0]}–{length[1]} characters", outside)
    digits = [
        row["id"] for row in own.all_messages if any(s.kind in _NUMBERS for s in mask(row["text"]).spans)
    ]
    yield none_of("messages: numbers that look real", digits)


_NUMBERS = frozenset({"身份证", "银行卡"})


def _message_quotas(own: OwnText) -> Iterator[Finding]:
    rows, quotas, taxonomy = own.messages, own.quotas["messages"], own.taxonomy
    yield at_least("messages", len(rows), quotas["total"])
    yield at_least("messages: of an ordinary day", len(own.natural), quotas["natural"])
    domains = Counter(row["domain"] for row in rows)
    for domain in taxonomy.need_ids:
        yield at_least(f"messages: {domain}", domains[domain], quotas["per_domain"])
    if taxonomy.none_id:
        yield at_least(f"messages: {taxonomy.none_id}", domains[taxonomy.none_id], quotas["no_need"])
    topics = Counter((row["domain"], row["topic"]) for row in rows)
    every = [(domain, topic) for domain, of in taxonomy.topic_ids.items() for topic in of]
    few = [f"{d}/{t} {topics[d, t]}" for d, t in every if topics[d, t] < quotas["per_topic"]]
    yield none_of(f"messages: topics below {quotas['per_topic']}", few)
    for field, wanted in (
        ("source", dict.fromkeys(taxonomy.source_ids, quotas["per_source"])),
        ("urgency", quotas["urgency"]),
    ):
        counted = Counter(row[field] for row in rows)
        for label, least in wanted.items():
            yield at_least(f"messages: {label}", counted[label], least)
    yield at_least(
        "messages: several needs", sum(bool(row["secondary"]) for row in rows), quotas["several_needs"]
    )
    yield at_least("messages: hard cases", sum(bool(row["hard"]) for row in rows), quotas["hard"])
    tiers = Counter(row["tier"] for row in rows if row.get("tier"))
    for tier, bounds in quotas["tier_share"].items():
        yield share(f"messages: share of {tier}", tiers[tier], tiers.total(), bounds)


def _duplicates_and_splits(own: OwnText) -> Iterator[Finding]:
    rows, quotas = own.all_messages, own.quotas["messages"]
    texts = [row["text"] for row in rows]
    pairs = similar_pairs(texts, quotas["related_from"])
    worst = pairs[0][2] if pairs else 0.0
    yield Finding(
        "messages: most similar pair",
        worst <= quotas["most_similar"],
        f"{worst:.3f} / {quotas['most_similar']}",
    )
    repeated = {text for text, times in Counter(texts).items() if times > 1}
    yield none_of("messages: the same text twice", [row["id"] for row in rows if row["text"] in repeated])
    yield from _splits("messages", rows, quotas["split_share"])
    labels = families(len(rows), pairs)
    splits = np.asarray([row["split"] for row in rows])
    torn = [rows[a]["id"] for a, b, _ in pairs if splits[a] != splits[b] and labels[a] == labels[b]]
    yield none_of("messages: relatives in two splits", torn)


def _splits(name: str, rows: Sequence[Row], shares: Mapping[str, Sequence[float]]) -> Iterator[Finding]:
    counted = Counter(row["split"] for row in rows)
    for split, bounds in shares.items():
        yield share(f"{name}: share of {split}", counted[split], len(rows), bounds)


def _agreement(own: OwnText) -> Iterator[Finding]:
    rows, quotas = own.rows("double_labels.jsonl"), own.quotas["double_labels"]
    yield at_least("messages labelled twice", len(rows), quotas["total"])
    known = {row["id"] for row in own.messages}
    yield none_of(
        "messages labelled twice: unknown ids", [row["id"] for row in rows if row["id"] not in known]
    )
    for field, least in quotas["kappa"].items():
        first, second = ([str(row[who][field]) for row in rows] for who in ("first", "second"))
        kappa = cohen_kappa(first, second)
        told = f"{kappa} / {least}"
        yield Finding(f"messages labelled twice: κ of {field}", kappa.value >= least, told)


def _lexicon(own: OwnText) -> Iterator[Finding]:
    quotas = own.quotas["lexicon"]
    entries = load_lexicon(own.directory / "lexicon.tsv")
    yield at_least("lexicon: terms", len({entry.term for entry in entries}), quotas["terms"])
    yield at_least("lexicon: topics", len({(e.domains[0], e.topic) for e in entries}), quotas["topics"])
    topics = own.taxonomy.topic_ids
    unknown = [e.term for e in entries if set(e.domains) - set(topics) or e.topic not in topics[e.domains[0]]]
    yield none_of("lexicon: terms of unknown domain or topic", unknown)
    yield none_of(
        "lexicon: terms of unknown kind", [e.term for e in entries if e.kind not in quotas["kinds"]]
    )
    twice = [term for term, times in Counter((e.term, e.domains[0]) for e in entries).items() if times > 1]
    yield none_of("lexicon: terms standing twice", [term for term, _ in twice])
    yield none_of(
        "lexicon: kinds without a term", [k for k in quotas["kinds"] if all(e.kind != k for e in entries)]
    )


def _tables(own: OwnText) -> Iterator[Finding]:
    for name in ("desks", "spellings"):
        rows = own.table(f"{name}.tsv")
        yield at_least(name, len(rows), own.quotas[name]["total"])
        twice = [cell for cell, times in Counter(row[0] for row in rows).items() if times > 1]
        yield none_of(f"{name}: standing twice", twice)


def _resources(own: OwnText) -> Iterator[Finding]:
    quotas = own.quotas["resources"]
    catalogue, problems = Catalogue.load(own.taxonomy, own.directory / "resources.jsonl")
    yield none_of("resources: rows that cannot be read", [str(problem) for problem in problems])
    yield at_least("resources", len(catalogue.resources), quotas["total"])
    kinds = Counter(resource.kind for resource in catalogue.resources)
    for kind in KINDS:
        yield at_least(f"resources: {kind}", kinds[kind], quotas["per_kind"])
    districts = {name for r in catalogue.resources for name in r.districts} - {EVERYWHERE}
    low, high = quotas["districts"]
    yield Finding("resources: districts", low <= len(districts) <= high, f"{len(districts)} in {low}–{high}")


def _requests(own: OwnText) -> Iterator[Finding]:
    quotas, rows = own.quotas["requests"], own.requests
    resources = {
        r.id: r for r in Catalogue.load(own.taxonomy, own.directory / "resources.jsonl")[0].resources
    }
    yield at_least("requests", len(rows), quotas["total"])
    yield at_least("requests: nothing fits", sum(not row["best"] for row in rows), quotas["no_fit"])
    yield at_least(
        "requests: nearest is wrong",
        sum(bool(row.get("nearest_wrong")) for row in rows),
        quotas["nearest_wrong"],
    )
    ids = Counter(row["id"] for row in rows)
    yield none_of("requests: ids standing twice", [i for i, times in ids.items() if times > 1])
    most = quotas["best"][1]
    yield none_of(f"requests: more than {most} best", [row["id"] for row in rows if len(row["best"]) > most])
    unknown = [
        row["id"] for row in rows if set(_ids(row, "best", "acceptable", "nearest_wrong")) - set(resources)
    ]
    yield none_of("requests: unknown resources", unknown)
    yield none_of("requests: contradicting themselves", [row["id"] for row in rows if _contradicts(row)])
    yield none_of(
        "requests: a resource that a rule forbids", [row["id"] for row in rows if _forbidden(row, resources)]
    )
    yield from _splits("requests", rows, quotas["split_share"])


def _ids(row: Row, *fields: str) -> list[str]:
    found: list[str] = []
    for field in fields:
        value = row.get(field) or []
        found.extend([value] if isinstance(value, str) else value)
    return found


def _contradicts(row: Row) -> bool:
    good = _ids(row, "best", "acceptable")
    return len(good) != len(set(good)) or row.get("nearest_wrong") in good or (bool(good) and not row["best"])


def _forbidden(row: Row, resources: Mapping[str, Resource]) -> bool:
    named = [resources[i] for i in _ids(row, "best", "acceptable") if i in resources]
    return (
        bool(named)
        and not RuleBook.of(named).allowed(row["district"], row["tier"], row.get("facts") or {}).all()
    )


def _pairs(own: OwnText) -> Iterator[Finding]:
    yield at_least("pairs", len(own.pairs), own.quotas["pairs"]["total"])
    lefts = Counter(row["left"] for row in own.pairs)
    yield none_of("pairs: standing twice", [row["id"] for row in own.pairs if lefts[row["left"]] > 1])
    asked = {row["text"] for row in own.requests}
    yield none_of(
        "pairs: a matched request among them", [row["id"] for row in own.pairs if row["left"] in asked]
    )


def _leaks(own: OwnText, against: Sequence[Path]) -> Iterator[Finding]:
    length = own.quotas["messages"]["shared_run"]
    others = list(_foreign_texts(against))
    groups: tuple[tuple[str, list[Row], Callable[[Row], str]], ...] = (
        ("messages", own.all_messages, lambda row: str(row["text"])),
        ("requests", own.requests, lambda row: str(row["text"])),
        ("pairs", own.pairs, lambda row: f"{row['left']}\n{row['right']}"),
    )
    for name, rows, text_of in groups:
        shared = sharing_runs([text_of(row) for row in rows], others, length)
        yield none_of(
            f"{name}: {length} characters in common with other text", [rows[n]["id"] for n in shared]
        )


def _foreign_texts(paths: Sequence[Path]) -> Iterator[str]:
    for path in paths:
        for file in sorted(path.rglob("*.jsonl")) if path.is_dir() else [path]:
            for line in file.read_text("utf-8", errors="replace").splitlines():
                if line.strip():
                    yield from _strings(json.loads(line))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part)
