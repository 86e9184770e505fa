"""Messages may come with buttons. Frozen."""

from typing import Any


def up(migrator: object, db: Any) -> None:
    db.execute_sql("ALTER TABLE lms_messages ADD COLUMN buttons JSON")
