"""A school to be watched."""

from __future__ import annotations

import pytest

from lms_bot.sandbox.lms.school import School
from tests.worlds.watching import fill


@pytest.fixture
def school(lms: School) -> School:
    return fill(lms)
