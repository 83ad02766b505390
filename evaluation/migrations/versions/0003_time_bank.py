"""The time bank: accounts that never fall below zero, what was paid into them, and one transfer a match at most."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ACCOUNT = sa.String(100)
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "hour_accounts",
        sa.Column("account", ACCOUNT, primary_key=True),
        sa.Column("minutes", sa.Integer, nullable=False),
        sa.CheckConstraint("minutes >= 0", name="hour_accounts_never_below_zero"),
    )
    op.create_table(
        "hour_deposits",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("account", ACCOUNT, sa.ForeignKey("hour_accounts.account"), nullable=False),
        sa.Column("minutes", sa.Integer, nullable=False),
        sa.Column("booked_at", MOMENT, nullable=False),
        sa.Column("actor", sa.String(100), nullable=False),
    )
    op.create_table(
        "hour_transfers",
        sa.Column("match_id", sa.String(32), primary_key=True),
        sa.Column("payer", ACCOUNT, sa.ForeignKey("hour_accounts.account"), nullable=False),
        sa.Column("payee", ACCOUNT, sa.ForeignKey("hour_accounts.account"), nullable=False),
        sa.Column("minutes", sa.Integer, nullable=False),
        sa.Column("booked_at", MOMENT, nullable=False),
        sa.Column("actor", sa.String(100), nullable=False),
    )
    for table, column in (
        ("hour_deposits", "account"),
        ("hour_transfers", "payer"),
        ("hour_transfers", "payee"),
    ):
        op.create_index(f"ix_{table}_{column}", table, [column])


def downgrade() -> None:
    """Drop the tables."""
    for table in ("hour_transfers", "hour_deposits", "hour_accounts"):
        op.drop_table(table)
