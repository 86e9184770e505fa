"""The demo's page as a person uses it, in a real browser: live, with the keyboard, on a phone, in both themes."""

from __future__ import annotations

import base64
import os
import re
from typing import TYPE_CHECKING

import pytest
from selenium.webdriver.common.keys import Keys

from lms_bot.sandbox.lms.sample import EXAMS
from lms_bot.zulip.gateway import Credentials, Gateway
from lms_bot.zulip.widgets import make_choices
from tests.worlds.browser import DESKTOP, PHONE, Browser, needs_browser

if TYPE_CHECKING:
    from lms_bot.sandbox.page.server import PageServer

pytestmark = needs_browser

HOSTILE_TITLE = dict(exam[:2] for exam in EXAMS)["hostile"]
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
SCREENSHOT = os.environ.get("LMS_BOT_SCREENSHOT")  # a file for README's picture


def click(browser: Browser, student: str, verb: str, what: str) -> None:
    choice = "content" if verb == "watch" else "exam"
    browser.run("document.getElementById(arguments[0]).value = arguments[1]", choice, what)
    browser.find(f"[data-student={student}][data-verb={verb}]").click()


def messages_with(browser: Browser, *words: str) -> list[str]:
    return [text for text in browser.read_all(".message.theirs") if all(word in text for word in words)]


def bottom_of(browser: Browser, selector: str) -> float:
    """Where the element ends, in pixels from the window's top."""
    place: float = browser.run("return arguments[0].getBoundingClientRect().bottom", browser.find(selector))
    return place


def last_own(browser: Browser) -> str | None:
    return next(reversed(browser.read_all(".message.own .content")), None)


def write(browser: Browser, text: str) -> None:
    browser.find("#compose-text").send_keys(text, Keys.ENTER)


def test_a_pass_clicked_in_the_panel_reaches_the_open_conversation_by_itself(maria: Browser) -> None:
    before = len(messages_with(maria, "john_doe", "Mathematics Final Exam", "🎉"))
    click(maria, "john_doe", "pass", "math-final")
    maria.wait(lambda: len(messages_with(maria, "john_doe", "Mathematics Final Exam", "🎉")) > before)
    maria.wait(lambda: len(maria.find_all(".path:first-child.done .stage.lit")) == 4)
    assert re.fullmatch(r"\d+ ms", maria.find(".path:first-child .total").text)


def test_a_typed_history_is_answered(maria: Browser) -> None:
    write(maria, "history john_doe 20 days")
    maria.wait(lambda: messages_with(maria, "John Doe (john_doe)", "Python Basics Quiz"))
    answer = messages_with(maria, "John Doe (john_doe)", "Python Basics Quiz")[-1]
    assert "Web Development Checkpoint" in answer and "|" not in answer
    assert maria.find("#compose-text").get_attribute("value") == ""


def test_an_offer_is_taken_with_a_click_or_the_keyboard(maria: Browser) -> None:
    maria.get_complaints()
    write(maria, "history jone")
    choices = maria.wait(lambda: maria.find_all(".message:last-child .choice"))
    names = [one.text for one in choices]
    assert names == ["1. Jane Smith (jane_smith)", "2. John Doe (john_doe)"]
    group = maria.find(".message:last-child [role=group]")
    heading = maria.find(".message:last-child .widget p").text
    assert heading.startswith("You have no student of that name.") and heading.endswith("Which one do you mean?")
    assert group.accessible_name == heading
    assert maria.find_serious_violations() == []
    choices[0].click()
    maria.wait(lambda: last_own(maria) == "1")
    maria.wait(lambda: messages_with(maria, names[0].removeprefix("1. ")))
    choices[1].send_keys(Keys.ENTER)
    maria.wait(lambda: last_own(maria) == "2")
    maria.wait(lambda: names[1].removeprefix("2. ") in maria.read_all(".message.theirs")[-1])
    assert maria.get_complaints() == []


def test_what_a_button_says_shows_as_text(page: PageServer, maria: Browser) -> None:
    """In place of the message's own text, as in Zulip."""
    hostile = "<img src=x onerror=alert(1)>"
    widget = make_choices(f"{hostile}?", [(hostile, f"{hostile}!", "whoami")])
    bot, person = page.backend.environment.account, page.backend.get_client("maria.santos").person
    gateway = Gateway(Credentials(bot.delivery_email, bot.api_key, page.backend.environment.zulip.site))
    gateway.send((person.user_id,), "for other clients", widget)
    shown = ".message:last-child .content"
    maria.wait(lambda: maria.find(shown).text == f"{hostile}?\n{hostile} {hostile}!")
    assert maria.find_all(f"{shown} img") == []
    maria.resize(PHONE)
    assert maria.run("return document.documentElement.scrollWidth <= innerWidth")
    maria.find(f"{shown} button").click()
    maria.wait(lambda: last_own(maria) == "whoami")
    maria.resize(DESKTOP)


def test_killing_the_bot_and_passing_an_exam_meanwhile_brings_exactly_one_message(maria: Browser) -> None:
    maria.find("#trouble-bot").click()
    maria.wait(lambda: "killed" in maria.find("#bot-state").text)
    click(maria, "zoe_m", "pass", "web-checkpoint")
    maria.wait(lambda: "Zoë Müller passed" in maria.find(".path:first-child").text)
    maria.wait(lambda: maria.find("#count-waiting dd").text == "1")
    assert not messages_with(maria, "zoe_m", "Web Development Checkpoint")
    maria.find("#trouble-bot").click()
    maria.wait(lambda: messages_with(maria, "zoe_m", "Web Development Checkpoint"))
    maria.wait(lambda: maria.find_all(".path:first-child.done"))
    maria.wait(lambda: maria.find("#count-waiting dd").text == "0")
    assert len(messages_with(maria, "zoe_m", "Web Development Checkpoint")) == 1
    assert (maria.find("#count-lost dd").text, maria.find("#count-doubled dd").text) == ("0", "0")


def test_a_hostile_exam_title_shows_as_text(maria: Browser) -> None:
    maria.get_complaints()
    click(maria, "jane_smith", "fail", "hostile")
    maria.wait(lambda: messages_with(maria, "jane_smith", "<img src=x onerror=alert(1)>"))
    assert HOSTILE_TITLE in maria.find(".path:first-child").text
    assert maria.find_all(".content img, .content .user-mention, .content a[href*=evil]") == []
    assert maria.get_complaints() == []


def test_spoilers_open_times_are_local_and_tables_are_tables(page: PageServer, maria: Browser) -> None:
    text = "```spoiler Answer\n42\n```\n\n| a | b |\n|---|--:|\n| <time:2026-01-15T14:30:00Z> | 1 |"
    page.backend.environment.zulip.send(
        page.backend.environment.account, page.backend.get_client("maria.santos").person, text
    )
    opener = maria.wait(lambda: next(iter(maria.find_all(".message:last-child .spoiler-button")), None))
    content = maria.find(".message:last-child .spoiler-content")
    assert opener is not None and opener.text == "Answer" and not content.is_displayed()
    opener.send_keys(Keys.ENTER)
    assert content.text == "42" and opener.get_attribute("aria-expanded") == "true"
    form = "{hour: 'numeric', minute: '2-digit'}"
    local = maria.run(f"return new Date('2026-01-15T14:30:00Z').toLocaleTimeString('en-US', {form})")
    shown = maria.find(".message:last-child td time").text
    assert re.fullmatch(rf"\w{{3}}, Jan 1\d 2026, {re.escape(local)}", shown)  # in the very words of Zulip's web app
    assert maria.get_complaints() == []


def test_a_picture_is_shown_inline(page: PageServer, maria: Browser) -> None:
    zulip, bot = page.backend.environment.zulip, page.backend.environment.account
    path = zulip.upload(bot, "chart.png", PICTURE)
    zulip.send(bot, page.backend.get_client("maria.santos").person, f"[chart.png]({path})")
    maria.wait(lambda: maria.run("return document.querySelector('.message:last-child img')?.naturalWidth") == 1)
    assert maria.find(".message:last-child img").get_attribute("alt") == "chart.png"


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_serious(maria: Browser, size: tuple[int, int], colours: str) -> None:
    maria.resize(size)
    maria.prefer(colours)
    assert maria.find_serious_violations() == []
    for tab in maria.find_all("[role=tab]")[1:] if size == PHONE else []:
        tab.click()
        assert maria.find_serious_violations() == []
    assert maria.run("return document.documentElement.scrollWidth <= innerWidth")


def test_a_message_with_a_broken_address_is_shown_like_any_other(maria: Browser) -> None:
    write(maria, "[a](/user_uploads/1/%E0.png)")
    maria.wait(lambda: maria.find_all(".message.own a[href*='%E0']"))
    maria.driver.refresh()
    maria.wait(lambda: maria.find("#messages").get_attribute("aria-busy") == "false")


def test_a_second_enter_says_nothing_twice(maria: Browser) -> None:
    before = len(maria.find_all(".message.own"))
    maria.find("#compose-text").send_keys("whoami", Keys.ENTER, Keys.ENTER, "status", Keys.ENTER)
    maria.wait(lambda: last_own(maria) == "status")
    assert maria.read_all(".message.own .content")[before:] == ["whoami", "status"]


def test_news_come_into_sight_below_a_long_answer(maria: Browser) -> None:
    write(maria, "help")
    maria.wait(lambda: "You can ask me" in maria.read_all(".message.theirs")[-1])
    click(maria, "omar_h", "fail", "python-basics")
    maria.wait(lambda: "omar_h" in maria.read_all(".message.theirs")[-1])
    maria.wait(lambda: bottom_of(maria, ".message:last-child") <= bottom_of(maria, "#messages"))


def test_at_twice_the_size_there_is_room_to_read(maria: Browser) -> None:
    maria.resize((DESKTOP[0] // 2, DESKTOP[1] // 2))
    assert maria.run("return document.getElementById('messages').clientHeight") > 150
    assert bottom_of(maria, ".send") <= DESKTOP[1] / 2


def test_it_can_be_used_with_the_keyboard_alone(maria: Browser) -> None:
    maria.driver.switch_to.active_element.send_keys(Keys.TAB)
    assert maria.driver.switch_to.active_element.text == "Skip to writing to the bot"
    maria.driver.switch_to.active_element.send_keys(Keys.ENTER)
    box = maria.driver.switch_to.active_element
    assert box.get_attribute("id") == "compose-text"
    box.send_keys("two", Keys.SHIFT + Keys.ENTER + Keys.NULL, "lines", Keys.ENTER)
    maria.wait(lambda: last_own(maria) == "two\nlines")
    box.send_keys(Keys.ARROW_UP)
    maria.wait(lambda: box.get_attribute("value") == "two\nlines")
    box.send_keys(Keys.BACKSPACE * len("two\nlines"), "helpp", Keys.BACKSPACE, Keys.ENTER)
    maria.wait(lambda: last_own(maria) == "help" and maria.find_all(".message.own .edited"))
    maria.wait(lambda: maria.find_all(".message.theirs .reaction"))
    reaction = maria.find_all(".message.theirs .reaction")[-2]
    reaction.send_keys(Keys.SPACE)
    maria.wait(lambda: maria.find_all(".reaction.given[aria-label='check: María Santos'][aria-pressed=true]"))
    assert maria.driver.switch_to.active_element.get_attribute("aria-pressed") == "true"


def test_the_link_to_writing_leads_there_from_every_tab(maria: Browser) -> None:
    maria.resize(PHONE)
    maria.find("#tab-school").click()
    maria.find(".skip").send_keys(Keys.ENTER)
    assert maria.driver.switch_to.active_element.get_attribute("id") == "compose-text"


def test_a_theme_can_be_chosen_against_the_systems(maria: Browser) -> None:
    ground = "return getComputedStyle(document.body).backgroundColor"
    light = maria.run(ground)
    maria.find("#theme").click()
    dark = maria.run(ground)
    assert dark != light
    maria.driver.refresh()
    maria.wait(lambda: maria.run(ground) == dark)
    maria.run("localStorage.clear()")


def test_an_admin_and_a_student_are_answered_as_such(maria: Browser) -> None:
    maria.find("input[value=admin] + span").click()
    write(maria, "health")
    maria.wait(lambda: messages_with(maria, "LMS", "Zulip"))
    maria.find("input[value=student] + span").click()
    assert maria.driver.current_url.endswith("#john_doe")
    maria.wait(lambda: not messages_with(maria, "LMS", "Zulip"))
    write(maria, "history")
    maria.wait(lambda: messages_with(maria, "Python Basics Quiz"))


@pytest.mark.skipif(not SCREENSHOT, reason="LMS_BOT_SCREENSHOT names no file for the picture")
def test_a_picture_for_the_readme(page: PageServer, maria: Browser) -> None:
    maria.resize((1440, 1000))
    click(maria, "zoe_m", "fail", "physics-midterm")
    maria.wait(lambda: messages_with(maria, "zoe_m", "Physics Midterm"))
    click(maria, "jane_smith", "pass", "python-basics")
    maria.wait(lambda: messages_with(maria, "jane_smith", "Python Basics Quiz"))
    maria.wait(lambda: maria.find_all(".path:first-child.done"))
    news = maria.find_all(".message.theirs")[-1]
    news.find_element("css selector", ".reaction").click()
    write(maria, "chart john_doe")
    maria.wait(lambda: maria.run("return document.querySelector('.message:last-child img')?.naturalWidth > 100"))
    maria.run("document.activeElement.blur(); arguments[0].scrollIntoView()", news)
    assert maria.driver.save_screenshot(str(SCREENSHOT))
