"""Standing work and its workers."""

import sqlalchemy as sa
from alembic import op

revision = "s01"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "casella_workers",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("beat_at", sa.Double, nullable=False),
    )
    op.create_table(
        "casella_work",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("grant", sa.String(64)),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("mark", sa.LargeBinary),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("due_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double),
        sa.Column("owner", sa.String(64)),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.UniqueConstraint("kind", "account", "name", name="casella_work_name"),
    )
    op.create_index("casella_work_owner", "casella_work", ["owner"])
    op.create_index("casella_work_due", "casella_work", ["kind", "state", "due_at"])
    op.create_index("casella_work_grant", "casella_work", ["grant"])


def downgrade() -> None:
    op.drop_table("casella_work")
    op.drop_table("casella_workers")
