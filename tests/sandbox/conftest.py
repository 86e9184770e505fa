"""One demo with its page, and one browser, for all tests of the sandbox: both are dear to start."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from lms_bot.sandbox.demo import PAGE_CONFIG, open_page
from lms_bot.sandbox.environment import start_environment, wait_for_bot
from tests.worlds.browser import Browser, open_browser

if TYPE_CHECKING:
    from lms_bot.sandbox.page.server import PageServer


@pytest.fixture(scope="session")
def page() -> Iterator[PageServer]:
    """A running demo with its page. A test that makes trouble must end it."""
    with ExitStack() as cleanup:
        environment = start_environment(cleanup, "lms_bot", PAGE_CONFIG)
        wait_for_bot(environment, lambda: False)
        yield cleanup.enter_context(open_page(environment))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with open_browser() as window:
        yield window
