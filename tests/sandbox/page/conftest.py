"""Somebody's page in the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.worlds.browser import DESKTOP, Browser

if TYPE_CHECKING:
    from lms_bot.sandbox.page.server import PageServer


@pytest.fixture
def maria(page: PageServer, browser: Browser) -> Browser:
    """María's page, loaded anew, with the conversation there."""
    browser.resize(DESKTOP)
    browser.prefer("light")
    browser.driver.get("about:blank")
    browser.driver.get(f"{page.url}#maria.santos")
    browser.wait(lambda: browser.find("#bot-state").text == "at work")
    browser.wait(lambda: browser.find("#messages").get_attribute("aria-busy") == "false")
    return browser
