"""One training run: batches in, validated; what they are trained onto; an artifact and its report out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from evaluation.ledger import Ledger
from models.artifact import Artifact
from models.identifier import Identifier, Knowledge
from nlp.records import LabelledMessage
from nlp.tables import RowError, told_apart
from nlp.taxonomy import Taxonomy, infer_taxonomy
from training.batches import Batch, read_batch
from training.trainer import TrainingConfig, TrainingError, text_key
from training.validation import Limits, Validation, ValidationReport

Weights = Sequence[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Lot:
    """One batch of a run: how much its records count, which split of it was left out."""

    batch: Batch
    weight: float = 1.0
    leave_out: str | None = None

    def facts(self, n_records: int) -> dict[str, Any]:
        """What an artifact notes of the lot, enough to read it again."""
        return {
            "name": self.batch.name,
            "sha256": self.batch.sha256,
            "n_records": n_records,
            "weight": self.weight,
            "leave_out": self.leave_out,
        }


def read_config(path: Path | None) -> TrainingConfig:
    """The settings of a run from a YAML file of TrainingConfig's fields, the defaults where it says nothing.

    Raises TrainingError naming the field.
    """
    if path is None:
        return TrainingConfig()
    try:
        content = yaml.safe_load(path.read_bytes()) or {}
        if not isinstance(content, dict):
            raise TypeError
        unknown = set(content) - set(TrainingConfig.__dataclass_fields__)
        if unknown:
            raise TrainingError(f"{path}: no setting {sorted(unknown)[0]!r}; see zhixu train --help")
        return TypeAdapter(TrainingConfig).validate_python(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise TrainingError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except (yaml.YAMLError, TypeError):
        raise TrainingError(f"{path}: not YAML with one setting a line; correct the file") from None


def new_lots(
    references: Sequence[str],
    ledger: Callable[[], Ledger] | None = None,
    leave_out: str | None = None,
    weights: Weights = (),
) -> list[Lot]:
    """The lots these references name; a name that matches a pattern of `weights` counts its weight."""
    return [
        Lot(read_batch(reference, ledger, leave_out), _weight(reference, weights), leave_out)
        for reference in references
    ]


def _weight(reference: str, weights: Weights) -> float:
    matching = [weight for pattern, weight in weights if fnmatch(Path(reference).name, pattern)]
    return matching[-1] if matching else 1.0


def lots_of(artifact: Artifact, ledger: Callable[[], Ledger] | None = None) -> list[Lot]:
    """The lots a model was trained on, read again.

    Raises TrainingError when one is not there any more or has changed.
    """
    told = artifact.facts.get("data")
    if not told:
        raise TrainingError(f"model {artifact.version} does not tell its data; give all of it with --data")
    lots = []
    for one in told:
        batch = read_batch(one["name"], ledger, one["leave_out"])
        if batch.sha256 != one["sha256"]:
            raise TrainingError(
                f"{one['name']} is not what model {artifact.version} learned from any more; restore it, or give all "
                "data with --data"
            )
        lots.append(Lot(batch, float(one["weight"]), one["leave_out"]))
    return lots


def labels_of(lots: Sequence[Lot], crosswalk: bytes | None = None) -> bytes:
    """A taxonomy file inferred from the labels of these lots, with a crosswalk to another taxonomy's domains."""
    rows = (row for lot in lots for _, row in lot.batch.rows if not isinstance(row, RowError))
    labels = (str(label) for row in rows if (label := row.get("domain") or row.get("label")))
    return infer_taxonomy(labels, crosswalk=crosswalk)


@dataclass(frozen=True)
class Reading:
    """The records of a run, how much each counts, the facts of its lots, and the rows that could not be used."""

    records: list[LabelledMessage]
    counts: NDArray[np.float32]
    facts: list[dict[str, Any]]
    problems: list[tuple[str, RowError]]


def read_lots(lots: Sequence[Lot], taxonomy: Taxonomy) -> Reading:
    """Every usable record of the lots, in order."""
    records: list[LabelledMessage] = []
    counts: list[float] = []
    facts: list[dict[str, Any]] = []
    problems: list[tuple[str, RowError]] = []
    for lot in lots:
        good, bad = told_apart(lot.batch.read(taxonomy))
        records.extend(good)
        counts.extend([lot.weight] * len(good))
        facts.append(lot.facts(len(good)))
        problems.extend((lot.batch.name, one) for one in bad)
    return Reading(records, np.asarray(counts, np.float32), facts, problems)


def judge_for(taxonomy: Taxonomy, base: str | None) -> Identifier | None:
    """The model whose doubts about a batch count: the embedded one where it knows the labels, else the one trained onto."""
    for reference in (None, base):
        judge = Identifier.load(reference)
        if set(taxonomy.domain_ids) <= set(judge.domain_labels):
            return judge
    return None


def validate_lots(
    lots: Sequence[Lot],
    earlier: Sequence[LabelledMessage],
    test: Sequence[LabelledMessage],
    knowledge: Knowledge,
    limits: Limits,
    judge: Identifier | None = None,
) -> list[ValidationReport]:
    """A report for each lot, held against the test set, all that came before it, and a model that has not seen it."""
    reports, before = [], list(earlier)
    for lot in lots:
        validation = Validation(lot.batch, knowledge, test, before, limits, judge)
        reports.append(validation.report())
        before.extend(validation.records)
    return reports


def seen_keys(records: Sequence[LabelledMessage]) -> str:
    """Hashes of the texts learned from, one a line, so that no model is later measured on what it saw."""
    return "".join(f"{key}\n" for key in sorted({text_key(record) for record in records}))


def nested_samples(n_records: int, shares: Sequence[float], seed: int) -> list[NDArray[np.int64]]:
    """Record numbers of nested random samples of these shares in 0–1, in order of their size."""
    order = np.random.default_rng(seed).permutation(n_records)
    return [np.sort(order[: round(share * n_records)]) for share in sorted(shares)]
