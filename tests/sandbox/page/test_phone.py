"""What the bot says fits a phone: nothing scrolls sideways, and buttons are wide enough for a thumb."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lms_bot.sandbox.lms.sample import CONTENT_HISTORY, EXAM_HISTORY
from lms_bot.sandbox.scenario import EVENTS, UNTOLD
from lms_bot.zulip.gateway import Credentials, Gateway
from lms_bot.zulip.widgets import make_choices
from tests.sandbox.page.test_browser import last_own, write
from tests.worlds.browser import PHONE, Browser, needs_browser
from tests.worlds.conversations import read_single_answers
from tests.worlds.demo_page_world import PATIENCE_SECONDS, post

if TYPE_CHECKING:
    from lms_bot.sandbox.page.server import PageServer

pytestmark = needs_browser

THUMB = 44  # pixels: what WCAG's "Target Size (Enhanced)" asks for
ROOM = 318  # pixels: what a phone of 390 leaves of a message, in Zulip's web app as here
HAPPENED = (  # in the sample school, on top of its two weeks
    ("omar_h", "fail", "physics-midterm"),
    ("omar_h", "fail", "math-final"),
    ("omar_h", "fail", "web-checkpoint"),
    ("jane_smith", "start", "physics-midterm"),
    ("john_doe", "pass", "math-final"),
    ("zoe_m", "fail", "hostile"),
    ("zoe_m", "watch", "Derivatives, Step by Step"),
)
# Who asks what, and a part of what is answered. Of one person, the bot takes few questions at once.
ASKED = {
    "maria.santos": (
        ("students", "Last result"),
        ("summary last week", "Student"),
        ("stats", "Last 7 days"),
        ("compare john jane", "Pass rate"),
        ("failed 20 days", "Result"),
        ("inactive last week", "Last active"),
        ("exam python basics quiz", "Result"),
        ("best python basics quiz", "Best"),
        ("open", "worst first"),
    ),
    "chen.wei": (
        ("chart omar", "The figures"),
        ("needs", "need"),
        ("history omar", "Event"),
        ("student omar", "Best / last / average"),
        ("note omar Talked to his parents, who help with trigonometry; he sits it again on Friday.", "Noted"),
        ("notes omar", "Talked to his parents"),
        ("digest", "Digest"),
        ("settings", "You get"),
        ("test", "updates on Sample Student"),
    ),
    "helena.lind": (
        ("students all", "Last result"),
        ("summary 20 days all", "Student"),
        ("stats all", "Mapped mentors"),
        ("history omar", "Event"),
        ("audit", "summary all"),
        ("health", "Zulip"),
        ("errors", "No errors"),
        ("pending", "Nothing is waiting"),
    ),
}
FIND_WIDE = """
const isWide = (one) =>
  (getComputedStyle(one).display !== "inline" && one.scrollWidth > one.clientWidth + 1)
  || one.getBoundingClientRect().right > innerWidth;
return [...arguments[0].querySelectorAll(".content, .content *")].filter(isWide).map((one) => one.outerHTML);
"""


@pytest.fixture(scope="module")
def told(page: PageServer, browser: Browser) -> None:
    """María and 陈伟 were told much at once, and there is something to ask for."""
    for student, verb, what in HAPPENED:
        post(page, "/act", student=student, verb=verb, what=what)
    environment = page.backend.environment
    environment.zulip.wait_for(lambda message: "updates on" in message.content, timeout=PATIENCE_SECONDS)
    known = len(EXAM_HISTORY) + len(CONTENT_HISTORY) + len(HAPPENED)
    browser.wait(lambda: environment.bot.stored(EVENTS)[0][0] >= known)
    browser.wait(lambda: environment.bot.stored(UNTOLD) == [(0,)])


@pytest.fixture
def phone(told: None, maria: Browser) -> Browser:
    """María's page on a phone."""
    del told
    maria.resize(PHONE)
    assert maria.run("return innerWidth") == PHONE[0]
    return maria


def be(browser: Browser, page: PageServer, username: str) -> None:
    browser.driver.get("about:blank")
    browser.driver.get(f"{page.url}#{username}")
    browser.wait(lambda: browser.find("#messages").get_attribute("aria-busy") == "false")


def ask(browser: Browser, said: str) -> str:
    """What is answered; it is the last message then."""
    before = len(browser.find_all(".message.own"))
    write(browser, said)
    browser.wait(lambda: len(browser.find_all(".message.own")) == before + 1)
    browser.wait(lambda: browser.find_all(".message.theirs:last-child"))
    return browser.read_all(".message.theirs")[-1]


def find_wide(browser: Browser, where: str) -> list[str]:
    """What is wider than its place, or than the page, with all spoilers open."""
    for spoiler in browser.find_all(f"{where} .spoiler-button[aria-expanded=false]"):
        browser.run("arguments[0].click()", spoiler)
    wide: list[str] = browser.run(FIND_WIDE, browser.find(where))
    is_page_wide = browser.run("return document.documentElement.scrollWidth > innerWidth")
    return [*wide, *(["the page"] if is_page_wide else [])]


@pytest.mark.parametrize("username", ASKED)
def test_no_answer_scrolls_sideways(page: PageServer, phone: Browser, username: str) -> None:
    be(phone, page, username)
    wide = {}
    for said, shown in ASKED[username]:
        assert shown in ask(phone, said)
        wide[said] = find_wide(phone, ".message:last-child")
    assert {said: found for said, found in wide.items() if found} == {}


def test_no_news_of_many_students_scroll_sideways(phone: Browser) -> None:
    assert phone.run("return document.querySelector('.message.theirs .content').clientWidth") == ROOM
    assert [text for text in phone.read_all(".message.theirs") if "updates on" in text]
    assert find_wide(phone, "#messages") == []


def test_nothing_else_that_is_answered_scrolls_sideways(page: PageServer, phone: Browser) -> None:
    """All of conversations.md, such as errors and what was not told."""
    answers = read_single_answers()
    zulip, bot = page.backend.environment.zulip, page.backend.environment.account
    person = page.backend.get_client("arjun.nair").person
    for answer in answers:
        zulip.send(bot, person, answer)
    be(phone, page, "arjun.nair")
    assert len(phone.find_all(".message.theirs")) >= len(answers) > 100
    assert find_wide(phone, "#messages") == []


def test_buttons_are_for_thumbs_and_long_ones_wrap(page: PageServer, phone: Browser) -> None:
    long = " ".join(["Physics Midterm: Waves & Optics"] * 3)
    widget = make_choices("Which one do you mean?", [("1", "", "1"), (long, "", "whoami")])
    bot, person = page.backend.environment.account, page.backend.get_client("maria.santos").person
    gateway = Gateway(Credentials(bot.delivery_email, bot.api_key, page.backend.environment.zulip.site))
    gateway.send((person.user_id,), "for other clients", widget)
    phone.wait(lambda: len(phone.find_all(".message:last-child .choice")) == 2)
    short_one, long_one = (button.rect for button in phone.find_all(".message:last-child .choice"))
    assert short_one["height"] >= THUMB and short_one["width"] >= THUMB
    assert long_one["height"] > short_one["height"] and long_one["width"] <= ROOM
    assert find_wide(phone, ".message:last-child") == []
    phone.find_all(".message:last-child .choice")[1].click()
    phone.wait(lambda: last_own(phone) == "whoami")
