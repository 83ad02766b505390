"""The books: needs and matches as rows, labels, outcomes, activations, accesses, audit cases."""

import json
import uuid
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

LABEL = sa.String(64)
MOMENT = sa.DateTime(timezone=True)
_BLOCK = 1000


def _prediction(**more: Any) -> sa.Column:  # type: ignore[type-arg]
    return sa.Column(
        "prediction_id", sa.String(32), sa.ForeignKey("predictions.id", ondelete="CASCADE"), **more
    )


def upgrade() -> None:
    """Create the tables and move needs and matches out of the predictions."""
    with op.batch_alter_table("predictions") as table:
        table.add_column(sa.Column("resident", sa.String(64)))
        table.add_column(sa.Column("received_at", MOMENT))
        table.add_column(sa.Column("due_at", MOMENT))
        table.create_index("ix_predictions_resident", ["resident"])
    needs = op.create_table(
        "needs",
        _prediction(primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("domain", LABEL, nullable=False),
        sa.Column("tier", LABEL),
        sa.Column("confidence", sa.Float, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("evidence", sa.JSON, nullable=False),
    )
    matches = op.create_table(
        "matches",
        sa.Column("id", sa.String(32), primary_key=True),
        _prediction(nullable=False),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("resource_id", sa.String(100), nullable=False),
        sa.Column("name", sa.String(300), nullable=False),
        sa.Column("score", sa.Float, nullable=False),
        sa.Column("reasons", sa.JSON, nullable=False),
        sa.Column("ask", sa.JSON, nullable=False),
    )
    op.create_index("ix_matches_prediction_id", "matches", ["prediction_id"])
    op.create_index("ix_matches_resource_id", "matches", ["resource_id"])
    op.create_table(
        "labels",
        sa.Column("id", sa.String(32), primary_key=True),
        _prediction(),
        sa.Column("message_id", sa.String(200), nullable=False),
        sa.Column("labelled_at", MOMENT, nullable=False),
        sa.Column("annotator", sa.String(100), nullable=False),
        sa.Column("origin", sa.String(32), nullable=False),
        sa.Column("source", LABEL),
        sa.Column("district", sa.String(100)),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("domain", LABEL, nullable=False),
        sa.Column("secondary", sa.JSON, nullable=False),
        sa.Column("tier", LABEL),
        sa.Column("urgency", LABEL),
    )
    op.create_index("ix_labels_prediction_id", "labels", ["prediction_id"])
    op.create_index("ix_labels_labelled_at", "labels", ["labelled_at"])
    op.create_table(
        "outcomes",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("match_id", sa.String(32), sa.ForeignKey("matches.id", ondelete="CASCADE"), nullable=False),
        sa.Column("told_at", MOMENT, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("actor", sa.String(100), nullable=False),
    )
    op.create_index("ix_outcomes_match_id", "outcomes", ["match_id"])
    op.create_index("ix_outcomes_told_at", "outcomes", ["told_at"])
    op.create_table(
        "activations",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("activated_at", MOMENT, nullable=False),
        sa.Column("subject", sa.String(100), nullable=False),
        sa.Column("version", LABEL, nullable=False),
        sa.Column("previous", LABEL),
        sa.Column("actor", sa.String(100), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("forced", sa.Boolean, nullable=False),
    )
    op.create_index("ix_activations_activated_at", "activations", ["activated_at"])
    op.create_table(
        "accesses",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("accessed_at", MOMENT, nullable=False),
        sa.Column("actor", sa.String(100), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("n_records", sa.Integer, nullable=False),
    )
    op.create_index("ix_accesses_accessed_at", "accesses", ["accessed_at"])
    op.create_table(
        "audit_cases",
        sa.Column("audit", sa.String(64), primary_key=True),
        _prediction(primary_key=True),
        sa.Column("drawn_at", MOMENT, nullable=False),
        sa.Column("stratum", sa.String(200), nullable=False),
        sa.Column("probability", sa.Float, nullable=False),
    )
    _unfold(needs, matches)
    with op.batch_alter_table("predictions") as table:
        table.drop_column("needs")
        table.drop_column("matches")


def _unfold(needs: sa.Table, matches: sa.Table) -> None:
    bind = op.get_bind()
    old = sa.table("predictions", sa.column("id"), sa.column("needs", sa.JSON), sa.column("matches", sa.JSON))
    last = ""
    while True:
        page = sa.select(old).where(old.c.id > last).order_by(old.c.id).limit(_BLOCK)
        rows = bind.execute(page).all()
        if not rows:
            return
        last = rows[-1].id
        need_rows = [
            {
                "prediction_id": row.id,
                "position": position,
                "domain": need["domain"],
                "tier": need["tier"],
                "confidence": need["confidence"],
                "text": need["text"],
                "evidence": [one["word"] for one in need["evidence"]],
            }
            for row in rows
            for position, need in enumerate(row.needs or ())
        ]
        match_rows = [
            {
                "id": uuid.uuid4().hex,
                "prediction_id": row.id,
                "rank": rank,
                **{name: match[name] for name in ("resource_id", "name", "score", "reasons", "ask")},
            }
            for row in rows
            for rank, match in enumerate(row.matches or (), 1)
        ]
        if need_rows:
            op.bulk_insert(needs, need_rows)
        if match_rows:
            op.bulk_insert(matches, match_rows)


def downgrade() -> None:
    """Fold needs and matches back into the predictions; labels, outcomes and logs are lost."""
    with op.batch_alter_table("predictions") as table:
        table.add_column(sa.Column("needs", sa.JSON, nullable=False, server_default="[]"))
        table.add_column(sa.Column("matches", sa.JSON))
    bind = op.get_bind()
    for name, order, columns in (
        ("needs", "position", ("domain", "tier", "confidence", "text", "evidence")),
        ("matches", "rank", ("resource_id", "name", "score", "reasons", "ask")),
    ):
        _fold(bind, name, order, columns)
    for name in ("audit_cases", "accesses", "activations", "outcomes", "labels", "matches", "needs"):
        op.drop_table(name)
    with op.batch_alter_table("predictions") as table:
        table.drop_index("ix_predictions_resident")
        table.alter_column("needs", server_default=None)
        for column in ("resident", "received_at", "due_at"):
            table.drop_column(column)


def _fold(bind: sa.Connection, name: str, order: str, columns: tuple[str, ...]) -> None:
    listed = {"evidence", "reasons", "ask"}
    shapes = [sa.column(column, sa.JSON) if column in listed else sa.column(column) for column in columns]
    rows = sa.table(name, sa.column("prediction_id"), sa.column(order), *shapes)
    folded: dict[str, list[dict[str, object]]] = {}
    for row in bind.execute(sa.select(rows).order_by(rows.c.prediction_id, rows.c[order])):
        one = {column: getattr(row, column) for column in columns}
        if "evidence" in one:
            one["evidence"] = [{"word": word, "weight": 0.0} for word in one["evidence"]]
        folded.setdefault(row.prediction_id, []).append(one)
    predictions = sa.table("predictions", sa.column("id"), sa.column(name, sa.JSON))
    for prediction, items in folded.items():
        bind.execute(
            sa.update(predictions)
            .where(predictions.c.id == prediction)
            .values({name: json.loads(json.dumps(items))})
        )
