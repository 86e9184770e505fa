"""A browser for tests: Chromium without a window, and what a person sees and does in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

if TYPE_CHECKING:
    from selenium.webdriver.remote.webelement import WebElement

Found = TypeVar("Found")

CHROMIUM, DRIVER = (shutil.which(name) for name in ("chromium", "chromedriver"))
DESKTOP, PHONE = (1440, 900), (390, 844)
PLAIN = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--lang=en", "--no-first-run")
# It asks nobody on the network for anything by itself.
QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic")
LOOK_SECONDS = 0.02
PATIENCE_SECONDS = 60.0  # only a hang lasts longer
REDRAWN = (NoSuchElementException, StaleElementReferenceException)  # what the page just drew anew: look again
SERIOUS = ("serious", "critical")
FIND_VIOLATIONS = """
const done = arguments[arguments.length - 1];
const fail = (error) => done([{ id: String(error), impact: "critical", nodes: [] }]);
axe.run({ resultTypes: ["violations"] }).then((found) => done(found.violations), fail);
"""

needs_browser = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver")


class Browser:
    """One window."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def resize(self, size: tuple[int, int]) -> None:
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def prefer(self, colours: str) -> None:
        """`dark` or `light`, as the system would say."""
        features = [{"name": "prefers-color-scheme", "value": colours}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def find_all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def read_all(self, selector: str) -> list[str]:
        """The text of each element as it is shown, all at one moment."""
        texts: list[str] = self.run(
            "return [...document.querySelectorAll(arguments[0])].map(_ => _.innerText)", selector
        )
        return texts

    def run(self, script: str, *values: object) -> Any:
        return self.driver.execute_script(script, *values)

    def wait(self, condition: Callable[[], Found], patience_seconds: float = PATIENCE_SECONDS) -> Found:
        """The condition's first value that is true; selenium's TimeoutException where there is none in time."""
        return WebDriverWait(self.driver, patience_seconds, LOOK_SECONDS, REDRAWN).until(lambda _: condition())

    def find_serious_violations(self) -> list[str]:
        """What axe-core finds that keeps people out, each with where it is."""
        self.run(resources.files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
        found = self.driver.execute_async_script(FIND_VIOLATIONS)
        return [
            f"{one['id']}: {[node['html'] for node in one['nodes']]}" for one in found if one["impact"] in SERIOUS
        ]

    def get_complaints(self) -> list[str]:
        """What the browser wrote into its log since it was asked last."""
        return [entry["message"] for entry in self.driver.get_log("browser")]  # type: ignore[no-untyped-call]


@contextmanager
def open_browser() -> Iterator[Browser]:
    """A window, closed at the end."""
    options = ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for argument in (*PLAIN, *QUIET):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options=options, service=Service(DRIVER))
    try:
        window = Browser(driver)
        window.resize(DESKTOP)
        yield window
    finally:
        driver.quit()
