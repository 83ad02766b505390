"""Predictions: one row an answered message."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table of predictions."""
    op.create_table(
        "predictions",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("message_id", sa.String(200), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.String(64)),
        sa.Column("district", sa.String(100)),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("domain", sa.String(64), nullable=False),
        sa.Column("confidence", sa.Float, nullable=False),
        sa.Column("tier", sa.String(64)),
        sa.Column("urgency", sa.String(64)),
        sa.Column("review", sa.Boolean, nullable=False),
        sa.Column("needs", sa.JSON, nullable=False),
        sa.Column("matches", sa.JSON),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("taxonomy", sa.String(64), nullable=False),
        sa.Column("catalogue", sa.String(64)),
    )
    for column in ("message_id", "answered_at", "domain"):
        op.create_index(f"ix_predictions_{column}", "predictions", [column])


def downgrade() -> None:
    """Drop the table of predictions."""
    op.drop_table("predictions")
