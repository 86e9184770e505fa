"""Both PostgreSQLs that are supported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lms_bot.sandbox.lms.postgres import EmbeddedPostgres


@pytest.fixture(params=["postgres", "postgres15"])
def server(request: pytest.FixtureRequest) -> EmbeddedPostgres:
    found: EmbeddedPostgres = request.getfixturevalue(request.param)
    return found
