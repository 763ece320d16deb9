"""${message}

Revision ID: ${up_revision}
Revises: ${down_revision | comma,n}
"""

from __future__ import annotations

from pathlib import Path

from alembic import op
from pgflow.migrations import drop_functions, run_sql

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None

HERE = Path(__file__).with_suffix("")


def upgrade() -> None:
    ${upgrades if upgrades else "run_sql()"}


def downgrade() -> None:
    ${downgrades if downgrades else "drop_functions()"}
