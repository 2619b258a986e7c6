"""The subscriptions that a watch is for."""

import sqlalchemy as sa
from alembic import op

revision = "s02"
down_revision = "s01"


def upgrade() -> None:
    op.create_table(
        "casella_subscriptions",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("work", sa.String(64), sa.ForeignKey("casella_work.id", ondelete="CASCADE"), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.UniqueConstraint("work", "name", name="casella_subscriptions_name"),
    )
    op.create_index("casella_subscriptions_expiry", "casella_subscriptions", ["expires_at"])


def downgrade() -> None:
    op.drop_table("casella_subscriptions")
