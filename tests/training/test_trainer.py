from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from models.artifact import read_artifact
from models.identifier import Knowledge
from models.reference import resolve
from nlp.records import LabelledMessage, Message
from training.inputs import Inputs
from training.solver import fit
from training.trainer import TrainingError, train

KNOWLEDGE = Knowledge.from_artifact(read_artifact(resolve("default")))
NOUNS = {
    "housing": "电梯 停水 物业 楼道",
    "transport": "公交 地铁 停车 红绿灯",
    "healthcare": "医院 挂号 疫苗 看病",
}
RECORDS = [
    LabelledMessage(
        Message(f"{place}的{noun}{what}", f"{label}{place}{noun}{what}"),
        label,
        tier="basic" if what == "坏了没人管" else "development",
        urgency="urgent" if what == "坏了没人管" else "routine",
    )
    for label, nouns in NOUNS.items()
    for noun in nouns.split()
    for place in ("城东", "河西", "村口")
    for what in ("坏了没人管", "能不能多一些")
]


def test_the_same_batch_gives_the_same_bytes() -> None:
    first, facts = train(RECORDS, KNOWLEDGE)
    again, _ = train(RECORDS, KNOWLEDGE)
    assert first == again
    assert facts["n_records"] == len(RECORDS)


def test_another_batch_gives_another_data_hash() -> None:
    changed = [replace(RECORDS[0], domain="transport"), *RECORDS[1:]]
    hashes = {train(records, KNOWLEDGE)[1]["data_sha256"] for records in (RECORDS, changed, RECORDS)}
    assert len(hashes) == 2


def test_one_domain_alone_cannot_be_learned_from() -> None:
    with pytest.raises(TrainingError, match="larger batch"):
        train([record for record in RECORDS if record.domain == "housing"], KNOWLEDGE)


def test_a_batch_without_tier_and_urgency_trains_domains_only() -> None:
    plain = [replace(record, tier=None, urgency=None) for record in RECORDS]
    files, _ = train(plain, KNOWLEDGE)
    assert b'"tier"' not in files["heads.json"]


def test_the_solver_agrees_with_ridge_regression() -> None:
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(0)
    inputs = sparse.random(80, 300, 0.1, format="csr", dtype=np.float32, rng=rng)
    targets = rng.normal(size=(80, 3)).astype(np.float32)
    folds = rng.integers(0, 4, 80)
    found = fit(Inputs.of(inputs), targets, folds, 0.7)
    peer = Ridge(alpha=0.7, fit_intercept=False).fit(inputs.toarray(), targets - targets.mean(axis=0))
    assert found.weights == pytest.approx(peer.coef_.T, abs=1e-3)
    rest = folds != 1
    bias = targets[rest].mean(axis=0)
    peer = Ridge(alpha=0.7, fit_intercept=False).fit(inputs[rest].toarray(), targets[rest] - bias)
    assert found.held_out[~rest] == pytest.approx(peer.predict(inputs[~rest].toarray()) + bias, abs=1e-3)


def test_large_batches_are_solved_to_the_same_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    inputs = sparse.random(60, 200, 0.2, format="csr", dtype=np.float32, rng=rng)
    targets = rng.normal(size=(60, 2)).astype(np.float32)
    folds = rng.integers(0, 3, 60)
    exact = fit(Inputs.of(inputs), targets, folds, 1.0)
    monkeypatch.setattr("training.solver.MOST_ROWS_FOR_GRAM", 10)
    near = fit(Inputs.of(inputs), targets, folds, 1.0)
    assert near.weights == pytest.approx(exact.weights, abs=2e-3)
    assert near.held_out == pytest.approx(exact.held_out, abs=0.1)  # one mean for all folds, not one a fold
