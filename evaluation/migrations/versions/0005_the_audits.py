"""Audits and counts by week; indexes for the review queue and for audited cases."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

LABEL = sa.String(64)
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables and indexes."""
    op.create_table(
        "audits",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("starts_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT, nullable=False),
        sa.Column("drawn_at", MOMENT, nullable=False),
        sa.Column("actor", sa.String(100), nullable=False),
        sa.Column("half_width", sa.Float, nullable=False),
        sa.Column("seed", sa.Integer, nullable=False),
        sa.Column("population", sa.Integer, nullable=False),
        sa.Column("drawn", sa.Integer, nullable=False),
    )
    op.create_index("ix_audits_starts_at", "audits", ["starts_at"])
    op.create_table(
        "weekly_counts",
        sa.Column("week", sa.Date, primary_key=True),
        sa.Column("source", LABEL, primary_key=True),
        sa.Column("district", sa.String(100), primary_key=True),
        sa.Column("domain", LABEL, primary_key=True),
        sa.Column("tier", LABEL, primary_key=True),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("predictions", "reviews", "matched")),
    )
    op.create_table(
        "counted_weeks",
        sa.Column("week", sa.Date, primary_key=True),
        sa.Column("offset_minutes", sa.Integer, nullable=False),
        sa.Column("predictions", sa.Integer, nullable=False),
    )
    op.create_index("ix_audit_cases_prediction_id", "audit_cases", ["prediction_id"])
    op.create_index("ix_predictions_review", "predictions", ["review", "answered_at"])


def downgrade() -> None:
    """Drop them; settled labels stay, for they stand among the labels."""
    op.drop_index("ix_predictions_review", "predictions")
    op.drop_index("ix_audit_cases_prediction_id", "audit_cases")
    for name in ("counted_weeks", "weekly_counts", "audits"):
        op.drop_table(name)
