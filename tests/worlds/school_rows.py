"""What a test reads of a school's tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lms_bot.sandbox.lms.school import School


def rows(school: School, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with school.transaction() as sql:
        sql.execute(query, values)
        return sql.fetchall()
