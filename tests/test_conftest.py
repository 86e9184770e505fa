"""The ground that other tests stand on."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from playhouse.db_url import connect as open_store

if TYPE_CHECKING:
    from lms_bot.sandbox.lms.school import School


from tests.worlds.school_rows import rows


def test_a_store_opens_where_the_fixture_says(store_url: str) -> None:
    with open_store(store_url) as store:
        assert store.execute_sql("SELECT 1").fetchone() == (1,)


def test_no_setting_of_the_developers_reaches_a_test(tmp_path: Path) -> None:
    assert not [name for name in os.environ if name.startswith(("LMS_", "ZULIP_"))]
    assert Path.cwd() == tmp_path


def test_two_schools_do_not_see_each_other(new_lms: Callable[[], School]) -> None:
    new_lms().add_student("john_doe")
    assert rows(new_lms(), "SELECT * FROM students") == []
